"""Virtual detectors: inner products of aligned patterns with weights, where these are not zero.

Clusters of detector pixels are disks and rings: of most the weights are zero nearly everywhere. They are kept as
spans of neighbouring pixels, so that only those are looked at.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streamer.kernels.flags import FASTMATH

GAP_PIXELS = 16
"""Spans that are no farther apart are one: a vector of zeros costs less than a new loop."""


class VirtualDetectors(NamedTuple):
    """Weights, and where they are.

    Attributes
    ----------
    weights
        (n_detectors, n_pixels) float32.
    spans
        (n_spans, 3) int64: detector, first pixel, pixel after the last; by tile, all of it within one.
    first_span
        (n_tiles + 1,) int64: which spans are those of a tile.
    """

    weights: NDArray[np.float32]
    spans: NDArray[np.int64]
    first_span: NDArray[np.int64]


def virtual_detectors(weights: NDArray[np.float32], tile_pixels: int) -> VirtualDetectors:
    """Find the spans of weights (n_detectors, n_pixels) in tiles of so many pixels."""
    n_tiles = -(-weights.shape[1] // tile_pixels)
    detectors, pixels = np.nonzero(weights)
    tiles = pixels // tile_pixels
    is_first = np.ones(len(pixels), np.bool_)
    is_first[1:] = (np.diff(detectors) > 0) | (np.diff(tiles) > 0) | (np.diff(pixels) > GAP_PIXELS)
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], len(pixels)) - 1 if len(first) else first
    spans = np.stack([detectors[first], pixels[first], pixels[last] + 1], axis=1).astype(np.int64)
    by_tile = np.argsort(tiles[first], kind="stable")
    first_span = np.searchsorted(tiles[first][by_tile], np.arange(n_tiles + 1))
    return VirtualDetectors(weights, np.ascontiguousarray(spans[by_tile]), first_span.astype(np.int64))


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def add_virtual(tiles, first_pixel, tile, detectors, frame_of, virtual):
    """Inner products of four tiles with the virtual detectors.

    Parameters
    ----------
    tiles
        (4, tile_pixels) float32.
    first_pixel
        Of the tile.
    tile
        Its number.
    detectors
        `VirtualDetectors`.
    frame_of
        (n,) int64, at most 4: row of `virtual` that a tile belongs to.
    virtual
        (n_frames, n_detectors) float32, added to.
    """
    spans, weights = detectors.spans, detectors.weights
    for i in range(detectors.first_span[tile], detectors.first_span[tile + 1]):
        detector, first, last = spans[i, 0], spans[i, 1], spans[i, 2]
        weight = weights[detector, first:last]
        start, stop = first - first_pixel, last - first_pixel
        a, b, c, d = tiles[0, start:stop], tiles[1, start:stop], tiles[2, start:stop], tiles[3, start:stop]
        p = q = r = s = np.float32(0.0)
        for k in range(weight.shape[0]):
            w = weight[k]
            p += w * a[k]
            q += w * b[k]
            r += w * c[k]
            s += w * d[k]
        for j in range(frame_of.shape[0]):
            virtual[frame_of[j], detector] += p if j == 0 else q if j == 1 else r if j == 2 else s
