"""For tests of faults: an engine that can be killed and started again at the same address, scans, and waiting."""

import contextlib
import os
import random
import signal
import socket
import time
import uuid
from pathlib import Path

import numpy as np
import zmq

from simulators.sender import Sender
from streamer.client import EngineClient
from streamer.formats.recording import RecordingReader
from streamer.model import ScanInfo
from tests.fakes import MemoryScan
from tests.system.commands import engine

ENDPOINTS = ("listen", "publish", "control")
SHAPE, DETECTOR = (12, 16), (48, 40)
N_FRAMES = SHAPE[0] * SHAPE[1]


def make_scan(shape=SHAPE, detector=DETECTOR, dtype="float32", seed=0, **changes) -> MemoryScan:
    """A scan of its own with a bright disk in noise."""
    rng = np.random.default_rng(seed)
    n = shape[0] * shape[1]
    y, x = np.indices(detector)
    disk = np.hypot(y - detector[0] / 2, x - detector[1] / 2) < 5
    frames = rng.poisson(np.where(disk, 400, 3), (n, *detector)).astype(dtype)
    info = ScanInfo(str(uuid.uuid4()), shape, detector, dtype, n, **changes)
    return MemoryScan(frames, info)


def endpoints_of_our_own() -> dict[str, str]:
    """Free now, and below the ports that a system hands out: nobody is given one while the engine is away."""
    found = {}
    with contextlib.ExitStack() as stack:
        while len(found) < len(ENDPOINTS):
            port = random.SystemRandom().randrange(20_000, 32_000)
            tried = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                tried.bind(("127.0.0.1", port))
                found[ENDPOINTS[len(found)]] = f"tcp://127.0.0.1:{port}"
    return found


class Station:
    """An engine process that keeps its endpoints from one life to the next; a context manager."""

    def __init__(self, folder: Path, *options: object) -> None:
        self.folder, self.options = folder, ("--no-analyze", *options)
        self.running, self._endpoints = None, endpoints_of_our_own()
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def start(self, *options: object, code: str | None = None) -> None:
        """Start, at the same endpoints as before."""
        ends = [f"--{name}={end}" for name, end in self._endpoints.items()]
        self.running = self._stack.enter_context(
            engine(self.folder, *self.options, *options, *ends, code=code)
        )

    def kill(self) -> None:
        """As kill -9 does."""
        self.running.process.kill()
        self.running.process.wait()

    @property
    def listen(self) -> str:
        return self._endpoints["listen"]

    @property
    def pid(self) -> int:
        return self.running.process.pid

    @contextlib.contextmanager
    def client(self):
        with EngineClient(self._endpoints["publish"], self._endpoints["control"]) as client:
            yield client

    def wait_for(self, condition, timeout_s=60.0) -> dict:
        """The first published state that fulfils the condition."""
        with self.client() as client:
            return wait_for(client, condition, timeout_s)

    def wait_end(self, scan_id: str, reason="COMPLETED", timeout_s=60.0) -> dict:
        """The state once this scan has ended and the engine is ready for the next."""

        def has_ended(state):
            scan = state["scan"] or {}
            return scan.get("scan_id") == scan_id and state["finish_reason"] and state["state"] == "LISTENING"

        state = self.wait_for(has_ended, timeout_s)
        assert state["finish_reason"] == reason, state
        return state

    def peak_bytes(self) -> int:
        """Most memory that the engine has had at once."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the system does not tell the peak of memory")


def wait_for(client, condition, timeout_s=60.0) -> dict:
    deadline = time.monotonic() + timeout_s
    state = client.state(timeout_s=timeout_s)
    while not condition(state):
        assert time.monotonic() < deadline, f"it never came to pass: {state}"
        state = client.wait_state(timeout_s=timeout_s)
    return state


def send(context: zmq.Context, endpoint: str, scan: MemoryScan, progress=lambda done: None, **options):
    """Send a scan from this process; what the sender says of it."""
    sender = Sender(scan, endpoint, context, **{"wait_s": 30.0, **options})
    try:
        return sender.run(progress)
    finally:
        sender.close()


def assert_recorded(path, scan: MemoryScan, missing=()) -> dict:
    """The recording holds every frame bit for bit, but for those missing; its end."""
    with RecordingReader(Path(path)) as recording:
        there = np.ones(recording.info.n_positions, bool)
        there[list(missing)] = False
        np.testing.assert_array_equal(recording.received.ravel() > 0, there)
        stored = recording.read_block(0, recording.info.n_positions, np.empty_like(scan.frames))
        assert stored[there].tobytes() == scan.frames[there].tobytes()
        assert not recording.marks[there].max(initial=0) & 0x80
        return recording.end()


def recordings(folder: Path, scan_id: str) -> list[Path]:
    """Every file of a scan."""
    return sorted(folder.glob(f"*_{scan_id[:8]}*"))


@contextlib.contextmanager
def stopped(pid: int):
    """The process stands still inside the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
