"""Whether a split shows on the map: shot noise knows nothing of places, structure does.

A cloud of noise is longer along some directions than along others (neighbouring detector pixels scatter together), and
K-means then cuts it at the same place in every sample. What tells such a cut from a real one is that neighbouring
scan positions fall on its two sides as often as any other two.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.model import LABEL_NOT_VISITED


def neighbour_pairs(positions: NDArray[np.int64], scan_shape: tuple[int, int]) -> NDArray[np.int64]:
    """Rows (m, 2) of the vectors at neighbouring scan positions, to the right and below.

    Parameters
    ----------
    positions
        (n,) flat scan index of each vector.
    scan_shape
        Of the scan.
    """
    row_of = np.full(scan_shape, LABEL_NOT_VISITED, np.int64)
    row_of.ravel()[positions] = np.arange(len(positions))
    right = np.stack([row_of[:, :-1], row_of[:, 1:]], axis=-1).reshape(-1, 2)
    below = np.stack([row_of[:-1], row_of[1:]], axis=-1).reshape(-1, 2)
    pairs = np.concatenate([right, below])
    return pairs[(pairs >= 0).all(axis=1)]


def coherence(labels: NDArray[np.int32], pairs: NDArray[np.int64]) -> float:
    """How far neighbours agree beyond chance, in standard deviations of chance; 0 where there are none.

    Parameters
    ----------
    labels
        (n,) from 0; negative: left out.
    pairs
        (m, 2) of `neighbour_pairs`.
    """
    sides = labels[pairs]
    sides = sides[(sides >= 0).all(axis=1)]
    if not len(sides):
        return 0.0
    shares = np.bincount(sides.ravel()) / sides.size
    chance = float((shares**2).sum())
    if chance >= 1.0:
        return 0.0
    agreed = float((sides[:, 0] == sides[:, 1]).mean())
    return (agreed - chance) / float(np.sqrt(chance * (1.0 - chance) / len(sides)))
