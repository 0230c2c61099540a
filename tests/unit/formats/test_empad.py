import numpy as np
import pytest

from streamer.errors import FileFormatError
from streamer.formats.open_scan import open_scan
from streamer.formats.scan_file import ScanFile
from tests.simulated import simulate

SHAPE = (5, 7)


@pytest.fixture
def scan(tmp_path):
    return simulate(tmp_path, SHAPE)


def test_raw_and_xml_open_the_same_scan(scan):
    with open_scan(scan.raw) as from_raw, open_scan(scan.xml) as from_xml:
        assert isinstance(from_raw, ScanFile)
        assert from_raw.info.scan_shape == from_xml.info.scan_shape == SHAPE
        assert from_raw.info.detector_shape == (128, 128)
        assert from_raw.checksum() == from_xml.checksum()


def test_calibration_is_read_and_called_nominal(scan):
    with open_scan(scan.raw) as opened:
        calibration = opened.info.calibration
    assert calibration.voltage_v == 80000
    assert calibration.angle_per_px_mrad == pytest.approx(0.52)
    assert calibration.q_source == "nominal"
    assert calibration.scan_step_yx_nm == pytest.approx((3.0, 3.0))
    assert opened.info.dwell_s == pytest.approx(1.86e-3)


def test_patterns_come_without_the_footer_in_scan_order(scan):
    frames = scan.frames
    with open_scan(scan.raw) as opened:
        np.testing.assert_array_equal(opened.pattern(2, 3), frames[2 * 7 + 3])
        out = np.empty((10, 128, 128), np.float32)
        np.testing.assert_array_equal(opened.read_block(20, 26, out), frames[20:26])
        chosen = np.array([33, 1, 12])
        np.testing.assert_array_equal(opened.read_positions(chosen, out), frames[chosen])
        with pytest.raises(IndexError, match=r"\(5, 0\) lies outside the scan of 5 x 7"):
            opened.pattern(5, 0)


def broken(scan, change):
    data = scan.raw.read_bytes()
    scan.raw.write_bytes(change(data))
    return scan.raw


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: b"", r"is empty\. Expected records of 66560 bytes"),
        (lambda data: data[:60000], r"has 60000 bytes\. Expected records of 66560 bytes"),
        (lambda data: data + bytes(100), r"has 100 bytes after its 35 records"),
        (lambda data: data[: 6 * 66560], r"has 6 records; expected 7 x 5 \(x, y\) by the file name"),
    ],
    ids=["empty", "less than a record", "more than the scan", "less than a line"],
)
def test_a_broken_file_is_refused_in_a_sentence(scan, change, sentence):
    with pytest.raises(FileFormatError, match=sentence):
        open_scan(broken(scan, change))


@pytest.mark.parametrize("rest", [0, 4, 33000, 66556])
def test_a_cut_file_is_partial_wherever_it_was_cut(scan, rest):
    frames = scan.frames
    broken(scan, lambda data: data[: 20 * 66560 + rest])
    with open_scan(scan.raw) as opened:
        np.testing.assert_array_equal(opened.received.ravel(), np.arange(35) < 20)
        block = opened.read_block(15, 25, np.ones((10, 128, 128), np.float32))
        np.testing.assert_array_equal(block[:5], frames[15:20])
        assert not block[5:].any()
        said = opened.info.metadata.get("cut_short", "")
    assert said == (f"record 21 has {rest} of 66560 bytes and is left out" if rest else "")


def test_name_and_xml_that_disagree_are_refused(scan):
    scan.xml.write_text(scan.xml.read_text().replace("<scan_resolution_x>7<", "<scan_resolution_x>9<"))
    with pytest.raises(FileFormatError, match=r"7 x 5 .* by the file name, 9 x 5 .* name and XML disagree"):
        open_scan(scan.raw)


def test_a_swapped_name_is_not_silently_believed(scan):
    swapped = scan.raw.rename(scan.raw.with_name("scan_x5_y7.raw"))
    scan.xml.write_text(scan.xml.read_text().replace("scan_x7_y5", "scan_x5_y7"))
    with pytest.raises(FileFormatError, match="name and XML disagree"):
        open_scan(swapped)


def test_the_name_alone_is_enough(scan):
    scan.xml.unlink()
    with open_scan(scan.raw) as opened:
        assert opened.info.scan_shape == SHAPE
        assert opened.info.calibration.voltage_v is None


def test_no_name_and_no_xml_is_refused_rather_than_guessed(scan):
    scan.xml.unlink()
    with pytest.raises(
        FileFormatError, match=r"35 records and neither its name nor an XML says the scan's shape"
    ):
        open_scan(scan.raw.rename(scan.raw.with_name("unknown.raw")))


def test_two_xmls_for_one_raw_are_refused(scan):
    (scan.xml.parent / "other.xml").write_bytes(scan.xml.read_bytes())
    with pytest.raises(FileFormatError, match=r"acquisition_1\.xml, other\.xml all name"):
        open_scan(scan.raw)


@pytest.mark.parametrize("name", ["missing.raw", "missing.h5", "missing.xml"])
def test_a_missing_file_is_said(tmp_path, name):
    with pytest.raises(FileFormatError, match="does not exist"):
        open_scan(tmp_path / name)


def test_folders_and_unknown_files_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no scan")
    with pytest.raises(FileFormatError, match="is a folder"):
        open_scan(tmp_path)
    with pytest.raises(FileFormatError, match=r"is of no known kind\. Expected EMPAD \.raw"):
        open_scan(tmp_path / "notes.txt")


def test_an_entity_bomb_in_the_xml_is_refused(scan):
    scan.xml.write_text('<!DOCTYPE r [<!ENTITY a "b">]><root><raw_file filename="&a;"/></root>')
    with pytest.raises(FileFormatError, match="is not valid XML"):
        open_scan(scan.xml)
