"""Real EMPAD XML of the dialect that is read today."""

import pytest

from streamer.formats.empad import read_xml


def test_a_real_file_of_version_1_2_0(shared_data):
    metadata = read_xml(shared_data / "empad_g1_xml" / "map128x128_version1.2.0.xml")
    assert metadata.raw_name == "scan_x128_y128.raw"
    assert metadata.shapes == {"search": (64, 64), "acquire": (128, 128)}
    assert metadata.calibration.voltage_v == 300000
    assert metadata.calibration.camera_length_m == 0.1159
    assert metadata.calibration.angle_per_px_mrad == pytest.approx(2.6747, rel=1e-4)
    assert metadata.field_of_view_m == pytest.approx(9.266641250196717e-09 / 0.72)


def test_a_real_non_square_file_of_version_1_2_2(shared_data):
    metadata = read_xml(shared_data / "empad_g1_xml" / "EMPAD_v1.2.2_x32_y64_size0.8.xml")
    assert (64, 32) in metadata.shapes.values()
