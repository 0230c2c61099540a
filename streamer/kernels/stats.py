"""Running sums over aligned patterns: mean, STD, virtual images, mean patterns of clusters."""

import numpy as np
from numba import njit

from streamer.kernels.flags import FASTMATH


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def accumulate_moments(patterns, usable, reference, sum_1, sum_2):
    """Add each usable pattern's difference from a reference, and its square, to float64 sums.

    The reference (any pattern near the mean) takes the cancellation out of the variance.

    Parameters
    ----------
    patterns
        (n, n_pixels) float32.
    usable
        (n,) bool.
    reference
        (n_pixels,) float64.
    sum_1, sum_2
        (n_pixels,) float64, added to.
    """
    for i in range(patterns.shape[0]):
        if usable[i]:
            pattern = patterns[i]
            for p in range(pattern.shape[0]):
                difference = pattern[p] - reference[p]
                sum_1[p] += difference
                sum_2[p] += difference * difference


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def weighted_sums(patterns, weights, out):
    """Virtual detectors: the inner product of every pattern with every weight.

    Parameters
    ----------
    patterns
        (n, n_pixels) float32.
    weights
        (m, n_pixels) float32.
    out
        (n, m) float32.
    """
    for i in range(patterns.shape[0]):
        for j in range(weights.shape[0]):
            pattern, weight = patterns[i], weights[j]
            total = np.float32(0.0)
            for p in range(pattern.shape[0]):
                total += pattern[p] * weight[p]
            out[i, j] = total


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def accumulate_by_label(patterns, labels, sums):
    """Add every pattern to the sum of its group.

    Parameters
    ----------
    patterns
        (n, n_pixels) float32.
    labels
        (n,) int32: row of `sums`, negative: left out.
    sums
        (n_groups, n_pixels) float64, added to.
    """
    for i in range(patterns.shape[0]):
        label = labels[i]
        if label >= 0:
            pattern, total = patterns[i], sums[label]
            for p in range(pattern.shape[0]):
                total[p] += pattern[p]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def gather_features(patterns, pixels, out):
    """Feature vectors: the intensities at the feature pixels.

    Parameters
    ----------
    patterns
        (n, n_pixels) float32.
    pixels
        (n_features,) int64, flat detector indices.
    out
        (n, n_features) float32.
    """
    for i in range(patterns.shape[0]):
        for j in range(pixels.shape[0]):
            out[i, j] = patterns[i, pixels[j]]
