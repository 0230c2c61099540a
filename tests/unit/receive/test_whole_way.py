"""Sender, receiver, ring and recorder together, over a real socket, in one process."""

from contextlib import contextmanager
from datetime import datetime

import h5py
import numpy as np
import pytest

from simulators import sender as sender_module
from simulators.sender import Sender
from streamer.errors import RecordingError
from streamer.formats.positional_file import PositionalFile
from streamer.formats.recording import RecordingReader, create_recording
from streamer.model import FinishReason, ScanOrder
from streamer.receive.receiver import Receiver
from streamer.receive.ring import FrameRing, ReaderPolicy
from streamer.receive.scan_session import Earlier, HostBusy
from streamer.receive.stream import LOST_AFTER_S
from streamer.record.recorder import Recorder, SyncMode
from streamer.wire.codec import decode, encode
from streamer.wire.messages import Ready, Start
from tests.fakes import Clock, MemoryHost, MemoryScan, make_frames, scan_info

FREE = "tcp://127.0.0.1:*"


class RecordedSession:
    """A session with ring and recorder and nothing else."""

    def __init__(self, folder, info, sync, n_slots):
        self.layout = create_recording(folder, info, {}, datetime(2026, 3, 4))
        self.ring = FrameRing(n_slots, info.detector_shape, info.dtype)
        self.earlier = Earlier()
        self.recorder = Recorder(self.layout, self.ring.add_reader("recorder", ReaderPolicy.LOSSLESS), sync)
        self.recorder.start()

    def durable(self):
        return self.recorder.status.durable

    def drained(self):
        return self.recorder.drained

    def failure(self):
        try:
            self.recorder.raise_if_failed()
        except RecordingError as error:
            return error
        return None


class RecordingHost:
    def __init__(self, folder, sync=SyncMode.KILL, n_slots=16):
        self.folder, self.sync, self.n_slots = folder, sync, n_slots
        self.ends = []

    def open_scan(self, info):
        self.session = RecordedSession(self.folder, info, self.sync, self.n_slots)
        return self.session

    def scan_ended(self, reason, counters):
        self.ends.append((reason, counters))

    def finish(self):
        self.session.recorder.finish(*self.ends[-1], None)


@contextmanager
def receiving(context, host, **options):
    receiver = Receiver(FREE, host, context, **options)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.close()
        receiver.raise_if_failed()


@contextmanager
def sending(context, receiver, scan, **options):
    sender = Sender(scan, receiver.endpoint, context, wait_s=10.0, **options)
    try:
        yield sender
    finally:
        sender.close()


@pytest.mark.parametrize("sync", list(SyncMode))
def test_the_recording_equals_the_source_bit_for_bit_and_opens_while_the_scan_runs(context, tmp_path, sync):
    frames = make_frames()
    frames[3, 4, 5] = np.nan
    host, opened = RecordingHost(tmp_path, sync), []

    def look(n_acknowledged):
        if n_acknowledged and not opened:
            with h5py.File(host.session.layout.path, "r") as file:
                opened.append(file["datacube_root/datacube/data"].shape)

    scan = MemoryScan(frames)
    with receiving(context, host) as receiver, sending(context, receiver, scan, batch=3) as sender:
        sent = sender.run(look)
    host.finish()
    assert (sent.frames_sent, sent.frames_acknowledged) == (35, 35)
    assert opened == [(5, 7, 24, 32)]
    with RecordingReader(host.session.layout.path) as recording:
        stored = recording.read_block(0, 35, np.empty_like(frames))
        assert stored.tobytes() == frames.tobytes()
        assert recording.received.ravel().tolist() == [2 if i == 3 else 1 for i in range(35)]
        end = recording.end()
    assert (end["finish_reason"], end["n_frames"]) == ("COMPLETED", 35)
    assert end["counters"]["frames_nonfinite"] == 1


def test_frames_damaged_on_the_way_are_counted_and_come_again(context, tmp_path, monkeypatch):
    host, frames, n_sent = RecordingHost(tmp_path), make_frames(), [0]
    damaged = []

    def damaging(message):
        parts = encode(message)
        if message.type == "frames":
            n_sent[0] += 1
            if n_sent[0] in {2, 9}:  # the last message too: its repair crosses the end message
                damaged.append(message.count)
                parts[1] = bytes(parts[1][:-1]) + bytes([parts[1][-1] ^ 255])
        return parts

    monkeypatch.setattr(sender_module, "encode", damaging)
    scan = MemoryScan(frames)
    with receiving(context, host) as receiver, sending(context, receiver, scan, batch=4) as sender:
        sent = sender.run()
    host.finish()
    reason, counters = host.ends[0]
    assert reason is FinishReason.COMPLETED
    assert len(damaged) == 2
    assert counters.frames_invalid == sent.frames_resent == sum(damaged)
    assert (counters.frames_missing, counters.frames_repeated) == (0, 0)
    with RecordingReader(host.session.layout.path) as recording:
        np.testing.assert_array_equal(recording.read_block(0, 35, np.empty_like(frames)), frames)


def test_headers_damaged_on_the_way_cost_nothing_but_time(context, monkeypatch):
    host, frames, n_sent = MemoryHost(n_slots=4), make_frames(), [0]

    def damaging(message):
        parts = encode(message)
        if message.type == "frames":
            n_sent[0] += 1
            if n_sent[0] in {1, 5}:  # the first takes all credit with it
                parts[0] = b"\xff" + parts[0][1:]
        return parts

    monkeypatch.setattr(sender_module, "encode", damaging)
    with receiving(context, host) as receiver, sending(context, receiver, MemoryScan(frames)) as sender:
        assert sender.run().frames_acknowledged == 35
        assert receiver.status.counters.messages_invalid == 2
    np.testing.assert_array_equal([host.sessions[0].frames[i] for i in range(35)], frames)


def test_positions_that_the_file_does_not_have_stay_gaps(context, tmp_path):
    host, scan = RecordingHost(tmp_path), MemoryScan(make_frames())
    scan.received[2, 3:6] = 0
    with receiving(context, host) as receiver, sending(context, receiver, scan) as sender:
        sent = sender.run()
    host.finish()
    assert (sent.frames_sent, sent.frames_dropped) == (32, 3)
    counters = host.ends[0][1]
    assert (counters.frames_missing, counters.frames_dropped_by_sender) == (3, 3)
    with RecordingReader(host.session.layout.path) as recording:
        np.testing.assert_array_equal(recording.received, scan.received)


def test_a_full_disk_ends_the_scan_tells_the_sender_and_leaves_a_valid_file(context, tmp_path, monkeypatch):
    host, frames = RecordingHost(tmp_path), make_frames()
    write = PositionalFile.write

    def full_after_ten_frames(self, values, offset):
        start = host.session.layout.data_offset
        if offset >= start + 10 * frames[0].nbytes:
            raise OSError(28, "No space left on device")
        write(self, values, offset)

    monkeypatch.setattr(PositionalFile, "write", full_after_ten_frames)
    scan = MemoryScan(frames)
    with receiving(context, host) as receiver, sending(context, receiver, scan, batch=5) as sender:
        with pytest.raises(RecordingError, match="No space left on device"):
            sender.run()
    assert host.ends[0][0] is FinishReason.FAILED
    with pytest.raises(RecordingError):
        host.finish()
    with RecordingReader(host.session.layout.path) as recording:
        n_stored = int((recording.received > 0).sum())
        assert 0 < n_stored < 35
        stored = recording.read_block(0, n_stored, np.empty_like(frames))
        np.testing.assert_array_equal(stored, frames[:n_stored])
        assert recording.end()["finish_reason"] == "FAILED"


def test_a_silent_sender_is_lost_by_the_clock_and_the_same_scan_may_come_again(context):
    host, clock = MemoryHost(), Clock()
    with receiving(context, host, clock=clock) as receiver:
        for number in range(2):
            host.has_ended.clear()
            with sending(context, receiver, MemoryScan(make_frames())) as sender:
                for _ in range(100):
                    if not sender._is_ready:
                        sender._ask_to_start()
                assert sender._is_ready
                clock.now += LOST_AFTER_S + 1
                assert host.has_ended.wait(10), f"start number {number} was not noticed as lost"
    assert [reason for reason, _ in host.ends] == [FinishReason.STREAM_LOST] * 2


def test_a_sender_waits_while_the_engine_finishes_the_scan_before(context):
    class BusyTwice(MemoryHost):
        n_asked = 0

        def open_scan(self, info):
            self.n_asked += 1
            if self.n_asked <= 2:
                raise HostBusy("The engine still finishes the scan before.")
            return super().open_scan(info)

    host = BusyTwice()
    with receiving(context, host) as receiver:
        with sending(context, receiver, MemoryScan(make_frames())) as sender:
            assert sender.run().frames_acknowledged == 35
    assert host.n_asked == 3


def test_start_again_with_another_shape_is_another_scan(context):
    host = MemoryHost()
    with (
        receiving(context, host) as receiver,
        sending(context, receiver, MemoryScan(make_frames())) as sender,
    ):
        for shape in ((5, 7), (7, 5)):
            sender._socket.send_multipart(encode(Start.of_scan(scan_info(scan_shape=shape))))
            assert sender._socket.poll(5000)
            assert isinstance(decode(list(sender._socket.recv_multipart())), Ready)
    assert len(host.sessions) == 2


def test_a_recording_of_a_serpentine_scan_is_sent_as_the_file_holds_it(context):
    host, frames = MemoryHost(), make_frames()
    info = scan_info(order=ScanOrder.SERPENTINE, skip_first=2, skip_per_line=1, footer_rows=2, n_frames=42)
    with receiving(context, host) as receiver, sending(context, receiver, MemoryScan(frames, info)) as sender:
        assert sender.run().frames_acknowledged == 35
    np.testing.assert_array_equal([host.sessions[0].frames[i] for i in range(35)], frames)
