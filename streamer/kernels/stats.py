"""Sums over aligned patterns by group: mean patterns of clusters."""

from numba import njit

from streamer.kernels.flags import FASTMATH


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
