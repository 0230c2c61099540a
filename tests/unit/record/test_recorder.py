import errno
import threading
from datetime import datetime

import h5py
import numpy as np
import pytest

from streamer.errors import FileFormatError, RecordingError
from streamer.formats.open_scan import open_scan
from streamer.formats.positional_file import PositionalFile
from streamer.formats.recording import RecordingReader, create_recording, find_recording
from streamer.formats.recording_schema import NOT_SYNCED, STORED
from streamer.formats.side_settings import write_side
from streamer.model import Calibration, FinishReason, FrameCounters
from streamer.receive.ring import FrameRing, ReaderPolicy
from streamer.record.recorder import Recorder, SyncMode
from streamer.wire.sequence import IntervalSet
from tests.fakes import DETECTOR, SHAPE, make_frames, scan_info

FRAMES = make_frames()
STARTED = datetime(2026, 11, 23, 12, 30, 5)
INFO = scan_info(calibration=Calibration(80e3, 0.6, 0.52, (3.0, 3.0), "nominal"))


class Recording:
    """A recorder with its ring; frames go in, the file comes out."""

    def __init__(self, folder, sync=SyncMode.KILL, info=INFO, held=None):
        self.layout = find_recording(folder, info) or create_recording(folder, info, {"seed": 0}, STARTED)
        self.ring = FrameRing(16, info.detector_shape, info.dtype)
        reader = self.ring.add_reader("recorder", ReaderPolicy.LOSSLESS)
        self.recorder = Recorder(self.layout, reader, sync, held)
        self.recorder.start()

    def write(self, frames, places):
        for start in range(0, len(places), 4):
            rows = slice(start, start + 4)
            wait_until(lambda: self.ring.free_slots() >= 4 or self.recorder.drained)
            if self.recorder.drained:
                return
            part = np.asarray(places[rows])
            self.ring.write(frames[rows], part, part, 0.0)

    def finish(self, reason=FinishReason.COMPLETED, labels=None, scales=None):
        self.ring.close()
        self.recorder.finish(reason, FrameCounters(frames_received=35), labels, scales)
        return self.layout.path


def wait_until(condition, timeout_s=10.0):
    done = threading.Event()
    for _ in range(int(timeout_s / 0.005)):
        if condition():
            return
        done.wait(0.005)
    raise AssertionError("it never came to pass")


def test_scales_that_came_with_the_end_fill_what_the_start_left_open(tmp_path):
    known = scan_info(calibration=Calibration(voltage_v=80e3))
    late = scan_info(dwell_s=2e-3, calibration=Calibration(200e3, 0.6, 0.52, (3.0, 2.0), "nominal"))
    path = Recording(tmp_path, info=known).finish(FinishReason.STREAM_LOST, scales=late.scales)
    expected = Calibration(80e3, 0.6, 0.52, (3.0, 2.0), "nominal")
    with RecordingReader(path) as reader:
        assert (reader.info.calibration, reader.info.dwell_s) == (expected, 2e-3)
    Recording(tmp_path, info=known).finish()  # it went on, and ended without them
    with open_scan(path) as scan:
        assert scan.info.calibration == expected
        write_side(path, {"calibration": {"scan_step_yx_nm": [1.0, 1.0]}})
    with open_scan(path) as scan:  # what was measured wins
        scan.refresh()
        assert scan.info.calibration.scan_step_yx_nm == (1.0, 1.0)


@pytest.mark.parametrize("sync", SyncMode)
def test_frames_in_any_order_stand_in_their_place_bit_for_bit(tmp_path, sync):
    order = np.random.default_rng(1).permutation(35)
    recording = Recording(tmp_path, sync)
    recording.write(FRAMES[order], order)
    labels = np.arange(70, dtype=np.int32).reshape(2, *SHAPE)
    path = recording.finish(labels=labels)
    assert path.name == "20261123-123005_12345678.h5"
    with h5py.File(path) as file:
        np.testing.assert_array_equal(
            file["/datacube_root/datacube/data"][()], FRAMES.reshape(*SHAPE, *DETECTOR)
        )
        assert (file["/livestem/received"][()] == 1).all()
        np.testing.assert_array_equal(file["/livestem/live/label_maps"][()], labels)
    with RecordingReader(path) as reader:
        assert reader.end()["finish_reason"] == "COMPLETED"
        assert reader.end()["counters"]["frames_stored"] == 35
        assert reader.info == INFO
        np.testing.assert_array_equal(reader.pattern(2, 3), FRAMES[17])


def test_while_it_is_written_the_recording_opens_in_h5py_and_shows_what_is_there(tmp_path):
    recording = Recording(tmp_path)
    recording.write(FRAMES[:20], np.arange(20))
    wait_until(lambda: recording.recorder.status.n_stored == 20)
    with h5py.File(recording.layout.path, "r", locking=False) as file:
        marks = file["/livestem/received"][()].ravel()
        assert marks[:20].all()
        assert not marks[20:].any()
        np.testing.assert_array_equal(file["/datacube_root/datacube/data"][0, 3], FRAMES[3])
    recording.finish(FinishReason.STOPPED)


def test_gaps_stay_gaps_and_nan_frames_are_marked(tmp_path):
    frames = FRAMES.copy()
    frames[3, 0, 0], frames[8] = np.inf, np.nan
    places = np.array([index for index in range(35) if index not in (5, 20)])
    recording = Recording(tmp_path)
    recording.write(frames[places], places)
    with RecordingReader(recording.finish()) as reader:
        marks = reader.received.ravel()
        assert np.flatnonzero(marks == 0).tolist() == [5, 20]
        assert np.flatnonzero(marks == 2).tolist() == [3, 8]
        assert reader.end()["counters"]["frames_nonfinite"] == 2


def test_a_position_that_is_marked_is_never_written_again(tmp_path):
    recording = Recording(tmp_path)
    recording.write(FRAMES, np.arange(35))
    recording.write(np.zeros_like(FRAMES[:4]), np.array([0, 1, 2, 2]))
    path = recording.finish()
    assert recording.recorder.status.n_repeated == 4
    with RecordingReader(path) as reader:
        np.testing.assert_array_equal(reader.pattern(0, 2), FRAMES[2])


def test_with_sync_power_nothing_is_durable_before_it_was_synced(tmp_path, monkeypatch):
    syncs = []
    monkeypatch.setattr(
        PositionalFile, "sync_data", lambda self: syncs.append(recording.recorder.status.durable.total)
    )
    recording = Recording(tmp_path, SyncMode.POWER)
    recording.write(FRAMES, np.arange(35))
    recording.finish()
    assert len(syncs) >= 2
    assert syncs[0] == 0
    assert recording.recorder.status.durable.total == 35


def test_a_full_disk_ends_the_recording_with_a_valid_file_and_a_sentence(tmp_path, monkeypatch):
    recording = Recording(tmp_path)
    recording.write(FRAMES[:8], np.arange(8))
    wait_until(lambda: recording.recorder.status.n_stored == 8)
    write = PositionalFile.write

    def full(self, values, offset):
        if offset >= recording.layout.data_offset:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, values, offset)

    monkeypatch.setattr(PositionalFile, "write", full)
    recording.write(FRAMES[8:], np.arange(8, 35))
    wait_until(lambda: recording.recorder.drained)
    with pytest.raises(
        RecordingError, match=r"No space left on device.* 8 frames are stored and the file is valid"
    ):
        recording.finish()
    with RecordingReader(recording.layout.path) as reader:
        assert reader.end()["finish_reason"] == "FAILED"
        assert np.flatnonzero(reader.received.ravel()).tolist() == list(range(8))


def test_a_disk_too_small_is_said_before_the_scan_and_leaves_nothing(tmp_path, monkeypatch):
    def too_small(self, n_bytes):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PositionalFile, "reserve", too_small)
    with pytest.raises(RecordingError, match=r"The recording needs \d+ bytes"):
        create_recording(tmp_path, INFO, {}, STARTED)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_recording_is_never_overwritten(tmp_path):
    layout = create_recording(tmp_path, INFO, {}, STARTED)
    before = layout.path.read_bytes()
    with pytest.raises(RecordingError, match=r"exists\. It is never overwritten"):
        create_recording(tmp_path, INFO, {}, STARTED)
    assert layout.path.read_bytes() == before


def test_other_files_and_cut_recordings_are_refused(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"no hdf5")
    with pytest.raises(FileFormatError, match="cannot be read as a recording"):
        RecordingReader(tmp_path / "a.h5")
    layout = create_recording(tmp_path, INFO, {}, STARTED)
    with layout.path.open("rb+") as file:
        file.truncate(layout.data_offset + 100)
    with pytest.raises(FileFormatError):
        RecordingReader(layout.path)


@pytest.mark.parametrize("sync", SyncMode)
def test_a_recording_goes_on_where_it_stopped_and_its_end_is_written_anew(tmp_path, sync):
    first = Recording(tmp_path, sync)
    first.write(FRAMES[:20], np.arange(20))
    path = first.finish(FinishReason.STREAM_LOST)
    changed = np.full_like(FRAMES, 7)
    second = Recording(tmp_path, sync, held=IntervalSet([(0, 20)]))
    assert second.layout.path == path
    assert second.recorder.status.n_stored == 20
    assert second.recorder.status.durable.total == 20
    with RecordingReader(path) as reader:
        assert reader.end() is None  # it runs again
    second.write(changed[15:20], np.arange(15, 20))  # what is stored is never written again
    second.write(FRAMES[20:], np.arange(20, 35))
    second.finish()
    with RecordingReader(path) as reader:
        assert reader.read_block(0, 35, np.empty_like(FRAMES)).tobytes() == FRAMES.tobytes()
        assert (reader.received == 1).all()
        assert (reader.end()["finish_reason"], reader.end()["n_frames"]) == ("COMPLETED", 35)


def test_a_frame_that_was_not_synced_is_written_again_after_a_kill(tmp_path):
    first = Recording(tmp_path, SyncMode.KILL)
    first.write(FRAMES[:20], np.arange(20))
    path = first.finish()
    file = PositionalFile(path, writable=True)
    file.write(bytes([STORED | NOT_SYNCED]) * 3, first.layout.received_offset + 4)
    file.write(bytes(3 * FRAMES[0].nbytes), first.layout.data_offset + 4 * FRAMES[0].nbytes)
    file.close()
    second = Recording(tmp_path, SyncMode.POWER)
    assert second.recorder.status.n_stored == 17
    second.write(FRAMES[4:7], np.arange(4, 7))
    second.finish()
    with RecordingReader(path) as reader:
        np.testing.assert_array_equal(reader.read_block(0, 20, np.empty_like(FRAMES)), FRAMES[:20])
        assert reader.marks[:20].tolist() == [STORED] * 20


def test_only_the_same_scan_is_continued(tmp_path):
    Recording(tmp_path).finish()
    unfinished = tmp_path / "20260101-000001_12345678.h5.part"
    unfinished.write_bytes(b"")
    assert find_recording(tmp_path, scan_info(calibration=Calibration())) is not None
    assert find_recording(tmp_path, scan_info(n_frames=34)) is None
    assert find_recording(tmp_path, scan_info(dtype="uint16")) is None
    assert find_recording(tmp_path, scan_info(scan_id="12345678-0000-0000-0000-123456789abc")) is None
    assert not unfinished.exists()
    (tmp_path / "20260101-000002_12345678.h5").write_bytes(b"torn")
    with pytest.raises(RecordingError, match="of the scan that is to be begun"):
        find_recording(tmp_path, INFO)


def test_two_writers_of_one_recording_are_refused(tmp_path):
    first = Recording(tmp_path)
    with pytest.raises(RecordingError, match="Expected to be the only one that writes it"):
        Recording(tmp_path)
    first.finish()


def test_a_scan_of_unknown_length_keeps_the_lines_that_came(tmp_path):
    recording = Recording(tmp_path, info=scan_info(open_ended=True))
    recording.write(FRAMES[:17], np.arange(17))
    labels = np.arange(2 * 3 * 7, dtype=np.int32).reshape(2, 3, 7)
    path = recording.finish(labels=labels)
    with RecordingReader(path) as reader:
        assert reader.info.scan_shape == (3, 7)
        assert reader.received.tolist() == [[1] * 7, [1] * 7, [1, 1, 1, 0, 0, 0, 0]]
        np.testing.assert_array_equal(reader.live_label_maps(), labels)
        assert reader.end()["n_lines"] == 3
