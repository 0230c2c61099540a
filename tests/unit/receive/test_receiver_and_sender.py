"""Receiver and sender over real sockets, in one process."""

import threading
from contextlib import contextmanager

import numpy as np
import pytest
import zmq

from simulators.sender import Sender
from streamer.errors import EngineUnreachable, RecordingError, ScanStopped, SettingsError, StreamLost
from streamer.model import FinishReason
from streamer.receive.receiver import Receiver
from streamer.wire.codec import decode, encode
from streamer.wire.messages import Heartbeat, RefusalCode, Start
from tests.fakes import MemoryHost, MemoryScan, make_frames, scan_info

FREE = "tcp://127.0.0.1:*"


@contextmanager
def receiving(context, host):
    receiver = Receiver(FREE, host, context)
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


def test_frames_of_an_unknown_scan_are_refused_and_nonsense_is_survived(context, dealer):
    host = MemoryHost()
    with receiving(context, host) as receiver:
        socket = dealer(receiver.endpoint)
        socket.send_multipart([b"nonsense", b"more"])
        with sending(context, receiver.endpoint) as sender:
            sender._is_ready, sender._flight.credit = True, 64
            sender._send_batch(4)
            with pytest.raises(StreamLost, match="is not running here"):
                sender._hear(5.0)
        assert exchange(socket, Start.of_scan(scan_info())).type == "ready"


def test_an_endpoint_in_use_is_said(context):
    with receiving(context, MemoryHost()) as receiver:
        with pytest.raises(SettingsError, match="cannot be bound"):
            Receiver(receiver.endpoint, MemoryHost(), context)
