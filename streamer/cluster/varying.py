"""The features of a node that vary, a block of vectors at a time: a node may hold more than memory should."""

from collections.abc import Iterator
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.tables import new_table
from streamer.cluster.vectors import HeldVectors, Vectors
from streamer.kernels.mask import MIN_FEATURES

BLOCK_ROWS = 4096


def varying_features(inside: Vectors, share: float, executor: Executor | None = None) -> Vectors:
    """Vectors of those columns alone whose STD exceeds a share of the largest; all where fewer than a handful do.

    Parameters
    ----------
    inside
        Vectors of one node.
    share
        Below 1.
    executor
        Of the table that is made.
    """
    std = _std(inside)
    varying = std > share * std.max(initial=0.0)
    if varying.all() or varying.sum() < MIN_FEATURES:
        return inside
    out = new_table(len(inside), int(varying.sum()))
    for block in _blocks(inside):
        out[block] = inside.rows(block)[:, varying]
    return HeldVectors(out, executor)


def _std(inside: Vectors) -> NDArray[np.float64]:
    """(n_features,)."""
    origin = np.zeros((1, inside.shape[1]), np.float32)
    mean = inside.assign(origin).sums[0] / len(inside)
    squares = np.zeros(inside.shape[1])
    for block in _blocks(inside):
        squares += ((inside.rows(block) - mean) ** 2).sum(axis=0)
    return np.sqrt(squares / len(inside))


def _blocks(inside: Vectors) -> Iterator[slice]:
    for start in range(0, len(inside), BLOCK_ROWS):
        yield slice(start, start + BLOCK_ROWS)
