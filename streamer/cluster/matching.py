"""Identities of clusters that survive from one clustering to the next."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from streamer.cluster.agreement import contingency


def match_labels(new: NDArray[np.integer], old: NDArray[np.integer], k_new: int) -> NDArray[np.int64]:
    """Identity of each new cluster: that of the old one it overlaps most, one to one; else an unused number.

    Parameters
    ----------
    new, old
        (n,) labels from 0; negative: not visited.
    k_new
        Number of new clusters.

    Returns
    -------
    NDArray
        (k_new,) identity of each new label. Numbers never seen in `old` are given in ascending order.
    """
    table = np.zeros((k_new, int(old.max(initial=-1)) + 1), np.int64)
    counted = contingency(new, old)
    table[: counted.shape[0], : counted.shape[1]] = counted
    identities = np.full(k_new, -1, np.int64)
    rows, columns = linear_sum_assignment(-table)
    for row, column in zip(rows, columns, strict=True):
        if table[row, column] > 0:
            identities[row] = column
    unused = iter(sorted(set(range(k_new + table.shape[1])) - set(identities.tolist())))
    for row in range(k_new):
        if identities[row] < 0:
            identities[row] = next(unused)
    return identities
