"""The stream against bare transport on the same machine in the same run: `make benchmark`."""

import contextlib
import os
import statistics
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest
import zmq

from streamer.formats.recording import create_recording
from streamer.model import FinishReason, FrameCounters
from streamer.receive.receiver import Receiver
from streamer.receive.ring import FrameRing, ReaderPolicy
from streamer.receive.scan_session import Earlier
from streamer.record.recorder import Recorder, SyncMode
from streamer.wire.sequence import IntervalSet
from tests.benchmarks.stream_sender import BATCH, DETECTOR

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

N_FRAMES = 8192
N_RUNS = 7
N_SLOTS = 1536
FREE = "tcp://127.0.0.1:*"
FRAME_BYTES = DETECTOR[0] * DETECTOR[1] * 4


class Session:
    """Ring and, with a folder, recorder; without one frames are durable once they are in the ring."""

    def __init__(self, ring_memory, folder, sync, info):
        self.ring, self.earlier, self.recorder = (
            FrameRing(N_SLOTS, DETECTOR, "float32", ring_memory),
            Earlier(),
            None,
        )
        if folder:
            layout = create_recording(folder, info, {}, datetime.now())
            self.recorder = Recorder(layout, self.ring.add_reader("recorder", ReaderPolicy.LOSSLESS), sync)
            self.recorder.start()

    def durable(self):
        return self.recorder.status.durable if self.recorder else IntervalSet([(0, self.ring.n_written)])

    def drained(self):
        return self.recorder.drained if self.recorder else True

    def failure(self):
        return None


class Host:
    def __init__(self, ring_memory, folder, sync):
        self.make = lambda info: Session(ring_memory, folder, sync, info)

    def open_scan(self, info):
        self.session = self.make(info)
        return self.session

    def scan_ended(self, reason, counters):
        pass


@contextlib.contextmanager
def sending(kind, endpoint, *more):
    """A sender process, ready; gives a function that starts it and returns its seconds."""
    command = [sys.executable, "-m", "tests.benchmarks.stream_sender", kind, endpoint, str(N_FRAMES), *more]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"

        def go():
            process.stdin.write("\n")
            process.stdin.flush()

        yield go, lambda: float(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def ours(context, ring_memory, folder=None, sync=SyncMode.KILL):
    host = Host(ring_memory, folder, sync)
    receiver = Receiver(FREE, host, context)
    receiver.start()
    try:
        with sending("ours", receiver.endpoint) as (go, seconds):
            go()
            took = seconds()
    finally:
        receiver.close()
    if host.session.recorder:
        host.session.recorder.finish(FinishReason.COMPLETED, FrameCounters(), None)
        host.session.recorder._layout.path.unlink()
    return took


def bare(context, ring, folder=None):
    file = os.open(folder / "plain", os.O_RDWR | os.O_CREAT) if folder else None
    with context.socket(zmq.PULL) as socket, context.socket(zmq.PUSH) as answer:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        with sending("bare", f"tcp://127.0.0.1:{port}") as (go, seconds):
            go()
            answer.connect(socket.recv().rstrip(b"\0").decode())
            for start in range(0, N_FRAMES, BATCH):
                frames = np.frombuffer(socket.recv(copy=False).buffer, np.float32).reshape(-1, *DETECTOR)
                slot = start % N_SLOTS
                ring[slot : slot + BATCH] = frames
                if file is not None:
                    os.pwrite(file, ring[slot : slot + BATCH], start * FRAME_BYTES)
            answer.send(b"done")
            took = seconds()
    if file is not None:
        os.close(file)
        (folder / "plain").unlink()
    return took


def compared(name, ways):
    """Interleaved runs; the median rate of each, and its ratio to the last."""
    times = {way: [] for way in ways}
    for _ in range(N_RUNS + 1):
        for way, run in ways.items():
            times[way].append(run())
    rates = {way: N_FRAMES / statistics.median(took[1:]) for way, took in times.items()}
    reference = list(ways)[-1]
    print(f"\n{name}: " + ", ".join(
        f"{way} {rate:,.0f} frames/s ({rate / rates[reference]:.2f})" for way, rate in rates.items()
    ))  # fmt: skip
    return rates


@pytest.fixture
def memory():
    return np.full((N_SLOTS, *DETECTOR), 0, np.float32)


def test_receiving_against_bare_transport(context, memory):
    compared("receive, crc, validation, ring", {
        "ours": lambda: ours(context, memory),
        "PUSH/PULL into the same ring": lambda: bare(context, memory),
    })  # fmt: skip


def test_recording_against_bare_transport_and_plain_writes(context, memory, tmp_path):
    compared("receive and record", {
        "ours, sync kill": lambda: ours(context, memory, tmp_path, SyncMode.KILL),
        "ours, sync power": lambda: ours(context, memory, tmp_path, SyncMode.POWER),
        "PUSH/PULL and pwrite": lambda: bare(context, memory, tmp_path),
    })  # fmt: skip
