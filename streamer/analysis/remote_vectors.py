"""Feature vectors that stay on dask workers; see `streamer.cluster.vectors`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.vectors import Assigned, HeldVectors, Vectors, largest_value, quantum_of

if TYPE_CHECKING:
    from streamer.analysis.dask_executor import DaskExecutor

GATHERED_ROWS = 32768
"""Parts of no more vectors are clustered by the one that asked: it costs less than asking workers again and again."""


@dataclass(frozen=True)
class Piece:
    """What one thread of one worker holds.

    Attributes
    ----------
    arrays
        Futures of arrays, one behind the other.
    rows
        (m,) which rows of the table they are, ascending.
    """

    arrays: list[Any]
    rows: NDArray[np.int64]


class RemoteVectors:
    """Vectors in pieces; any threads at once: nothing changes once it is made, and each waits for its own answers.

    Parameters
    ----------
    executor
        Whose workers hold them.
    pieces
        Every row in one of them.
    shape
        n, n_features.
    quantum
        Of the table that these are a part of; None: from the values.
    """

    def __init__(
        self,
        executor: "DaskExecutor",
        pieces: Sequence[Piece],
        shape: tuple[int, int],
        quantum: float | None = None,
    ) -> None:
        self.shape = shape
        self._executor, self._pieces = executor, list(pieces)
        if quantum is None:
            largest = self._ask(largest_in, [(piece.arrays,) for piece in self._pieces])
            quantum = quantum_of(max(largest, default=0.0), len(self))
        self.quantum = quantum

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, index: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """See `Vectors`."""
        wanted = np.arange(len(self))[index] if isinstance(index, slice) else index
        out = np.empty((len(wanted), self.shape[1]), np.float32)
        places, questions = [], []
        for piece in self._pieces:
            row_in_piece = self._row_in(piece)[wanted]
            mine = np.flatnonzero(row_in_piece >= 0)
            if mine.size:
                places.append(mine)
                questions.append((piece.arrays, row_in_piece[mine]))
        for mine, values in zip(places, self._ask(take_rows, questions), strict=True):
            out[mine] = values
        return out

    def part(self, index: NDArray[np.int64]) -> Vectors:
        """See `Vectors`; it stays where it is, unless it is small."""
        if len(index) == len(self):
            return self
        if len(index) <= GATHERED_ROWS:
            return HeldVectors(self.rows(index), self._executor, self.quantum)
        pieces = []
        for piece in self._pieces:
            row_in_piece = self._row_in(piece)[index]
            mine = np.flatnonzero(row_in_piece >= 0)
            if mine.size:
                taken = self._executor.submit_there(take_rows, piece.arrays, row_in_piece[mine])
                pieces.append(Piece([taken], mine))
        return RemoteVectors(self._executor, pieces, (len(index), self.shape[1]), self.quantum)

    def assign(self, centroids: NDArray[np.float32]) -> Assigned:
        """See `Vectors`; sums are exact, so that it does not matter in which order pieces are added."""
        k = len(centroids)
        labels, distances = np.empty(len(self), np.int32), np.empty(len(self), np.float32)
        sums, counts = np.zeros((k, self.shape[1])), np.zeros(k, np.int64)
        answers = self._ask(
            assign_arrays, [(piece.arrays, centroids, self.quantum) for piece in self._pieces]
        )
        for piece, found in zip(self._pieces, answers, strict=True):
            labels[piece.rows], distances[piece.rows] = found[0], found[1]
            sums += found[2]
            counts += found[3]
        return Assigned(labels, distances, sums, counts)

    def project(self, axes: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Vectors`."""
        out = np.empty((len(self), len(axes)), np.float32)
        answers = self._ask(project_arrays, [(piece.arrays, axes) for piece in self._pieces])
        for piece, values in zip(self._pieces, answers, strict=True):
            out[piece.rows] = values
        return out

    def _row_in(self, piece: Piece) -> NDArray[np.int32]:
        """(n,) row of the piece that each row of the table is; -1: not in it."""
        row_in_piece = np.full(len(self), -1, np.int32)
        row_in_piece[piece.rows] = np.arange(len(piece.rows), dtype=np.int32)
        return row_in_piece

    def _ask(self, question: Any, arguments: list[tuple[Any, ...]]) -> list[Any]:
        """Answers in the order of the pieces."""
        asked = [self._executor.submit_there(question, *one) for one in arguments]
        answers: list[Any] = [None] * len(asked)
        for number, answer in self._executor.answers(asked):
            answers[number] = answer
        return answers


def largest_in(arrays: list[NDArray[np.float32]]) -> float:
    """On the worker: the largest size of a value."""
    return max((largest_value(array) for array in arrays), default=0.0)


def take_rows(arrays: list[NDArray[np.float32]], rows: NDArray[np.int32]) -> NDArray[np.float32]:
    """On the worker: rows of arrays one behind the other, in this order."""
    out = np.empty((len(rows), arrays[0].shape[1]), np.float32)
    first = 0
    for array in arrays:
        mine = (rows >= first) & (rows < first + len(array))
        out[mine] = array[rows[mine] - first]
        first += len(array)
    return out


def assign_arrays(
    arrays: list[NDArray[np.float32]], centroids: NDArray[np.float32], quantum: float
) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.float64], NDArray[np.int64]]:
    """On the worker: labels, distances, sums and counts of arrays one behind the other."""
    found = [HeldVectors(array, None, quantum).assign(centroids) for array in arrays]
    labels = np.concatenate([one.labels for one in found])
    return (
        labels.astype(np.uint8) if len(centroids) <= 256 else labels,
        np.concatenate([one.distances for one in found]),
        np.sum([one.sums for one in found], axis=0),
        np.sum([one.counts for one in found], axis=0),
    )


def project_arrays(arrays: list[NDArray[np.float32]], axes: NDArray[np.float32]) -> NDArray[np.float32]:
    """On the worker: inner products with axes."""
    return np.concatenate([HeldVectors(array).project(axes) for array in arrays])
