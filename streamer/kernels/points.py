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


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def lloyd_points(points, centres, sums, counts, labels, distances, max_iterations):
    """Lloyd iterations until no label changes; returns the inertia. An empty group keeps its centre.

    Parameters
    ----------
    points
        (n, c) float64.
    centres
        (k, c) float64, moved.
    sums, counts
        (k, c) float64 and (k,) int64: room to work in.
    labels, distances
        (n,) int32 and (n,) float64 of the last centres.
    max_iterations
        Most steps.
    """
    inertia = nearest_points(points, centres, labels, distances)
    for _ in range(max_iterations):
        group_points(points, labels, sums, counts)
        for j in range(centres.shape[0]):
            if counts[j] > 0:
                for p in range(centres.shape[1]):
                    centres[j, p] = sums[j, p] / counts[j]
        inertia = 0.0
        n_changed = 0
        for i in range(points.shape[0]):
            best, best_label = np.inf, 0
            for j in range(centres.shape[0]):
                total = 0.0
                for p in range(points.shape[1]):
                    difference = points[i, p] - centres[j, p]
                    total += difference * difference
                if total < best:
                    best, best_label = total, j
            n_changed += best_label != labels[i]
            labels[i], distances[i] = best_label, best
            inertia += best
        if n_changed == 0:
            break
    return inertia


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def seed_points(points, first, draws, closest, option, best_option, seeds):
    """Greedy k-means++: each seed drawn in proportion to the squared distance to those before.

    Of a few candidates the one that lowers the inertia most is taken, as scikit-learn does.

    Parameters
    ----------
    points
        (n, c) float64.
    first
        Index of the first seed.
    draws
        (k - 1, n_candidates) float64 in [0, 1).
    closest, option, best_option
        (n,) float64: room to work in.
    seeds
        (k, c) float64.
    """
    n = points.shape[0]
    seeds[0] = points[first]
    total = squared_distances(points, points[first], closest)
    for j in range(draws.shape[0]):
        least, chosen = np.inf, 0
        for candidate in range(draws.shape[1]):
            # Where all points coincide any will do.
            index = min(int(draws[j, candidate] * n), n - 1)
            if total > 0.0:
                wanted, passed = draws[j, candidate] * total, 0.0
                for i in range(n):
                    passed += closest[i]
                    index = i
                    if passed >= wanted:
                        break
            squared_distances(points, points[index], option)
            summed = 0.0
            for i in range(n):
                option[i] = min(option[i], closest[i])
                summed += option[i]
            if summed < least:
                least, chosen = summed, index
                best_option[:] = option
        closest[:] = best_option
        total = least
        seeds[j + 1] = points[chosen]
