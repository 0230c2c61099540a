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
        best = np.float32(np.inf)
        best_label = 0
        vector = features[i]
        for j in range(centroids.shape[0]):
            centroid = centroids[j]
            total = np.float32(0.0)
            for p in range(vector.shape[0]):
                difference = vector[p] - centroid[p]
                total += difference * difference
            if total < best:
                best = total
                best_label = j
        labels[i] = best_label
        distances[i] = best


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def accumulate_groups(features, labels, sums, counts):
    """Sums and sizes of groups of feature vectors.

    Parameters
    ----------
    features
        (n, n_features) float32.
    labels
        (n,) int32, negative: left out.
    sums
        (k, n_features) float64, added to.
    counts
        (k,) int64, added to.
    """
    for i in range(features.shape[0]):
        label = labels[i]
        if label >= 0:
            counts[label] += 1
            vector, total = features[i], sums[label]
            for p in range(vector.shape[0]):
                total[p] += vector[p]
