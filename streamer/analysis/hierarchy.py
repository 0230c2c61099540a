"""Third pass, once the leaves are known: mean patterns of all nodes, mean real-space images of pixel clusters."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.passes import Block, Cancel, run_pass
from streamer.analysis.preprocess import Aligned
from streamer.cluster.tree import ClusterTree
from streamer.formats.scan_file import ScanFile
from streamer.kernels.align import align_frames
from streamer.kernels.mask import reference_centre
from streamer.kernels.stats import accumulate_by_label, weighted_sums


@dataclass(frozen=True)
class NodeMeans:
    """`patterns` (n_nodes, det_y, det_x) float32; `images` (n, m) float32, one column a weight, NaN not usable."""

    patterns: NDArray[np.float32]
    images: NDArray[np.float32]


def mean_by_node(
    scan: ScanFile,
    aligned: Aligned,
    leaf_of: NDArray[np.int32],
    tree: ClusterTree,
    weights: NDArray[np.float32],
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
    """
    shape = scan.info.detector_shape
    n_pixels = shape[0] * shape[1]
    reference = reference_centre(shape)
    images = np.full((scan.info.n_positions, len(weights)), np.nan, np.float32)

    def step(sums: NDArray[np.float64], block: Block) -> None:
        rows = slice(block.start, block.stop)
        align_frames(block.patterns, aligned.centres_yx[rows], reference, block.scratch)
        flat = block.scratch.reshape(len(block.usable), n_pixels)
        accumulate_by_label(flat, leaf_of[rows], sums)
        if len(weights):
            values = np.empty((len(flat), len(weights)), np.float32)
            weighted_sums(flat, weights, values)
            images[rows][block.usable] = values[block.usable]

    chunks = run_pass(scan, lambda: np.zeros((len(tree.nodes), n_pixels)), step, executor, progress, cancel)
    sums = np.sum(chunks, axis=0)
    # A child's id is larger than its parent's: from the last to the first, every node is complete when added.
    for node in reversed(tree.nodes[1:]):
        sums[node.parent] += sums[node.id]
    counts = np.array([max(node.n_patterns, 1) for node in tree.nodes])
    return NodeMeans((sums / counts[:, None]).astype(np.float32).reshape(-1, *shape), images)
