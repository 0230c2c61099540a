"""How many clusters a node has; K = 1 is an answer.

A sample is cut in halves. The elbow is read from what a further cluster gains on the half that it was not
fitted on, so that noise gains little; and a split counts only where fits on the two halves agree with each
other, so that a cut through featureless noise, which falls anywhere, is refused. Both the knee of the plain
WSS curve and the gap statistic split pure noise (shared feasibility notes).
"""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.agreement import adjusted_rand
from streamer.cluster.lloyd import sample_rows
from streamer.cluster.seeding import fit_starts, nearest, one_blas_thread, principal_components
from streamer.cluster.vectors import Vectors, as_vectors

SAMPLE_SIZE = 4096
N_COMPONENTS = 16
N_STARTS = 4
MIN_GAIN_SHARE = 0.20
MIN_SHARP_SHARE = 0.10
SHARP_RATIO = 5.0
MIN_AGREEMENT = 0.5
MIN_AGREEMENT_WITHOUT_KNEE = 0.8
"""Of halves where the curve gains to its end: parts of one drawn-out cloud agree well, not perfectly."""


@dataclass(frozen=True)
class Elbow:
    """The curve and the choice: `k_values` (m,), `wss` (m,) on the sample, scaled to all vectors; `k`."""

    k: int
    k_values: NDArray[np.int64]
    wss: NDArray[np.float64]


def choose_k(
    features: NDArray[np.float32] | Vectors,
    k_max: int,
    rng: np.random.Generator,
    sample_size: int = SAMPLE_SIZE,
    executor: Executor | None = None,
) -> Elbow:
    """Number of clusters of a node.

    Parameters
    ----------
    features
        (n, n_features), finite.
    k_max
        Largest answer.
    rng
        Draws sample, halves and starts.
    sample_size
        Most vectors looked at.
    executor
        Runs starts side by side; the outcome does not depend on it.
    """
    rows = sample_rows(len(features), sample_size, rng)
    sample = as_vectors(features).rows(rng.permutation(rows))
    half = len(sample) // 2
    k_top = min(k_max, max(1, half // 8))
    if k_top < 2:
        return Elbow(1, np.array([1]), np.array([_inertia(sample) * len(features) / max(len(sample), 1)]))
    with one_blas_thread():
        first, axes = principal_components(sample[:half], N_COMPONENTS, rng)
        second = (sample[half:] - sample[:half].mean(axis=0, dtype=np.float64)) @ axes.T
    outside = _inertia(sample) - float(((np.vstack([first, second]) - second.mean(axis=0)) ** 2).sum())
    starts = [k for k in range(2, k_top + 1) for _ in range(N_STARTS)]
    fits = [first.mean(axis=0, keepdims=True), *fit_starts(first, starts, rng, executor, N_STARTS)]
    held_out = np.array([nearest(second, centres)[1].sum() for centres in fits])
    fitted = np.array([nearest(first, centres)[1].sum() for centres in fits])
    scale = len(features) / len(sample)
    wss = (fitted + held_out + max(outside, 0.0)) * scale
    k = _supported(first, second, fits, _knee(held_out), rng, executor)
    return Elbow(k, np.arange(1, k_top + 1), wss)


def _inertia(sample: NDArray[np.float32]) -> float:
    centred = sample - sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    return float(np.einsum("ij,ij->i", centred, centred).sum(dtype=np.float64))


def _knee(held_out: NDArray[np.float64]) -> int:
    """Largest K whose last cluster still gains enough on the half that it was not fitted on.

    Enough is a fifth of the best gain so far; or a tenth, where the next gain is five times smaller still: a
    sharp knee shows separate groups, whereas gains along a continuous feature fall slowly.
    """
    gains = -np.diff(held_out)
    best = 0.0
    for k, gain in enumerate(gains, start=1):
        following = max(gains[k], 0.0) if k < len(gains) else 0.0
        is_sharp = gain >= MIN_SHARP_SHARE * best and gain >= SHARP_RATIO * following
        if gain <= 0 or not (gain >= MIN_GAIN_SHARE * best or is_sharp):
            return k
        best = max(best, gain)
    return len(held_out)


def _supported(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    fits: list[NDArray[np.float64]],
    k: int,
    rng: np.random.Generator,
    executor: Executor | None,
) -> int:
    """K if fits on both halves agree with each other, else 2 if those do, else 1."""
    both = np.vstack([first, second])
    for candidate in dict.fromkeys((k, 2)):
        if candidate < 2:
            return 1
        other = fit_starts(second, [candidate] * N_STARTS, rng, executor, N_STARTS)[0]
        enough = MIN_AGREEMENT_WITHOUT_KNEE if candidate == len(fits) > 2 else MIN_AGREEMENT
        if adjusted_rand(nearest(both, fits[candidate - 1])[0], nearest(both, other)[0]) >= enough:
            return candidate
    return 1
