"""Borders of regions as lines between pixels, so that they are as thin on the screen at every zoom."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def border_edges(regions: NDArray[Any]) -> NDArray[np.int32]:
    """Lines (n, 4) x0, y0, x1, y1 between neighbouring pixels of `regions` (height, width) that differ.

    Lines in a row are joined. The border of the image itself is no line.
    """
    flat = _runs(regions[1:] != regions[:-1])  # lines below a pixel: along x
    upright = _runs((regions[:, 1:] != regions[:, :-1]).T)  # lines to its right: along y
    y, x0, x1 = flat.T
    x, y0, y1 = upright.T
    along_x = np.stack([x0, y + 1, x1, y + 1], axis=1)
    along_y = np.stack([x + 1, y0, x + 1, y1], axis=1)
    return np.concatenate([along_x, along_y]).astype(np.int32)


def _runs(is_edge: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row, start and stop of every run of True along the rows."""
    padded = np.zeros((is_edge.shape[0], is_edge.shape[1] + 2), np.int8)
    padded[:, 1:-1] = is_edge
    step = np.diff(padded, axis=1)
    rows, starts = np.nonzero(step == 1)
    return np.stack([rows, starts, np.nonzero(step == -1)[1]], axis=1)
