"""The senders of docs/examples, that detector bridges are written from: against our receiver, and by hand."""

import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zmq

from streamer.errors import RecordingError
from streamer.model import FinishReason
from streamer.receive.receiver import Receiver
from streamer.wire.codec import decode, encode, unpack_frames
from streamer.wire.messages import Ack, End, Frames, Heartbeat, Ready, RefusalCode, Refused, Start
from tests.fakes import DETECTOR, SHAPE, MemoryHost, make_frames
from tests.system.commands import FREE, TIMEOUT_S

pytestmark = pytest.mark.system

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
N = SHAPE[0] * SHAPE[1]
SCAN_ID = "12345678-1234-1234-1234-123456789abc"
ANSWER_MS = 20_000
COMPILE = ["gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A function, so that only the tests of the C example are skipped."""
    made = []

    def compile_once():
        if made:
            return made[0]
        if shutil.which("gcc") is None:
            pytest.skip("gcc is not on this machine")
        header = [*COMPILE, "-E", "-include", "zmq.h", "-x", "c", "/dev/null"]
        if subprocess.run(header, capture_output=True, check=False).returncode != 0:
            pytest.skip("zmq.h is not on this machine (scripts/system_libraries.sh installs it)")
        program = tmp_path_factory.mktemp("sender") / "sender"
        command = [*COMPILE, EXAMPLES / "sender.c", "-lzmq", "-o", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made.append([str(program)])
        return made[0]

    return compile_once


@pytest.fixture(params=["python", "c"])
def example(request, compiled):
    return [sys.executable, str(EXAMPLES / "sender.py")] if request.param == "python" else compiled()


@pytest.fixture(scope="module")
def frames():
    return make_frames()


@pytest.fixture(scope="module")
def file(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("frames") / "frames.raw"
    frames.astype("<f4").tofile(path)
    return path


def arguments(example, endpoint, file, *more):
    detector = "x".join(map(str, DETECTOR))
    command = [*example, endpoint, *SHAPE, file, "--detector", detector, "--scan-id", SCAN_ID, *more]
    return [str(part) for part in command]


@contextmanager
def receiving(context, host):
    receiver = Receiver(FREE, host, context)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.close()
        receiver.raise_if_failed()


def run(*command):
    return subprocess.run(arguments(*command), capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


@pytest.mark.parametrize(
    ("n_slots", "more"),
    [(64, ()), (4, ()), (64, ("--rate", 2000)), (4, ("--keep", 3))],
    ids=["as fast as it can", "tiny ring", "at a rate", "tiny buffer"],
)
def test_a_scan_arrives_bit_for_bit_within_the_credit(context, example, file, frames, n_slots, more):
    host = MemoryHost(n_slots=n_slots)
    with receiving(context, host) as receiver:
        done = run(example, receiver.endpoint, file, *more)
        assert done.returncode == 0, done.stderr
        assert receiver.status.refusal == ""  # no_credit would stand there
    assert f"{N} frames are acknowledged" in done.stderr
    (session,), ((reason, counters),) = host.sessions, host.ends
    assert (session.info.scan_id, session.info.scan_shape) == (SCAN_ID, SHAPE)
    got = np.array([session.frames[index] for index in range(N)])
    assert got.tobytes() == frames.tobytes()
    assert reason is FinishReason.COMPLETED
    assert (counters.frames_received, counters.frames_missing, counters.frames_dropped_by_sender) == (N, 0, 0)
    assert (counters.frames_invalid, counters.frames_repeated, counters.messages_invalid) == (0, 0, 0)


def test_a_refusal_for_good_ends_it_with_the_reason(context, example, file):
    host = MemoryHost(refuse=RecordingError('The recording "a" needs 9 bytes, there are 0.'))
    with receiving(context, host) as receiver:
        done = run(example, receiver.endpoint, file)
    assert done.returncode == 3
    assert 'The recording "a" needs 9 bytes' in done.stderr
    assert "0 frames are acknowledged" in done.stderr


def test_bad_arguments_are_said(example, file):
    done = run(example, "tcp://127.0.0.1:9", file, "--detector", "512x512")
    assert done.returncode == 2
    assert "not have" in done.stderr


class ByHand:
    """An engine of a test: what it says stands in the test."""

    def __init__(self, socket, process, frames):
        self.socket, self.process, self.frames = socket, process, frames
        self.sender, self.n_said = b"", 0

    def hear(self, *kinds):
        """The next message of one of these kinds."""
        while True:
            assert self.socket.poll(ANSWER_MS), f"no {kinds}; said: {self.process.poll()}"
            self.sender, *parts = self.socket.recv_multipart()
            message = decode(list(parts))
            if isinstance(message, kinds):
                return message

    def say(self, kind, **fields):
        message = kind(scan_id=SCAN_ID, seq=self.n_said, **fields)
        self.socket.send_multipart([self.sender, *encode(message)])
        self.n_said += 1

    def ready(self, credit=64, **fields):
        start = self.hear(Start)
        assert (start.scan_id, start.scan_shape, start.detector_shape) == (SCAN_ID, SHAPE, DETECTOR)
        self.say(Ready, credit=credit, seq_seen=start.seq, **fields)
        return start

    def take(self):
        """The next frames or end; the indices of the frames, which are what the detector delivered."""
        message = self.hear(Frames, End)
        if isinstance(message, End):
            return message, []
        assert message.header_crc32 is not None
        assert message.count <= 16
        indices = list(range(message.first_frame, message.first_frame + message.count))
        start = Start(scan_id=SCAN_ID, scan_shape=SHAPE, detector_shape=DETECTOR, dtype="float32", n_frames=N)
        np.testing.assert_array_equal(unpack_frames(message, start.scan_info()), self.frames[indices])
        return message, indices

    def take_until_end(self):
        got = []
        while True:
            message, indices = self.take()
            if not indices:
                return message, got
            got += indices

    def acknowledge(self, message, below, credit=64, ranges=(), **fields):
        self.say(Ack, below=below, ranges=ranges, credit=credit, seq_seen=message.seq, **fields)

    def outcome(self):
        _, said = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, said


@pytest.fixture
def by_hand(context, example, file, frames):
    """Makes an engine that speaks by hand, with a sender that runs."""
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    socket.bind(FREE)
    made = []

    def start(*more):
        command = arguments(example, socket.getsockopt_string(zmq.LAST_ENDPOINT), file, *more)
        made.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return ByHand(socket, made[-1], frames)

    yield start
    for process in made:
        process.kill()
        process.communicate()
    socket.close()


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_scan_goes_on_with_what_the_engine_does_not_have(by_hand, how):
    engine = by_hand()
    first = engine.ready(credit=20)
    message, got = engine.take()
    while len(got) < 20:
        message, more = engine.take()
        got += more
    sender = engine.sender
    assert got == list(range(20))  # and no more than credit
    engine.acknowledge(message, below=10, ranges=((12, 14),), credit=0)
    if how == "refused":
        beat = engine.hear(Heartbeat, Frames, End)
        assert isinstance(beat, Heartbeat)
        text = 'Scan "x" is not running here: {"final":false}.'
        engine.say(Refused, code=RefusalCode.UNKNOWN_SCAN, reason=text, final=True, resume=True)
    again = engine.ready(stored=((0, 10), (12, 14), (30, 32)))
    assert again.model_dump(exclude={"seq"}) == first.model_dump(exclude={"seq"})
    assert engine.sender == sender
    end, got = engine.take_until_end()
    assert got == [10, 11, *range(14, 30), 32, 33, 34]
    assert (end.reason, end.frames_sent, end.frames_dropped_by_sender) == ("complete", N, 0)
    engine.acknowledge(end, below=N, end=True, finish_reason="COMPLETED")
    code, said = engine.outcome()
    assert code == 0
    assert ("silent" if how == "silent" else "is not running here") in said
    assert "12 frames are acknowledged" in said
    assert f"{N} frames are acknowledged" in said


def test_frames_are_sent_again_where_they_are_wanted_and_not_on_their_way(by_hand):
    engine = by_hand()
    engine.ready(credit=32)
    (damaged, first), (later, second) = engine.take(), engine.take()
    assert (first, second) == (list(range(16)), list(range(16, 32)))
    wanted = {"reason": "Damaged.", "resend": ((0, 18),), "seq_seen": damaged.seq}
    engine.say(Refused, code=RefusalCode.BAD_CRC, **wanted)
    engine.acknowledge(later, below=0)
    end, got = engine.take_until_end()
    assert got == [*first, 32, 33, 34]  # 16 and 17 came later than the damaged ones
    engine.acknowledge(end, below=16)
    wanted = {"reason": "Some.", "resend": ((10, 20),), "seq_seen": end.seq}
    engine.say(Refused, code=RefusalCode.INCOMPLETE, **wanted)
    end, got = engine.take_until_end()
    while not got:  # an end that was repeated on a slow machine
        end, got = engine.take_until_end()
    assert got == [16, 17, 18, 19]  # the others are acknowledged, and so need not be kept
    assert end.frames_sent == N
    engine.acknowledge(end, below=N, end=True, finish_reason="STOPPED")
    code, said = engine.outcome()
    assert code == 7
    assert "STOPPED" in said


def test_a_busy_engine_is_asked_again(by_hand):
    engine = by_hand()
    engine.hear(Start)
    engine.say(Refused, code=RefusalCode.BUSY, reason="The scan before is being finished.")
    engine.ready()
    end, got = engine.take_until_end()
    assert got == list(range(N))
    engine.acknowledge(end, below=N, end=True, finish_reason="COMPLETED")
    assert engine.outcome()[0] == 0


def test_a_full_buffer_loses_the_newest_frames_and_says_so(by_hand):
    engine = by_hand("--keep", 4, "--rate", 2000)
    engine.hear(Start)
    said = engine.process.stderr.readline()
    assert "The buffer of 4 is full: frames from 4 on are dropped." in said
    engine.ready()
    end, got = engine.take_until_end()
    assert got == [0, 1, 2, 3]
    assert (end.frames_sent, end.frames_dropped_by_sender) == (4, N - 4)
    engine.acknowledge(end, below=4, end=True, finish_reason="COMPLETED")
    code, said = engine.outcome()
    assert code == 0
    assert f"{N - 4} frames were dropped. 4 frames are acknowledged" in said


def test_an_engine_that_does_not_answer_is_given_up(by_hand):
    engine = by_hand("--wait", 1.2)
    engine.hear(Start)
    code, said = engine.outcome()
    assert code == 9
    assert "given up. 0 frames are acknowledged and safe" in said
