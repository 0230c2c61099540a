"""Everything that belongs to one scan in the engine: ring, recorder, live session; made on `start`, ended once."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import LivestemError
from streamer.formats.preparation import FramePreparation, PreparedScan
from streamer.formats.recording import RecordingReader, create_recording, find_recording
from streamer.formats.recording_schema import NOT_SYNCED
from streamer.formats.scan_file import ScanFile
from streamer.formats.side_settings import calibrated
from streamer.live.overrides import Overrides
from streamer.live.pipeline import LivePipeline
from streamer.live.session import LiveSession
from streamer.live.snapshot import SnapshotBoard
from streamer.live.start_model import StartModel
from streamer.model import FinishReason, FrameCounters, ScanInfo
from streamer.receive.ring import FrameRing, ReaderPolicy
from streamer.receive.scan_map import frames_held
from streamer.receive.scan_session import Earlier
from streamer.record.recorder import Recorder, SyncMode
from streamer.record.repair import settle_marks
from streamer.settings import AnalysisSettings
from streamer.wire.sequence import IntervalSet

RING_BYTES = 96 << 20
MAX_RING_SLOTS = 8192
MIN_RING_SLOTS = 16


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
    clock
        Seconds.
    ring_memory
        Of the scan before, which nobody uses any more.
    start_model
        Clusters that label this scan; None: found in it.
    is_analysed
        Whether the full analysis follows where the scan is complete: the closing pass of the live view reads nothing
        again then.
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
        ring_memory: NDArray[Any] | None = None,
        start_model: StartModel | None = None,
        *,
        is_analysed: bool = False,
    ) -> None:
        self.preparation = FramePreparation(info, settings.detector)
        self.info = self.preparation.info
        self.started_s = clock()
        self.board = SnapshotBoard()
        self.end: ScanEnd | None = None
        self.recorder: Recorder | None = None
        self.stored: RecordingReader | None = None
        self.view: ScanFile | None = None
        frame_bytes = int(np.prod(info.detector_shape)) * np.dtype(info.dtype).itemsize
        n_slots = int(np.clip(RING_BYTES // frame_bytes, MIN_RING_SLOTS, MAX_RING_SLOTS))
        self.ring = FrameRing(n_slots, info.detector_shape, info.dtype, ring_memory)
        self.earlier = Earlier()
        self._is_analysed = is_analysed
        self._finished = False
        self.late_scales: dict[str, Any] = {}
        try:
            if record_dir is not None:
                self._open_recording(info, record_dir, settings, sync)
            policy = ReaderPolicy.SKIP if self.recorder else ReaderPolicy.LOSSLESS
            self._reader = self.ring.add_reader("live analysis", policy)
            self.view = PreparedScan(self.stored, self.preparation) if self.stored else None
            pipeline = LivePipeline(self.info, settings, self.view, start_model)
            pipeline.overrides = overrides
            self.live = LiveSession(
                pipeline,
                self._reader,
                self.board,
                self.view,
                first_version,
                clock,
                self._is_recorded,
                self.preparation,
                self._reads_again,
            )
        except BaseException:  # whatever it was, the recording must not stay locked
            if self.recorder:
                self.recorder.discard()
            self.close()
            raise
        if self.recorder:
            self.recorder.start()
        self.live.start()

    def _open_recording(
        self, info: ScanInfo, record_dir: Path, settings: AnalysisSettings, sync: SyncMode
    ) -> None:
        """Create the recording, or continue the one that an interrupted engine left of this scan."""
        layout = find_recording(record_dir, info)
        if layout is None:
            layout = create_recording(record_dir, info, settings.model_dump(mode="json"), datetime.now())
            self.stored = RecordingReader(layout.path)
        else:
            settle_marks(layout)
            self.stored = RecordingReader(layout.path)
            self.earlier = _earlier(self.stored)
        reader = self.ring.add_reader("recorder", ReaderPolicy.LOSSLESS)
        self.recorder = Recorder(layout, reader, sync, self.earlier.frames)

    def _reads_again(self) -> bool | None:
        """Whether the closing pass of the live view reads the scan again; None until that is known."""
        if not self._is_analysed:
            return True
        return None if self.end is None else self.end.reason is not FinishReason.COMPLETED

    def _is_recorded(self) -> bool:
        return self.recorder is None or self.recorder.drained

    def learn(self, scales: dict[str, Any]) -> None:
        """Scales that the sender knew only at the end; kept with the recording's end."""
        self.late_scales = scales
        self.info = self.info.filled(scales)

    def take_calibration(self, measured: dict[str, Any]) -> None:
        """Count with sizes that the user has measured."""
        self.info = calibrated(self.info, {"calibration": measured})
        if self.view is not None:
            self.view.info = calibrated(self.view.info, {"calibration": measured})

    @property
    def path(self) -> Path | None:
        """The recording."""
        return self.stored.path if self.stored else None

    @property
    def n_queued(self) -> int:
        """Frames in the ring that the live analysis has not taken yet."""
        return self._reader.n_waiting

    def beginning_text(self) -> str:
        """That the scan begins, or goes on."""
        info, n_held = self.info, self.earlier.frames.total
        bound = " (at most)" if info.open_ended else ""
        verb = "begins" if not n_held else f"goes on after {n_held} frames"
        shape = f"{info.scan_shape[0]} x {info.scan_shape[1]} positions{bound}"
        return f"Scan {info.scan_id[:8]} {verb}: {shape}."

    def lost_text(self) -> str:
        """That the sender is gone: what is kept, and what can be done."""
        n_received = self.end.counters.frames_received if self.end else 0
        if self.path is None:
            kept, advice = "They are analysed; nothing was recorded", ""
        else:
            kept = f"They are kept in {self.path}"
            advice = " Start the sender again with the same scan id to continue it, or analyse what is there."
        return f"The sender fell silent after {n_received} of {self.info.n_frames} frames. {kept}.{advice}"

    def durable(self) -> IntervalSet:
        """Frame indices that may be acknowledged."""
        return self.recorder.status.durable if self.recorder else self.live.done_frames()

    def drained(self) -> bool:
        """Whether everything that was written to the ring is durable, or analysed where nothing is recorded."""
        return self.recorder.drained if self.recorder else self.live.is_drained

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
    def is_whole(self) -> bool:
        """Whether the scan was completed and every frame that came is in its recording, which may not be closed yet.

        Not of a scan whose number of lines was not known: its recording says that when it is closed.
        """
        return (
            self.end is not None
            and self.end.reason is FinishReason.COMPLETED
            and not self.info.open_ended
            and self.recorder is not None
            and self.recorder.drained
            and self.failure() is None
        )

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
            maps = self.live.final_label_maps
            self.recorder.finish(self.end.reason, self.end.counters, maps, self.late_scales)
        if self.view:
            self.view.refresh()
        if self.info.open_ended and self.live.final_label_maps is not None:
            n_lines = self.live.final_label_maps.shape[1]
            shape = (n_lines, self.info.scan_shape[1])
            self.info = replace(self.info, scan_shape=shape, n_frames=n_lines * shape[1])

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


def _earlier(recording: RecordingReader) -> Earlier:
    """Frames that are safe in a recording, and the counters that it was closed with, if it was."""
    safe = recording.marks & NOT_SYNCED == 0
    received = np.where(safe, recording.marks, 0)
    held = frames_held(recording.layout.info, received)
    n_stored = int(np.count_nonzero(received))
    known = recording.last_end().get("counters") or {}
    counters = FrameCounters(**{name: known.get(name, 0) for name in FrameCounters().to_json()})
    # Counted anew: what is held, and what will come again.
    counters.frames_received, counters.frames_flyback = held.total, held.total - n_stored
    counters.frames_discarded = counters.frames_stored = 0
    return Earlier(held, counters)
