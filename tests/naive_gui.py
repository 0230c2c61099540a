"""A slow, obvious twin of every kernel in gui.kernels."""

import math

import numpy as np


def splat(points, rows, rank, turn, px_per_unit, spread, shape):
    """Depth with rank and number of the nearest point that covers each pixel; the first where two are equal."""
    height, width = shape
    depth, ids = np.full(shape, -1.0e30), np.full(shape, -1)
    for n, point in enumerate(points.astype(np.float64)):
        right, up, near = turn.astype(np.float64) @ point
        near += rank[rows[n]]
        column = math.floor(width / 2 + px_per_unit * right) - spread // 2
        row = math.floor(height / 2 - px_per_unit * up) - spread // 2
        for y in range(row, row + spread):
            for x in range(column, column + spread):
                if 0 <= y < height and 0 <= x < width and near > depth[y, x]:
                    depth[y, x], ids[y, x] = near, n
    return depth, ids


def shaded(ids, depth, rows, rank, colours, ground):
    """(h, w, 3): half as bright at depth -1 as at depth 1."""
    picture = np.empty((*ids.shape, 3))
    for place, n in np.ndenumerate(ids):
        if n < 0:
            picture[place] = ground
        else:
            near = np.clip((depth[place] - rank[rows[n]] + 1) / 2, 0, 1)
            picture[place] = np.floor((0.5 + 0.5 * near) * colours[rows[n]] + 0.5)
    return picture
