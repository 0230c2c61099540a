"""The clusters of one scan on others, so that colours mean the same across a series.

The mask, the tree and the centroids are those of a finished result; patterns of another scan go to the nearest
centroid, and what is farther from every cluster than anything that these were made of is said.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.preprocess import Aligned, choose_mask
from streamer.analysis.result_file import AnalysisResult, open_result
from streamer.cluster.nearest import chance_beyond, distance_in_reaches
from streamer.cluster.tree import ClusterTree
from streamer.errors import SettingsError
from streamer.formats.scan_series import LARGEST_SCALE_DIFFERENCE
from streamer.kernels.mask import FeatureMask
from streamer.model import Calibration, ScanInfo
from streamer.settings import AnalysisSettings, analysis_settings, settings_id

NEW_SHARE = 0.01
"""Share of the patterns beyond the reach of every cluster, above which there is something new."""
CLEARLY = 4.0
"""Standard deviations beyond what chance puts there."""
UNSEEN_SHARE = 0.25
"""Share of the pixels that a scan's own mask would have and the model's has not, above which something is not seen."""


@dataclass(frozen=True)
class ClusterModel:
    """What of a result labels other scans.

    Attributes
    ----------
    name
        Of the result's file.
    model_id
        Hash of everything that makes a label, 16 hexadecimal digits.
    settings
        Of the scans that it labels: those of the result, without what is found anew in every scan.
    mask
        Whose features the centroids live in.
    tree, centroids
        Centroids (n_nodes, n_features) float32.
    reach
        (n_nodes,) float32, see `streamer.cluster.nearest.reach_of_leaves`; NaN throughout: not known.
    calibration
        Of the scan that it was made of.
    """

    name: str
    model_id: str
    settings: AnalysisSettings
    mask: FeatureMask
    tree: ClusterTree
    centroids: NDArray[np.float32]
    reach: NDArray[np.float32]
    calibration: Calibration

    @property
    def settings_id(self) -> str:
        """What results have that were labelled by this model with these settings."""
        return settings_id({"settings": self.settings.model_dump(mode="json"), "model": self.model_id})

    def refuse_other_detector(self, info: ScanInfo) -> None:
        """Raise SettingsError where the scan has another detector than the model."""
        if info.detector_shape != self.mask.features.shape:
            raise SettingsError(
                f"The scan's patterns are {info.detector_shape}, those of {self.name} are {self.mask.features.shape}. "
                "Expected scans of the same detector. Analyse this one by itself. The scan is unchanged."
            )

    def novelty(
        self, features: Any, aligned: Aligned, info: ScanInfo, executor: Any = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Distances (n,) in reaches, see `distance_in_reaches`, and what there is to say of them.

        Parameters
        ----------
        features
            (n, n_features) of the scan's usable patterns.
        aligned, info
            Of the scan.
        """
        distances = distance_in_reaches(self.reach, self.centroids, features, executor)
        own = choose_mask(aligned, self.settings).features
        n_unseen = int(np.count_nonzero(own & ~self.mask.features))
        said = {
            "result": self.name,
            "model_id": self.model_id,
            "n_new": int(np.count_nonzero(distances > 1.0)) if np.isfinite(self.reach).any() else 0,
            "n_unseen_pixels": n_unseen,
        }
        remarks = (
            self._remark_on_new(said["n_new"], len(distances)),
            self._remark_on_unseen(n_unseen, int(own.sum())),
            _scale_remark(info.calibration, self.calibration, self.name),
        )
        return distances, said | {"remark": " ".join(filter(None, remarks))}

    def _remark_on_new(self, n_new: int, n: int) -> str:
        if not np.isfinite(self.reach).any():
            return (
                f"{self.name} does not say how far its clusters reach, so that new structure is not found: analyse its "
                "scan again with this livestem."
            )
        chance = n * chance_beyond(self.tree)
        if n_new <= max(NEW_SHARE * n, chance + CLEARLY * np.sqrt(chance)):
            return ""
        return (
            f"New structure: {n_new} of {n} patterns ({n_new / n:.1%}) are farther from every cluster of {self.name} "
            "than all patterns that these were made of; model/novelty shows where they are."
        )

    def _remark_on_unseen(self, n_unseen: int, n_own: int) -> str:
        if n_unseen <= UNSEEN_SHARE * n_own:
            return ""
        return (
            f"Of the {n_own} pixels that would be features of this scan, {n_unseen} are none of {self.name}: what "
            "differs there is not seen by its clusters. Analyse the scan by itself to see it."
        )


def _scale_remark(own: Calibration, model: Calibration, name: str) -> str:
    if not own.angle_per_px_mrad or not model.angle_per_px_mrad:
        return ""
    if abs(own.angle_per_px_mrad / model.angle_per_px_mrad - 1.0) <= LARGEST_SCALE_DIFFERENCE:
        return ""
    return (
        f"A pixel is {own.angle_per_px_mrad:.4g} mrad here and {model.angle_per_px_mrad:.4g} mrad in {name}: its "
        "clusters lie at other angles."
    )


def mask_of(result: AnalysisResult) -> FeatureMask:
    """The features that a result's centroids live in."""
    said = result.array_attrs["mask"]
    features = result.arrays["mask/features"].astype(np.bool_)
    scale = result.arrays.get("mask/scale", np.ones(int(features.sum()), np.float32))
    return FeatureMask(
        result.arrays["mask/ring"].astype(np.bool_),
        features,
        float(said["inner_px"]),
        float(said["outer_px"]),
        float(said["threshold"]),
        str(said["rule"]),
        scale.astype(np.float32),
        str(said.get("weighting", "none")),
    )


def model_of(result: AnalysisResult) -> ClusterModel:
    """What of a result labels other scans."""
    settings = analysis_settings(result.attrs["settings"])
    settings = settings.model_copy(
        update={
            "edits": (),  # they are in the tree already
            "roi": None,
            "momentum": settings.momentum.model_copy(update={"enabled": False}),
            "manifold": settings.manifold.model_copy(update={"method": "none"}),
        }
    )
    mask, nodes = mask_of(result), [node.to_json() for node in result.nodes]
    centroids = result.arrays["hierarchy/centroids"].astype(np.float32)
    made_of = [nodes, mask.pixels.tolist(), mask.scale.tolist(), centroids.tobytes().hex()]
    return ClusterModel(
        result.path.name if result.path else "the model",
        settings_id({"model": made_of}),
        settings,
        mask,
        ClusterTree(list(result.nodes)),
        centroids,
        result.arrays.get("hierarchy/reach", np.full(len(nodes), np.nan, np.float32)),
        Calibration.from_json(result.attrs["calibration"]),
    )


def load_model(path: Path) -> ClusterModel:
    """Read it from a result file; ResultError as in `open_result`."""
    return model_of(open_result(path))
