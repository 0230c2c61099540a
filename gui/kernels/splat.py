"""Points in three dimensions drawn by the processor: one depth buffer, one buffer of point numbers.

No OpenGL: the picture is the same on every computer, offscreen and over a network display, and the buffer of
numbers says exactly which point lies under the mouse.
"""

import math

import numpy as np
from numba import njit

FASTMATH = {"reassoc", "contract", "nsz", "arcp"}
NO_POINT = -1
FAR = -1.0e30
DARKEST = 0.5
"""Brightness of the farthest points (depth -1); the nearest (depth 1) have all of theirs."""


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def splat_points(points, rows, rank, turn, px_per_unit, spread, depth, ids):
    """Draw every point as a square into the buffers; the nearest of the highest rank stays.

    Parameters
    ----------
    points
        (n, 3) float32.
    rows, rank
        (n,) int32 row of each point in the colour table; (rows,) float32, added to the depth of its points.
    turn
        (3, 3) float32: its rows are the directions of the screen to the right, up, and towards the eye.
    px_per_unit, spread
        Zoom, and the side of a square in pixels.
    depth, ids
        (h, w) float32 and int32, outputs: depth with rank, and number of the point; FAR and NO_POINT elsewhere.
    """
    height, width = depth.shape
    depth[:, :] = FAR
    ids[:, :] = NO_POINT
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        right = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z
        up = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z
        near = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z + rank[rows[n]]
        first_column = math.floor(0.5 * width + px_per_unit * right) - spread // 2
        first_row = math.floor(0.5 * height - px_per_unit * up) - spread // 2
        for row in range(max(first_row, 0), min(first_row + spread, height)):
            for column in range(max(first_column, 0), min(first_column + spread, width)):
                if near > depth[row, column]:
                    depth[row, column] = near
                    ids[row, column] = n


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def shade_points(ids, depth, rows, rank, colours, ground, out):
    """Colour the buffers: nearer points are brighter.

    Parameters
    ----------
    ids, depth
        (h, w), from `splat_points`.
    rows, rank
        As there.
    colours, ground
        (rows, 3) uint8, and (3,) uint8 where there is no point.
    out
        (h, w, 4) uint8, output: blue, green, red, 255, as Qt's RGB32 has them on little-endian computers.
    """
    height, width = ids.shape
    for row in range(height):
        for column in range(width):
            n = ids[row, column]
            out[row, column, 3] = 255
            if n < 0:
                for channel in range(3):
                    out[row, column, 2 - channel] = ground[channel]
                continue
            entry = rows[n]
            near = min(max(0.5 * (depth[row, column] - rank[entry] + 1.0), 0.0), 1.0)
            share = DARKEST + (1.0 - DARKEST) * near
            for channel in range(3):
                out[row, column, 2 - channel] = int(share * colours[entry, channel] + 0.5)


def warm_splat() -> None:
    """Compile both kernels, or load them from the cache, with the types that the window uses."""
    points, rows, rank = np.zeros((1, 3), np.float32), np.zeros(1, np.int32), np.zeros(1, np.float32)
    depth, ids, out = np.empty((2, 2), np.float32), np.empty((2, 2), np.int32), np.empty((2, 2, 4), np.uint8)
    splat_points(points, rows, rank, np.eye(3, dtype=np.float32), 1.0, 1, depth, ids)
    shade_points(ids, depth, rows, rank, np.zeros((1, 3), np.uint8), np.zeros(3, np.uint8), out)
