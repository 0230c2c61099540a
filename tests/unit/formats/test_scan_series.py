"""Several scans as one: which lines, where each pattern stands, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer import open_scan
from streamer.cluster.neighbours import WIDTHS, ScanMap
from streamer.errors import FileFormatError, SettingsError
from streamer.formats import sample_series as sample
from streamer.formats.preparation import prepare_scan
from streamer.formats.sample_series import BAND_ROWS, bands_of, sample_series
from streamer.formats.scan_series import (
    GAP_ROWS,
    ScanSeries,
    SeriesFile,
    SeriesScan,
    difference,
    read_series,
    refuse_series_of_words,
    write_series,
)
from streamer.formats.side_settings import write_side
from streamer.model import Calibration
from streamer.settings import DetectorSettings
from tests.fakes import scan_info
from tests.g2 import make_detector
from tests.simulated import simulate

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
    mosaic = np.zeros((13, 6), np.int64)
    mosaic[0:2] = wide[:, 0, 0].reshape(WIDE)[0:2]
    mosaic[5:8] = wide[:, 0, 0].reshape(WIDE)[4:7]
    mosaic[11:13, :4] = narrow[:, 0, 0].reshape(NARROW)[1:3]
    return folder / "both.series", mosaic


def test_bands_stand_below_each_other_with_lines_between_that_nobody_visited(series):
    path, mosaic = series
    with open_scan(path) as scan:
        assert isinstance(scan, ScanSeries)
        assert scan.info.scan_shape == mosaic.shape
        assert (scan.info.detector_shape, scan.info.dtype) == ((16, 18), "uint16")
        np.testing.assert_array_equal(scan.received > 0, mosaic > 0)
        assert scan.info.n_frames == (mosaic > 0).sum()
        rows = [(row["scan"].split("/")[-1], row["from"], row["to"]) for row in scan.info.metadata["rows"]]
        assert rows == [("wide.npy", 0, 2), ("wide.npy", 5, 8), ("narrow.npy", 11, 13)]
        assert scan.pattern(12, 3)[2, 4] == mosaic[12, 3] == 511
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
        # What the settings say wins, as for any scan.
        by_hand = prepare_scan(scan, DetectorSettings(angle_per_px_mrad=0.5, voltage_v=80000.0))
        assert by_hand.info.calibration == Calibration(80000.0, None, 0.5, None, "user")
        assert prepared.pattern(6, 5)[4, 2] == mosaic[6, 5]
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
    with pytest.raises(SettingsError, match="and --flyback-left"):
        open_scan(path, flyback_left=2)
    loop = tmp_path / "loop.SERIES"
    loop.write_text('{"scans": [{"path": "loop.SERIES", "bands": [[0, 1]]}]}')
    with pytest.raises(FileFormatError, match="not other series"):
        open_scan(loop)


def info_of(**calibration):
    return scan_info(scan_shape=(4, 6), detector_shape=(16, 18), calibration=Calibration(**calibration))


def test_scales_are_compared_whoever_says_them():
    unknown, near, far = info_of(), info_of(angle_per_px_mrad=0.52), info_of(angle_per_px_mrad=1.04)
    assert difference(unknown, near) == difference(near, unknown) == difference(near, near) == ""
    assert difference(near, far) == "a pixel is 1.04 mrad, not 0.52 mrad"
    one, other = info_of(q_measured_inv_nm=0.1), info_of(q_measured_inv_nm=0.2)
    assert difference(one, other) == "a pixel is 0.2 1/nm, not 0.1 1/nm"


class KnownScan:
    """A scan of which only this is known."""

    def __init__(self, name, info, n_stored):
        self.path, self.info = Path(name), info
        self.received = np.zeros(info.scan_shape, np.uint8)
        self.received.ravel()[:n_stored] = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_the_most_scans_that_fit_are_kept_and_only_of_what_is_stored(monkeypatch):
    """The odd one comes first, one that says no scale fits in, an aborted one gives what it has."""
    scans = {
        "odd.raw": (info_of(angle_per_px_mrad=1.0), 24),
        "silent.raw": (info_of(), 24),
        "a.raw": (info_of(angle_per_px_mrad=0.5), 24),
        "aborted.raw": (info_of(angle_per_px_mrad=0.5), 7),
    }
    monkeypatch.setattr(sample, "open_scan", lambda path: KnownScan(path, *scans[path.name]))
    found, left_out = sample_series([Path(name) for name in scans], Path(), 36)
    assert [(scan.path, scan.bands) for scan in found.scans] == [
        ("silent.raw", ((1, 3),)),
        ("a.raw", ((1, 3),)),
        ("aborted.raw", ((0, 2),)),
    ]
    assert list(left_out) == [Path("odd.raw")]
    assert "a pixel is 1 mrad, not 0.5 mrad" in left_out[Path("odd.raw")]


def test_calibration_is_that_of_whoever_says_it(tmp_path):
    members = [
        KnownScan("silent.raw", info_of(), 24),
        KnownScan("one.raw", info_of(angle_per_px_mrad=0.5, scan_step_yx_nm=(1.0, 1.0)), 24),
        KnownScan("two.raw", info_of(angle_per_px_mrad=0.5, voltage_v=8e4), 24),
        KnownScan("far.raw", info_of(angle_per_px_mrad=1.0), 24),
    ]
    said = SeriesFile(scans=tuple(SeriesScan(path=str(one.path), bands=((0, 2),)) for one in members))
    three = said.model_copy(update={"scans": said.scans[:3]})
    known = ScanSeries(tmp_path / "a.series", three, members[:3]).info.calibration
    assert known == Calibration(voltage_v=8e4, angle_per_px_mrad=0.5)
    with pytest.raises(FileFormatError, match=r"far\.raw cannot be in one series with one\.raw"):
        ScanSeries(tmp_path / "b.series", said, members)


def test_nothing_is_averaged_across_bands():
    """The widest weights that are tried do not reach over the lines between bands."""
    places = np.concatenate([np.arange(12), 12 + GAP_ROWS * 6 + np.arange(12)])
    rows = np.repeat([[0.0], [1.0]], 12, axis=0).astype(np.float32)
    averaged, _ = ScanMap.of(places, (4 + GAP_ROWS, 6)).averaged(rows, np.zeros(24, np.int32), max(WIDTHS))
    np.testing.assert_allclose(averaged, rows, atol=1e-6)


def test_links_are_kept_as_they_are_named(tmp_path):
    """As git-annex has them: the name says the shape, the file lies elsewhere under a hash."""
    (tmp_path / "store").mkdir()
    (tmp_path / "night").mkdir()
    scan = simulate(tmp_path / "store", (4, 6))
    link = tmp_path / "night" / scan.raw.name
    stored = scan.raw.rename(tmp_path / "store" / "SHA256E-abc.raw")
    link.symlink_to(stored)
    found, _ = sample_series([link], tmp_path / "night")
    assert [one.path for one in found.scans] == [link.name]
    write_series(found, tmp_path / "night" / "all.series")
    with open_scan(tmp_path / "night" / "all.series") as series:
        np.testing.assert_array_equal(series.pattern(2, 3), scan.frames[2 * 6 + 3])
    elsewhere, _ = sample_series([link], tmp_path / "store")
    assert [Path(one.path) for one in elsewhere.scans] == [link]


@pytest.mark.parametrize("swapped", [False, True])
def test_words_are_decoded_by_their_place_in_their_scan(tmp_path, swapped):
    """An odd width, and a band that begins at an odd line: the place in the series has another parity."""
    detector = make_detector(tmp_path / "calibration")
    counts = np.random.default_rng(0).normal(0, 30, (6 * 7, 128, 128))
    counts[:, 60:64, 60:64] += 3e5
    words = detector.words(counts, swap=swapped).astype("<u4")
    words.tofile(tmp_path / "scan_x7_y6.raw")
    said = SeriesFile(scans=(SeriesScan(path="scan_x7_y6.raw", bands=((1, 2), (3, 5))),))
    write_series(said, tmp_path / "words.series")
    settings = DetectorSettings(g2_calibration=str(tmp_path / "calibration"))
    whole = np.empty((1, 128, 128), np.float32)
    with open_scan(tmp_path / "scan_x7_y6.raw") as scan, open_scan(tmp_path / "words.series") as series:
        refuse_series_of_words(scan)
        with pytest.raises(SettingsError, match="Replay the scans of the series one by one"):
            refuse_series_of_words(series)
        plain, prepared = prepare_scan(scan, settings), prepare_scan(series, settings)
        assert prepared.info.dtype == "float32"
        for row, own_row in ((0, 1), (1 + GAP_ROWS, 3), (2 + GAP_ROWS, 4)):
            expected = plain.read_positions(np.array([own_row * 7 + 4]), whole)[0]
            np.testing.assert_array_equal(prepared.pattern(row, 4), expected)


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
