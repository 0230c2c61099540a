"""Feature vectors as a table: in memory, or spread over other processes (`streamer.analysis.dask_executor`).

Clustering asks a table for little: a few rows, a part of it, nearest centroids with sums. Sums are exact, whatever
the order and the blocks in which they are taken: values are rounded to multiples of a power of two so small that
the sum of all of them still fits into the 53 bits of a float64 (decision 26). Labels therefore depend neither on
threads nor on processes.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.blocks import each
from streamer.cluster.tables import read_ahead
from streamer.kernels.distance import accumulate_groups, inner_products, lloyd_step

BLOCK_ROWS = 1024
_BITS = 52


class Assigned(NamedTuple):
    """Nearest centroids of vectors.

    Attributes
    ----------
    labels
        (n,) int32.
    distances
        (n,) float32, squared Euclidean.
    sums
        (k, n_features) float64 of the vectors of each centroid.
    counts
        (k,) int64.
    """

    labels: NDArray[np.int32]
    distances: NDArray[np.float32]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def inertias(self) -> NDArray[np.float64]:
        """(k,) sums of the squared distances, in the order of the vectors."""
        k = len(self.counts)
        return np.bincount(self.labels, weights=self.distances, minlength=k).astype(np.float64)


class Vectors(Protocol):
    """n vectors of n_features."""

    @property
    def shape(self) -> tuple[int, int]:
        """n, n_features."""
        ...

    def __len__(self) -> int: ...

    def rows(self, index: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """These vectors (m, n_features), in this order, in memory."""
        ...

    def part(self, index: NDArray[np.int64]) -> "Vectors":
        """These vectors, ascending, as a table of their own."""
        ...

    def assign(self, centroids: NDArray[np.float32]) -> Assigned:
        """The nearest of centroids (k, n_features) of every vector; sums are exact."""
        ...

    def project(self, axes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Inner products (n, m) with axes (m, n_features)."""
        ...


class HeldVectors:
    """Vectors in memory; see `Vectors`.

    Parameters
    ----------
    values
        (n_all, n_features), finite.
    executor
        Runs blocks side by side; the outcome does not depend on it.
    quantum
        Of the table that these are a part of; None: from the values.
    chosen
        (n,) int64: which of `values` they are; None: all. Nothing is copied: new memory is dear.
    """

    def __init__(
        self,
        values: NDArray[np.float32],
        executor: Executor | None = None,
        quantum: float | None = None,
        chosen: NDArray[np.int64] | None = None,
    ) -> None:
        self._values, self._executor, self._quantum = values, executor, quantum
        self._chosen = np.arange(len(values)) if chosen is None else chosen

    @property
    def shape(self) -> tuple[int, int]:
        """n, n_features."""
        return len(self._chosen), self._values.shape[1]

    def __len__(self) -> int:
        return len(self._chosen)

    def rows(self, index: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """See `Vectors`."""
        return self._values[self._wanted(index)]

    def part(self, index: NDArray[np.int64]) -> "HeldVectors":
        """See `Vectors`."""
        return HeldVectors(self._values, self._executor, self.quantum, self._chosen[index])

    @cached_property
    def quantum(self) -> float:
        """What all values are rounded to multiples of, where they are added."""
        if self._quantum is not None:
            return self._quantum
        return quantum_of(
            max(self._each(lambda block: largest_value(self.rows(block))), default=0.0), len(self)
        )

    def assign(self, centroids: NDArray[np.float32]) -> Assigned:
        """See `Vectors`."""
        n, k, quantum = len(self), len(centroids), self.quantum
        labels, distances = np.empty(n, np.int32), np.empty(n, np.float32)

        def work(block: slice) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
            sums, counts = np.zeros((k, self.shape[1])), np.zeros(k, np.int64)
            lloyd_step(
                self._values,
                self._wanted(block),
                centroids,
                1.0 / quantum,
                labels[block],
                distances[block],
                sums,
                counts,
            )
            return sums * quantum, counts

        sums, counts = np.zeros((k, self.shape[1])), np.zeros(k, np.int64)
        for block_sums, block_counts in self._each(work):
            sums += block_sums
            counts += block_counts
        return Assigned(labels, distances, sums, counts)

    def project(self, axes: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Vectors`."""
        out = np.empty((len(self), len(axes)), np.float32)
        for _ in self._each(
            lambda block: inner_products(self._values, self._wanted(block), axes, out[block])
        ):
            pass
        return out

    def _wanted(self, index: NDArray[np.int64] | slice) -> NDArray[np.int64]:
        """Rows of the values, asked for from the disk where these stand there."""
        rows = self._chosen[index]
        read_ahead(self._values, rows)
        return rows

    def _each(self, work: Callable[[slice], Any]) -> Iterable[Any]:
        """Outcomes of blocks, in order."""
        blocks = [slice(start, start + BLOCK_ROWS) for start in range(0, len(self), BLOCK_ROWS)]
        return each(work, blocks, self._executor)


def as_vectors(values: "NDArray[np.float32] | Vectors", executor: Executor | None = None) -> Vectors:
    """Values as a table; a table as it is."""
    return HeldVectors(values, executor) if isinstance(values, np.ndarray) else values


def quantum_of(largest: float, n: int) -> float:
    """The power of two to multiples of which n values up to `largest` in size can be rounded and added exactly."""
    bound = largest * max(n, 1)
    if not 0.0 < bound < np.inf:
        return 1.0
    return float(2.0 ** (int(np.frexp(bound)[1]) - _BITS))


def largest_value(values: NDArray[np.float32]) -> float:
    """Of the sizes of values; 0 where there are none."""
    return max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))


def group_sums(
    values: NDArray[np.float32], labels: NDArray[np.int32], k: int, quantum: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Exact sums (k, n_features) and sizes (k,) of groups; negative labels are left out."""
    sums, counts = np.zeros((k, values.shape[1])), np.zeros(k, np.int64)
    accumulate_groups(values, labels, 1.0 / quantum, sums, counts)
    sums *= quantum
    return sums, counts
