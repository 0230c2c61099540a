"""Words and turned frames on the live stream: recorded as they came, looked at as the settings say."""

import numpy as np
import pytest

from streamer.errors import LivestemError
from streamer.formats.preparation import G2_ENCODING
from streamer.formats.recording import RecordingReader
from streamer.live.overrides import Overrides
from streamer.live.pipeline import LivePipeline
from streamer.model import FinishReason, FrameCounters
from streamer.record.recorder import SyncMode
from streamer.serve.scan_run import ScanEnd, ScanRun
from streamer.settings import analysis_settings
from tests.fakes import scan_info
from tests.g2 import make_detector
from tests.unit.record.test_recorder import wait_until

N = 12


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return make_detector(tmp_path_factory.mktemp("g2") / "calibration", n_dark=8)


@pytest.fixture
def seen(monkeypatch):
    """Frames by scan position, as they reach the live pipeline."""
    found = {}

    def add(self, frames, scan_indices):
        self.seen[scan_indices] = 1
        found.update(zip(scan_indices.tolist(), frames.copy(), strict=True))

    monkeypatch.setattr(LivePipeline, "add", add)
    return found


def counts():
    rng = np.random.default_rng(0)
    frames = rng.normal(0, 30, (N, 128, 128))
    frames[:, 60:70, 50:70] += 4e4 * (1 + np.arange(N))[:, None, None]
    return frames


def run_scan(folder, frames, detector_settings, metadata):
    info = scan_info(
        scan_shape=(3, 4), detector_shape=(128, 128), dtype=str(frames.dtype), n_frames=N, metadata=metadata
    )
    settings = analysis_settings({"detector": detector_settings})
    run = ScanRun(info, settings, folder, SyncMode.KILL, Overrides())
    places = np.arange(N)
    run.ring.write(frames, places, places, 0.0)
    run.ring.close()
    wait_until(lambda: run.recorder.drained and run.live.is_finished)
    run.end = ScanEnd(FinishReason.COMPLETED, FrameCounters())
    return run


def recorded(run):
    with RecordingReader(run.path) as recording:
        out = np.empty((N, 128, 128), recording.info.dtype)
        return recording.read_block(0, N, out), recording.info


def test_words_are_recorded_as_words_and_analysed_as_counts(tmp_path, detector, seen):
    words = detector.words(counts())
    run = run_scan(tmp_path, words, {"g2_calibration": str(detector.folder)}, {})
    try:
        run.finish()
        kept, info = recorded(run)
        np.testing.assert_array_equal(kept, words)
        assert (info.dtype, run.info.dtype) == ("uint32", "float32")
        np.testing.assert_allclose(np.array([seen[i] for i in range(N)]), counts(), atol=14)
        np.testing.assert_array_equal(run.view.pattern(1, 2), seen[6])
    finally:
        run.close()


@pytest.mark.parametrize("metadata", [{}, {"encoding": G2_ENCODING}])
def test_words_without_a_calibration_are_recorded_and_the_operator_is_told(
    tmp_path, detector, seen, metadata
):
    words = detector.words(counts())
    run = run_scan(tmp_path, words, {}, metadata)
    try:
        with pytest.raises(LivestemError, match=r"words of an EMPAD-G2.*--g2-calibration.*recording goes on"):
            run.live.raise_if_failed()
        assert run.failure() is None
        run.finish()
        np.testing.assert_array_equal(recorded(run)[0], words)
        assert not seen
    finally:
        run.close()


def test_words_that_are_read_from_the_recording_are_no_counts_either(tmp_path, detector, seen):
    """What the live view passed over, or an engine before it has recorded."""
    words = detector.words(counts())
    for _ in range(2):
        run = run_scan(tmp_path, words, {}, {})
        run.finish()
        run.close()
    assert run.earlier.frames.total == N
    with pytest.raises(LivestemError, match=r"words of an EMPAD-G2"):
        run.live.raise_if_failed()
    assert not seen


def test_turned_frames_are_recorded_as_they_came(tmp_path, seen):
    frames = counts().astype(np.float32)
    run = run_scan(tmp_path, frames, {"flip_ud": True, "transpose": True}, {})
    try:
        run.finish()
        np.testing.assert_array_equal(recorded(run)[0], frames)
        for place in range(N):
            np.testing.assert_array_equal(seen[place], frames[place, ::-1].T)
        np.testing.assert_array_equal(run.view.pattern(2, 1), seen[9])
        assert run.info.orientation.flip_ud
    finally:
        run.close()
