"""Third pass, once the leaves are known: mean patterns of nodes, real-space images of pixel clusters, lattices."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.lattice import LatticeStage
from streamer.analysis.passes import Block, Cancel, run_pass
from streamer.analysis.preprocess import Aligned
from streamer.cluster.tree import ClusterTree
from streamer.formats.scan_file import ScanFile
from streamer.kernels.frame_pass import FramePass, frame_plan
from streamer.settings import AnalysisSettings


@dataclass(frozen=True)
class NodeMeans:
    """`patterns` (n_nodes, det_y, det_x) float32; `images` (n, m) float32, one column a weight, NaN not usable."""

    patterns: NDArray[np.float32]
    images: NDArray[np.float32]


def mean_by_node(
    scan: ScanFile,
    settings: AnalysisSettings,
    aligned: Aligned,
    leaf_of: NDArray[np.int32],
    tree: ClusterTree,
    weights: NDArray[np.float32],
    lattice: LatticeStage,
    executor: Executor,
    progress: Callable[[float], None],
    cancel: Cancel,
) -> NodeMeans:
    """Mean aligned pattern of every node, and a virtual image for every weight.

    Parameters
    ----------
    leaf_of
        (n,) int32, id of the leaf of each scan position; -1 left out.
    weights
        (m, det_y * det_x) float32.
    lattice
        Measures the same blocks; its maps are complete afterwards.
    """
    images = np.full((scan.info.n_positions, len(weights)), np.nan, np.float32)

    def also(block: Block, virtual: NDArray[np.float32]) -> None:
        images[block.positions] = virtual
        lattice.step(block)

    sums = sums_of_groups(
        scan, settings, aligned, leaf_of, len(tree.nodes), executor, progress, cancel, weights, also
    )
    # A child's id is larger than its parent's: from the last to the first, every node is complete when added.
    for node in reversed(tree.nodes[1:]):
        sums[node.parent] += sums[node.id]
    counts = np.array([max(node.n_patterns, 1) for node in tree.nodes])
    means = (sums / counts[:, None]).astype(np.float32)
    return NodeMeans(means.reshape(-1, *scan.info.detector_shape), images)


def sums_of_groups(
    scan: ScanFile,
    settings: AnalysisSettings,
    aligned: Aligned,
    group_of: NDArray[np.int32],
    n_groups: int,
    executor: Executor,
    progress: Callable[[float], None] = lambda fraction: None,
    cancel: Cancel | None = None,
    weights: NDArray[np.float32] | None = None,
    also: Callable[[Block, NDArray[np.float32]], None] | None = None,
) -> NDArray[np.float64]:
    """Sum of the aligned patterns of each group, (n_groups, det_y * det_x).

    Parameters
    ----------
    group_of
        (n,) int32, group of each scan position; -1 left out, and not read where `also` is None.
    weights
        (m, det_y * det_x) float32 of virtual detectors.
    also
        Called with every block and its virtual detectors' values (n, m).
    """
    shape = scan.info.detector_shape
    plan = frame_plan(
        aligned.beam, shape, settings.alignment.max_iterations, aligned.look.defects, measure=False
    )

    def step(sums: NDArray[np.float32], block: Block) -> None:
        frame_pass = FramePass(shape, plan, weights=weights, room=block.room)
        out = frame_pass.outcome(len(block.positions))
        out.centres_yx[:] = aligned.centres_yx[block.positions]
        frame_pass.run(block.frames, out, binned=sums, bins=group_of[block.positions].astype(np.int64))
        if also is not None:
            also(block, out.virtual)

    def zeros() -> NDArray[np.float32]:
        return np.zeros((n_groups, shape[0] * shape[1]), np.float32)

    wanted = None if also is not None else group_of >= 0
    chunks = run_pass(scan, zeros, step, executor, progress, cancel or Cancel(), wanted=wanted)
    return np.asarray(np.sum(chunks, axis=0, dtype=np.float64))
