import json
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from simulators import kernels
from simulators.detector import READOUT_ADU, Exposure, PatternMaker, direct_beam, disk_profile, write_raw
from simulators.simulate import command, parse_size
from simulators.specimens import make_specimen
from simulators.truth import many_to_one_accuracy, read_truth
from streamer.errors import FileFormatError, RecordingError, SettingsError
from streamer.model import ADU_PER_ELECTRON_80KV
from tests import naive_simulators
from tests.simulated import simulate

SHAPE = (5, 7)


def maker(seed=0, dose=20000.0, name="junction"):
    return PatternMaker(make_specimen(name, SHAPE), Exposure(dose, 2.0, seed))


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
def test_expected_pattern_equals_its_twin(compiled):
    disk, film = disk_profile(), np.linspace(1.0, 0.1, 4000)
    spots = np.array([[0.0, 0.0, 50.0], [8.3, -5.1, 9.0], [-40.0, 3.0, 7.0], [1.0, 1.0, 0.0]])
    out = np.empty((24, 32), np.float32)
    kernel = kernels.expected_pattern if compiled else kernels.expected_pattern.py_func
    kernel(np.array([11.2, 15.7]), spots, disk, film, 0.02, out)
    twin = naive_simulators.expected_pattern((11.2, 15.7), spots, disk, film, 0.02, out.shape)
    np.testing.assert_allclose(out, twin, rtol=1e-4, atol=1e-5)


def test_uniform_numbers_are_those_of_splitmix64():
    state = np.array([12345], np.uint64)
    expected = 12345
    for _ in range(5):
        number = kernels.next_uniform(state)
        expected, twin = naive_simulators.splitmix64(expected)
        assert number == twin


@pytest.mark.parametrize("mean", [0.05, 1.0, 11.0, 13.0, 400.0])
def test_poisson_numbers_have_the_right_mean_and_variance(mean):
    state = np.array([7], np.uint64)
    numbers = np.array([kernels.poisson(mean, state) for _ in range(20000)])
    assert numbers.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / 20000))
    assert numbers.var() == pytest.approx(mean, rel=0.06)
    assert (numbers == np.round(numbers)).all()


def test_frames_are_the_same_in_any_block_and_differ_by_seed():
    whole = maker().frames(0, 35)
    np.testing.assert_array_equal(whole[11:20], maker().frames(11, 20))
    assert not np.array_equal(whole, maker(seed=1).frames(0, 35))


def test_the_file_does_not_depend_on_the_number_of_threads(tmp_path):
    for n_threads in (1, 3):
        write_raw(maker(), tmp_path / f"{n_threads}.raw", n_threads=n_threads)
    assert (tmp_path / "1.raw").read_bytes() == (tmp_path / "3.raw").read_bytes()


def test_counts_follow_the_expectation():
    film = maker(name="film")
    frames = film.frames(0, 35).astype(np.float64) / ADU_PER_ELECTRON_80KV
    expected = np.sum([film.expected(i) for i in range(35)], axis=0)
    total = float(expected.sum(dtype=np.float64))
    assert frames.sum() == pytest.approx(total, abs=6 * np.sqrt(total))
    assert film.expected(0).sum() == pytest.approx(20000, rel=0.03)  # a little is scattered past the detector
    corner = frames[:, :4, :4]
    assert corner.std() > READOUT_ADU / ADU_PER_ELECTRON_80KV


def test_the_beam_drifts_as_far_as_it_is_told_and_lies_where_it_is_said():
    centres = direct_beam((60, 80), 3.0)
    assert 2.0 < np.ptp(centres[..., 0]) <= 3.01
    frame = maker(dose=1e6, name="film").expected(17)
    y, x = np.indices(frame.shape)
    near = np.hypot(y - 64.5, x - 62.5) < 8
    true = direct_beam(SHAPE, 2.0).reshape(-1, 2)[17]
    found = [(frame * near * axis).sum() / (frame * near).sum() for axis in (y, x)]
    np.testing.assert_allclose(found, true, atol=0.15)


def test_raw_and_xml_have_the_layout_of_the_detector(tmp_path):
    scan = simulate(tmp_path, SHAPE)
    assert scan.raw.name == "scan_x7_y5.raw"
    records = np.fromfile(scan.raw, "<f4").reshape(35, 130, 128)
    np.testing.assert_array_equal(records[:, :128], scan.frames)
    root = ElementTree.parse(scan.xml).getroot()
    assert root.findtext("iom_measurements/high_voltage") == "80000.0"
    assert root.find("raw_file").get("filename") == scan.raw.name
    assert root.findall("scan_parameters")[1].findtext("scan_resolution_x") == "7"


def test_an_existing_file_is_not_replaced(tmp_path):
    simulate(tmp_path, SHAPE)
    with pytest.raises(SettingsError, match=r"exists and is not replaced"):
        simulate(tmp_path, SHAPE)


def test_a_full_disk_is_said_and_the_part_removed(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(RecordingError, match=r"No space left on device\. 0\.00 GB are needed"):
        write_raw(maker(), tmp_path / "full.raw")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_file_xml_and_truth_and_says_so_in_json(tmp_path):
    folders = ["--out", str(tmp_path / "a"), "--truth-out", str(tmp_path / "b")]
    arguments = ["junction", "--size", "5x7", *folders, "--json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    summary = json.loads(done.stdout)
    truth = read_truth(tmp_path / "b" / "scan_x7_y5.truth.h5")
    assert summary["n_patterns"] == 35
    assert truth.specimen.scan_shape == SHAPE
    np.testing.assert_array_equal(truth.direct_beam_yx, direct_beam(SHAPE, 3.0))
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["acquisition_1.xml", "scan_x7_y5.raw"]


@pytest.mark.parametrize("text", ["0", "3x", "x4", "5000", "a"])
def test_a_size_that_cannot_be_used_is_refused(text):
    with pytest.raises(SettingsError, match=rf"--size {text} cannot be used"):
        parse_size(text)


def test_no_truth_is_said(tmp_path):
    with pytest.raises(FileFormatError, match="cannot be read as a truth file"):
        read_truth(tmp_path / "missing.h5")


MAPS = st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 3)), min_size=1, max_size=60)


@given(MAPS, st.permutations(range(6)))
def test_accuracy_lies_between_0_and_1_and_ignores_names(pairs, names):
    labels, truth = np.array(pairs).T
    renamed = np.where(labels >= 0, np.array(names)[labels], -1)
    accuracy = many_to_one_accuracy(labels, truth)
    assert 0 <= accuracy <= 1
    assert many_to_one_accuracy(renamed, truth) == accuracy
    assert many_to_one_accuracy(labels, truth, max_clusters=1) <= accuracy


def test_unlabelled_positions_count_as_wrong():
    assert many_to_one_accuracy(np.array([0, 0, 1, -1]), np.array([0, 0, 1, 1])) == 0.75


def test_defects_lie_where_they_are_said_and_change_nothing_else():
    exposure = Exposure(20000.0, 2.0, 3, dead_pixels=4, hot_pixels=3, nan_pixels=2, nan_frames=2)
    broken = PatternMaker(make_specimen("junction", SHAPE), exposure)
    frames, whole = broken.frames(0, 35), maker(seed=3).frames(0, 35)
    defects = broken.defects
    assert [len(part) for part in (defects.dead, defects.hot, defects.nan, defects.frames)] == [4, 3, 2, 2]
    assert np.flatnonzero(np.isnan(frames).all(axis=(1, 2))).tolist() == defects.frames.tolist()
    good = np.delete(frames, defects.frames, axis=0).reshape(33, -1)
    assert (good[:, defects.dead] == 0).all()
    assert (good[:, defects.hot] > 1e4).all()
    assert np.isnan(good[:, defects.nan]).all()
    others = np.setdiff1d(np.arange(128 * 128), np.concatenate([defects.dead, defects.hot, defects.nan]))
    np.testing.assert_array_equal(
        good[:, others], np.delete(whole, defects.frames, axis=0).reshape(33, -1)[:, others]
    )
