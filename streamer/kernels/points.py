"""K-means on points of few dimensions: what the choice of K and the seeding of large fits repeat many times."""

import numpy as np
from numba import njit

from streamer.kernels.flags import FASTMATH


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def nearest_points(points, centres, labels, distances):
    """Nearest centre of every point; returns the sum of squared distances.

    Parameters
    ----------
    points
        (n, c) float64.
    centres
        (k, c) float64.
    labels
        (n,) int32.
    distances
        (n,) float64, squared Euclidean.
    """
    inertia = 0.0
    for i in range(points.shape[0]):
        best, best_label = np.inf, 0
        for j in range(centres.shape[0]):
            total = 0.0
            for p in range(points.shape[1]):
                difference = points[i, p] - centres[j, p]
                total += difference * difference
            if total < best:
                best, best_label = total, j
        labels[i], distances[i] = best_label, best
        inertia += best
    return inertia


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def group_points(points, labels, sums, counts):
    """Sums and sizes of groups of points.

    Parameters
    ----------
    points
        (n, c) float64.
    labels
        (n,) int32.
    sums, counts
        (k, c) float64 and (k,) int64, written over.
    """
    sums[:] = 0.0
    counts[:] = 0
    for i in range(points.shape[0]):
        counts[labels[i]] += 1
        for p in range(points.shape[1]):
            sums[labels[i], p] += points[i, p]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def squared_distances(points, centre, out):
    """Squared distance of every point (n, c) to one centre (c,), into (n,) float64; returns their sum."""
    everything = 0.0
    for i in range(points.shape[0]):
        total = 0.0
        for p in range(points.shape[1]):
            difference = points[i, p] - centre[p]
            total += difference * difference
        out[i] = total
        everything += total
    return everything
