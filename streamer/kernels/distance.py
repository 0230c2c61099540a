"""Nearest centroid, and the sums of a Lloyd step."""

import numpy as np
from numba import njit

from streamer.kernels.flags import FASTMATH


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def assign_nearest(features, centroids, labels, distances):
    """Nearest centroid of every feature vector.

    Every row is computed on its own, so that neither blocks nor threads change a bit of the outcome.

    Parameters
    ----------
    features
        (n, n_features) float32.
    centroids
        (k, n_features) float32.
    labels
        (n,) int32.
    distances
        (n,) float32, squared Euclidean.
    """
    for i in range(features.shape[0]):
        labels[i], distances[i] = _nearest(features[i], centroids)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def lloyd_step(features, rows, centroids, per_quantum, labels, distances, sums, counts):
    """Nearest centroid of some feature vectors, and sums and sizes of the groups, exact.

    As `assign_nearest` and `accumulate_groups`, while a vector is in the cache.

    Parameters
    ----------
    features
        (n_all, n_features) float32.
    rows
        (n,) int64: which of them.
    centroids
        (k, n_features) float32.
    per_quantum
        Quanta in 1.0, a power of two.
    labels
        (n,) int32.
    distances
        (n,) float32, squared Euclidean.
    sums
        (k, n_features) float64, in quanta, added to.
    counts
        (k,) int64, added to.
    """
    for i in range(rows.shape[0]):
        vector = features[rows[i]]
        label, distances[i] = _nearest(vector, centroids)
        labels[i] = label
        counts[label] += 1
        _add(vector, per_quantum, sums[label])


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def inner_products(features, rows, axes, out):
    """Inner product of some feature vectors with every axis.

    Every row is computed on its own, so that neither blocks, threads nor processes change a bit of the outcome.

    Parameters
    ----------
    features
        (n_all, n_features) float32.
    rows
        (n,) int64: which of them.
    axes
        (m, n_features) float32.
    out
        (n, m) float32.
    """
    for i in range(rows.shape[0]):
        vector = features[rows[i]]
        for j in range(axes.shape[0]):
            axis = axes[j]
            total = np.float32(0.0)
            for p in range(vector.shape[0]):
                total += vector[p] * axis[p]
            out[i, j] = total


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def accumulate_groups(features, labels, per_quantum, sums, counts):
    """Sums and sizes of groups of feature vectors, exact: the order of the vectors changes no bit.

    Values are rounded to whole quanta first; as long as sums stay below 2**53 of them, adding loses nothing.

    Parameters
    ----------
    features
        (n, n_features) float32.
    labels
        (n,) int32, negative: left out.
    per_quantum
        Quanta in 1.0, a power of two.
    sums
        (k, n_features) float64, in quanta, added to.
    counts
        (k,) int64, added to.
    """
    for i in range(features.shape[0]):
        label = labels[i]
        if label >= 0:
            counts[label] += 1
            _add(features[i], per_quantum, sums[label])


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def assign_two_levels(features, centroids, starts, labels):
    """Nearest centroid of every feature vector, and within it the nearest of its children.

    Parameters
    ----------
    features
        (n, n_features) float32.
    centroids
        (m, n_features) float32: those of level 1, then the children of the first, of the second, ...
    starts
        (k + 1,) int64: the children of level-1 centroid j are rows [starts[j], starts[j + 1]), perhaps none.
    labels
        (2, n) int32: row of the nearest at either level; -1 where there are no children.
    """
    for i in range(features.shape[0]):
        vector = features[i]
        first, last = 0, starts[0]
        for level in range(2):
            best, best_row = np.float32(np.inf), -1
            for row in range(first, last):
                total = np.float32(0.0)
                for p in range(vector.shape[0]):
                    difference = vector[p] - centroids[row, p]
                    total += difference * difference
                if total < best:
                    best, best_row = total, row
            labels[level, i] = best_row
            if level == 0:
                first, last = starts[best_row], starts[best_row + 1]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _nearest(vector, centroids):
    """Number of the nearest of centroids, and its squared distance."""
    best, nearest = np.float32(np.inf), 0
    for j in range(centroids.shape[0]):
        centroid = centroids[j]
        distance = np.float32(0.0)
        for p in range(vector.shape[0]):
            difference = vector[p] - centroid[p]
            distance += difference * difference
        if distance < best:
            best, nearest = distance, j
    return nearest, best


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _add(vector, per_quantum, total):
    """Add a vector, in whole quanta."""
    for p in range(vector.shape[0]):
        total[p] += np.rint(np.float64(vector[p]) * per_quantum)
