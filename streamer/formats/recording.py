"""Reading a recording, finished or still being written; its schema and creation stand in `recording_schema`.

Frames and marks are read by position, not through h5py datasets: those keep stale bytes in their buffers
while another process writes.
"""

import contextlib
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from streamer.errors import FileFormatError, RecordingError
from streamer.formats.block_reader import BlockReader
from streamer.formats.positional_file import PositionalFile
from streamer.formats.recording_schema import (
    DATA_PATH,
    END_PATH,
    END_SLOT_BYTES,
    LABEL_MAPS_PATH,
    MISSING,
    N_END_SLOTS,
    N_LIVE_LEVELS,
    NOT_SYNCED,
    RECEIVED_PATH,
    SCHEMA_VERSION,
    RecordingLayout,
    create_recording,
    decode_end_slots,
    id_in_name,
)
from streamer.model import ScanInfo

__all__ = [
    "RecordingLayout",
    "RecordingReader",
    "create_recording",
    "find_recording",
    "is_recording",
    "read_layout",
]

N_SAMPLED_FRAMES = 64
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def is_recording(path: Path) -> bool:
    """Whether this is a file that `create_recording` made."""
    try:
        with path.open("rb") as file:
            if file.read(len(_HDF5_MAGIC)) != _HDF5_MAGIC:
                return False
        with h5py.File(path, "r") as file:
            return "livestem" in file and DATA_PATH in file
    except (OSError, RuntimeError, KeyError, ValueError):  # what h5py makes of damage inside
        return False


def read_layout(path: Path, locking: bool | None = None) -> tuple[RecordingLayout, dict[str, Any]]:
    """Where things stand in a recording, and the settings it was made with.

    `locking`: HDF5's of the file while it is looked at; None: as HDF5 does.

    Raises
    ------
    FileFormatError
        No recording, one of a newer version, or a damaged one.
    """
    try:
        with h5py.File(path, "r", locking=locking) as opened:
            file: Any = opened  # h5py's items are unions of everything; a wrong one ends in the except below
            attributes = file["livestem"].attrs
            version = int(attributes["schema_version"])
            if version > SCHEMA_VERSION:
                raise FileFormatError(
                    f"The recording {path} has schema version {version}. This livestem reads up to "
                    f"{SCHEMA_VERSION}. Install a newer livestem."
                )
            info = ScanInfo.from_json(json.loads(attributes["start"]))
            settings = json.loads(attributes["settings"])
            created_in = str(attributes.get("boot_id", ""))
            names = (DATA_PATH, RECEIVED_PATH, END_PATH, LABEL_MAPS_PATH)
            offsets = [file[name].id.get_offset() for name in names]
            shape, dtype = file[DATA_PATH].shape, file[DATA_PATH].dtype
            announced = np.dtype(info.dtype)
    except FileNotFoundError:
        raise FileFormatError(f"The recording {path} does not exist. Check the path.") from None
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(
            f"{path} cannot be read as a recording: {error}. Expected a file of livestem."
        ) from None
    if None in offsets or shape != (*info.scan_shape, *info.detector_shape) or dtype != announced:
        raise FileFormatError(
            f"The recording {path} holds {shape} {dtype}; its start header announces "
            f"{(*info.scan_shape, *info.detector_shape)} {info.dtype}. The file is damaged."
        )
    layout = RecordingLayout(path, info, *offsets, boot_id=created_in)
    n_bytes = layout.data_offset + info.n_positions * layout.frame_bytes
    if path.stat().st_size < n_bytes:
        raise FileFormatError(
            f"The recording {path} has {path.stat().st_size} bytes, its frames need {n_bytes}. "
            "It was cut short: copy it again from where it was recorded."
        )
    return layout, settings


def find_recording(directory: Path, info: ScanInfo) -> RecordingLayout | None:
    """The recording that an engine which was interrupted left of this scan, to be continued; None without one.

    Files of this scan that were never finished being created are removed: no frame is in them.

    Raises
    ------
    RecordingError
        One that bears this scan's name cannot be read: it may hold frames that nobody else has any more.
    """
    pattern = f"*_{id_in_name(info)}.h5"
    for part in directory.glob(f"{pattern}.part"):
        with contextlib.suppress(OSError):
            part.unlink()
    for path in sorted(directory.glob(pattern)):
        try:
            layout, _ = read_layout(path)
        except FileFormatError as error:
            raise RecordingError(
                f"{error} Its name says that it is of the scan that is to be begun. Close it in other programs, "
                "or move it away, then start again. Nothing was changed."
            ) from None
        if info.continues(layout.info):
            return layout
    return None


class RecordingReader(BlockReader):
    """A recording as a `ScanFile`; safe while a recorder writes it.

    Parameters
    ----------
    path
        The file.
    late_scales
        Of a recording that another process is about to close: the scales that it will write then, as
        `ScanInfo.filled` takes them (empty: those that are there stay). None: what the file says.

    Attributes
    ----------
    path, info
        As in `ScanFile`.
    received
        (scan_y, scan_x) uint8, as of opening or the last `refresh`: 0 missing, 1 stored, 2 stored with
        non-finite pixels. Where the number of lines was not known, ``info`` and this have those that came
        once the scan has ended.
    marks
        (n,) uint8 of all positions as they stand in the file: 0x80 is added where the frame was not synced.
    settings
        JSON values that the recording was made with.
    """

    def __init__(self, path: Path, late_scales: dict[str, Any] | None = None) -> None:
        self.path, self._late_scales = Path(path), late_scales
        # On Windows HDF5's lock would keep the recorder from writing.
        locking = None if late_scales is None else False
        self.layout, self.settings = read_layout(self.path, locking)
        self._file = PositionalFile(self.path)
        self.info = self.layout.info
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def refresh(self) -> None:
        """Read the marks again, and whether the scan has ended."""
        info = self.layout.info
        self.marks = np.frombuffer(self._file.read(info.n_positions, self.layout.received_offset), np.uint8)
        received = (self.marks & np.uint8(NOT_SYNCED - 1)).reshape(info.scan_shape)
        n_lines = (self.end() or {}).get("n_lines", info.scan_shape[0])
        scales = self._late_scales or self.last_end().get("scales") or {}
        self.received = received[:n_lines]
        n_frames = info.n_frames if n_lines == info.scan_shape[0] else self.received.size
        # A calibration that was entered since stays.
        info = replace(info, scan_shape=self.received.shape, n_frames=n_frames)
        self.info = replace(info, calibration=self.info.calibration).filled(scales)

    def read_block(self, start: int, stop: int, out: NDArray[Any]) -> NDArray[Any]:
        """As `ScanFile.read_block`; what missing positions hold is zero or a torn frame."""
        if not 0 <= start <= stop <= self.info.n_positions:
            raise IndexError(f"Scan positions {start} to {stop} of {self.info.n_positions}.")
        block = out[: stop - start]
        self._file.read_into(block.data.cast("B"), self.layout.data_offset + start * self.layout.frame_bytes)
        return block

    def end(self) -> dict[str, Any] | None:
        """finish_reason, counters, n_frames, settled_at; None while the scan runs, or after a kill."""
        values = self.last_end()
        return values if values.get("finish_reason") else None

    def last_end(self) -> dict[str, Any]:
        """The end that was written last, also one that was taken back because the scan went on; empty without one."""
        _, values = decode_end_slots(self._file.read(N_END_SLOTS * END_SLOT_BYTES, self.layout.end_offset))
        return values

    def live_label_maps(self) -> NDArray[np.int32]:
        """The last live labels, (2, scan_y, scan_x); -1 not visited."""
        maps = np.empty((N_LIVE_LEVELS, *self.layout.info.scan_shape), dtype=np.int32)
        self._file.read_into(maps.data.cast("B"), self.layout.label_maps_offset)
        return maps[:, : self.info.scan_shape[0]]

    def checksum(self) -> str:
        """SHA-256 over scan id, shapes, dtype, all marks and 64 stored frames spread over the scan.

        The end state is left out: repairing a recording does not change what was measured.
        """
        digest = hashlib.sha256()
        identity = [self.info.scan_id, self.info.scan_shape, self.info.detector_shape, self.info.dtype]
        digest.update(json.dumps(identity).encode())
        digest.update(self.received.tobytes())
        stored = np.flatnonzero(self.received != MISSING)
        if stored.size:
            chosen = np.linspace(0, stored.size - 1, min(N_SAMPLED_FRAMES, stored.size)).astype(np.int64)
            frame = np.empty((1, *self.info.detector_shape), dtype=self.info.dtype)
            for scan_index in stored[chosen]:
                digest.update(self.read_block(scan_index, scan_index + 1, frame).data)
        return f"sha256:{digest.hexdigest()}"
