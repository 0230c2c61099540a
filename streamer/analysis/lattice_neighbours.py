"""Rotation and strain averaged with those of neighbouring positions, as far as that lowers their error.

A pattern alone says where its disks are to what shot noise allows (the bound of Cramér and Rao, decision 14); its
neighbours know more. How wide to average is chosen by cluster of level 1, for rotation and for strain, by Stein's
estimate: a field that turns quickly is averaged less, one that jumps not at all, or within leaves alone.
"""

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.neighbours import WIDTHS, WORTH, ScanMap, stein_risk

_QUANTITIES = (slice(0, 1), slice(1, 4))
"""Rotation; strain yy, xx, yx."""


def average_with_neighbours(
    values: NDArray[np.float64],
    variance: NDArray[np.float64],
    groupings: tuple[NDArray[np.int32], ...],
    scan_shape: tuple[int, int],
    executor: Executor | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Averaged values, and how wide each was averaged.

    Parameters
    ----------
    values
        (n, 4) of all scan positions: rotation and strain, NaN where not measured.
    variance
        (n, 4) of their noise.
    groupings
        Labels (n,): only neighbours with the same one are averaged; the width is chosen for every label of the first.
    scan_shape
        Of the scan.

    Returns
    -------
    values (n, 4); width (n, 2) of rotation and of strain, in scan positions, 0 where values are as they were.
    """
    there = np.flatnonzero(np.isfinite(values).all(axis=1) & (variance > 0).all(axis=1))
    rows, noise = values[there].astype(np.float32), variance[there]
    scan_map = ScanMap.of(there, scan_shape)
    averages = {
        (number, width): scan_map.averaged(rows, labels[there], width, executor)
        for number, labels in enumerate(groupings)
        for width in WIDTHS
    }
    out, widths = values.copy(), np.where(np.isfinite(values[:, :2]), 0.0, np.nan)
    groups = groupings[0][there]
    for group in np.unique(groups):
        own = groups == group
        for place, quantity in enumerate(_QUANTITIES):
            least = WORTH
            for (_, width), (averaged, own_share) in averages.items():
                risk = stein_risk(
                    rows[own, quantity], averaged[own, quantity], own_share[own], noise[own, quantity]
                ).mean()
                if risk < least:
                    least = risk
                    out[there[own], quantity], widths[there[own], place] = averaged[own, quantity], width
    return out, widths
