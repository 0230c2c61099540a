"""What the stages of an analysis found, arranged as the result file has it."""

from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.applied import ClusterModel
from streamer.analysis.hierarchy import NodeMeans
from streamer.analysis.lattice import LatticeMaps
from streamer.analysis.manifold import Manifold, remark_on_nodes
from streamer.analysis.preprocess import Aligned, Extracted, automatic_mask, untouched_mask
from streamer.analysis.result_file import SCHEMA_VERSION, AnalysisResult
from streamer.cluster.divisive import Hierarchy
from streamer.cluster.nearest import reach_of_leaves
from streamer.cluster.pixels import MomentumClusters
from streamer.formats.scan_file import ScanFile
from streamer.kernels.mask import FeatureMask, radial_mean, reference_centre
from streamer.model import ScanInfo
from streamer.settings import AnalysisSettings

FEATURE_TRANSFORM = "aligned intensities at the feature pixels, row order, times /mask/scale"


@dataclass(frozen=True)
class Reach:
    """How far leaves reach and, of a scan that a model labels, how far its patterns lie from them."""

    of_leaves: NDArray[np.float32]
    model: ClusterModel | None = None
    novelty: NDArray[np.float32] | None = None
    said: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def measured(
        cls,
        hierarchy: Hierarchy,
        extracted: Extracted,
        model: ClusterModel | None,
        aligned: Aligned,
        info: ScanInfo,
        executor: Executor,
    ) -> "Reach":
        """Of a scan's own leaves, or of a model's and how new its patterns are."""
        if model is None:
            return cls(reach_of_leaves(hierarchy, extracted.features))
        return cls(model.reach, model, *model.novelty(extracted.features, aligned, info, executor))


@dataclass(frozen=True)
class Assembly:
    """The stages' outcomes, arranged as the result file has them."""

    scan: ScanFile
    settings: AnalysisSettings
    aligned: Aligned
    mask: FeatureMask
    extracted: Extracted
    hierarchy: Hierarchy
    momentum: MomentumClusters | None
    means: NodeMeans
    lattices: LatticeMaps
    manifolds: list[Manifold]
    leaf_of: NDArray[np.int32]
    reach: Reach

    def result(self, seconds: dict[str, float]) -> AnalysisResult:
        """As it is written; `seconds` of the stages."""
        arrays, array_attrs = self._alignment_and_mask()
        scan_shape = self.scan.info.scan_shape
        tree = self.hierarchy.tree
        arrays["hierarchy/labels"] = tree.label_maps(
            self.leaf_of.reshape(scan_shape), max(self.settings.cluster.levels, tree.depth)
        )
        arrays["hierarchy/centroids"] = self.hierarchy.centroids
        arrays["hierarchy/patterns"] = self.means.patterns
        array_attrs["hierarchy/centroids"] = {"transform": FEATURE_TRANSFORM}
        arrays["hierarchy/reach"] = self.reach.of_leaves
        if self.reach.novelty is not None:
            novelty = np.full(self.leaf_of.shape, np.nan, np.float32)
            novelty[self.aligned.usable] = self.reach.novelty
            arrays["model/novelty"], array_attrs["model"] = novelty.reshape(scan_shape), self.reach.said
        for node_id, elbow in self.hierarchy.elbows.items():
            arrays[f"hierarchy/elbow/{node_id}/k"] = elbow.k_values
            arrays[f"hierarchy/elbow/{node_id}/wss"] = elbow.wss
        if self.settings.lattice.enabled:
            lattice_arrays, array_attrs["lattice"] = self._lattice()
            arrays |= lattice_arrays
        for manifold in self.manifolds:
            where = f"manifold/{manifold.node_id}"
            arrays[f"{where}/points"], arrays[f"{where}/scan_index"] = manifold.points, manifold.scan_index
            array_attrs[where] = {"method": manifold.method}
        if remark := remark_on_nodes(self.settings.manifold, tree):
            array_attrs["manifold"] = {"remark": remark}
        momentum_nodes = ()
        if self.momentum:
            momentum_nodes = tuple(self.momentum.hierarchy.tree.nodes)
            images = self.means.images - self.momentum.offsets
            arrays["momentum/labels"] = self.momentum.labels
            arrays["momentum/images"] = np.ascontiguousarray(images.T).reshape(-1, *scan_shape)
        return AnalysisResult(self._attrs(seconds), arrays, tuple(tree.nodes), momentum_nodes, array_attrs)

    def _alignment_and_mask(self) -> tuple[dict[str, NDArray[Any]], dict[str, dict[str, Any]]]:
        aligned, mask = self.aligned, self.mask
        scan_shape = self.scan.info.scan_shape
        std = np.sqrt(np.maximum(aligned.variance, 0.0))
        residual = aligned.residual_yx[aligned.usable]
        arrays = {
            "alignment/com_yx": aligned.centres_yx.astype(np.float32).reshape(*scan_shape, 2),
            "alignment/residual_yx": aligned.residual_yx.astype(np.float32).reshape(*scan_shape, 2),
            "mask/mean_pattern": aligned.mean.astype(np.float32),
            "mask/std_pattern": std.astype(np.float32),
            "mask/radial_std": radial_mean(std, reference_centre(self.scan.info.detector_shape)).astype(
                np.float32
            ),
            "mask/ring": mask.ring,
            "mask/features": mask.features,
            "mask/scale": mask.scale,
            "virtual/bright_field": self.extracted.virtual[:, 0].reshape(scan_shape),
            "virtual/annular_dark_field": self.extracted.virtual[:, 1].reshape(scan_shape),
        }
        for row, detector in enumerate(self.settings.virtual, start=2):
            arrays[f"virtual/{detector.name}"] = self.extracted.virtual[:, row].reshape(scan_shape)
            arrays[f"virtual/{detector.name}_mask"] = self.extracted.weights[row].reshape(std.shape)
        attrs = {
            "alignment": {
                "std_px": float(residual.std(axis=0).max()),
                "mean_error_px": float(np.abs(residual.mean(axis=0)).max()),
                "iterations": self.settings.alignment.max_iterations,
                "remark": aligned.look.remark,
                "n_defects": len(aligned.look.defects),
            },
            "mask": {
                "disk_radius_px": aligned.beam.radius_px,
                "inner_px": mask.inner_px,
                "outer_px": mask.outer_px,
                "threshold": mask.threshold,
                "n_features": int(mask.features.sum()),
                "rule": mask.rule,
                "weighting": mask.weighting,
                "auto": self._automatic,
            },
        }
        return arrays, attrs

    def _lattice(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        scan_shape, maps = self.scan.info.scan_shape, self.lattices
        arrays: dict[str, NDArray[Any]] = {
            "lattice/quality": maps.quality.reshape(scan_shape),
            "lattice/width": maps.width.reshape(*scan_shape, 2),
        }
        for where, values in (("lattice", maps.values), ("lattice/alone", maps.alone)):
            arrays[f"{where}/strain"] = values.strain.reshape(*scan_shape, 3)
            for name in ("constant_nm", "spacing_px", "rotation_rad"):
                arrays[f"{where}/{name}"] = getattr(values, name).reshape(scan_shape)
        return arrays, {
            "reference_basis_yx_px": maps.reference_basis_yx.ravel().tolist(),
            "is_hexagonal": maps.is_hexagonal,
            "strain_components": "yy xx yx",
            "q_source": self.scan.info.calibration.q_source or "none",
        }

    @cached_property
    def _automatic(self) -> dict[str, Any]:
        """What every value would have been without an override."""
        chosen, auto = self.settings, self.mask
        if chosen.mask != untouched_mask(chosen) or chosen.alignment.disk_radius_px is not None:
            auto = automatic_mask(self.aligned, chosen)
        return {
            "disk_radius_px": self.aligned.look.automatic_radius_px,
            "inner_px": auto.inner_px,
            "outer_px": auto.outer_px,
            "threshold": auto.threshold,
            "n_features": int(auto.features.sum()),
            "rule": auto.rule,
            "weighting": auto.weighting,
        }

    def _attrs(self, seconds: dict[str, float]) -> dict[str, Any]:
        info = self.scan.info
        return {
            "livestem_version": version("livestem"),
            "schema_version": SCHEMA_VERSION,
            "source": str(self.scan.path),
            "source_checksum": self.scan.checksum(),
            "scan_id": info.scan_id,
            "settings": self.settings.model_dump(mode="json"),
            "settings_id": self.reach.model.settings_id if self.reach.model else self.settings.settings_id,
            "automatic": self._automatic,
            "seed": self.settings.seed,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": seconds,
            "scan": info.to_json(),
            "calibration": info.calibration.to_json(),
            "orientation": info.orientation.to_json(),
        }
