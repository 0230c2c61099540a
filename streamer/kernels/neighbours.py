"""Rows of neighbouring scan positions, averaged."""

import numpy as np
from numba import njit

from streamer.kernels.flags import FASTMATH


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def average_rows(rows, groups, row_of, places_yx, weights, out, own_share):
    """Weighted mean of every place's row and those of its neighbours of the same group.

    Parameters
    ----------
    rows
        (n, n_features) float32: of all places.
    groups
        (n,) int32.
    row_of
        (scan_y + 2 r, scan_x + 2 r) int32: row of the position at [r + y, r + x], negative where there is none.
    places_yx
        (m, 2) int64: which positions; each has a row.
    weights
        (2 r + 1, 2 r + 1) float32, of neighbours at [r + dy, r + dx]; 0: not looked at.
    out
        (m, n_features) float32.
    own_share
        (m,) float32: share of the place's own row in the mean.
    """
    reach = weights.shape[0] // 2
    for i in range(places_yx.shape[0]):
        y, x = places_yx[i]
        own = row_of[reach + y, reach + x]
        mean = out[i]
        mean[:] = 0.0
        total = np.float32(0.0)
        for dy in range(weights.shape[0]):
            for dx in range(weights.shape[1]):
                weight, row = weights[dy, dx], row_of[y + dy, x + dx]
                if weight == 0.0 or row < 0 or groups[row] != groups[own]:
                    continue
                total += weight
                neighbour = rows[row]
                for p in range(neighbour.shape[0]):
                    mean[p] += weight * neighbour[p]
        for p in range(mean.shape[0]):
            mean[p] /= total
        own_share[i] = weights[reach, reach] / total
