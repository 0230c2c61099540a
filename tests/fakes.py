"""In-memory stand-ins for the two sides of the stream, and a clock that only moves when told."""

import threading

import numpy as np

from streamer.model import FinishReason, FrameCounters, ScanInfo
from streamer.receive.ring import FrameRing, ReaderPolicy
from streamer.receive.scan_session import Earlier
from streamer.wire.sequence import IntervalSet

SHAPE, DETECTOR = (5, 7), (24, 32)


def scan_info(**changes) -> ScanInfo:
    values = {
        "scan_id": "12345678-1234-1234-1234-123456789abc",
        "scan_shape": SHAPE,
        "detector_shape": DETECTOR,
        "dtype": "float32",
        "n_frames": SHAPE[0] * SHAPE[1],
    }
    return ScanInfo(**(values | changes))


def make_frames(n=35, detector=DETECTOR, dtype="float32", seed=0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(50, (n, *detector)).astype(dtype)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class MemoryScan:
    """A scan file in memory."""

    def __init__(self, frames: np.ndarray, info: ScanInfo | None = None) -> None:
        self.frames = frames
        self.info = info or scan_info(dtype=frames.dtype.name)
        self.received = np.ones(self.info.scan_shape, np.uint8)

    def read_block(self, start, stop, out):
        out[: stop - start] = self.frames[start:stop]
        return out[: stop - start]


class MemorySession:
    """Keeps what comes through the ring; everything taken is durable at once."""

    def __init__(self, info: ScanInfo, n_slots=64, earlier: Earlier | None = None) -> None:
        self.info = info
        self.ring = FrameRing(n_slots, info.detector_shape, info.dtype)
        self.reader = self.ring.add_reader("memory", ReaderPolicy.LOSSLESS)
        self.frames: dict[int, np.ndarray] = {}
        self.done = IntervalSet()
        self.error = None
        self.is_held = False
        self.earlier = earlier or Earlier()

    def learn(self, scales) -> None:
        self.info = self.info.filled(scales)

    def take(self) -> None:
        """Take everything that waits in the ring."""
        while not self.is_held and (batch := self.reader.borrow(64, 0.0)) is not None:
            for frame, place in zip(batch.frames, batch.scan_indices, strict=True):
                if place >= 0:
                    self.frames[int(place)] = frame.copy()
            self.done = self.done.add_indices(batch.frame_indices)
            self.reader.release(batch)

    def durable(self) -> IntervalSet:
        self.take()
        return self.done

    def drained(self) -> bool:
        self.take()
        return self.reader.exhausted

    def failure(self):
        return self.error


class MemoryHost:
    """A host whose sessions keep frames in memory."""

    def __init__(self, n_slots=64, refuse=None) -> None:
        self.n_slots, self.refuse = n_slots, refuse
        self.sessions: list[MemorySession] = []
        self.ends: list[tuple[FinishReason, FrameCounters]] = []
        self.has_ended = threading.Event()

    def open_scan(self, info: ScanInfo) -> MemorySession:
        if self.refuse is not None:
            raise self.refuse
        self.sessions.append(MemorySession(info, self.n_slots))
        return self.sessions[-1]

    def scan_ended(self, reason: FinishReason, counters: FrameCounters) -> None:
        self.ends.append((reason, counters))
        self.has_ended.set()
