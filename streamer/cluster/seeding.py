"""Where K-means begins: principal components of a sample, and the best of several k-means++ starts in them."""

from concurrent.futures import Executor
from contextlib import AbstractContextManager
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from streamer.cluster.blocks import each
from streamer.kernels.points import lloyd_points, nearest_points, seed_points

MAX_ITERATIONS = 40
N_CANDIDATES = 4


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()  # looking for them takes as long as the components of a sample


def one_blas_thread() -> AbstractContextManager[object]:
    """BLAS may round differently with another number of threads: one, until the context ends."""
    return _libraries().limit(limits=1, user_api="blas")


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
    points: NDArray[np.float64],
    k: int,
    n_starts: int,
    rng: np.random.Generator,
    executor: Executor | None = None,
) -> NDArray[np.int32]:
    """Labels (n,) of the K-means run with the smallest inertia among `n_starts` k-means++ starts."""
    return nearest(points, fit_starts(points, [k] * n_starts, rng, executor, best_of=n_starts)[0])[0]


def fit_starts(
    points: NDArray[np.float64],
    k_values: list[int],
    rng: np.random.Generator,
    executor: Executor | None,
    best_of: int,
) -> list[NDArray[np.float64]]:
    """Centres (k, c) of one K-means run from k-means++ seeds for each K, of each `best_of` neighbours the best.

    Seeds are drawn in order, before any run begins, so that the outcome does not depend on the executor.
    """
    draws = [(k, int(rng.integers(len(points))), rng.random((k - 1, N_CANDIDATES))) for k in k_values]

    def run(draw: tuple[int, int, NDArray[np.float64]]) -> tuple[NDArray[np.float64], float]:
        return lloyd_small(points, _seeds(points, *draw))

    runs = list(each(run, draws, executor))
    groups = [runs[start : start + best_of] for start in range(0, len(runs), best_of)]
    return [min(group, key=lambda one: one[1])[0] for group in groups]


def _seeds(
    points: NDArray[np.float64], k: int, first: int, draws: NDArray[np.float64]
) -> NDArray[np.float64]:
    """k-means++ seeds (k, c): each drawn with probability proportional to the squared distance to the others."""
    seeds, room = np.empty((k, points.shape[1])), np.empty((3, len(points)))
    seed_points(points, first, draws, room[0], room[1], room[2], seeds)
    return seeds


def nearest(
    points: NDArray[np.float64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Label (n,) and squared distance (n,) to the nearest centre."""
    labels, distances = np.empty(len(points), np.int32), np.empty(len(points))
    nearest_points(points, centres, labels, distances)
    return labels, distances


def lloyd_small(
    points: NDArray[np.float64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Lloyd iterations on points of few dimensions until labels stay; centres (k, c) and inertia."""
    moved = centres.copy()
    sums, counts = np.empty_like(moved), np.empty(len(moved), np.int64)
    labels, distances = np.empty(len(points), np.int32), np.empty(len(points))
    inertia = lloyd_points(points, moved, sums, counts, labels, distances, MAX_ITERATIONS)
    return moved, inertia
