"""EMPAD-G2 words: real frames where they are at hand, simulated ones with known counts everywhere."""

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from streamer import analyze, open_scan
from streamer.errors import FileFormatError, SettingsError
from streamer.formats.g2_calibration import load_g2_calibration
from streamer.formats.open_scan import opened_with
from streamer.formats.preparation import prepare_scan
from streamer.settings import DetectorSettings, analysis_settings
from tests.g2 import make_detector


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return make_detector(tmp_path_factory.mktemp("g2") / "calibration")


@pytest.fixture
def real(shared_data, tmp_path):
    """The real signal as a scan of 16 x 32, and the settings that decode it."""
    raw = tmp_path / "scan_x32_y16.raw"
    raw.symlink_to(shared_data / "empad_g2" / "signal_512frames_u32.raw")
    return raw, DetectorSettings(g2_calibration=str(shared_data / "empad_g2"))


def read_all(scan):
    out = np.empty((scan.info.n_positions, *scan.info.detector_shape), scan.info.dtype)
    return scan.read_block(0, scan.info.n_positions, out)


def counts_of(n, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.normal(0, 30, (n, 128, 128))
    counts[:, 40:80, 50:70] += 2500 * rng.poisson(1.0, (n, 40, 20))
    counts[:, 60:64, 60:64] += 3e5
    return counts


def write_words(path, detector, counts, **how):
    detector.words(counts, **how).astype("<u4").tofile(path)
    return path


def test_real_darks_reproduce_the_reference_to_the_last_bit(shared_data):
    folder = shared_data / "empad_g2"
    found = load_g2_calibration(str(folder), None)
    assert found.method == "linear"
    for parity, name, key in ((0, "odd", "bkgodata"), (1, "even", "bkgedata")):  # MATLAB counts from 1
        reference = loadmat(folder / f"reference_dark_mean_{name}.mat")[key].T
        assert np.abs(found.dark_mean[parity].reshape(128, 128) - reference).max() == 0.0


def stripes(scan, raw):
    """How much of the difference of the darks is left between even and odd frames; 0: none."""
    words, counts = read_all(raw).reshape(512, -1), read_all(scan).reshape(512, -1)
    dark = scan.preparation.decoder.calibration.dark_mean
    expected = dark[0] - dark[1]
    expected -= expected.mean()
    slopes, peaks = [], []
    for i in range(64, 512, 2):
        high = ((words[i] | words[i + 1]) >> 31) == 0
        difference = counts[i][high] - counts[i + 1][high]
        difference = np.clip(difference - np.median(difference), -300, 300)
        slopes.append(difference @ expected[high] / (expected[high] @ expected[high]))
        peaks.append([np.median(frame[np.abs(frame) < 100]) for frame in counts[i : i + 2]])
    even, odd = np.mean(peaks, axis=0)
    return float(np.mean(slopes)), float(even - odd)


def test_real_signal_has_no_stripes_and_would_have_them_with_the_other_parity(real):
    raw, settings = real
    with open_scan(raw) as scan:
        left, step = stripes(prepare_scan(scan, settings), scan)
        assert abs(left) < 0.1
        assert (
            abs(step) < 1.0
        )  # ADU between the zero peaks of even and odd frames; a dark pixel has 40 of noise
        swapped = settings.model_copy(update={"g2_swap_parity": True})
        prepared = prepare_scan(scan, swapped)
        assert stripes(prepared, scan)[0] > 0.4
        assert "changed places" in prepared.preparation.remark


def test_real_frames_are_told_from_the_first_generation(real):
    with open_scan(real[0]) as scan:
        assert (scan.info.metadata["format"], scan.info.dtype) == ("EMPAD-G2 RAW", "uint32")
        assert scan.info.scan_shape == (16, 32)


def test_words_without_a_calibration_are_not_analysed_as_counts(detector, tmp_path):
    raw = write_words(tmp_path / "scan_x4_y3.raw", detector, counts_of(12))
    with (
        open_scan(raw) as scan,
        pytest.raises(SettingsError, match=r"words of an EMPAD-G2.*--g2-calibration"),
    ):
        analyze(scan)


def test_words_decode_to_their_counts(detector, tmp_path):
    counts = counts_of(12)
    raw = write_words(tmp_path / "scan_x4_y3.raw", detector, counts)
    with open_scan(raw) as scan:
        prepared = prepare_scan(scan, DetectorSettings(g2_calibration=str(detector.folder)))
        found = read_all(prepared)
        assert (prepared.info.dtype, prepared.info.metadata["g2"]["swapped"]) == ("float32", False)
        assert prepared.info.metadata["g2"]["identity"]
    # Half a step of the analog value: 0.5 ADU at high gain, 9.3 at low; the zero peak is found to some ADU.
    np.testing.assert_allclose(found, counts, atol=14)
    assert np.abs(np.median(found - counts)) < 3


@pytest.mark.parametrize("swap", [False, True])
def test_the_parity_is_found_from_the_darks(detector, tmp_path, swap):
    rng = np.random.default_rng(1)
    raw = write_words(tmp_path / "scan_x36_y8.raw", detector, rng.normal(0, 30, (288, 128, 128)), swap=swap)
    with open_scan(raw) as scan:
        prepared = prepare_scan(scan, DetectorSettings(g2_calibration=str(detector.folder)))
        assert prepared.preparation.decoder.swap is swap
        assert prepared.preparation.remark == ""
        wrong = prepare_scan(
            scan, DetectorSettings(g2_calibration=str(detector.folder), g2_swap_parity=not swap)
        )
        assert str(swap).lower() in wrong.preparation.remark


G2_XML = """<root name="a"><scan><type>scan</type><shape>(3, 4)</shape></scan>
<pia_scan><flyback_dwell_periods>3</flyback_dwell_periods></pia_scan><grabber><LeftTrim>2</LeftTrim></grabber>
<iom_measurements/><rawfile><datatype>float32</datatype><filename>scan_x4_y3.raw</filename></rawfile></root>"""


def test_flyback_is_left_out_where_the_size_says_that_it_is_there(detector, tmp_path):
    (tmp_path / "a.xml").write_text(G2_XML)
    counts = counts_of(21)  # 3 lines of 4 positions and 3 of flyback, 2 of these at the left
    raw = write_words(tmp_path / "scan_x4_y3.raw", detector, counts)
    with open_scan(tmp_path / "a.xml") as scan:
        assert scan.info.scan_shape == (3, 4)
        # An odd period: parity would be wrong in every other line if flyback were not counted.
        prepared = prepare_scan(scan, DetectorSettings(g2_calibration=str(detector.folder)))
        found = read_all(prepared)
    kept = counts.reshape(3, 7, 128, 128)[:, 2:6].reshape(12, 128, 128)
    assert "2 frames at the left" in scan.info.metadata["flyback"]
    np.testing.assert_allclose(found, kept, atol=14)
    told = opened_with({"opened_with": {"flyback_left": 0}})
    with open_scan(raw, **told) as scan:  # where the XML is wrong
        every = detector.words(counts).reshape(3, 7, 128, 128)
        np.testing.assert_array_equal(read_all(scan), every[:, :4].reshape(12, 128, 128))
        assert opened_with(scan.info.metadata) == told
    with pytest.raises(SettingsError, match="holds 3 frames of flyback a line, not 4"):
        open_scan(raw, flyback_left=4)
    raw.unlink()
    write_words(raw, detector, counts[:12])
    with open_scan(raw) as scan:
        np.testing.assert_array_equal(read_all(scan), detector.words(counts[:12]))


def test_missing_frames_are_zero_after_decoding(detector, tmp_path):
    raw = write_words(tmp_path / "scan_x4_y3.raw", detector, counts_of(6))
    with open_scan(raw) as scan:
        prepared = prepare_scan(scan, DetectorSettings(g2_calibration=str(detector.folder)))
        found = read_all(prepared)
        assert (prepared.received.ravel() == [1] * 6 + [0] * 6).all()
        assert found[:6].any(axis=(1, 2)).all()
        assert not found[6:].any()
        assert not prepared.pattern(2, 3).any()


def test_a_calibration_as_mat_or_hdf5_is_the_same(detector, tmp_path):
    import h5py

    named = {}
    for name, values in (("g1", detector.g1), ("g2", detector.g2), ("off", detector.b2)):
        for half, letter in zip(values, "AB", strict=True):
            named[name + letter] = half.reshape(128, 128).astype(np.float64)
    savemat(tmp_path / "mask.mat", named)
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        for name, values in named.items():
            file[f"calibration/{name}"] = values
    dark = str(detector.folder / "dark_bkg.raw")
    first = load_g2_calibration(str(detector.folder), None)
    for name in ("mask.mat", "mask.h5"):
        assert load_g2_calibration(str(tmp_path / name), dark).identity == first.identity


def test_the_quadratic_method(detector, tmp_path):
    import h5py

    rng = np.random.default_rng(5)
    means = {"Ml": 14.8, "alpha": 1.6e-4, "Md": 1.08e5, "Oh": -1.239e5, "Ot": 7908.0}
    values = {
        name: (mean * rng.normal(1, 0.01, (128, 128, 2))).astype(np.float32) for name, mean in means.items()
    }
    with h5py.File(tmp_path / "andromeda.h5", "w") as file:
        file.update(values)
    found = load_g2_calibration(str(tmp_path / "andromeda.h5"), str(detector.folder / "dark_bkg.raw"))
    assert found.method == "quadratic"
    # Dark words are of high gain: what is left of them is their distance from Ot.
    expected = detector.dark - np.moveaxis(values["Ot"], -1, 0).reshape(2, -1)
    np.testing.assert_allclose(found.dark_mean, expected, atol=1e-3)
    np.testing.assert_allclose(found.maps.pedestal, detector.dark, atol=1e-3)


def wrong_folder(path, detector):
    (path / "notes.txt").write_text("no calibration")


def cut_array(path, detector):
    for each in detector.folder.glob("*.r32"):
        (path / each.name).write_bytes(each.read_bytes())
    (path / "G1A_prelim.r32").write_bytes(bytes(100))


def not_finite(path, detector):
    for each in detector.folder.glob("*.r32"):
        (path / each.name).write_bytes(each.read_bytes())
    np.full(128 * 128, np.nan, "<f4").tofile(path / "G1A_prelim.r32")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [(wrong_folder, "holds 0 calibrations"), (cut_array, "has 100 bytes"), (not_finite, "not finite")],
)
def test_a_calibration_that_is_none_is_refused(detector, tmp_path, make, sentence):
    make(tmp_path, detector)
    with pytest.raises(FileFormatError, match=sentence):
        load_g2_calibration(str(tmp_path), str(detector.folder / "dark_bkg.raw"))


def test_a_calibration_or_dark_that_is_not_there_is_a_setting_to_correct(detector, tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        load_g2_calibration(str(tmp_path / "nowhere"), str(detector.folder / "dark_bkg.raw"))
    with pytest.raises(SettingsError, match="0 RAW files with 'dark'"):
        load_g2_calibration(str(tmp_path), None)


def test_counts_are_no_darks(detector, tmp_path):
    np.ones((2, 128, 128), "<f4").tofile(tmp_path / "dark.raw")
    with pytest.raises(FileFormatError, match="does not hold EMPAD-G2 words"):
        load_g2_calibration(str(detector.folder), str(tmp_path / "dark.raw"))


def test_the_settings_keep_what_was_decoded_with(detector):
    settings = analysis_settings(
        {"detector": {"g2_calibration": str(detector.folder), "g2_swap_parity": True}}
    )
    assert settings.detector.g2_swap_parity is True
    assert settings.settings_id != analysis_settings({}).settings_id
