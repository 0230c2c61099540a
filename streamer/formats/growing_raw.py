"""An EMPAD RAW file that the detector's software is still writing: which frames are whole, and when it is over.

Files grow at their end, or are made whole first and filled afterwards; network drives show the new length before
the bytes. So a record counts as written once something stands in the next one, or when it has not changed for a
moment and reaches to its end; a record of zeros alone is room that was made for it, never a frame.
"""

import os
import time
from collections.abc import Callable
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from streamer.errors import FileFormatError
from streamer.formats.empad import FRAME_BYTES, RECORD_BYTES, describe, metadata_beside
from streamer.formats.empad_shape import shapes_said
from streamer.formats.empad_xml import EmpadMetadata
from streamer.formats.positional_file import PositionalFile
from streamer.formats.preparation import G2_ENCODING
from streamer.formats.record_scan import RecordLayout, RecordScan
from streamer.wire.sequence import IntervalSet

SETTLED_S = 0.25
HOLE_S = 2.0
XML_PERIOD_S = 0.5
XML_QUIET_S = 1.0
"""The XML comes when the acquisition is over; the last frames may still be on their way to the disk."""
XML_WAIT_S = 3.0
"""How long a whole file without XML is not at its end: the XML, which states the scales, follows the last frame."""
LOOK_AHEAD = 8
MOST_AT_ONCE = 1024
_PEEK_BYTES = 256
_TAIL_BYTES = 512


class Ending(StrEnum):
    """How a growing file ended."""

    WHOLE = "whole"
    XML = "xml"
    SILENCE = "silence"
    REPLACED = "replaced"


class GrowingRaw(RecordScan):
    """A RAW file while it grows; frames by their index, as in the finished file.

    Made by `open_growing`.

    Attributes
    ----------
    info
        As it was when the file was opened, with the scales of the XML once there is one and the file has ended.
    frames
        Frames that are whole, as of the last `poll`.
    ending
        None while more may come.
    """

    def __init__(
        self,
        path: Path,
        metadata: EmpadMetadata | None,
        scan_shape: tuple[int, int],
        has_words: bool,
        silence_s: float,
        clock: Callable[[], float],
    ) -> None:
        kind, dtype = ("EMPAD-G2 RAW", "uint32") if has_words else ("EMPAD RAW", "float32")
        record_bytes = FRAME_BYTES if has_words else RECORD_BYTES
        info = describe(path, metadata, scan_shape, kind, dtype)
        if has_words:
            info.metadata["encoding"] = G2_ENCODING
        super().__init__(path, info, RecordLayout(record_bytes, info.n_positions))
        self.frames = IntervalSet()
        self.ending: Ending | None = None
        self._silence_s, self._clock = silence_s, clock
        found = path.stat()
        self._identity, self._size, self._begun_mtime = _identity(found), found.st_size, found.st_mtime
        self._next, self._has_xml = 0, metadata is not None
        self._changed_s = self._xml_asked_s = clock()
        self._hole: tuple[int, float] = (-1, 0.0)
        self._last: tuple[int, int, float] = (-1, 0, 0.0)

    def poll(self) -> None:
        """See what was written since."""
        if self.ending is not None:
            return
        now = self._clock()
        if not self._is_same(now):
            self.ending = Ending.REPLACED
            return
        before = self._next
        self._advance(now)
        if self._next > before:
            self._changed_s = now
        if self._next == self.info.n_positions:
            if self._has_xml or self._learns_scales(now) or now - self._changed_s >= XML_WAIT_S:
                self.ending = Ending.WHOLE if self.frames.total == self._next else Ending.XML
        elif self._xml_is_there(now):
            self._xml_asked_s = -inf
            self._learns_scales(now)
            self.ending = Ending.XML
        elif now - self._changed_s >= self._silence_s:
            self.ending = Ending.SILENCE

    def _learns_scales(self, now: float) -> bool:
        """Take the scales of the XML; False where there is none that can be read, or it was asked for just now."""
        if now - self._xml_asked_s < XML_PERIOD_S:
            return False
        self._xml_asked_s = now
        try:
            metadata = metadata_beside(self.path)
        except FileFormatError:
            return False
        if metadata is None:
            return False
        said = describe(self.path, metadata, self.info.scan_shape, "", self.info.dtype)
        self.info, self._has_xml = self.info.filled(said.scales), True
        return True

    def _is_same(self, now: float) -> bool:
        try:
            found = self.path.stat()
        except OSError:
            return True  # a network drive that is away for a moment; silence ends it if it stays so
        if _identity(found) != self._identity or found.st_size < self._size:
            return False
        if found.st_size > self._size:
            self._size, self._changed_s = found.st_size, now
        return True

    def _advance(self, now: float) -> None:
        n_records = min(self._size // self.layout.record_bytes, self.info.n_positions)
        first = start = self._next
        at = first
        while at < min(n_records, first + MOST_AT_ONCE):
            if not self._has_begun(at):
                written = self._begun_after(at)
                if written is None:
                    break
                if self._hole[0] != at:
                    self._hole = (at, now)
                if now - self._hole[1] < HOLE_S:
                    break
                self.frames = self.frames.add(start, at)
                at = start = written
                continue
            if self._begun_after(at) is None and not self._is_settled(at, now):
                break
            at += 1
        self.frames = self.frames.add(start, at)
        self._next = at

    def _begun_after(self, record: int) -> int | None:
        """The next record in which something stands, of those that follow at once."""
        following = range(record + 1, record + 1 + LOOK_AHEAD)
        return next((each for each in following if self._has_begun(each)), None)

    def _has_begun(self, record: int) -> bool:
        """Whether a bit is set in a record, as far as the file reaches."""
        n_bytes = min(self.layout.record_bytes, self._size - record * self.layout.record_bytes)
        if n_bytes <= 0:
            return False
        return any(self._bytes_of(record, 0, min(_PEEK_BYTES, n_bytes))) or any(
            memoryview(self._bytes_of(record, 0, n_bytes // 8 * 8)).cast("Q")
        )

    def _is_settled(self, record: int, now: float) -> bool:
        """Whether the last record has not changed for a moment, and reaches to the end of its frame."""
        frame = self._bytes_of(record, 0, FRAME_BYTES)
        mark, (known, known_mark, since) = crc32(frame), self._last
        if (record, mark) != (known, known_mark):
            self._last = (record, mark, now)
            return False
        return now - since >= SETTLED_S and any(frame[-_TAIL_BYTES:])

    def _bytes_of(self, record: int, start: int, n_bytes: int) -> bytearray:
        try:
            return self._file.read(n_bytes, record * self.layout.record_bytes + start)
        except (OSError, EOFError):
            return bytearray(n_bytes)  # shortened, or away for a moment: nothing stands there now

    def _xml_is_there(self, now: float) -> bool:
        """Whether the acquisition has written its XML since the file was opened, and nothing moves any more."""
        if now - self._xml_asked_s < XML_PERIOD_S or now - self._changed_s < XML_QUIET_S:
            return False
        self._xml_asked_s = now
        try:
            metadata = metadata_beside(self.path)
            return metadata is not None and metadata.path.stat().st_mtime >= self._begun_mtime
        except (FileFormatError, OSError):
            return False


def open_growing(
    path: Path, silence_s: float = 60.0, clock: Callable[[], float] = time.monotonic
) -> GrowingRaw | None:
    """A file of which the first record has begun and the shape is known; None where it is too early.

    Raises
    ------
    FileFormatError
        The file is there and cannot be read, or does not hold what a RAW file holds.
    """
    try:
        head = _head(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    if head is None:
        return None
    try:
        metadata = metadata_beside(path)
    except FileFormatError:
        metadata = None  # several, or one that is half written: the name says the shape
    said = shapes_said(path, metadata)
    if not said:
        return None
    return GrowingRaw(path, metadata, next(iter(said.values())), _are_words(head), silence_s, clock)


def _head(path: Path) -> NDArray[np.uint32] | None:
    """The first frame once it is there whole; None before."""
    if path.stat().st_size < RECORD_BYTES:
        return None
    file = PositionalFile(path)
    try:
        words = np.frombuffer(file.read(FRAME_BYTES, 0), "<u4")
    except EOFError:
        return None
    finally:
        file.close()
    return words if words[-_TAIL_BYTES // 4 :].any() else None


def _are_words(head: NDArray[np.uint32]) -> bool:
    return bool((head & np.uint32(0x40000000)).all())


def _identity(found: os.stat_result) -> tuple[Any, ...]:
    return (found.st_dev, found.st_ino)
