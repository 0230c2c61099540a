"""Closing recordings that were left open."""

import pytest

from streamer.errors import RecordingError
from streamer.formats.positional_file import PositionalFile
from streamer.formats.recording import RecordingReader, create_recording, read_layout
from streamer.formats.recording_schema import MISSING, NONFINITE, NOT_SYNCED, STORED
from streamer.record import repair
from streamer.record.repair import repair_recording
from tests.fakes import SHAPE, scan_info
from tests.unit.record.test_recorder import STARTED

N = SHAPE[0] * SHAPE[1]


def left_open(folder, marks, **changes):
    """A recording as a kill leaves it: marks, but no end."""
    layout = create_recording(folder, scan_info(**changes), {}, STARTED)
    file = PositionalFile(layout.path, writable=True)
    file.write(bytes(marks).ljust(N, b"\0"), layout.received_offset)
    file.close()
    return layout.path


def test_what_is_missing_is_said_and_the_file_has_an_end(tmp_path):
    path = left_open(tmp_path, [STORED] * 10 + [MISSING] * 5 + [NONFINITE])
    repair_recording(path)
    with RecordingReader(path) as recording:
        end = recording.end()
    assert (end["finish_reason"], end["n_frames"], end["repaired"]) == ("FAILED", 11, True)
    assert (end["counters"]["frames_missing"], end["counters"]["frames_nonfinite"]) == (N - 11, 1)


def test_a_recording_with_every_frame_is_complete(tmp_path):
    assert repair_recording(left_open(tmp_path, [STORED] * N))["finish_reason"] == "COMPLETED"


def test_frames_not_synced_are_whole_where_the_computer_ran_on(tmp_path):
    path = left_open(tmp_path, [STORED | NOT_SYNCED] * N)
    repair_recording(path)
    with RecordingReader(path) as recording:
        assert set(recording.marks.tolist()) == {STORED}


def test_frames_not_synced_keep_their_mark_after_a_power_cut(tmp_path, monkeypatch):
    path = left_open(tmp_path, [STORED | NOT_SYNCED] * N)
    monkeypatch.setattr(repair, "boot_id", lambda: "another run of the computer")
    end = repair_recording(path)
    with RecordingReader(path) as recording:
        assert set(recording.marks.tolist()) == {STORED | NOT_SYNCED}
        assert (recording.received == STORED).all()
    assert end["counters"]["frames_stored"] == N


def test_a_scan_of_unknown_length_has_the_lines_that_came(tmp_path):
    path = left_open(tmp_path, [STORED] * 10, open_ended=True)
    assert repair_recording(path)["n_lines"] == 2
    with RecordingReader(path) as recording:
        assert recording.info.scan_shape == (2, 7)


def test_a_recording_that_has_its_end_or_is_being_written_is_left_alone(tmp_path):
    path = left_open(tmp_path, [STORED] * N)
    writer = PositionalFile(path, writable=True)
    with pytest.raises(RecordingError, match="no engine writes it any more"):
        repair_recording(path)
    writer.close()
    assert read_layout(path)[0].boot_id
    repair_recording(path)
    with pytest.raises(RecordingError, match="has its end: COMPLETED"):
        repair_recording(path)
