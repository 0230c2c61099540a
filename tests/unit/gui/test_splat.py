"""The point splat against its naive twin, compiled and interpreted."""

import numpy as np
import pytest

from gui.kernels import splat
from tests import naive_gui
from tests.interpreted import interpret

SHAPE = (23, 31)


@pytest.fixture(params=["compiled", "interpreted"])
def kernels(request, monkeypatch):
    if request.param == "interpreted":
        interpret(monkeypatch, splat)
    return splat


def cloud(n, seed=0):
    rng = np.random.default_rng(seed)
    # Sixty-fourths: places on the screen are the same in single and double precision.
    points = (rng.integers(-64, 65, (n, 3)) / 64).astype(np.float32)
    return points, rng.integers(0, 4, n).astype(np.int32), np.array([0, 0, 4, 0], np.float32)


def drawn(kernels, points, rows, rank, turn, zoom=8.0, spread=3):
    depth, ids = np.empty(SHAPE, np.float32), np.empty(SHAPE, np.int32)
    kernels.splat_points(points, rows, rank, turn.astype(np.float32), zoom, spread, depth, ids)
    return depth, ids


@pytest.mark.parametrize("spread", [1, 2, 3])
@pytest.mark.parametrize("n", [0, 1, 300])
def test_the_nearest_point_of_the_highest_rank_is_seen(kernels, spread, n):
    points, rows, rank = cloud(n)
    turn = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    depth, ids = drawn(kernels, points, rows, rank, turn, spread=spread)
    expected_depth, expected_ids = naive_gui.splat(points, rows, rank, turn, 8.0, spread, SHAPE)
    assert (ids == expected_ids).all()
    assert np.allclose(depth[ids >= 0], expected_depth[ids >= 0])


def test_what_is_outside_the_picture_is_left_out(kernels):
    points, rows, rank = cloud(50)
    _, ids = drawn(kernels, points + np.float32(100), rows, rank, np.eye(3))
    assert (ids == -1).all()


def test_colours_fade_with_distance_and_the_ground_shows_elsewhere(kernels):
    points, rows, rank = cloud(80, seed=2)
    depth, ids = drawn(kernels, points, rows, rank, np.eye(3))
    colours = np.random.default_rng(3).integers(0, 256, (4, 3)).astype(np.uint8)
    ground, out = np.array([20, 21, 22], np.uint8), np.empty((*SHAPE, 4), np.uint8)
    kernels.shade_points(ids, depth, rows, rank, colours, ground, out)
    got = out[..., 2::-1].astype(int)
    assert (out[..., 3] == 255).all()
    assert np.abs(got - naive_gui.shaded(ids, depth, rows, rank, colours, ground)).max() <= 1
    assert (got[ids < 0] == ground).all()
