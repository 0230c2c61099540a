"""Closing a recording that a kill or a power cut left without an end; nothing that was received is given up."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import RecordingError
from streamer.formats.positional_file import PositionalFile
from streamer.formats.recording import read_layout
from streamer.formats.recording_schema import NONFINITE, NOT_SYNCED, RecordingLayout, boot_id
from streamer.model import FinishReason, FrameCounters
from streamer.record.end_state import EndState


def repair_recording(path: Path) -> dict[str, Any]:
    """Write the end state that is missing; returns it.

    Frames that were written but not synced are whole where this computer has run on since (only the engine was
    killed): their marks then say so. After a restart of the computer they stay marked as they are.

    Raises
    ------
    RecordingError
        The recording has its end, or an engine still writes it.
    FileFormatError
        No recording.
    """
    layout, _ = read_layout(path)
    try:
        file = PositionalFile(path, writable=True)
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be repaired: {error.strerror or error}. Expected that no engine writes it any more. "
            "End the engine first. Nothing was changed."
        ) from None
    try:
        end = EndState(file, layout)
        if end.values.get("finish_reason"):
            raise RecordingError(
                f"{path} has its end: {end.values['finish_reason']}. There is nothing to repair. Nothing was changed."
            )
        marks = _settled_marks(file, layout)
        values = _end_of(marks, layout.info.scan_shape[1], layout.info.open_ended)
        end.write(values)
        return values
    finally:
        file.close()


def settle_marks(layout: RecordingLayout) -> None:
    """Bring everything that an interrupted engine wrote to the disk, before the scan goes on.

    Raises
    ------
    RecordingError
        The file cannot be written, or another engine writes it.
    """
    file = None
    try:
        file = PositionalFile(layout.path, writable=True)
        _settled_marks(file, layout)
    except (OSError, EOFError) as error:
        raise RecordingError(
            f"The recording {layout.path} cannot be continued: {error}. Expected to be the only one that writes it, "
            "on a disk that works. End the other engine, or check the disk. What is recorded stays."
        ) from None
    finally:
        if file is not None:
            file.close()


def _settled_marks(file: PositionalFile, layout: RecordingLayout) -> NDArray[np.uint8]:
    """The marks, all synced; those of frames that may be torn since the computer was started anew stay as they are."""
    marks = np.frombuffer(file.read(layout.info.n_positions, layout.received_offset), np.uint8).copy()
    file.sync_data()
    if layout.boot_id and layout.boot_id == boot_id() and (marks & NOT_SYNCED).any():
        marks &= NOT_SYNCED - 1
        file.write(marks.tobytes(), layout.received_offset)
        file.sync_data()
    return marks


def _end_of(marks: NDArray[np.uint8], scan_x: int, open_ended: bool) -> dict[str, Any]:
    n_stored = int(np.count_nonzero(marks))
    n_lines = (int(np.flatnonzero(marks)[-1]) // scan_x + 1 if n_stored else 1) if open_ended else None
    n_missing = (marks.size if n_lines is None else n_lines * scan_x) - n_stored
    counters = FrameCounters(
        frames_received=n_stored,
        frames_stored=n_stored,
        frames_missing=n_missing,
        frames_nonfinite=int(np.count_nonzero(marks & (NOT_SYNCED - 1) == NONFINITE)),
    )
    reason = FinishReason.FAILED if n_missing else FinishReason.COMPLETED
    return {
        "finish_reason": reason.value,
        "counters": counters.to_json(),
        "n_frames": n_stored,
        "settled_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "repaired": True,
        **({} if n_lines is None else {"n_lines": n_lines}),
    }
