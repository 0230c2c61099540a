"""Real EMPAD XML, every dialect, value by value."""

import pytest

from streamer.formats.empad import read_xml


@pytest.fixture
def g1(shared_data):
    return lambda name: read_xml(shared_data / "empad_g1_xml" / name)


@pytest.fixture
def g2(shared_data):
    return lambda name: read_xml(shared_data / "empad_g2" / name)


def test_a_scan_of_version_0_51(g1):
    found = g1("map4x4.xml")
    assert (found.generation, found.software, found.created) == (
        1,
        "0.51 211118",
        "2019-06-06T13:30:00.164675",
    )
    assert (found.scan_type, found.series_count, found.raw_name) == ("scan", None, "scan_x4_y4.raw")
    assert found.shapes == {"pix": (4, 4), "search": (64, 64), "acquire": (128, 128)}
    assert found.calibration.voltage_v == 300000
    assert found.calibration.camera_length_m == 0.7225
    # What the software calls calibrated is the camera length in other words: nominal, and called so.
    assert found.calibration.angle_per_px_mrad == pytest.approx(0.42906574394463665, rel=1e-12)
    assert found.calibration.q_source == "nominal"
    # 1 / 25,000 of this is what it calls calibrated_pixelsize: no size of a detector pixel.
    assert found.field_of_view_yx_m == (4.5663426505682195e-06, 4.5663426505682195e-06)
    assert found.step_yx_nm((4, 4)) == pytest.approx((1141.5856626420549,) * 2)
    assert found.calibration.q_per_px_inv_nm == pytest.approx(0.2179, rel=1e-3)
    assert (found.exposure_s, found.dwell_s) == (1e-3, pytest.approx(1.86e-3))
    assert found.scan_rotation_rad == 0.0


def test_a_series_of_version_0_51(g1):
    found = g1("stack_images.xml")
    assert (found.software, found.created) == ("0.51 211118", "2019-06-07T13:17:22.590279")
    assert (found.scan_type, found.series_count, found.raw_name) == ("series", 10, "series_x10.raw")
    assert (found.shapes, found.field_of_view_m, found.field_of_view_yx_m) == ({}, None, None)
    assert found.step_yx_nm((1, 10)) is None
    assert (
        found.calibration.voltage_v
        is found.calibration.angle_per_px_mrad
        is found.calibration.q_source
        is None
    )
    assert (found.exposure_s, found.scan_rotation_rad) == (1e-3, None)


def test_a_series_of_version_0_7_12(g1):
    found = g1("series_from_issue_1259.xml")
    assert (found.software, found.created) == ("0.7.12  (2019-10-01)", "2022-05-02T17:28:39.775119")
    assert (found.scan_type, found.series_count, found.raw_name) == ("series", 1000, "series_x1000.raw")
    assert (found.exposure_s, found.dwell_s) == (1e-3, pytest.approx(1.86e-3))
    assert (found.shapes, found.calibration.camera_length_m) == ({}, None)


def test_a_scan_of_version_1_2_0(g1):
    found = g1("map128x128_version1.2.0.xml")
    assert (found.software, found.created) == ("1.2.0  (2020-10-29)", "2021-05-18T08:39:52.213645")
    assert (found.scan_type, found.raw_name) == ("scan", "scan_x128_y128.raw")
    assert found.shapes == {"search": (64, 64), "acquire": (128, 128)}
    assert found.calibration.voltage_v == 300000
    assert found.calibration.camera_length_m == 0.1159
    assert found.calibration.angle_per_px_mrad == pytest.approx(2.6747, rel=1e-4)
    assert found.field_of_view_m == pytest.approx(9.266641250196717e-09 / 0.72)
    assert found.step_yx_nm((128, 128)) == pytest.approx((0.100550, 0.100550), rel=1e-4)
    assert found.scan_rotation_rad == -0.09965830028887623
    assert (found.exposure_s, found.dwell_s) == (1e-3, pytest.approx(1.86e-3))


def test_a_non_square_scan_of_version_1_2_2(g1):
    found = g1("EMPAD_v1.2.2_x32_y64_size0.8.xml")
    assert (found.software, found.created) == ("1.2.2  (2021-08-20)", "2026-03-25T16:47:52.586728")
    assert found.raw_name == "scan_x32_y64.raw"
    assert found.shapes == {"search": (64, 32), "acquire": (64, 32)}
    assert (found.calibration.voltage_v, found.calibration.camera_length_m) == (300000, 0.369)
    assert found.calibration.angle_per_px_mrad == pytest.approx(0.840108, rel=1e-5)
    # The field's longer side over the longer side of the scan, both ways.
    assert found.step_yx_nm((64, 32)) == pytest.approx((27.61311, 27.61311), rel=1e-5)
    assert found.scan_rotation_rad == 0.0


def test_the_first_g2_scan(g2):
    found = g2("g2_example_2021-06-22_v2.0.xml")
    assert (found.generation, found.software) == (2, "v2.0_3_71e38ff_behind_dirty")
    assert found.created == "2021-06-22T04:45:03.609866"
    assert (found.scan_type, found.raw_name) == ("scan", "scan_x256_y256.raw")
    assert found.shapes == {"scan": (256, 256)}
    assert (found.flyback, found.left_trim) == (4, 4)
    assert (found.calibration.voltage_v, found.calibration.camera_length_m) == (300000, 1.197)
    assert found.calibration.angle_per_px_mrad == pytest.approx(0.25898078529657475, rel=1e-12)
    assert (found.calibration.q_source, found.field_of_view_m) == ("nominal", 5.337940092642583e-08)
    assert found.step_yx_nm((256, 256)) == pytest.approx((0.208513, 0.208513), rel=1e-5)
    assert found.scan_rotation_rad == -2.8274333882308174
    assert (found.exposure_s, found.dwell_s) == (1e-4, pytest.approx(1.2e-4))


def test_the_second_g2_scan(g2):
    found = g2("signal_custom_2023-04-07_v2.0_4.xml")
    assert (found.generation, found.software) == (2, "v2.0_4_02aa886_behind_dirty")
    assert found.created == "2023-04-07T21:52:17.277718"
    assert (found.shapes, found.raw_name) == ({"scan": (256, 256)}, "scan_x256_y256.raw")
    assert (found.calibration.voltage_v, found.calibration.camera_length_m) == (300000, 0.598)
    assert found.calibration.angle_per_px_mrad == pytest.approx(0.5183946488294314, rel=1e-12)
    assert found.field_of_view_m == 1.5230865027370064e-07
    assert (found.scan_rotation_rad, found.flyback, found.left_trim) == (0.0, 4, 4)
