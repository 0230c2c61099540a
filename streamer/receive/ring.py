"""The ring of frames between the receiver and its readers: preallocated, one writer, two kinds of readers.

Writes: the receiver's thread. Reads: the recorder (LOSSLESS) and the live analysis (SKIP), each in its own
thread, by borrowing views. A lossless reader holds the writer back; a skipping reader loses what it has not
borrowed.
"""

import threading
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from streamer.errors import RingOverrun

SKIP_RESERVE = 4
"""A skipping reader stays out of the oldest 1/SKIP_RESERVE of the ring, so that the batch it works on is not
the next to be overwritten: a slow analysis would otherwise hold the recording back."""


class ReaderPolicy(Enum):
    """What happens to a reader that is too slow."""

    LOSSLESS = "lossless"
    SKIP = "skip"


@dataclass(frozen=True)
class FrameBatch:
    """Frames borrowed from the ring: views, valid until released.

    Attributes
    ----------
    frames
        (n, det_y, det_x), the dtype of the scan.
    frame_indices, scan_indices
        (n,) int64: order at the detector; flat scan position, -1 for a frame that belongs to none.
    arrived_s
        (n,) float64, the receiver's clock.
    start
        Number of frames that were written to the ring before the first one of this batch.
    """

    frames: NDArray[Any]
    frame_indices: NDArray[np.int64]
    scan_indices: NDArray[np.int64]
    arrived_s: NDArray[np.float64]
    start: int

    def __len__(self) -> int:
        return len(self.frames)


class RingReader:
    """One reader's place in the ring. Its methods are for one thread; its counts may be read from any."""

    def __init__(self, ring: "FrameRing", name: str, policy: ReaderPolicy, position: int) -> None:
        self.name = name
        self.policy = policy
        self._ring = ring
        self._position = position  # next frame to borrow, counted over the whole scan
        self._borrowed: FrameBatch | None = None
        self._n_skipped = 0
        self._is_attached = True

    def borrow(self, max_frames: int, timeout_s: float) -> FrameBatch | None:
        """The oldest frames not read yet, contiguous, at most `max_frames`; waits at most `timeout_s`.

        Returns
        -------
        FrameBatch or None
            None when nothing came in time, or the ring is closed and drained (`exhausted`).

        Raises
        ------
        ValueError
            The batch borrowed before has not been released.
        """
        with self._ring.condition:
            if self._borrowed is not None:
                raise ValueError(
                    f"Reader {self.name} has not released its batch. Release it before borrowing again."
                )
            self._ring.condition.wait_for(lambda: self.n_waiting > 0 or self._is_finished(), timeout_s)
            if not self._is_attached or self.n_waiting == 0:
                return None
            if self.policy is ReaderPolicy.SKIP:
                self.skip_to(self._oldest_to_borrow())
            self._borrowed = self._ring.view(self._position, min(max_frames, self.n_waiting))
            self._position += len(self._borrowed)
            return self._borrowed

    def release(self, batch: FrameBatch) -> None:
        """Give a batch back: its slots may be written over from now on."""
        with self._ring.condition:
            if batch is not self._borrowed:
                raise ValueError(f"Reader {self.name} releases a batch that it has not borrowed.")
            self._borrowed = None

    def detach(self) -> None:
        """Stop reading: this reader holds nobody back any more, and a waiting `borrow` returns None."""
        with self._ring.condition:
            self._is_attached = False
            self._borrowed = None
            self._ring.condition.notify_all()

    @property
    def n_waiting(self) -> int:
        """Frames in the ring that this reader has not borrowed yet."""
        return self._ring.n_written - self._position

    @property
    def n_skipped(self) -> int:
        """Frames that were written over before this reader came to them."""
        return self._n_skipped

    @property
    def exhausted(self) -> bool:
        """Whether nothing will come any more: the ring is closed and read to its end, or we are detached."""
        with self._ring.condition:
            return not self._is_attached or (
                self._ring.is_closed and self.n_waiting == 0 and self._borrowed is None
            )

    @property
    def oldest_arrival_s(self) -> float | None:
        """When the oldest frame not yet released arrived; None where everything has been read."""
        with self._ring.condition:
            oldest = self._position if self._borrowed is None else self._borrowed.start
            return self._ring.arrival_s(oldest) if oldest < self._ring.n_written else None

    def _is_finished(self) -> bool:
        return self._ring.is_closed or not self._is_attached

    def oldest_held(self) -> int | None:
        """First frame that must not be written over for this reader's sake; for the ring, under its lock."""
        if not self._is_attached:
            return None
        if self._borrowed is not None:
            return self._borrowed.start
        return self._position if self.policy is ReaderPolicy.LOSSLESS else None

    def oldest_to_come(self) -> int | None:
        """First frame that may be held for this reader's sake before it releases or detaches; under the lock.

        A skipping reader that holds nothing now may borrow at any moment, its oldest frame at that.
        """
        held = self.oldest_held()
        if held is not None or not self._is_attached:
            return held
        return max(self._position, self._oldest_to_borrow())

    def _oldest_to_borrow(self) -> int:
        return self._ring.n_written - self._ring.n_slots + self._ring.n_slots // SKIP_RESERVE

    def skip_to(self, position: int) -> None:
        """Give up, and count, the frames before `position`; for the ring, under its lock."""
        if position > self._position:
            self._n_skipped += position - self._position
            self._position = position


class FrameRing:
    """Preallocated slots for frames; exactly one thread writes.

    Parameters
    ----------
    n_slots
        Number of frames that fit.
    detector_shape
        (det_y, det_x).
    dtype
        Of the frames.
    memory
        (n_slots, det_y, det_x) of an earlier ring that nobody reads any more, to be used again.
    """

    def __init__(
        self,
        n_slots: int,
        detector_shape: tuple[int, int],
        dtype: DTypeLike,
        memory: NDArray[Any] | None = None,
    ) -> None:
        if n_slots < SKIP_RESERVE:
            raise ValueError(f"A ring of {n_slots} slots. It needs at least {SKIP_RESERVE}.")
        self.n_slots = n_slots
        self.condition = threading.Condition()
        # Filled, not just reserved: the first touch of new memory can be 30 times slower than a copy, and
        # would come while frames arrive.
        shape = (n_slots, *detector_shape)
        fits = memory is not None and memory.shape == shape and memory.dtype == np.dtype(dtype)
        self.memory: NDArray[Any] = memory if memory is not None and fits else np.full(shape, 0, dtype=dtype)
        self._frame_indices = np.full(n_slots, -1, dtype=np.int64)
        self._scan_indices = np.full(n_slots, -1, dtype=np.int64)
        self._arrived_s = np.full(n_slots, 0.0)
        self._readers: list[RingReader] = []
        self._n_written = 0
        self._is_closed = False

    @property
    def n_written(self) -> int:
        """Frames written since the ring was made."""
        return self._n_written

    @property
    def is_closed(self) -> bool:
        """Whether the writer has said that nothing more comes."""
        return self._is_closed

    def add_reader(self, name: str, policy: ReaderPolicy) -> RingReader:
        """A new reader, which sees every frame written from now on."""
        with self.condition:
            reader = RingReader(self, name, policy, self._n_written)
            self._readers.append(reader)
            return reader

    def free_slots(self) -> int:
        """How many frames can be written now without touching what a reader still needs."""
        with self.condition:
            held = [start for reader in self._readers if (start := reader.oldest_held()) is not None]
            return self.n_slots - (self._n_written - min(held, default=self._n_written))

    def promised_slots(self) -> int:
        """How many frames can be written whatever the readers do until then: what a sender may be granted.

        Less than `free_slots` where a skipping reader lags: it may borrow old frames any time, and would
        then stand in the way of frames that were granted.
        """
        with self.condition:
            oldest = [start for reader in self._readers if (start := reader.oldest_to_come()) is not None]
            return self.n_slots - (self._n_written - min(oldest, default=self._n_written))

    def write(
        self,
        frames: NDArray[Any],
        frame_indices: NDArray[np.int64],
        scan_indices: NDArray[np.int64],
        arrived_s: float,
    ) -> None:
        """Copy frames into the next slots.

        Parameters
        ----------
        frames
            (n, det_y, det_x); need not be contiguous.
        frame_indices, scan_indices
            (n,).
        arrived_s
            The receiver's clock.

        Raises
        ------
        RingOverrun
            A lossless reader has not released, or a skipping reader has borrowed, what would be written over.
            Nothing is written.
        """
        n_new = len(frames)
        self._make_room(n_new)
        # Copied without the lock: the slots belong to nobody between `_make_room` and the count going up.
        done = 0
        while done < n_new:
            slot = (self._n_written + done) % self.n_slots
            n_here = min(n_new - done, self.n_slots - slot)
            here, there = slice(slot, slot + n_here), slice(done, done + n_here)
            np.copyto(self.memory[here], frames[there])
            self._frame_indices[here] = frame_indices[there]
            self._scan_indices[here] = scan_indices[there]
            self._arrived_s[here] = arrived_s
            done += n_here
        with self.condition:
            self._n_written += n_new
            self.condition.notify_all()

    def close(self) -> None:
        """Nothing more comes: readers drain, then get None. May be called again."""
        with self.condition:
            self._is_closed = True
            self.condition.notify_all()

    def view(self, start: int, n_frames: int) -> FrameBatch:
        """Views of at most `n_frames` frames from the `start`-th written on, cut where the ring wraps.

        For readers, which hold the condition and see to it that these slots are not written over.
        """
        slot = start % self.n_slots
        here = slice(slot, min(slot + n_frames, self.n_slots))
        return FrameBatch(
            frames=self.memory[here],
            frame_indices=self._frame_indices[here],
            scan_indices=self._scan_indices[here],
            arrived_s=self._arrived_s[here],
            start=start,
        )

    def arrival_s(self, position: int) -> float:
        """When the `position`-th frame written arrived; it must still be in the ring."""
        return float(self._arrived_s[position % self.n_slots])

    def _make_room(self, n_new: int) -> None:
        with self.condition:
            if self._is_closed:
                raise ValueError("The ring is closed. Nothing can be written to it any more.")
            free = self.free_slots()
            if n_new > free:
                slow = [reader.name for reader in self._readers if reader.oldest_held() is not None]
                raise RingOverrun(
                    f"{n_new} frames arrived, the ring has room for {free}. Its readers ({', '.join(slow)}) "
                    "were too slow for a source that does not wait. Lower the frame rate or enlarge the "
                    "ring. Frames before these are kept."
                )
            for reader in self._readers:
                if reader.policy is ReaderPolicy.SKIP:
                    reader.skip_to(self._n_written + n_new - self.n_slots)
