"""Everything that belongs to one scan in the engine: ring, recorder, live session; made on `start`, ended once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from streamer.errors import LivestemError
from streamer.formats.recording import RecordingReader, create_recording
from streamer.live.pipeline import LivePipeline, Overrides
from streamer.live.session import LiveSession
from streamer.live.snapshot import SnapshotBoard
from streamer.model import FinishReason, FrameCounters, ScanInfo
from streamer.receive.ring import FrameRing, ReaderPolicy
from streamer.record.recorder import Recorder, SyncMode
from streamer.settings import AnalysisSettings
from streamer.wire.sequence import IntervalSet

RING_BYTES = 96 << 20
MAX_RING_SLOTS = 8192
MIN_RING_SLOTS = 64


@dataclass(frozen=True)
class ScanEnd:
    """How the stream of a scan ended."""

    reason: FinishReason
    counters: FrameCounters


class ScanRun:
    """One scan: implements the receiver's `ScanSession`.

    Parameters
    ----------
    info
        From the start message.
    settings
        Of live clusters and analysis.
    record_dir
        Where the recording goes; None: no recording, frames count as durable when analysed.
    sync
        When a frame is durable.
    overrides
        Values set by hand that stay from scan to scan.
    first_version
        Versions of live arrays count up from here.
    """

    def __init__(
        self,
        info: ScanInfo,
        settings: AnalysisSettings,
        record_dir: Path | None,
        sync: SyncMode,
        overrides: Overrides,
        first_version: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.info = info
        self.started_s = clock()
        self.board = SnapshotBoard()
        self.end: ScanEnd | None = None
        self.recorder: Recorder | None = None
        self.stored: RecordingReader | None = None
        frame_bytes = int(np.prod(info.detector_shape)) * np.dtype(info.dtype).itemsize
        n_slots = int(np.clip(RING_BYTES // frame_bytes, MIN_RING_SLOTS, MAX_RING_SLOTS))
        layout = None
        if record_dir is not None:
            layout = create_recording(record_dir, info, settings.model_dump(mode="json"), datetime.now())
            self.stored = RecordingReader(layout.path)
        self.ring = FrameRing(n_slots, info.detector_shape, info.dtype)
        if layout is not None:
            self.recorder = Recorder(layout, self.ring.add_reader("recorder", ReaderPolicy.LOSSLESS), sync)
        policy = ReaderPolicy.SKIP if self.recorder else ReaderPolicy.LOSSLESS
        self._reader = self.ring.add_reader("live analysis", policy)
        pipeline = LivePipeline(info, settings, self.stored)
        pipeline.overrides = overrides
        self.live = LiveSession(pipeline, self._reader, self.board, self.stored, first_version, clock)
        self._finished = False
        if self.recorder:
            self.recorder.start()
        self.live.start()

    @property
    def path(self) -> Path | None:
        """The recording."""
        return self.stored.path if self.stored else None

    @property
    def n_queued(self) -> int:
        """Frames in the ring that the live analysis has not taken yet."""
        return self._reader.n_waiting

    def durable(self) -> IntervalSet:
        """Frame indices that may be acknowledged."""
        return self.recorder.status.durable if self.recorder else self.live.done_frames()

    def drained(self) -> bool:
        """Whether everything that was written to the ring is durable."""
        return self.recorder.drained if self.recorder else self.live.is_finished

    def failure(self) -> LivestemError | None:
        """What makes it impossible to keep frames, if anything does."""
        workers = [self.recorder] if self.recorder else [self.live]
        for worker in workers:
            try:
                worker.raise_if_failed()
            except LivestemError as error:
                return error
        return None

    @property
    def is_over(self) -> bool:
        """Whether the stream has ended and the live analysis has seen everything."""
        return self.end is not None and self.live.is_finished

    def finish(self) -> None:
        """Write live labels and end state into the recording and close it. Call once, when `is_over`."""
        if self._finished or self.end is None:
            return
        self._finished = True
        self.live.join()
        if self.recorder:
            self.recorder.finish(self.end.reason, self.end.counters, self.live.final_label_maps)
        if self.stored:
            self.stored.refresh()

    def abandon(self) -> None:
        """End all threads at once; what is recorded stays."""
        self.ring.close()
        self.live.stop()
        self.live.join()
        if self.end is None:
            self.end = ScanEnd(FinishReason.STOPPED, FrameCounters())
        self.finish()

    def close(self) -> None:
        """Release the recording."""
        if self.stored:
            self.stored.close()
