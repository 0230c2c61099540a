"""An EMPAD-G2 on the live stream, as a user couples it: words in, clusters out."""

import numpy as np
import pytest

from streamer import open_result
from streamer.formats.recording import RecordingReader
from tests.g2 import make_detector
from tests.simulated import simulate
from tests.system.commands import engine, run, run_json

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def test_words_are_recorded_clustered_and_analysed(tmp_path):
    scan = simulate(tmp_path / "truth", (12, 16))
    detector = make_detector(tmp_path / "calibration")
    folder = tmp_path / "words"
    folder.mkdir()
    raw = folder / "scan_x16_y12.raw"
    words = detector.words(scan.frames)
    words.astype("<u4").tofile(raw)
    plain = run_json("analyze", scan.raw, "--levels", "1", "--no-momentum")
    with engine(tmp_path / "r", "--once", "--g2-calibration", detector.folder) as running:
        assert run("replay", raw, "--to", running.listen).returncode == 0
        outcome = running.outcome()
    assert outcome["finish_reason"] == "COMPLETED", outcome
    with RecordingReader(outcome["recording"]) as recording:
        np.testing.assert_array_equal(recording.read_block(0, 192, np.empty_like(words)), words)
        assert (recording.live_label_maps()[0] >= 0).all()
    result, expected = open_result(outcome["result"]), open_result(plain["result"])
    assert result.attrs["scan"]["metadata"]["g2"]["method"] == "linear"
    mean, before = result.arrays["mask/mean_pattern"], expected.arrays["mask/mean_pattern"]
    np.testing.assert_allclose(mean, before, atol=0.01 * before.max())
    np.testing.assert_array_equal(result.label_maps[0], expected.label_maps[0])
    assert run("analyze", raw).returncode == 2
    inspected = run_json("inspect", raw)
    assert (inspected["kind"], inspected["dtype"]) == ("EMPAD-G2 RAW", "uint32")
