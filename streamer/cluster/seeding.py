"""Where K-means begins: principal components of a sample, and the best of several k-means++ starts in them."""

import numpy as np
from numpy.typing import NDArray

MAX_ITERATIONS = 40


def principal_components(
    sample: NDArray[np.float32], n_components: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Leading principal components by randomised subspace iteration (Halko, Martinsson and Tropp 2011).

    Parameters
    ----------
    sample
        (n, n_features).
    n_components
        At most min(n, n_features) are found.
    rng
        Draws the test matrix.

    Returns
    -------
    scores (n, c), axes (c, n_features)
    """
    centred = sample - sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    c = min(n_components, *centred.shape)
    width = min(c + 8, *centred.shape)
    basis = centred @ rng.standard_normal((centred.shape[1], width)).astype(np.float32)
    for _ in range(3):
        basis, _ = np.linalg.qr(centred.T @ np.linalg.qr(basis)[0])
        basis = centred @ basis
    basis, _ = np.linalg.qr(basis)
    _, _, axes = np.linalg.svd((basis.T @ centred).astype(np.float64), full_matrices=False)
    axes = axes[:c]
    return centred @ axes.T, axes


def best_of_starts(
    points: NDArray[np.float64], k: int, n_starts: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Labels (n,) of the K-means run with the smallest inertia among `n_starts` k-means++ starts."""
    best_inertia, best_centres = np.inf, points[:k]
    for _ in range(n_starts):
        centres, inertia = lloyd_small(points, plus_plus(points, k, rng))
        if inertia < best_inertia:
            best_inertia, best_centres = inertia, centres
    return nearest(points, best_centres)[0]


def plus_plus(points: NDArray[np.float64], k: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """k-means++ seeds (k, c): each drawn with probability proportional to the squared distance to the others."""
    seeds = [points[rng.integers(len(points))]]
    closest = ((points - seeds[0]) ** 2).sum(axis=1)
    for _ in range(k - 1):
        total = closest.sum()
        if total <= 0:
            seeds.append(points[rng.integers(len(points))])
            continue
        # Of a few candidates the one that lowers the inertia most ("greedy" k-means++, as scikit-learn does).
        candidates = np.searchsorted(np.cumsum(closest), rng.random(4) * total).clip(max=len(points) - 1)
        options = [np.minimum(closest, ((points - points[c]) ** 2).sum(axis=1)) for c in candidates]
        chosen = int(np.argmin([option.sum() for option in options]))
        closest = options[chosen]
        seeds.append(points[candidates[chosen]])
    return np.array(seeds)


def nearest(
    points: NDArray[np.float64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Label (n,) and squared distance (n,) to the nearest centre."""
    distances = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    labels = distances.argmin(axis=1).astype(np.int32)
    return labels, distances[np.arange(len(points)), labels]


def lloyd_small(
    points: NDArray[np.float64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Lloyd iterations on points of few dimensions until labels stay; centres (k, c) and inertia."""
    labels, distances = nearest(points, centres)
    for _ in range(MAX_ITERATIONS):
        members = np.eye(len(centres))[labels]
        counts = members.sum(axis=0)
        means = members.T @ points / np.maximum(counts, 1)[:, None]
        centres = np.where(counts[:, None] > 0, means, centres)
        new_labels, distances = nearest(points, centres)
        if np.array_equal(new_labels, labels):
            break
        labels = new_labels
    return centres, float(distances.sum())
