"""Receiver and sender over real sockets, in one process."""

import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import zmq

from simulators.sender import Sender
from streamer.errors import EngineUnreachable, RecordingError, ScanStopped, SettingsError
from streamer.model import FinishReason
from streamer.receive.receiver import TAKEOVER_AFTER_S, Receiver
from streamer.wire.codec import decode, encode
from streamer.wire.codec import make_frames as pack
from streamer.wire.messages import Ack, End, EndReason, Heartbeat, RefusalCode, Start
from tests.fakes import Clock, MemoryHost, MemoryScan, make_frames, scan_info

FREE = "tcp://127.0.0.1:*"


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
def sending(context, endpoint, scan=None, **options):
    sender = Sender(scan or MemoryScan(make_frames()), endpoint, context, **options)
    try:
        yield sender
    finally:
        sender.close()


@pytest.mark.parametrize("batch", [1, 4, 64])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_a_scan_arrives_whole(context, batch, dtype):
    host, frames = MemoryHost(), make_frames(dtype=dtype)
    with (
        receiving(context, host) as receiver,
        sending(context, receiver.endpoint, MemoryScan(frames), batch=batch) as sender,
    ):
        sent = sender.run()
    assert (sent.frames_sent, sent.frames_acknowledged, sent.finish_reason) == (35, 35, "COMPLETED")
    np.testing.assert_array_equal([host.sessions[0].frames[i] for i in range(35)], frames)
    assert host.ends[0][0] is FinishReason.COMPLETED


def test_a_small_ring_holds_the_sender_back_and_loses_nothing(context):
    host, frames = MemoryHost(n_slots=4), make_frames()
    with (
        receiving(context, host) as receiver,
        sending(context, receiver.endpoint, MemoryScan(frames)) as sender,
    ):
        assert sender.run().frames_acknowledged == 35
    np.testing.assert_array_equal([host.sessions[0].frames[i] for i in range(35)], frames)


def test_one_engine_takes_scan_after_scan(context):
    host = MemoryHost()
    with receiving(context, host) as receiver:
        for number in range(3):
            info = scan_info(scan_id=f"12345678-1234-1234-1234-00000000000{number}")
            with sending(context, receiver.endpoint, MemoryScan(make_frames(), info)) as sender:
                sender.run()
    assert [reason for reason, _ in host.ends] == [FinishReason.COMPLETED] * 3


def test_nobody_listens(context):
    with sending(context, "tcp://127.0.0.1:9", wait_s=0.2) as sender:
        with pytest.raises(
            EngineUnreachable, match=r"No engine answered at tcp://127\.0\.0\.1:9 within 0\.2 s"
        ):
            sender.run()


def test_a_scan_that_cannot_be_kept_is_refused_with_the_reason(context):
    host = MemoryHost(refuse=RecordingError("The recording needs 9 bytes, there are 0."))
    with receiving(context, host) as receiver, sending(context, receiver.endpoint) as sender:
        with pytest.raises(RecordingError, match="needs 9 bytes"):
            sender.run()


def test_a_scan_stopped_at_the_engine_ends_the_sender_and_keeps_what_came(context):
    host = MemoryHost()
    with receiving(context, host) as receiver, sending(context, receiver.endpoint, rate_hz=20.0) as sender:
        stopper = threading.Timer(0.3, receiver.stop_scan, [FinishReason.STOPPED])
        stopper.start()
        with pytest.raises(ScanStopped, match="stopped at the engine"):
            sender.run()
        stopper.join()
    assert host.ends[0][0] is FinishReason.STOPPED


def exchange(socket, message):
    socket.send_multipart(encode(message))
    return receive(socket)


def receive(socket):
    while True:
        assert socket.poll(5000), "no answer"
        answer = decode(list(socket.recv_multipart()))
        if not isinstance(answer, Heartbeat):
            return answer


@pytest.fixture
def dealer(context):
    made = []

    def connect(endpoint):
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(endpoint)
        made.append(socket)
        return socket

    yield connect
    for socket in made:
        socket.close()


def test_a_second_sender_is_refused_and_the_first_goes_on(context, dealer):
    host = MemoryHost()
    with receiving(context, host) as receiver:
        first, second = dealer(receiver.endpoint), dealer(receiver.endpoint)
        assert exchange(first, Start.of_scan(scan_info())).type == "ready"
        other = scan_info(scan_id="99999999-1234-1234-1234-123456789abc")
        refused = exchange(second, Start.of_scan(other))
        assert refused.code is RefusalCode.BUSY
        assert len(host.sessions) == 1
        assert exchange(first, Start.of_scan(scan_info())).type == "ready"


def test_a_new_start_of_the_same_sender_closes_the_old_scan_as_stopped(context, dealer):
    host = MemoryHost()
    with receiving(context, host) as receiver:
        socket = dealer(receiver.endpoint)
        exchange(socket, Start.of_scan(scan_info()))
        other = scan_info(scan_id="99999999-1234-1234-1234-123456789abc")
        assert exchange(socket, Start.of_scan(other)).type == "ready"
        assert host.ends[0][0] is FinishReason.STOPPED


def test_frames_of_an_unknown_scan_are_refused_with_the_way_to_go_on_and_nonsense_is_survived(
    context, dealer
):
    with receiving(context, MemoryHost()) as receiver:
        socket = dealer(receiver.endpoint)
        socket.send_multipart([b"nonsense", b"more"])
        refused = exchange(socket, pack(scan_info().scan_id, 5, 0, make_frames(2)))
        assert (refused.code, refused.final, refused.resume) == (RefusalCode.UNKNOWN_SCAN, True, True)
        assert exchange(socket, Start.of_scan(scan_info())).type == "ready"
        assert receiver.status.counters.messages_stale == 0  # counted for each scan


@pytest.mark.parametrize(
    ("change", "code", "final"),
    [
        ({"n_frames": 70}, RefusalCode.INVALID, True),  # several frames per position
        ({"scan_shape": [0, 7]}, RefusalCode.INVALID, True),
        ({"version": 2}, RefusalCode.VERSION, True),
        ({"voltage_v": 1e200}, RefusalCode.INVALID, True),
        ({"angle_per_px_mrad": 1e300}, RefusalCode.INVALID, True),
        ({"metadata": {"note": "x" * 70_000}}, RefusalCode.INVALID, True),
        ({"type": "frames", "first_frame": -1, "count": 1, "crc32": 0}, RefusalCode.INVALID, False),
    ],
)
def test_a_message_that_cannot_be_used_is_answered_with_the_reason(context, dealer, change, code, final):
    with receiving(context, MemoryHost()) as receiver:
        socket = dealer(receiver.endpoint)
        header = json.loads(encode(Start.of_scan(scan_info()))[0]) | change
        socket.send(json.dumps(header).encode())
        refused = receive(socket)
        assert (refused.code, refused.final, refused.scan_id) == (code, final, scan_info().scan_id)
        assert refused.versions == (1,)


def test_a_sender_that_comes_back_as_another_process_takes_its_scan_over_once_the_first_is_silent(
    context, dealer
):
    host, frames, clock = MemoryHost(), make_frames(), Clock()
    with receiving(context, host, clock=clock) as receiver:
        first, second = dealer(receiver.endpoint), dealer(receiver.endpoint)
        exchange(first, Start.of_scan(scan_info()))
        first.send_multipart(encode(pack(scan_info().scan_id, 1, 4, frames[4:9])))
        # Two connections have no common order: until the frames have come.
        while host.sessions[0].done.total < 5:
            clock.now += 0.1
            assert isinstance(receive(first), Ack)
        busy = exchange(second, Start.of_scan(scan_info()))
        assert (busy.code, busy.final) == (RefusalCode.BUSY, False)
        clock.now += TAKEOVER_AFTER_S
        with sending(context, receiver.endpoint) as sender:
            sent = sender.run()
    assert (sent.frames_sent, sent.frames_acknowledged) == (30, 35)
    np.testing.assert_array_equal([host.sessions[0].frames[i] for i in range(35)], frames)
    reason, counters = host.ends[0]
    assert (reason, counters.frames_repeated, counters.frames_missing) == (FinishReason.COMPLETED, 0, 0)


def test_a_scan_that_cannot_be_begun_for_any_reason_is_refused_and_the_engine_lives(context, dealer):
    host = MemoryHost(refuse=MemoryError("Unable to allocate 9 TiB"))
    with receiving(context, host) as receiver:
        socket = dealer(receiver.endpoint)
        refused = exchange(socket, Start.of_scan(scan_info()))
        assert (refused.code, refused.final) == (RefusalCode.CANNOT_START, True)
        assert "MemoryError: Unable to allocate 9 TiB" in refused.reason
        host.refuse = None
        assert exchange(socket, Start.of_scan(scan_info())).type == "ready"


def test_an_engine_that_ends_in_the_scan_tells_the_sender_that_it_may_go_on(context, dealer):
    with receiving(context, MemoryHost()) as receiver:
        socket = dealer(receiver.endpoint)
        exchange(socket, Start.of_scan(scan_info()))
    refused = receive(socket)
    assert (refused.code, refused.final, refused.resume) == (RefusalCode.STOPPED, True, True)


def test_a_start_while_the_end_is_being_written_is_asked_to_come_again(context, dealer):
    host, clock = MemoryHost(), Clock()
    with receiving(context, host, clock=clock) as receiver:
        socket = dealer(receiver.endpoint)
        exchange(socket, Start.of_scan(scan_info()))
        host.sessions[0].drained = lambda: False
        socket.send_multipart(
            encode(End(scan_id=scan_info().scan_id, seq=1, reason=EndReason.ERROR, frames_sent=0))
        )
        busy = exchange(socket, Start.of_scan(scan_info(), seq=2))
        assert (busy.code, busy.final) == (RefusalCode.BUSY, False)
        del host.sessions[0].drained
        assert receive(socket).finish_reason == "FAILED"
        assert exchange(socket, Start.of_scan(scan_info(), seq=3)).type == "ready"


def test_a_start_of_a_scan_that_is_complete_is_answered_with_the_last_word(context, dealer):
    host = MemoryHost()
    with receiving(context, host) as receiver:
        with sending(context, receiver.endpoint) as sender:
            sender.run()
        again = exchange(dealer(receiver.endpoint), Start.of_scan(scan_info()))
    assert (again.type, again.end, again.finish_reason) == ("ack", True, "COMPLETED")
    assert len(host.sessions) == 1


def test_an_endpoint_in_use_is_said(context):
    with receiving(context, MemoryHost()) as receiver:
        with pytest.raises(SettingsError, match="cannot be bound"):
            Receiver(receiver.endpoint, MemoryHost(), context)
