"""Agreement of two clusterings."""

import numpy as np
from numpy.typing import NDArray


def contingency(first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.int64]:
    """Counts (max(first) + 1, max(second) + 1) of positions by pair of labels; negative labels are left out."""
    seen = (first >= 0) & (second >= 0)
    first, second = first[seen].astype(np.int64), second[seen].astype(np.int64)
    if first.size == 0:
        return np.zeros((0, 0), np.int64)
    n_first, n_second = int(first.max()) + 1, int(second.max()) + 1
    return np.bincount(first * n_second + second, minlength=n_first * n_second).reshape(n_first, n_second)


def adjusted_rand(first: NDArray[np.integer], second: NDArray[np.integer]) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985): 1 for equal partitions, 0 on average for unrelated ones."""
    table = contingency(first, second).astype(np.float64)
    n = table.sum()
    if n < 2:
        return 1.0

    def pairs(counts: NDArray[np.float64]) -> float:
        return float((counts * (counts - 1)).sum() / 2)

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / (n * (n - 1) / 2)
    largest = (rows + columns) / 2
    return 1.0 if largest == expected else (both - expected) / (largest - expected)
