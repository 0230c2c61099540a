"""A signed count-sketch of the real-space images of all detector pixels, made as frames arrive.

Every run of neighbouring scan positions is hashed to a bin and a sign, and its patterns are added, so signed,
to that bin. Inner products of two pixels' images survive in expectation (Charikar, Chen and Farach-Colton
2002), so that pixels can be clustered long before the scan is over, in a few hundred numbers each.
"""

from copy import copy

import numpy as np
from numpy.typing import NDArray

RUN = 4
"""Positions of a scan line that share a bin: a row of the sketch then stays in the cache for as many frames."""


class PixelSketch:
    """The sketch of one scan; frames are added by `streamer.kernels.frame_pass`.

    Parameters
    ----------
    scan_shape
        Scan positions.
    n_pixels
        Detector pixels.
    n_bins
        Length of a pixel's image in the sketch.
    seed
        Of the hash.

    Attributes
    ----------
    sums
        (n_bins, n_pixels) float32.
    bins, signs
        (n_positions,) int64 and float32.
    """

    def __init__(self, scan_shape: tuple[int, int], n_pixels: int, n_bins: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 3])
        runs_a_line = -(-scan_shape[1] // RUN)
        y, x = np.divmod(np.arange(scan_shape[0] * scan_shape[1]), scan_shape[1])
        run = y * runs_a_line + x // RUN
        n_runs = scan_shape[0] * runs_a_line
        self.bins = rng.integers(n_bins, size=n_runs)[run]
        self.signs = rng.choice(np.array([-1.0, 1.0], np.float32), n_runs)[run]
        self.sums = np.zeros((n_bins, n_pixels), np.float32)

    def copy(self) -> "PixelSketch":
        """The same with sums of its own."""
        other = copy(self)
        other.sums = self.sums.copy()
        return other

    def centred(self, mean: NDArray[np.float64], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Sketches (n_pixels, n_bins) of the images less their means, for the positions that were added.

        Parameters
        ----------
        mean
            (n_pixels,) over these positions.
        positions
            (n,) flat scan indices.
        """
        n_bins = len(self.sums)
        weight = np.bincount(self.bins[positions], weights=self.signs[positions], minlength=n_bins)
        return (self.sums.T - np.outer(mean, weight)).astype(np.float32)
