import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.presenters.lattice_pane import lattice_constant
from gui.presenters.snapshot import Snapshot
from gui.presenters.status import EngineStatus
from simulators.specimen import LATTICE_A, Phase
from streamer import analyze, open_scan
from streamer.analysis import bragg, lattice
from streamer.analysis.lattice_neighbours import average_with_neighbours
from streamer.cluster.neighbours import WIDTHS
from streamer.model import ScanInfo
from streamer.serve.boards import snapshot_of_result
from streamer.settings import analysis_settings
from streamer.wire.control import NamedArray
from tests.simulated import simulate


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("lattice"), (32, 48))


def analyzed(scan, **settings):
    with open_scan(scan.raw) as opened:
        return analyze(opened, analysis_settings({"momentum": {"enabled": False}} | settings))


@pytest.fixture(scope="module")
def result(scan):
    return analyzed(scan)


def errors(scan, result, where, phase):
    """Share of the constant, and degrees, by which the measured differ from the truth."""
    specimen, own = scan.specimen, scan.specimen.phase == phase
    true = LATTICE_A[phase] / 10 * (1 + specimen.strain[own])
    turn = result.arrays[f"{where}/rotation_rad"] - specimen.rotation_rad
    return result.arrays[f"{where}/constant_nm"][own] / true - 1, np.rad2deg(turn[own])


def test_a_pattern_alone_is_as_near_the_truth_as_shot_noise_allows(scan, result):
    """Bounds of Cramér and Rao for these spots: 0.1 % and 0.06 degrees a pattern (docs/performance.md)."""
    crystal = scan.specimen.phase > 0
    rotation = result.arrays["lattice/alone/rotation_rad"]
    # The scan's mean lattice is zero.
    assert abs((rotation - scan.specimen.rotation_rad)[crystal].mean()) < np.deg2rad(0.1)
    for phase in (Phase.WS2, Phase.WSE2):
        ratio, turn = errors(scan, result, "lattice/alone", phase)
        assert abs(ratio.mean()) < 3e-4
        assert ratio.std() < 1.2e-3
        assert turn.std() < 0.07


def test_neighbours_halve_the_error_where_the_lattice_turns_slowly(scan, result):
    for phase in (Phase.WS2, Phase.WSE2):
        alone, together = (errors(scan, result, where, phase) for where in ("lattice/alone", "lattice"))
        assert together[0].std() < 0.5 * alone[0].std()
        # The rotation of WS2 goes once about in six positions here.
        assert together[1].std() < {Phase.WS2: 0.9, Phase.WSE2: 0.6}[phase] * alone[1].std()
    width = result.arrays["lattice/width"]
    assert np.nanmin(width) >= 0
    assert np.nanmax(width[scan.specimen.phase == Phase.WSE2]) > np.nanmax(
        width[scan.specimen.phase == Phase.WS2, 0]
    )


def test_neighbours_can_be_left_out(scan, result):
    arrays = analyzed(scan, lattice={"neighbours": "off"}).arrays
    for name in ("constant_nm", "rotation_rad", "strain"):
        np.testing.assert_array_equal(arrays[f"lattice/{name}"], arrays[f"lattice/alone/{name}"])
        np.testing.assert_array_equal(arrays[f"lattice/{name}"], result.arrays[f"lattice/alone/{name}"])
    assert np.nanmax(arrays["lattice/width"]) == 0


def test_what_jumps_from_place_to_place_is_not_averaged_and_what_is_smooth_is():
    shape, sigma = (20, 34), 0.1
    rng = np.random.default_rng(0)
    x = np.arange(shape[0] * shape[1]) % shape[1]
    truth = np.stack(
        [rng.choice([-1.0, 1.0], x.size), *(np.sin(x / 9) * factor for factor in (1, 2, 3))], axis=1
    )
    values = truth + sigma * rng.standard_normal(truth.shape)
    values[::7] = np.nan
    out, width = average_with_neighbours(
        values, np.full(values.shape, sigma**2), (np.zeros(x.size, np.int32),), shape
    )
    np.testing.assert_array_equal(out[:, 0], values[:, 0])
    there = np.isfinite(values[:, 0])
    assert set(width[there, 0]) == {0.0}
    assert set(width[there, 1]) <= set(WIDTHS)
    assert np.isnan(width[~there]).all()
    assert np.isnan(out[~there]).all()
    assert (out - truth)[there, 1:].std() < 0.5 * sigma


def test_grains_are_averaged_each_in_itself():
    """Where a leaf is one grain and a cluster of level 1 holds them all."""
    shape, sigma = (24, 36), 0.02
    y, x = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    leaves = ((y // 6) % 2 + 2 * ((x // 6) % 2)).astype(np.int32)
    truth = np.stack([leaves * 1.0] * 4, axis=1)
    values = truth + sigma * np.random.default_rng(1).standard_normal(truth.shape)
    groupings = (np.zeros(x.size, np.int32), leaves)
    out, _ = average_with_neighbours(values, np.full(values.shape, sigma**2), groupings, shape)
    assert (out - truth).std() < 0.5 * sigma


def test_film_has_no_lattice_and_crystal_has_one_of_quality(scan, result):
    is_film = scan.specimen.phase == Phase.FILM
    for name in ("constant_nm", "spacing_px", "rotation_rad", "quality", "strain"):
        assert np.isnan(result.arrays[f"lattice/{name}"][is_film]).all(), name
    assert np.median(result.arrays["lattice/quality"][~is_film]) > 0.8


def test_patterns_with_too_many_bad_pixels_have_no_lattice_and_a_few_are_mended(scan, result, tmp_path):
    crystal = np.flatnonzero(np.isfinite(result.arrays["lattice/alone/rotation_rad"]))
    gone, mended = crystal[10], crystal[20]
    raw = tmp_path / scan.raw.name
    raw.write_bytes(scan.raw.read_bytes())
    (tmp_path / scan.xml.name).write_bytes(scan.xml.read_bytes())
    records = np.memmap(raw, np.float32, "r+").reshape(scan.maker.n_positions, 130, 128)
    records[gone, :20] = np.nan
    records[mended, 40] = np.nan  # a row, which crosses disks
    records.flush()
    with open_scan(raw) as opened:
        arrays = analyze(opened, analysis_settings({"momentum": {"enabled": False}})).arrays
    turn = (arrays["lattice/alone/rotation_rad"] - result.arrays["lattice/alone/rotation_rad"]).ravel()
    assert np.isnan(turn[gone])
    assert 0 < abs(turn[mended]) < np.deg2rad(0.2)


def test_strain_shows_the_mismatch_of_the_phases(scan, result):
    strain = result.arrays["lattice/strain"]
    ws2, wse2 = (strain[scan.specimen.phase == phase].mean(axis=0) for phase in (Phase.WS2, Phase.WSE2))
    assert (wse2 - ws2)[:2] == pytest.approx(LATTICE_A[Phase.WSE2] / LATTICE_A[Phase.WS2] - 1, abs=4e-3)
    assert (wse2 - ws2)[2] == pytest.approx(0, abs=2e-3)


def test_the_lattice_can_be_left_out(scan):
    assert not any(name.startswith("lattice/") for name in analyzed(scan, lattice={"enabled": False}).arrays)


def test_a_window_makes_the_same_constants_of_the_spacings_where_the_scale_came_later(result):
    shown = snapshot_of_result(result, 1, None).arrays
    constant = shown["lattice_constant_nm"]
    q = ScanInfo.from_json(result.attrs["scan"]).calibration.q_per_px_inv_nm
    assert constant.meta["q_per_px_inv_nm"] == q
    nothing = NamedArray(constant.name, np.full_like(constant.values, np.nan), 1, {"q_per_px_inv_nm": None})
    status = EngineStatus(q_per_px_inv_nm=q)
    snapshot = Snapshot(status=status, arrays={**shown, "lattice_constant_nm": nothing})
    assert np.allclose(lattice_constant(snapshot), constant.values, rtol=1e-5, equal_nan=True)


angles = st.floats(-np.pi, np.pi)


def lattice_points(basis, n=2):
    steps = np.arange(-n, n + 1)
    indices = np.array([(h, k) for h in steps for k in steps if (h, k) != (0, 0)])
    return indices @ basis


def turned(basis, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return basis @ np.array([[cos, sin], [-sin, cos]]).T


HEXAGONAL = 20.0 * np.array([[0.0, 1.0], [np.sqrt(0.75), 0.5]])
OBLIQUE = np.array([[1.0, 18.0], [26.0, 4.0]])


@given(angles, st.sampled_from([HEXAGONAL, OBLIQUE]), st.integers(0, 2**31))
def test_any_lattice_is_indexed_with_some_of_its_disks_missing(angle, basis, seed):
    rng = np.random.default_rng(seed)
    points = lattice_points(turned(basis, angle))
    order = np.argsort((points**2).sum(axis=1))
    points = points[np.append(order[:6], order[6:][rng.random(len(order) - 6) < 0.6])]
    noisy = points + rng.normal(0, 0.05, points.shape)
    found, explained = bragg.index_lattice(noisy, rng.uniform(0.5, 1.5, len(points)))
    assert explained.all()
    assert abs(np.linalg.det(found)) == pytest.approx(abs(np.linalg.det(basis)), rel=0.01)
    assert bragg.is_hexagonal(found) == (basis is HEXAGONAL)


def test_positions_by_chance_are_no_lattice():
    rng = np.random.default_rng(0)
    assert bragg.index_lattice(rng.uniform(-50, 50, (12, 2)), np.ones(12))[0] is None


def test_two_disks_are_no_lattice():
    assert bragg.index_lattice(np.array([[20.0, 0], [-20, 0]]), np.ones(2))[0] is None


@given(st.floats(-0.4, 0.4), st.floats(-0.02, 0.02), st.floats(-0.02, 0.02), st.floats(-0.01, 0.01))
def test_rotation_and_strain_are_separated(angle, yy, xx, yx):
    real_space = np.eye(2) + np.array([[yy, yx], [yx, xx]])
    deformed = turned(HEXAGONAL @ np.linalg.inv(real_space).T, angle)
    rotation, strain = lattice.rotation_and_strain(np.array([deformed, np.full((2, 2), np.nan)]), HEXAGONAL)
    assert rotation[0] == pytest.approx(angle, abs=1e-9)
    assert strain[0] == pytest.approx([yy, xx, yx], abs=1e-9)
    assert np.isnan(rotation[1])
    assert np.isnan(strain[1]).all()


@given(angles)
def test_a_twin_is_the_same_lattice_turned(angle):
    centred = np.array([[10.0, 7.0], [-10.0, 7.0]])  # rows y, x: a rhombus, as {111} along [110]
    mirrored = turned(centred, angle) * (1, -1)
    found = lattice.nearest_equivalent(mirrored, centred)
    _, strain = lattice.rotation_and_strain(found[None], centred)
    assert np.abs(strain).max() < 1e-9
    assert abs(np.linalg.det(found)) == pytest.approx(abs(np.linalg.det(centred)))
