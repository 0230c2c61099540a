"""Rows averaged with their neighbours on the map, as far as that lowers the error that noise leaves.

Neighbouring positions of one cluster are alike, their noise is not. How wide to average is read from the rows
themselves: Stein's unbiased estimate of the risk says how far the averaged rows lie from what they would be without
noise, without knowing what that is (Stein, Ann. Stat. 9, 1135 (1981)). Neighbours of another group take no part, so
that borders stay sharp. Averaging patterns with their neighbours is known from EBSD (NPAR, NLPAR).
"""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.blocks import each
from streamer.kernels.neighbours import average_rows

WIDTHS = (0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4)
"""Standard deviations of the Gaussian weights, in scan positions, that are tried."""
LEAST_WEIGHT = 0.02
"""Of a neighbour, against the position's own: less counts for nothing and costs time."""
WORTH = 0.75
"""Share of the risk that must be left at most, else rows stay as they are."""
BLOCK_ROWS = 512


@dataclass(frozen=True)
class ScanMap:
    """Where rows lie on the scan: `places_yx` (n, 2) int64, `scan_shape` of the whole."""

    places_yx: NDArray[np.int64]
    scan_shape: tuple[int, int]

    @classmethod
    def of(cls, positions: NDArray[np.int64], scan_shape: tuple[int, int]) -> "ScanMap":
        """Of rows at flat scan positions (n,)."""
        return cls(np.stack(np.divmod(positions, scan_shape[1]), axis=1), scan_shape)

    def part(self, rows: NDArray[np.int64]) -> "ScanMap":
        """Of some of the rows alone."""
        return ScanMap(self.places_yx[rows], self.scan_shape)

    def averaged(
        self,
        rows: NDArray[np.float32],
        groups: NDArray[np.int32],
        width: float,
        executor: Executor | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Rows (n, n_features) averaged with their neighbours of the same group, and each one's own share.

        Parameters
        ----------
        groups
            (n,) int32.
        width
            Standard deviation of the Gaussian weights, in scan positions.
        executor
            Runs blocks side by side; the outcome does not depend on it.
        """
        weights = _weights(width)
        reach = len(weights) // 2
        row_of = np.full(np.add(self.scan_shape, 2 * reach), -1, np.int32)
        row_of[tuple((self.places_yx + reach).T)] = np.arange(len(rows), dtype=np.int32)
        out, own_share = np.empty_like(rows), np.empty(len(rows), np.float32)

        def work(start: int) -> None:
            own = slice(start, start + BLOCK_ROWS)
            average_rows(rows, groups, row_of, self.places_yx[own], weights, out[own], own_share[own])

        starts = range(0, len(rows), BLOCK_ROWS)
        for _ in each(work, starts, executor):
            pass
        return out, own_share


def _weights(width: float) -> NDArray[np.float32]:
    reach = int(np.ceil(width * np.sqrt(-2.0 * np.log(LEAST_WEIGHT))))
    steps = np.arange(-reach, reach + 1)
    line = np.exp(-0.5 * (steps / width) ** 2)
    weights = np.outer(line, line)
    return np.where(weights >= LEAST_WEIGHT, weights, 0.0).astype(np.float32)


def stein_risk(
    rows: NDArray[np.float32],
    averaged: NDArray[np.float32],
    own_share: NDArray[np.float32],
    noise: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Estimate of every value's squared error after averaging, over the variance of its noise.

    Parameters
    ----------
    rows, averaged
        (n, d): before and after.
    own_share
        (n,): see `ScanMap.averaged`.
    noise
        (d,) or (n, d): variance.

    Returns
    -------
    (n, d): 1 is what values have as they are. Single ones scatter, and may be negative; means count.
    """
    return (rows - averaged) ** 2 / noise - 1.0 + 2.0 * own_share[:, None]
