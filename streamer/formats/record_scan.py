"""A scan as a plain file of equal records: EMPAD RAW of both generations, and whatever else is laid out so.

Frames are read by position, not through a memory map: a file that another program shortens meanwhile ends in a
sentence instead of a crash, and network drives are read in large pieces.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from streamer.errors import FileFormatError
from streamer.formats.block_reader import BlockReader
from streamer.formats.positional_file import PositionalFile
from streamer.model import ScanInfo

_CHECKSUM_SAMPLES = 64


@dataclass(frozen=True)
class RecordLayout:
    """Where the frame of a scan position stands.

    Attributes
    ----------
    record_bytes
        From one record to the next; the frame stands at its beginning.
    n_records
        Whole records in the file.
    first_record, records_per_line
        Records before the first position, and from line to line where the file holds flyback; 0: none.
    offset
        Bytes before the first record.
    dtype
        Of the numbers in the file; None: that of the scan.
    """

    record_bytes: int
    n_records: int
    first_record: int = 0
    records_per_line: int = 0
    offset: int = 0
    dtype: np.dtype[Any] | None = None


class RecordScan(BlockReader):
    """See `streamer.formats.scan_file.ScanFile`; positions past the end of the file are missing.

    Parameters
    ----------
    path
        The file.
    info
        What it holds.
    layout
        Where.
    n_empty
        Records at the end that the acquisition has made room for and never written.
    """

    def __init__(self, path: Path, info: ScanInfo, layout: RecordLayout, n_empty: int = 0) -> None:
        self.path, self.info, self.layout = path, info, layout
        positions = np.arange(info.n_positions)
        there = self._records_of(positions) < layout.n_records - n_empty
        self.received: NDArray[np.uint8] = there.astype(np.uint8).reshape(info.scan_shape)
        self._dtype = np.dtype(info.dtype)
        try:
            self._file = PositionalFile(path)
        except OSError as error:
            raise FileFormatError(f"{path} cannot be read: {error.strerror}. Check the path.") from None

    def refresh(self) -> None:
        """The file is taken as it was when it was opened: `livestem feed` follows one that grows."""

    def read_block(self, start: int, stop: int, out: NDArray[Any]) -> NDArray[Any]:
        """Patterns of flat scan indices [start, stop) into the first rows of `out`; zeros where missing."""
        if not 0 <= start <= stop <= self.info.n_positions:
            raise IndexError(f"Scan positions {start} to {stop} of {self.info.n_positions}.")
        there = self.received.reshape(-1)[start:stop] > 0
        block, records = out[: stop - start], self._records_of(np.arange(start, stop))
        if not there.all():
            block[~there] = 0
        rows = np.flatnonzero(there)
        # Stretches of records that follow each other are read together.
        for stretch in np.split(
            rows, np.flatnonzero((np.diff(rows) != 1) | (np.diff(records[rows]) != 1)) + 1
        ):
            if stretch.size:
                self._read_records(int(records[stretch[0]]), block[stretch[0] : stretch[-1] + 1])
        return block

    def checksum(self) -> str:
        """SHA-256 over size and 64 records spread over the file: cheap, and any other scan differs."""
        n = self.layout.n_records
        digest = hashlib.sha256(str((n, *self.info.detector_shape)).encode())
        frame = np.empty((1, *self.info.detector_shape), self._dtype)
        for record in np.linspace(0, n - 1, _CHECKSUM_SAMPLES).astype(int).tolist():
            self._read_records(record, frame)
            digest.update(frame.tobytes())
        return f"sha256-sample:{digest.hexdigest()}"

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _records_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        n_x = self.info.scan_shape[1]
        line, column = np.divmod(positions, n_x)
        return self.layout.first_record + line * (self.layout.records_per_line or n_x) + column

    def _read_records(self, record: int, frames: NDArray[Any]) -> None:
        """Frames of neighbouring records, from this one on."""
        layout = self.layout
        is_same = layout.dtype is None or layout.dtype == self._dtype
        stored = frames if is_same else np.empty(frames.shape, layout.dtype)
        try:
            self._file.read_rows(stored, layout.record_bytes, layout.offset + record * layout.record_bytes)
        except (OSError, EOFError) as error:
            raise FileFormatError(
                f"{self.path} cannot be read any more at record {record} of {layout.n_records}: {error}. It was whole "
                "when it was opened. Check the drive, and whether another program changes the file."
            ) from None
        if stored is not frames:
            frames[:] = stored
