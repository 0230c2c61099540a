"""The full analysis of a finished scan: the ordered stages, written once.

Reads: a scan file. Writes: nothing (`streamer.analysis.result_file` does). Threads: an executor of its own.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from streamer.analysis.applied import ClusterModel
from streamer.analysis.exact_images import exact_images, refuse_too_large
from streamer.analysis.hierarchy import NodeMeans, mean_by_node
from streamer.analysis.lattice import LatticeMaps, LatticeStage
from streamer.analysis.manifold import Manifold, embed_nodes, import_umap, remark_on_nodes
from streamer.analysis.passes import Cancel, JobExecutor
from streamer.analysis.preprocess import (
    Aligned,
    Extracted,
    align_scan,
    automatic_mask,
    choose_mask,
    extract,
    patch_index,
    patch_side,
    untouched_mask,
)
from streamer.analysis.result_file import SCHEMA_VERSION, AnalysisResult
from streamer.analysis.source import as_analysed
from streamer.cluster.coherence import neighbour_pairs
from streamer.cluster.divisive import Averaging, DivisionRules, Hierarchy, divide
from streamer.cluster.edits import apply_edits
from streamer.cluster.nearest import label_by, reach_of_leaves
from streamer.cluster.neighbours import ScanMap
from streamer.cluster.pixels import MomentumClusters, cluster_images, cluster_pixels, lit_pixels
from streamer.cluster.shot_noise import FeatureNoise
from streamer.formats.scan_file import ScanFile
from streamer.kernels.mask import (
    PUBLISHED_THRESHOLD,
    FeatureMask,
    radial_mean,
    reference_centre,
    usable_radius,
)
from streamer.kernels.warmup import warm_clustering_kernels
from streamer.model import LABEL_NOT_VISITED, ScanInfo
from streamer.settings import AnalysisSettings

STAGES = ("align", "features", "hierarchy", "momentum", "patterns", "manifold")
"""Names of the stages, in order, as progress and timings use them."""

_TURNED_PIXELS = 512
"""At a time: a block of all their images then stays in the cache while it is transposed."""
FEATURE_TRANSFORM = "aligned intensities at the feature pixels, row order, times /mask/scale"

Progress = Callable[[str, float], None]
"""Called with the stage's name and the share of it that is done; may come from any thread."""


@dataclass
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, progress: Progress):
        begin = time.perf_counter()
        progress(name, 0.0)
        yield lambda fraction: progress(name, fraction)
        self.seconds[name] = round(time.perf_counter() - begin, 3)
        progress(name, 1.0)


def analyze(
    scan: ScanFile,
    settings: AnalysisSettings | None = None,
    progress: Progress = lambda name, fraction: None,
    cancel: Cancel | None = None,
    n_threads: int | None = None,
    aligned: Aligned | None = None,
    model: ClusterModel | None = None,
    executor: Executor | None = None,
) -> AnalysisResult:
    """Align, mask, cluster in real space and in momentum space, measure lattices, arrange patterns as points.

    Same scan, settings and seed give the same labels on any number of threads.

    Parameters
    ----------
    scan
        From `streamer.open_scan`.
    settings
        Default: everything automatic, three levels, seed 0.
    progress
        Told the stage and the share of it that is done.
    cancel
        Its `request` ends the analysis with ScanStopped.
    n_threads
        Default: one per processor.
    aligned
        The first pass over the same scan and region with the same alignment settings, where it was made before.
    model
        Clusters of a finished result that label this scan, instead of clusters of its own.
    executor
        Who computes, such as `streamer.analysis.dask_executor.DaskExecutor`; default: threads of its own.

    Raises
    ------
    FileFormatError
        The scan holds no usable pattern.
    SettingsError
        The region of the settings does not lie within the scan; a UMAP is asked for and not installed; or the
        frames are words of an EMPAD-G2 and no calibration is given.
    ScanStopped
        Cancelled.
    """
    settings = settings or AnalysisSettings()
    cancel = cancel or Cancel()
    clock = _Clock()
    if settings.manifold.method == "umap":
        import_umap()
    if isinstance(executor, JobExecutor):
        executor.begin(scan, settings, cancel)
    scan = as_analysed(scan, settings)
    if model is not None:
        model.refuse_other_detector(scan.info)
    with (
        # For the whole of it: two stages run side by side, and a limit set in one would end in the other.
        threadpool_limits(1),
        nullcontext(executor)
        if executor
        else ThreadPoolExecutor(n_threads or os.cpu_count() or 1) as executor,
        ThreadPoolExecutor(1) as beside,
    ):
        with clock.stage("align", progress) as told:
            aligned = aligned or align_scan(scan, settings, executor, told, cancel)
            mask = model.mask if model else choose_mask(aligned, settings)
            if settings.momentum.enabled and settings.momentum.exact:
                refuse_too_large(scan, aligned, settings)
        with clock.stage("features", progress) as told:
            # Loading them takes as long as a tenth of what follows, and the pass waits for the disk at times.
            warmed = beside.submit(warm_clustering_kernels, scan.info.dtype)
            extracted = extract(scan, aligned, mask, settings, executor, told, cancel)
            warmed.result()
        with clock.stage("hierarchy", progress) as told:
            # Neither fills all processors all the time.
            pixels = beside.submit(_momentum, scan, aligned, extracted, settings, executor, cancel)
            rules = division_rules(settings, aligned, mask, scan.info.scan_shape)
            if model is None:
                hierarchy = _divide(extracted, settings, rules, executor, told, cancel)
            else:
                hierarchy = label_by(model.tree, model.centroids, extracted.features, executor)
            reach = _Reach.measured(hierarchy, extracted, model, aligned, scan.info, executor)
        with clock.stage("momentum", progress):
            momentum = pixels.result()
        leaf_of = np.full(scan.info.n_positions, LABEL_NOT_VISITED, np.int32)
        leaf_of[aligned.usable] = hierarchy.leaf_of
        with clock.stage("patterns", progress) as told:
            tree = hierarchy.tree
            side = patch_side(scan.info.scan_shape, settings.momentum.n_bins, scan.info.detector_shape)
            patches = patch_index(scan.info.scan_shape, side)
            lattice = LatticeStage(settings, aligned, extracted, patches, leaf_of, tree, executor)
            weights = momentum.weights if momentum else np.zeros((0, aligned.mean.size), np.float32)
            means = mean_by_node(
                scan, settings, aligned, leaf_of, tree, weights, lattice, executor, told, cancel
            )
            lattices = lattice.maps(scan.info.calibration, scan.info.scan_shape)
        with clock.stage("manifold", progress) as told:
            manifolds = embed_nodes(
                extracted.features,
                np.flatnonzero(aligned.usable),
                hierarchy.leaf_of,
                tree,
                settings,
                told,
                cancel,
            )
    return _Assembly(
        scan,
        settings,
        aligned,
        mask,
        extracted,
        hierarchy,
        momentum,
        means,
        lattices,
        manifolds,
        leaf_of,
        reach,
    ).result(clock.seconds)


def _divide(
    extracted: Extracted,
    settings: AnalysisSettings,
    rules: DivisionRules,
    executor: Executor,
    told: Callable[[float], None],
    cancel: Cancel,
) -> Hierarchy:

    def node_begins(_: str, fraction: float) -> None:
        cancel.check()
        told(fraction)

    hierarchy = divide(extracted.features, rules, settings.seed, executor, node_begins)
    return apply_edits(hierarchy, settings.edits, extracted.features, rules, settings.seed, executor)


def division_rules(
    settings: AnalysisSettings, aligned: Aligned, mask: FeatureMask, scan_shape: tuple[int, int]
) -> DivisionRules:
    """The hierarchy's settings as its rules, for the usable positions of a scan."""
    cluster = settings.cluster
    positions = np.flatnonzero(aligned.usable)
    share = averaging = None
    if cluster.mask_per_node:
        share = PUBLISHED_THRESHOLD if settings.mask.threshold is None else settings.mask.threshold
    if cluster.neighbours == "auto":
        noise = FeatureNoise(aligned.mean, aligned.variance, mask)
        averaging = Averaging(ScanMap.of(positions, scan_shape), noise)
    return DivisionRules(
        cluster.levels,
        cluster.k_max,
        cluster.min_patterns,
        cluster.k,
        neighbour_pairs(positions, scan_shape),
        share,
        averaging,
    )


def _momentum(
    scan: ScanFile,
    aligned: Aligned,
    extracted: Extracted,
    settings: AnalysisSettings,
    executor: Executor,
    cancel: Cancel,
) -> MomentumClusters | None:
    if not settings.momentum.enabled:
        return None
    limit = usable_radius(scan.info.detector_shape, aligned.largest_shift_px, settings.mask.border_px)
    if settings.momentum.exact:
        pixels = lit_pixels(aligned.mean, limit)
        return cluster_images(
            exact_images(scan, aligned, pixels, settings, executor, cancel),
            pixels,
            aligned.mean,
            aligned.variance,
            settings,
            executor,
        )
    images = _patch_images(extracted, executor)
    return cluster_pixels(images, aligned.mean, aligned.variance, limit, settings, executor)


def _patch_images(extracted: Extracted, executor: Executor) -> NDArray[np.float32]:
    """Real-space images of all pixels (n_pixels, m), in patches of neighbours, less their means."""
    filled = np.flatnonzero(extracted.bin_counts > 0)
    n_pixels = extracted.binned.shape[1]
    images = np.empty((n_pixels, len(filled)), np.float32)
    counts = extracted.bin_counts[filled, None].astype(np.float32)

    def turn(start: int) -> None:
        own = slice(start, start + _TURNED_PIXELS)
        part = extracted.binned[filled, own] / counts
        images[own] = (part - part.mean(axis=0, dtype=np.float64).astype(np.float32)).T

    list(executor.map(turn, range(0, n_pixels, _TURNED_PIXELS)))
    return images


@dataclass(frozen=True)
class _Reach:
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
    ) -> "_Reach":
        if model is None:
            return cls(reach_of_leaves(hierarchy, extracted.features))
        return cls(model.reach, model, *model.novelty(extracted.features, aligned, info, executor))


@dataclass(frozen=True)
class _Assembly:
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
    reach: _Reach

    def result(self, seconds: dict[str, float]) -> AnalysisResult:
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
