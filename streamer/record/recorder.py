"""The recorder: takes every frame from the ring and writes it to its place in the recording.

Reads: a lossless ring reader. Writes: the recording, by position, never through h5py. Thread: its own.
"""

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import RecordingError
from streamer.formats.positional_file import PositionalFile
from streamer.formats.recording_schema import (
    MISSING,
    NONFINITE,
    NOT_SYNCED,
    STORED,
    RecordingLayout,
)
from streamer.kernels.clean import find_nonfinite
from streamer.model import FinishReason, FrameCounters
from streamer.record.end_state import EndState
from streamer.record.frame_source import FrameBatch, FrameReader
from streamer.wire.sequence import IntervalSet, runs

BATCH_FRAMES = 64
BORROW_TIMEOUT_S = 0.1
SYNC_PERIOD_S = 1.0


class SyncMode(StrEnum):
    """What an acknowledged frame survives."""

    POWER = "power"
    KILL = "kill"


@dataclass(frozen=True)
class RecorderStatus:
    """What the recorder has done so far; replaced, never changed.

    Attributes
    ----------
    durable
        Frame indices that may be acknowledged.
    n_stored, n_nonfinite, n_repeated
        Frames on disk; those of them with non-finite pixels; frames whose position was taken already.
    """

    durable: IntervalSet = field(default_factory=IntervalSet)
    n_stored: int = 0
    n_nonfinite: int = 0
    n_repeated: int = 0


class Recorder:
    """Writes the frames of one scan.

    Parameters
    ----------
    layout
        The recording, made by `create_recording`.
    reader
        A LOSSLESS reader of the scan's ring.
    sync
        POWER: durable after data, then marks, were synced (once a second); KILL: when written and marked.
    held
        Frame indices that an earlier run of the same scan has left in the recording.
    clock
        Seconds.

    Raises
    ------
    RecordingError
        Another process writes this recording, or it cannot be opened.
    """

    def __init__(
        self,
        layout: RecordingLayout,
        reader: FrameReader[Any],
        sync: SyncMode,
        held: IntervalSet | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._layout, self._reader, self._sync, self._clock = layout, reader, sync, clock
        self._file = _open_to_write(layout)
        try:
            self._marks = self._marks_so_far()
            self._end_state = EndState(self._file, layout)
            self._end_state.take_back()
        except (OSError, EOFError) as error:
            self._file.close()
            raise _cannot_write(layout, error) from None
        self._waiting_marks: list[NDArray[np.int64]] = []
        self._written = held or IntervalSet()
        self._status = RecorderStatus(
            durable=self._written,
            n_stored=int(np.count_nonzero(self._marks)),
            n_nonfinite=int(np.count_nonzero(self._marks == NONFINITE)),
        )
        self._failure: BaseException | None = None
        self._drained = threading.Event()
        self._last_sync_s = clock()
        self._thread = threading.Thread(target=self._run, name="livestem-recorder")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def status(self) -> RecorderStatus:
        """The newest status."""
        return self._status

    @property
    def drained(self) -> bool:
        """Whether the ring was closed and everything in it is durable, or nothing can be written any more."""
        return self._drained.is_set()

    def raise_if_failed(self) -> None:
        """Raise what keeps frames from being written.

        Raises
        ------
        RecordingError
            Disk full or an I/O error; the file is valid, frames stored before are in it.
        """
        if self._failure is None:
            return
        is_full = isinstance(self._failure, OSError) and self._failure.errno == errno.ENOSPC
        advice = "Free some space or record to another disk" if is_full else "Check the disk"
        raise RecordingError(
            f"The recording {self._layout.path} cannot be continued: {self._failure}. {advice}, then start the scan "
            f"again. {self._status.n_stored} frames are stored and the file is valid."
        ) from self._failure

    def discard(self) -> None:
        """Let go of the file, of a recorder that was never started."""
        self._reader.detach()
        self._file.close()

    def finish(
        self,
        reason: FinishReason,
        counters: FrameCounters,
        live_labels: NDArray[np.int32] | None,
        scales: dict[str, Any] | None = None,
    ) -> None:
        """Wait for the ring's end, write live labels and end state, close the file. Call once.

        `scales`: what the sender knew only at the end, as `ScanInfo.filled` takes it.

        Raises
        ------
        RecordingError
            As `raise_if_failed`; what could be written was written.
        """
        self._thread.join()
        if self._failure is not None:
            reason = FinishReason.FAILED
        counted = counters.to_json() | {
            "frames_stored": self._status.n_stored,
            "frames_nonfinite": self._status.n_nonfinite,
        }
        end = {
            "finish_reason": reason.value,
            "counters": counted,
            "n_frames": self._status.n_stored,
            "settled_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if scales := scales or self._end_state.values.get("scales"):
            end["scales"] = scales
        if self._layout.info.open_ended:
            end["n_lines"] = self._n_lines()
        try:
            if live_labels is not None:
                self._write_labels(live_labels)
            self._end_state.write(end)
        except OSError as error:
            self._failure = self._failure or error
        finally:
            self._file.close()
        self.raise_if_failed()

    def _n_lines(self) -> int:
        """Lines up to the last stored position, at least one."""
        stored = np.flatnonzero(self._marks)
        return int(stored[-1]) // self._layout.info.scan_shape[1] + 1 if stored.size else 1

    def _write_labels(self, live_labels: NDArray[np.int32]) -> None:
        """(2, scan_y, scan_x); fewer lines where the scan turned out to have fewer than was known."""
        for level, labels in enumerate(live_labels):
            values = np.ascontiguousarray(labels, "<i4")
            offset = self._layout.label_maps_offset + 4 * level * self._layout.info.n_positions
            self._file.write(values.data.cast("B"), offset)
        self._file.sync_data()

    def _marks_so_far(self) -> NDArray[np.uint8]:
        """Marks of an earlier run; a frame whose mark says that it may not survive a power cut comes again."""
        raw = self._file.read(self._layout.info.n_positions, self._layout.received_offset)
        marks = np.frombuffer(raw, np.uint8).copy()
        marks[(marks & NOT_SYNCED) > 0] = MISSING
        return marks

    def _run(self) -> None:
        try:
            while not self._reader.exhausted:
                batch = self._reader.borrow(BATCH_FRAMES, BORROW_TIMEOUT_S)
                if batch is not None:
                    try:
                        self._store(batch)
                    finally:
                        self._reader.release(batch)
                if self._sync is SyncMode.POWER and self._clock() - self._last_sync_s >= SYNC_PERIOD_S:
                    self._make_durable()
            self._make_durable()
        except Exception as failure:  # kept for the owner, who ends the scan
            self._failure = failure
        finally:
            self._reader.detach()
            self._drained.set()

    def _store(self, batch: FrameBatch) -> None:
        """Write frames, then their marks; a position that is marked is never written again."""
        places = batch.scan_indices
        on_map = places >= 0
        new = on_map.copy()
        new[on_map] = self._marks[places[on_map]] == MISSING
        # Of two frames for one position in the same batch the first stays.
        _, firsts = np.unique(places, return_index=True)
        is_first = np.zeros(len(places), np.bool_)
        is_first[firsts] = True
        new &= is_first
        wanted = np.flatnonzero(new)
        nonfinite = self._nonfinite(batch.frames)
        for first, stop in _neighbours(places, wanted):
            values = np.ascontiguousarray(batch.frames[first:stop])
            offset = self._layout.data_offset + int(places[first]) * self._layout.frame_bytes
            self._file.write(values.data.cast("B"), offset)
        self._mark(places[wanted], np.where(nonfinite[wanted], NONFINITE, STORED).astype(np.uint8))
        self._written = self._written.add_indices(batch.frame_indices)
        status = self._status
        self._status = RecorderStatus(
            durable=self._written if self._sync is SyncMode.KILL else status.durable,
            n_stored=status.n_stored + len(wanted),
            n_nonfinite=status.n_nonfinite + int(nonfinite[wanted].sum()),
            n_repeated=status.n_repeated + int(on_map.sum()) - len(wanted),
        )

    @staticmethod
    def _nonfinite(frames: NDArray[Any]) -> NDArray[np.bool_]:
        found = np.zeros(len(frames), np.bool_)
        if frames.dtype == np.float32:
            find_nonfinite(frames.reshape(len(frames), -1).view(np.uint32), found)
        return found

    def _mark(self, places: NDArray[np.int64], marks: NDArray[np.uint8]) -> None:
        self._marks[places] = marks
        shown = marks + np.uint8(NOT_SYNCED) if self._sync is SyncMode.POWER else marks
        order = np.argsort(places, kind="stable")
        done = 0
        for start, stop in runs(places[order]):
            part = shown[order][done : done + stop - start]
            self._file.write(part.tobytes(), self._layout.received_offset + start)
            done += stop - start
        if self._sync is SyncMode.POWER:
            self._waiting_marks.append(places)

    def _make_durable(self) -> None:
        """Data -> sync -> marks without the provisional bit -> sync -> may be acknowledged."""
        self._last_sync_s = self._clock()
        if self._sync is SyncMode.POWER and self._waiting_marks:
            self._file.sync_data()
            places = np.sort(np.concatenate(self._waiting_marks))
            self._waiting_marks = []
            for start, stop in runs(places):
                self._file.write(self._marks[start:stop].tobytes(), self._layout.received_offset + start)
            self._file.sync_data()
        status = self._status
        self._status = RecorderStatus(self._written, status.n_stored, status.n_nonfinite, status.n_repeated)


def _open_to_write(layout: RecordingLayout) -> PositionalFile:
    try:
        return PositionalFile(layout.path, writable=True)
    except OSError as error:
        raise _cannot_write(layout, error) from None


def _cannot_write(layout: RecordingLayout, error: OSError | EOFError) -> RecordingError:
    reason = error.strerror if isinstance(error, OSError) else None
    return RecordingError(
        f"The recording {layout.path} cannot be written: {reason or error}. Expected to be the only one that "
        "writes it, on a disk that works. End the other engine, or check the disk. What is recorded stays."
    )


def _neighbours(places: NDArray[np.int64], wanted: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Stretches [first, stop) of wanted rows whose positions follow each other: one write each."""
    stretches: list[tuple[int, int]] = []
    for row in wanted.tolist():
        if stretches and stretches[-1][1] == row and places[row] == places[row - 1] + 1:
            stretches[-1] = (stretches[-1][0], row + 1)
        else:
            stretches.append((row, row + 1))
    return stretches
