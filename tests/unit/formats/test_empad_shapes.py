"""Series, aborted scans, scans saved with other parameters: shapes with the file's size as judge."""

import numpy as np
import pytest

from streamer.errors import FileFormatError
from streamer.formats.empad import RECORD_BYTES
from streamer.formats.open_scan import open_scan

XML = """<root name="1"><timestamp timestamp="1" isoformat="2020-01-01T00:00:00"/>
<software_version>{version}</software_version>{more}<raw_file filename="{raw}"/>
<exposure_time>1</exposure_time><post_exposure_time>0</post_exposure_time>
<iom_measurements>{measured}</iom_measurements></root>"""
SIDE = "<scan_resolution_{0}>{1}</scan_resolution_{0}>"


def write_raw(path, n, first=1.0):
    records = np.zeros((n, 130, 128), "<f4")
    records[:] = (first + np.arange(n))[:, None, None]
    path.write_bytes(records.tobytes())
    return path


def write_xml(folder, raw, more="", measured="", version="1.2.2", name="acquisition_7.xml"):
    path = folder / name
    path.write_text(XML.format(raw=raw, more=more, measured=measured, version=version))
    return path


def modes(acquire, search):
    """Entries of both modes, each given as x, y."""
    return "".join(
        f'<scan_parameters mode="{name}">{SIDE.format("x", x)}{SIDE.format("y", y)}</scan_parameters>'
        for name, (x, y) in (("search", search), ("acquire", acquire))
    )


def test_a_series_is_one_line_without_a_step(tmp_path):
    raw = write_raw(tmp_path / "series_x6.raw", 6)
    write_xml(
        tmp_path,
        "/home/empad/series_x6.raw",
        "<type>series</type><count>6</count>",
        "<optics.get_full_scan_field_of_view>[1e-6, 1e-6]</optics.get_full_scan_field_of_view>",
    )
    with open_scan(raw) as scan:
        assert (scan.info.scan_shape, scan.info.metadata["scan_type"]) == ((1, 6), "series")
        assert scan.info.calibration.scan_step_yx_nm is None
        assert scan.pattern(0, 4)[3, 3] == 5


def test_pix_and_a_field_of_view_per_side_of_version_0_51(tmp_path):
    raw = write_raw(tmp_path / "renamed_by_hand.raw", 6)
    write_xml(
        tmp_path,
        raw.name,
        "<type>scan</type><pix_x>3</pix_x><pix_y>2</pix_y>" + modes((128, 128), (64, 64)),
        "<optics.get_full_scan_field_of_view>[3e-9, 4e-9]</optics.get_full_scan_field_of_view>",
        "0.51 211118",
    )
    with open_scan(raw) as scan:
        assert scan.info.scan_shape == (2, 3)
        assert scan.info.calibration.scan_step_yx_nm == pytest.approx((1.5, 4.0 / 3.0))


def test_a_scan_saved_with_the_search_parameters(tmp_path):
    raw = write_raw(tmp_path / "saved.raw", 6)
    write_xml(tmp_path, raw.name, modes((8, 8), (3, 2)))
    with open_scan(raw) as scan:
        assert scan.info.scan_shape == (2, 3)


def test_size_and_search_against_a_name_that_says_otherwise_is_refused(tmp_path):
    raw = write_raw(tmp_path / "scan_x4_y4.raw", 6)
    write_xml(tmp_path, raw.name, modes((4, 4), (3, 2)))
    with pytest.raises(FileFormatError, match="name and XML disagree"):
        open_scan(raw)


def test_an_aborted_scan_has_what_came_and_marks_what_did_not(tmp_path):
    raw = write_raw(tmp_path / "scan_x3_y4.raw", 7)
    with open_scan(raw) as scan:
        assert scan.info.scan_shape == (4, 3)
        assert scan.received.ravel().tolist() == [1] * 7 + [0] * 5
        out = np.full((12, 128, 128), 9, np.float32)
        scan.read_block(0, 12, out)
        assert out[:, 0, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0]
        np.testing.assert_array_equal(scan.pattern(3, 2), 0)


def test_room_that_was_never_written_is_missing(tmp_path):
    raw = write_raw(tmp_path / "scan_x3_y4.raw", 7)
    with raw.open("ab") as file:
        file.truncate(12 * RECORD_BYTES)
    with open_scan(raw) as scan:
        assert scan.received.ravel().tolist() == [1] * 7 + [0] * 5


def test_not_one_line_is_no_scan(tmp_path):
    with pytest.raises(FileFormatError, match="has 2 records; expected 3 x 4"):
        open_scan(write_raw(tmp_path / "scan_x3_y4.raw", 2))


def test_more_frames_than_said_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match="has 13 records; expected 3 x 4"):
        open_scan(write_raw(tmp_path / "scan_x3_y4.raw", 13))


def test_an_xml_of_the_same_stem_belongs_to_a_renamed_raw(tmp_path):
    raw = write_raw(tmp_path / "sample_a_x3_y2.raw", 6)
    write_xml(
        tmp_path,
        "scan_x3_y2.raw",
        modes((3, 2), (3, 2)),
        "<high_voltage>2e5</high_voltage>",
        name="sample_a_x3_y2.xml",
    )
    with open_scan(raw) as scan:
        assert scan.info.calibration.voltage_v == 2e5


def test_the_other_byte_order_is_named(tmp_path):
    raw = write_raw(tmp_path / "scan_x3_y2.raw", 6)
    raw.write_bytes(np.frombuffer(raw.read_bytes(), "<u4").byteswap().tobytes())
    with pytest.raises(FileFormatError, match="Read as big-endian they are plausible"):
        open_scan(raw)


def test_a_file_that_is_shortened_while_open_ends_in_a_sentence(tmp_path):
    raw = write_raw(tmp_path / "scan_x3_y2.raw", 6)
    with open_scan(raw) as scan:
        raw.write_bytes(raw.read_bytes()[: 2 * RECORD_BYTES])
        with pytest.raises(FileFormatError, match="cannot be read any more at record 5 of 6"):
            scan.pattern(1, 2)


def test_nan_pixels_and_frames_come_as_they_are(tmp_path):
    raw = write_raw(tmp_path / "scan_x3_y2.raw", 6)
    records = np.memmap(raw, "<f4", "r+", shape=(6, 130, 128))
    records[2] = np.nan
    records[3, 5, 6] = np.nan
    records.flush()
    with open_scan(raw) as scan:
        assert np.isnan(scan.pattern(0, 2)).all()
        assert np.isnan(scan.pattern(1, 0)).sum() == 1
