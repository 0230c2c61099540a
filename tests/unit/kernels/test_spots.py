import numpy as np
import pytest
from scipy.integrate import trapezoid

from streamer.kernels import spots
from tests import naive
from tests.interpreted import interpret

SHAPE = (48, 64)
RADIUS = 2.6
OFFSETS = np.array([[0.0, 14], [12, 7], [12, -7], [0, -14], [-12, -7], [-12, 7], [0, 28.0]])


def table(mass=1.0, floor=0.01):
    distance = np.arange(int((RADIUS + 2) * spots.STEPS_PER_PX) + 1) / spots.STEPS_PER_PX
    disk = 1 / (1 + np.exp(4 * (distance - RADIUS)))
    weight = -mass * np.gradient(disk, distance) / (mass * disk + floor)
    information = trapezoid(np.pi * distance * weight * -mass * np.gradient(disk, distance), distance)
    return np.append(0, weight[1:] / distance[1:]).astype(np.float32), information


def plan_of(offsets=OFFSETS, background=0.0):
    scores, information = table()
    under = np.tile([0.0, 0.0, background * np.pi * RADIUS**2], (len(offsets), 1))
    m = len(offsets)
    return spots.SpotPlan(offsets, np.tile(scores, (m, 1)), under, np.full(m, information), RADIUS, 2.0)


def frame_of(matrix, centre_yx, offsets=OFFSETS, background=0.0):
    y, x = np.indices(SHAPE)
    frame = np.full(SHAPE, background)
    for offset in np.vstack([offsets, [[0, 0]]]):
        at = centre_yx + matrix @ offset
        frame += 1 / (1 + np.exp(4 * (np.hypot(y - at[0], x - at[1]) - RADIUS)))
    return frame.astype(np.float32)


def nothing(n):
    return spots.Lattices(np.full((n, 2, 2), 7.0), *(np.full(n, 7.0) for _ in range(3)))


def fit(frames, centres, plan, rounds=2, max_bad=30, rows=None):
    out = nothing(len(frames))
    rows = np.arange(len(frames)) if rows is None else rows
    scratch = np.empty(SHAPE, np.float32)
    spots.fit_lattices(frames, rows, centres, np.zeros(0, np.int64), max_bad, plan, rounds, scratch, out)
    return out


MATRIX = np.array([[1.01, 0.012], [-0.008, 0.995]])
CENTRE = np.array([23.8, 30.3])


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
def test_sums_about_a_place_equal_their_twin(compiled, monkeypatch):
    if not compiled:
        interpret(monkeypatch, spots)
    frame = np.random.default_rng(0).poisson(5, SHAPE).astype(np.float32)
    found = np.empty(3)
    spots.place_disk(frame, 20.3, 33.8, table()[0], RADIUS, found)
    expected = naive.place_disk(frame, 20.3, 33.8, table()[0], RADIUS, spots.STEPS_PER_PX)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
def test_fits_equal_their_twin(compiled, monkeypatch):
    if not compiled:
        interpret(monkeypatch, spots)
    rng = np.random.default_rng(1)
    frames = rng.poisson(20 * frame_of(MATRIX, CENTRE), (2, *SHAPE)).astype(np.float32) / 20
    out = fit(frames, np.tile(CENTRE, (2, 1)), plan_of())
    for frame, matrix in zip(frames, out.matrix, strict=True):
        expected = naive.fit_lattice(frame, CENTRE, plan_of(), 2, spots.STEPS_PER_PX)
        np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-5)


def test_a_deformed_lattice_is_found_on_a_background_and_its_intensity_is_told():
    frames = frame_of(MATRIX, CENTRE, background=0.05)[None]
    out = fit(frames, CENTRE[None], plan_of(background=0.05), rounds=6)
    np.testing.assert_allclose(out.matrix[0], MATRIX, atol=5e-4)
    # Six of seven: the outermost lies too near the edge; soft rims lose a part.
    assert out.mass[0] == pytest.approx(0.86 * 6 * np.pi * RADIUS**2, rel=0.03)
    assert out.residual[0] < 0.01


def test_what_cannot_be_measured_is_nan_and_other_rows_are_left_alone():
    frames = np.tile(frame_of(MATRIX, CENTRE), (4, 1, 1))
    frames[1, :20] = np.nan
    centres = np.tile(CENTRE, (4, 1))
    centres[2] = np.nan
    out = fit(frames, centres, plan_of(), rows=np.arange(3))
    assert np.isfinite(out.matrix[0]).all()
    assert np.isnan(out.matrix[1:3]).all()
    assert (out.matrix[3] == 7.0).all()


def test_a_bad_pixel_is_mended_and_does_not_spread():
    frames = frame_of(MATRIX, CENTRE)[None].copy()
    whole = fit(frames, CENTRE[None], plan_of()).matrix[0]
    frames[0, 24, 44] = np.nan
    np.testing.assert_allclose(fit(frames, CENTRE[None], plan_of()).matrix[0], whole, atol=0.01)


def test_disks_on_one_line_fit_no_lattice():
    out = fit(frame_of(MATRIX, CENTRE)[None], CENTRE[None], plan_of(OFFSETS[[0, 3, 6]]))
    assert np.isnan(out.matrix).all()


def test_disks_beyond_the_edge_are_left_out():
    centre = np.array([23.8, 42.0])  # the outermost disk lies outside
    out = fit(frame_of(np.eye(2), centre)[None], centre[None], plan_of(), rounds=4)
    np.testing.assert_allclose(out.matrix[0], np.eye(2), atol=1e-3)
