"""Frames are turned and scales replaced in one place, whatever file they come from."""

from dataclasses import replace

import numpy as np
import pytest

from streamer import analyze, open_scan
from streamer.errors import SettingsError
from streamer.formats.preparation import FramePreparation, PreparedScan, prepare_scan, turned
from streamer.model import Calibration, Orientation, ScanInfo
from streamer.settings import DetectorSettings, analysis_settings
from streamer.wire.messages import Start
from tests.fakes import scan_info
from tests.simulated import simulate


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("turned"), (12, 16))


def test_nothing_to_do_is_the_scan_itself(scan):
    with open_scan(scan.raw) as opened:
        assert prepare_scan(opened, DetectorSettings()) is opened


def test_what_the_file_says_of_its_orientation_is_done(scan):
    with open_scan(scan.raw) as opened:
        opened.info = replace(opened.info, orientation=Orientation(flip_lr=True))
        prepared = prepare_scan(opened, DetectorSettings())
        np.testing.assert_array_equal(prepared.pattern(3, 4), scan.frames[3 * 16 + 4][:, ::-1])
        as_recorded = prepare_scan(opened, DetectorSettings(flip_lr=False))
        np.testing.assert_array_equal(as_recorded.pattern(3, 4), scan.frames[3 * 16 + 4])


def test_flips_come_before_the_exchange_of_rows_and_columns():
    frames = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    for ud, lr, exchange in np.ndindex(2, 2, 2):
        expected = frames
        expected = np.array([np.flipud(frame) for frame in expected]) if ud else expected
        expected = np.array([np.fliplr(frame) for frame in expected]) if lr else expected
        expected = np.array([frame.T for frame in expected]) if exchange else expected
        orientation = Orientation(bool(ud), bool(lr), bool(exchange))
        np.testing.assert_array_equal(turned(frames, orientation), expected)


def test_every_way_of_reading_turns_frames(scan):
    settings = DetectorSettings(flip_lr=True, transpose=True, scan_rotation_rad=0.25)
    with open_scan(scan.raw) as opened:
        prepared = prepare_scan(opened, settings)
        assert isinstance(prepared, PreparedScan)
        assert prepare_scan(prepared, settings) is prepared
        assert prepared.info.orientation == Orientation(False, True, True, 0.25)
        expected = scan.frames[:, :, ::-1].swapaxes(1, 2)
        out = np.empty((20, 128, 128), np.float32)
        np.testing.assert_array_equal(prepared.read_block(30, 45, out), expected[30:45])
        np.testing.assert_array_equal(
            prepared.read_positions(np.array([7, 150, 3]), out), expected[[7, 150, 3]]
        )
        np.testing.assert_array_equal(prepared.pattern(2, 5), expected[2 * 16 + 5])
        assert prepared.checksum() == opened.checksum()


def test_a_detector_that_is_not_square_has_its_sides_exchanged():
    info = scan_info()
    prepared = FramePreparation(info, DetectorSettings(transpose=True))
    assert prepared.info.detector_shape == info.detector_shape[::-1]
    frames = np.arange(np.prod((2, *info.detector_shape)), dtype=np.float32).reshape(2, *info.detector_shape)
    np.testing.assert_array_equal(prepared.apply(frames, np.arange(2)), frames.swapaxes(1, 2))


def test_scales_that_somebody_measured_win(scan):
    with open_scan(scan.raw) as opened:
        nominal = opened.info.calibration
        measured = DetectorSettings(angle_per_px_mrad=0.61, voltage_v=2e5, scan_step_yx_nm=(2.0, 1.5))
        assert prepare_scan(opened, measured).info.calibration == Calibration(
            2e5, nominal.camera_length_m, 0.61, (2.0, 1.5), "user"
        )
        longer = prepare_scan(opened, DetectorSettings(camera_length_m=2 * nominal.camera_length_m))
        assert longer.info.calibration.angle_per_px_mrad == pytest.approx(nominal.angle_per_px_mrad / 2)
        assert longer.info.calibration.q_source == "nominal"


def test_the_analysis_follows_and_says_so(scan):
    settings = {"momentum": {"enabled": False}, "lattice": {"enabled": False}, "cluster": {"levels": 1}}
    detector = {"flip_ud": True, "angle_per_px_mrad": 0.61}
    with open_scan(scan.raw) as opened:
        plain = analyze(opened, analysis_settings(settings))
        result = analyze(opened, analysis_settings(settings | {"detector": detector}))
    assert result.attrs["orientation"]["flip_ud"] is True
    assert (result.attrs["calibration"]["angle_per_px_mrad"], result.attrs["calibration"]["q_source"]) == (
        0.61,
        "user",
    )
    np.testing.assert_array_equal(result.label_maps, plain.label_maps)
    mean, before = result.arrays["mask/mean_pattern"], plain.arrays["mask/mean_pattern"]
    np.testing.assert_allclose(mean, before[::-1], atol=0.02 * before.max())


def test_orientation_goes_with_the_stream_and_into_the_recording():
    info = scan_info(orientation=Orientation(True, False, True, -0.1))
    assert Start.of_scan(info).scan_info().orientation == info.orientation
    assert ScanInfo.from_json(info.to_json()).orientation == info.orientation
    del (older := info.to_json())["orientation"]
    assert ScanInfo.from_json(older).orientation == Orientation()


def test_a_g2_calibration_for_other_frames_is_said():
    info = scan_info(dtype="uint32", detector_shape=(24, 32))
    with pytest.raises(SettingsError, match=r"the frames are \(24, 32\) uint32"):
        FramePreparation(info, DetectorSettings(g2_calibration="anywhere"))


def test_whole_numbers_are_no_words():
    info = scan_info(dtype="uint32", detector_shape=(128, 128))
    prepared = FramePreparation(info, DetectorSettings())
    frames = np.full((2, 128, 128), 7, np.uint32)
    assert prepared.apply(frames, np.arange(2)) is frames
