"""Scans in arrays of other programs: four axes, or frames one after the other and a shape that somebody gives."""

import hashlib
import math
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from streamer.errors import FileFormatError, SettingsError
from streamer.formats.block_reader import BlockReader
from streamer.formats.empad_shape import MAX_POSITIONS
from streamer.formats.empad_xml import MAX_SIDE
from streamer.model import Calibration, ScanInfo

AS_THEY_ARE = ("uint8", "uint16", "uint32", "float32")
"""Frames of these stay what they are; all other numbers become float32."""
MAX_DETECTOR_SIDE = 4096
_MIN_DETECTOR_SIDE = 16
_CHECKSUM_SAMPLES = 64

ReadFrames = Callable[[int, int, NDArray[Any]], None]
"""Reads frames [start, stop) into an array of exactly that many, in the scan's dtype."""


class StackScan(BlockReader):
    """See `streamer.formats.scan_file.ScanFile`; positions after the last frame are missing.

    Parameters
    ----------
    path, info
        As in `ScanFile`.
    n_frames
        Frames that are there, in scan order.
    read
        Reads them, any thread.
    release
        Called once nothing more is read.
    """

    def __init__(
        self, path: Path, info: ScanInfo, n_frames: int, read: ReadFrames, release: Callable[[], None]
    ) -> None:
        self.path, self.info, self._n_frames = path, info, n_frames
        self._read, self._release = read, release
        self.received: NDArray[np.uint8] = np.zeros(info.scan_shape, np.uint8)
        self.received.reshape(-1)[:n_frames] = 1

    def refresh(self) -> None:
        """The file is taken as it was when it was opened."""

    def read_block(self, start: int, stop: int, out: NDArray[Any]) -> NDArray[Any]:
        """As `ScanFile.read_block`; zeros where missing."""
        if not 0 <= start <= stop <= self.info.n_positions:
            raise IndexError(f"Scan positions {start} to {stop} of {self.info.n_positions}.")
        block, n_there = out[: stop - start], max(0, min(stop, self._n_frames) - start)
        block[n_there:] = 0
        if n_there:
            try:
                self._read(start, start + n_there, block[:n_there])
            except Exception as error:  # HDF5, its filters and other readers raise what they like
                raise FileFormatError(
                    f"{self.path} cannot be read at frames {start} to {start + n_there - 1}: "
                    f"{one_line(error)}. It is damaged, or a drive is away. Copy the file again."
                ) from None
        return block

    def checksum(self) -> str:
        """SHA-256 over shapes and 64 frames spread over the scan: cheap, and any other scan differs."""
        identity = (self._n_frames, self.info.scan_shape, self.info.detector_shape, self.info.dtype)
        digest = hashlib.sha256(str(identity).encode())
        frame = np.empty((1, *self.info.detector_shape), self.info.dtype)
        for index in np.linspace(0, self._n_frames - 1, _CHECKSUM_SAMPLES).astype(int).tolist():
            digest.update(self.read_block(index, index + 1, frame).tobytes())
        return f"sha256-sample:{digest.hexdigest()}"

    def close(self) -> None:
        """Release the file."""
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def describe_stack(
    path: Path,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    given: tuple[int, int] | None,
    said: dict[str, Any],
    calibration: Calibration | None = None,
    dwell_s: float | None = None,
) -> tuple[ScanInfo, int]:
    """The scan that an array holds, and how many frames of it are there.

    Parameters
    ----------
    shape
        (scan_y, scan_x, det_y, det_x), or (n, det_y, det_x): frames in scan order.
    given
        Scan shape that the user, or another part of the file, says.
    said
        ``format``, and what else there is to say of the file.

    Raises
    ------
    SettingsError
        A shape is given that is not the array's.
    FileFormatError
        The array holds no frames of numbers, or nobody says the shape of the scan.
    """
    kind, detector_shape = np.dtype(dtype), (shape[-2], shape[-1])
    if kind.kind not in "biuf":
        raise FileFormatError(
            f"{path} holds {kind} values. Expected whole or real numbers. Choose another file."
        )
    if min(shape) < 1 or not all(_MIN_DETECTOR_SIDE <= side <= MAX_DETECTOR_SIDE for side in detector_shape):
        raise FileFormatError(
            f"{path} holds an array of {_times(shape)}. Expected scan_y x scan_x x det_y x det_x with detector sides "
            f"from {_MIN_DETECTOR_SIDE} to {MAX_DETECTOR_SIDE}. Choose another file, or reorder its axes."
        )
    n_frames = math.prod(shape[:-2])
    scan_shape = given or ((shape[0], shape[1]) if len(shape) == 4 else None)
    if scan_shape is None:
        raise FileFormatError(
            f"{path} holds {n_frames} frames one after the other and does not say the scan's shape. Expected rows and "
            "columns. Give them with --scan-shape Y,X (scan_shape of open_scan)."
        )
    if len(shape) == 4 and scan_shape != shape[:2]:
        raise SettingsError(
            f"The scan of {path} has {shape[0]} x {shape[1]} (y, x) positions, not {scan_shape[0]} x {scan_shape[1]}. "
            "Leave --scan-shape away."
        )
    if max(scan_shape) > MAX_SIDE or math.prod(scan_shape) > MAX_POSITIONS:
        raise FileFormatError(
            f"The scan of {path} has {_times(scan_shape)} (y, x) positions. Expected sides up to {MAX_SIDE} and at "
            f"most {MAX_POSITIONS} positions. Correct --scan-shape, or choose another file."
        )
    if n_frames > math.prod(scan_shape):
        raise FileFormatError(
            f"{path} holds {n_frames} frames, more than a scan of {_times(scan_shape)} (y, x) positions has. "
            "Correct --scan-shape."
        )
    info = ScanInfo(
        scan_id=str(uuid.uuid4()),
        scan_shape=scan_shape,
        detector_shape=detector_shape,
        dtype=kind.newbyteorder("=").name if kind.newbyteorder("=").name in AS_THEY_ARE else "float32",
        n_frames=math.prod(scan_shape),
        dwell_s=dwell_s,
        calibration=calibration or Calibration(),
        metadata={**said, "stored_dtype": kind.name} if kind.name not in AS_THEY_ARE else said,
    )
    return info, n_frames


def rectangles(
    shape: tuple[int, ...], start: int, stop: int
) -> Iterator[tuple[tuple[slice, ...], int, tuple[int, ...]]]:
    """Whole frames [start, stop) of an array (.., det_y, det_x) as pieces that libraries read at once.

    Yields
    ------
    index, first, shape
        The index of a piece, where in the block it begins, its shape: at most a part of a line, whole lines
        and a part of another.
    """
    if len(shape) == 3:
        yield (slice(start, stop),), 0, (stop - start, *shape[1:])
        return
    n_x, at = shape[1], start
    while at < stop:
        line, column = divmod(at, n_x)
        n_lines = (stop - at) // n_x if column == 0 else 0
        n = n_lines * n_x or min(stop - at, n_x - column)
        rows = slice(line, line + max(n_lines, 1))
        columns = slice(0, n_x) if n_lines else slice(column, column + n)
        yield (rows, columns), at - start, (max(n_lines, 1), n // max(n_lines, 1), *shape[2:])
        at += n


def choose_dataset(path: Path, found: dict[str, tuple[int, ...]], wanted: str | None) -> str:
    """Which of several arrays is meant, by the name given, else the only one of four axes.

    Parameters
    ----------
    found
        Shapes, three or four axes, by name.

    Raises
    ------
    SettingsError
        The name given is none of them.
    FileFormatError
        There is no choice, or more than one.
    """
    listed = "; ".join(f"{name} ({_times(shape)})" for name, shape in list(found.items())[:8])
    if wanted is not None:
        same = [name for name in found if name.strip("/") == wanted.strip("/")]
        if not same:
            raise SettingsError(
                f"{path} has no dataset {wanted} of three or four axes. Expected one of: {listed or 'none is there'}. "
                "Correct --dataset."
            )
        return same[0]
    whole = [name for name, shape in found.items() if len(shape) == 4]
    if len(whole) == 1:
        return whole[0]
    if whole:
        raise FileFormatError(f"{path} holds {len(whole)} 4D datasets: {listed}. Name one with --dataset.")
    if len(found) == 1:
        return next(iter(found))
    raise FileFormatError(
        f"{path} holds no 4D dataset"
        + (f"; of three axes are {listed}. Name one with --dataset and --scan-shape." if found else
           ". Expected one of scan_y x scan_x x det_y x det_x numbers. Choose another file.")
    )  # fmt: skip


def one_line(error: Exception) -> str:
    """What a library says of a failure, short and on one line."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200].rstrip(".")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
