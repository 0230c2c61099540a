"""Momentum space: clusters of detector pixels by their normalised real-space images (method, part 5)."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.divisive import DivisionRules, Hierarchy, divide
from streamer.kernels.mask import radius_map, reference_centre
from streamer.model import LABEL_NOT_VISITED
from streamer.settings import AnalysisSettings

_MIN_PIXELS = 24


@dataclass(frozen=True)
class MomentumClusters:
    """Clusters of detector pixels.

    Attributes
    ----------
    hierarchy
        Nodes; `leaf_of` runs over the pixels that take part.
    labels
        (levels, det_y, det_x) int32; -1 outside.
    weights
        (n_nodes, n_pixels) float32: inner product with a pattern gives that node's mean normalised
        real-space image at its position, less `offsets`.
    offsets
        (n_nodes,) float32.
    """

    hierarchy: Hierarchy
    labels: NDArray[np.int32]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]


def cluster_pixels(
    images: NDArray[np.float32],
    mean_pattern: NDArray[np.float64],
    variance: NDArray[np.float64],
    limit_px: float,
    settings: AnalysisSettings,
    executor: Executor | None = None,
) -> MomentumClusters | None:
    """Cluster detector pixels by the images of all of them; see `cluster_images`.

    Parameters
    ----------
    images
        (n_pixels, m) C-contiguous real-space images less their means: in patches of neighbouring positions, or
        sketched.
    mean_pattern, variance
        (det_y, det_x) of the aligned patterns.
    limit_px
        Radius beyond which alignment brings in padding.
    """
    pixels = lit_pixels(mean_pattern, limit_px)
    return cluster_images(images[pixels], pixels, mean_pattern, variance, settings, executor)


def lit_pixels(mean_pattern: NDArray[np.float64], limit_px: float) -> NDArray[np.int64]:
    """Flat indices of the detector pixels that take part: neither padded nor dead nor empty."""
    shape = (mean_pattern.shape[0], mean_pattern.shape[1])
    near = radius_map(shape, reference_centre(shape)) < limit_px
    return np.flatnonzero(near & (mean_pattern > 0))


def cluster_images(
    images: NDArray[np.float32],
    pixels: NDArray[np.int64],
    mean_pattern: NDArray[np.float64],
    variance: NDArray[np.float64],
    settings: AnalysisSettings,
    executor: Executor | None = None,
) -> MomentumClusters | None:
    """Cluster detector pixels; None where fewer than a handful take part.

    Intensity would dominate, so every pixel's image is scaled to STD 1 first. Pixels that never change take no
    part.

    Parameters
    ----------
    images
        (m_pixels, m) C-contiguous real-space images less their means. They are overwritten.
    pixels
        (m_pixels,) flat indices of those pixels.
    mean_pattern, variance
        (det_y, det_x) of the aligned patterns.
    """
    shape = (mean_pattern.shape[0], mean_pattern.shape[1])
    spread = np.sqrt(np.einsum("ij,ij->i", images, images, dtype=np.float64) / max(images.shape[1], 1))
    if not (spread > 0).all():
        images, pixels, spread = images[spread > 0], pixels[spread > 0], spread[spread > 0]
    if len(pixels) < _MIN_PIXELS or images.shape[1] < 2:
        return None
    images /= spread[:, None]
    rules = DivisionRules(settings.momentum.levels, settings.momentum.k_max, _MIN_PIXELS)
    hierarchy = divide(images, rules, settings.seed, executor)
    leaf_map = np.full(shape[0] * shape[1], LABEL_NOT_VISITED, np.int32)
    leaf_map[pixels] = hierarchy.leaf_of
    labels = hierarchy.tree.label_maps(leaf_map.reshape(shape), settings.momentum.levels)
    weights = np.zeros((len(hierarchy.tree.nodes), shape[0] * shape[1]), np.float32)
    scale = 1.0 / np.sqrt(np.maximum(variance.ravel(), np.finfo(np.float32).tiny))
    for node in hierarchy.tree.nodes:
        at_level = np.array([hierarchy.tree.ancestor(other.id, node.level) for other in hierarchy.tree.nodes])
        members = pixels[at_level[hierarchy.leaf_of] == node.id]
        weights[node.id, members] = scale[members] / max(len(members), 1)
    offsets = (weights @ mean_pattern.ravel()).astype(np.float32)
    return MomentumClusters(hierarchy, labels, weights, offsets)
