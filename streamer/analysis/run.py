"""The full analysis of a finished scan: the ordered stages, written once.

Reads: a scan file. Writes: nothing (`streamer.analysis.result_file` does). Threads: an executor of its own.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from streamer.analysis.applied import ClusterModel
from streamer.analysis.assembly import Assembly, Reach
from streamer.analysis.exact_images import exact_images, refuse_too_large
from streamer.analysis.hierarchy import mean_by_node
from streamer.analysis.lattice import LatticeStage
from streamer.analysis.manifold import embed_nodes, import_umap
from streamer.analysis.passes import Cancel, JobExecutor
from streamer.analysis.preprocess import (
    Aligned,
    Extracted,
    align_scan,
    choose_mask,
    extract,
    patch_index,
    patch_side,
)
from streamer.analysis.result_file import AnalysisResult
from streamer.analysis.source import as_analysed
from streamer.cluster.coherence import neighbour_pairs
from streamer.cluster.divisive import Averaging, DivisionRules, Hierarchy, divide
from streamer.cluster.edits import apply_edits
from streamer.cluster.nearest import label_by
from streamer.cluster.neighbours import ScanMap
from streamer.cluster.pixels import MomentumClusters, cluster_images, lit_pixels
from streamer.cluster.shot_noise import FeatureNoise
from streamer.formats.scan_file import ScanFile
from streamer.kernels.mask import (
    PUBLISHED_THRESHOLD,
    FeatureMask,
    usable_radius,
)
from streamer.kernels.warmup import warm_clustering_kernels
from streamer.model import LABEL_NOT_VISITED
from streamer.settings import AnalysisSettings

STAGES = ("align", "features", "hierarchy", "momentum", "patterns", "manifold")
"""Names of the stages, in order, as progress and timings use them."""

_TURNED_PIXELS = 512
"""At a time: a block of all their images then stays in the cache while it is transposed."""

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
    as_kept, scan = scan, as_analysed(scan, settings)
    if model is not None:
        model.refuse_other_detector(scan.info)
    with (
        # For the whole of it: two stages run side by side, and a limit set in one would end in the other.
        threadpool_limits(1),
        nullcontext(executor)
        if executor
        else ThreadPoolExecutor(n_threads or os.cpu_count() or 1) as executor,
        ThreadPoolExecutor(1) as beside,
        executor.analysis_of(as_kept, settings, cancel)
        if isinstance(executor, JobExecutor)
        else nullcontext(),
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
            reach = Reach.measured(hierarchy, extracted, model, aligned, scan.info, executor)
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
    return Assembly(
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
    pixels = lit_pixels(aligned.mean, limit)
    if settings.momentum.exact:
        images = exact_images(scan, aligned, pixels, settings, executor, cancel)
    else:
        images = _patch_images(extracted, pixels, executor)
    return cluster_images(images, pixels, aligned.mean, aligned.variance, settings, executor)


def _patch_images(extracted: Extracted, pixels: NDArray[np.int64], executor: Executor) -> NDArray[np.float32]:
    """Real-space images of some pixels (n_pixels, m), in patches of neighbours, less their means."""
    filled = np.flatnonzero(extracted.bin_counts > 0)
    images = np.empty((len(pixels), len(filled)), np.float32)
    counts = extracted.bin_counts[filled, None].astype(np.float32)

    def turn(start: int) -> None:
        own = pixels[start : start + _TURNED_PIXELS]
        part = extracted.binned[filled[:, None], own] / counts
        images[start : start + len(own)] = (part - part.mean(axis=0, dtype=np.float64).astype(np.float32)).T

    list(executor.map(turn, range(0, len(pixels), _TURNED_PIXELS)))
    return images
