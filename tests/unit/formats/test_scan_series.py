"""Several scans as one: which lines, where each pattern stands, what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer import open_scan
from streamer.errors import FileFormatError, SettingsError
from streamer.formats.preparation import prepare_scan
from streamer.formats.sample_series import BAND_ROWS, bands_of, sample_series
from streamer.formats.scan_series import ScanSeries, SeriesFile, SeriesScan, read_series, write_series
from streamer.formats.side_settings import write_side
from streamer.settings import DetectorSettings

WIDE, NARROW = (7, 6), (5, 4)
BANDS = (((0, 2), (4, 7)), ((1, 3),))


def numbered(path, scan_shape, first):
    """A scan whose patterns are numbers that follow each other."""
    n = scan_shape[0] * scan_shape[1]
    frames = np.zeros((n, 16, 18), np.uint16)
    frames[:] = (first + np.arange(n))[:, None, None]
    np.save(path, frames.reshape(*scan_shape, 16, 18))
    return frames


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Bands of a wide and of a narrow scan, and the mosaic as it must be: 0 where nothing is."""
    folder = tmp_path_factory.mktemp("series")
    wide = numbered(folder / "wide.npy", WIDE, 100)
    narrow = numbered(folder / "narrow.npy", NARROW, 500)
    said = SeriesFile(
        scans=(
            SeriesScan(path="wide.npy", bands=BANDS[0]),
            SeriesScan(path=str(folder / "narrow.npy"), bands=BANDS[1]),
        )
    )
    write_series(said, folder / "both.series")
    mosaic = np.zeros((9, 6), np.int64)
    mosaic[0:2] = wide[:, 0, 0].reshape(WIDE)[0:2]
    mosaic[3:6] = wide[:, 0, 0].reshape(WIDE)[4:7]
    mosaic[7:9, :4] = narrow[:, 0, 0].reshape(NARROW)[1:3]
    return folder / "both.series", mosaic


def test_bands_stand_below_each_other_with_a_line_between_that_nobody_visited(series):
    path, mosaic = series
    with open_scan(path) as scan:
        assert isinstance(scan, ScanSeries)
        assert scan.info.scan_shape == mosaic.shape
        assert (scan.info.detector_shape, scan.info.dtype) == ((16, 18), "uint16")
        np.testing.assert_array_equal(scan.received > 0, mosaic > 0)
        assert scan.info.n_frames == (mosaic > 0).sum()
        rows = [(row["scan"].split("/")[-1], row["from"], row["to"]) for row in scan.info.metadata["rows"]]
        assert rows == [("wide.npy", 0, 2), ("wide.npy", 3, 6), ("narrow.npy", 7, 9)]
        assert scan.pattern(8, 3)[2, 4] == mosaic[8, 3] == 511
        scan.refresh()
        np.testing.assert_array_equal(scan.received > 0, mosaic > 0)


@given(st.data())
def test_any_block_is_that_of_the_mosaic(series, data):
    path, mosaic = series
    start = data.draw(st.integers(0, mosaic.size))
    stop = data.draw(st.integers(start, mosaic.size))
    with open_scan(path) as scan:
        out = np.full((stop - start + 1, 16, 18), 7, np.uint16)
        block = scan.read_block(start, stop, out)
        expected = np.broadcast_to(mosaic.ravel()[start:stop, None, None], block.shape)
        np.testing.assert_array_equal(block, expected)
        assert (out[-1] == 7).all()
        chosen = np.array(data.draw(st.lists(st.integers(0, mosaic.size - 1), max_size=5)), np.int64)
        found = scan.read_positions(chosen, np.empty((len(chosen), 16, 18), np.uint16))
        np.testing.assert_array_equal(found[:, 1, 2], mosaic.ravel()[chosen])


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 20_000))
def test_bands_are_ascending_within_the_scan_and_as_many_as_asked(n_y, n_x, n_positions):
    bands = bands_of((n_y, n_x), n_positions)
    SeriesScan(path="a.raw", bands=bands)
    assert bands[-1][1] <= n_y
    n_rows = sum(last - first for first, last in bands)
    assert n_rows == min(n_y, max(1, n_positions // n_x))
    if n_rows < n_y // 3:
        assert max(last - first for first, last in bands) <= BAND_ROWS


def test_bands_are_spread_over_the_scan():
    assert bands_of((256, 256), 256 * 64) == ((24, 40), (88, 104), (152, 168), (216, 232))
    assert bands_of((256, 256), 256 * 5) == ((125, 130),)
    assert bands_of((20, 30), 10_000) == ((0, 20),)


def test_every_scan_is_prepared_by_itself_and_what_is_measured_of_the_series_counts(series):
    path, mosaic = series
    write_side(path, {"calibration": {"q_measured_inv_nm": 0.125}})
    with open_scan(path) as scan:
        prepared = prepare_scan(scan, DetectorSettings(transpose=True))
        assert isinstance(prepared, ScanSeries)
        assert prepared.info.detector_shape == (18, 16)
        assert prepared.info.calibration.q_per_px_inv_nm == 0.125
        assert prepared.pattern(4, 5)[4, 2] == mosaic[4, 5]
        assert prepared.checksum() == scan.checksum()


def test_another_scan_under_a_name_changes_the_checksum(series, tmp_path):
    path, _ = series
    with open_scan(path) as scan:
        before = scan.checksum()
    said = read_series(path)
    numbered(tmp_path / "wide.npy", WIDE, 101)
    write_series(said, tmp_path / "both.series")
    with open_scan(tmp_path / "both.series") as scan:
        assert scan.checksum() != before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "scans: Field required"),
        ('{"scans": []}', "a series has at least one scan"),
        ('{"scans": [{"path": "a.raw", "bands": []}]}', "at least one"),
        ('{"scans": [{"path": "a.raw", "bands": [[3, 3]]}]}', "rows [first, last)"),
        ('{"scans": [{"path": "a.raw", "bands": [[0, 3], [2, 4]]}]}', "not overlap"),
        ('{"scans": [{"path": "a.series", "bands": [[0, 3]]}]}', "not other series"),
        ('{"version": 2, "scans": [{"path": "a.raw", "bands": [[0, 3]]}]}', "version: Input should be 1"),
        ("[", "Invalid JSON"),
    ],
)
def test_a_file_that_is_no_series_says_why(tmp_path, text, reason):
    path = tmp_path / "bad.series"
    path.write_text(text)
    with pytest.raises(FileFormatError, match="cannot be read as a series of scans") as raised:
        open_scan(path)
    assert reason in str(raised.value)


def test_scans_that_cannot_be_seen_as_one_are_refused(series, tmp_path):
    path, _ = series
    np.save(tmp_path / "other.npy", np.zeros((3, 4, 16, 17), np.uint16))
    np.save(tmp_path / "wide.npy", np.zeros((6, 6, 16, 18), np.uint16))
    other = SeriesScan(path=str(tmp_path / "other.npy"), bands=((0, 1),))
    write_series(SeriesFile(scans=(*read_series(path).scans[1:], other)), tmp_path / "a.series")
    with pytest.raises(FileFormatError, match=r"its patterns are \(16, 17\), not \(16, 18\)"):
        open_scan(tmp_path / "a.series")
    short = SeriesScan(path="wide.npy", bands=((4, 7),))
    write_series(SeriesFile(scans=(short,)), tmp_path / "b.series")
    with pytest.raises(FileFormatError, match=r"takes rows up to 7 of .*wide\.npy, which has 6"):
        open_scan(tmp_path / "b.series")
    gone = SeriesScan(path="gone.raw", bands=((0, 1),))
    write_series(SeriesFile(scans=(gone,)), tmp_path / "c.series")
    with pytest.raises(FileFormatError, match=r"gone\.raw does not exist"):
        open_scan(tmp_path / "c.series")
    with pytest.raises(SettingsError, match="Leave --dataset"):
        open_scan(path, scan_shape=(2, 2))


def test_a_sample_leaves_out_what_does_not_fit_and_keeps_paths_within_the_folder(series, tmp_path):
    path, _ = series
    np.save(tmp_path / "other.npy", np.zeros((3, 4, 16, 17), np.uint16))
    (tmp_path / "broken.raw").write_bytes(b"")
    sources = [tmp_path / "broken.raw", path.parent / "wide.npy", tmp_path / "other.npy", path]
    found, left_out = sample_series(sources, path.parent, 12)
    assert found == SeriesFile(scans=(SeriesScan(path="wide.npy", bands=((2, 4),)),))
    assert "is empty" in left_out[tmp_path / "broken.raw"]
    assert "its patterns are (16, 17), not (16, 18)" in left_out[tmp_path / "other.npy"]
    assert "is a series itself" in left_out[path]
    nothing, _ = sample_series(sources[:1], tmp_path)
    assert nothing is None
