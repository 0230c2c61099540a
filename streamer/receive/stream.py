"""What the engine answers to each message of a sender: the protocol's receiving side without socket or clock.

`ScanStream` is the logic of one scan; `docs/protocol.md`, part 1, is its text.
"""

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from streamer.errors import LivestemError, WireError
from streamer.model import FinishReason, FrameCounters, ScanInfo
from streamer.receive.ring import FrameRing
from streamer.receive.scan_map import n_mapped, scan_indices_of
from streamer.wire.codec import CrcError, unpack_frames
from streamer.wire.messages import (
    MAX_RANGES,
    Ack,
    End,
    EndReason,
    FrameFlag,
    Frames,
    Ready,
    RefusalCode,
    Refused,
    ToSender,
)
from streamer.wire.sequence import FrameSequence, IntervalSet

LOST_AFTER_S = 5.0
STALLED_AFTER_S = 2.0
STALLED_AFTER_DWELLS = 20
ACK_PERIOD_S = 0.02

_REASONS = {
    EndReason.COMPLETE: FinishReason.COMPLETED,
    EndReason.ABORTED: FinishReason.STOPPED,
    EndReason.ERROR: FinishReason.FAILED,
}


class ScanSession(Protocol):
    """What the engine keeps for a scan: where frames go, and which of them are safe."""

    @property
    def ring(self) -> FrameRing:
        """Where frames are written."""
        ...

    def durable(self) -> IntervalSet:
        """Frame indices that may be acknowledged."""
        ...

    def drained(self) -> bool:
        """Whether everything that was written to the ring is durable."""
        ...

    def failure(self) -> LivestemError | None:
        """What makes it impossible to keep frames."""
        ...


@dataclass
class ScanStream:
    """One scan from the receiver's side; one thread calls it.

    Attributes
    ----------
    finish_reason
        Set when the stream has ended; the ring is closed then.
    is_over
        Whether the sender has been told the last word.
    """

    info: ScanInfo
    session: ScanSession
    now: float
    counters: FrameCounters = field(default_factory=FrameCounters)
    sequence: FrameSequence = field(default_factory=FrameSequence)
    finish_reason: FinishReason | None = None
    is_over: bool = False
    seq_seen: int = 0
    last_message_s: float = 0.0
    last_frame_s: float = 0.0
    _seq: int = 0
    _last_ack_s: float = 0.0
    _told: tuple[int, int] = (-1, -1)
    _asked_again: int = -1

    def __post_init__(self) -> None:
        self.last_message_s = self.last_frame_s = self._last_ack_s = self.now

    def ready(self) -> Ready:
        """The answer to the start message."""
        return Ready(
            scan_id=self.info.scan_id, seq=self._next_seq(), credit=self._credit(), seq_seen=self.seq_seen
        )

    def heard(self, seq: int, now: float) -> None:
        """Note that a message of the scan came."""
        self.last_message_s = now
        self.seq_seen = max(self.seq_seen, seq)

    def take_frames(self, message: Frames, now: float) -> list[ToSender]:
        """Put new frames into the ring; the answer only where something is wrong."""
        if self.finish_reason is not None:
            return []
        self.last_frame_s = now
        try:
            frames = unpack_frames(message, self.info)
        except CrcError as error:
            self.counters.frames_invalid += message.count
            return [self._again(RefusalCode.BAD_CRC, str(error), message)]
        except WireError as error:
            self.counters.frames_invalid += message.count
            self.end(FinishReason.FAILED)
            self.is_over = True
            return [self.refusal(RefusalCode.INVALID, str(error))]
        if message.first_frame + message.count > self.info.n_frames:
            self.counters.frames_invalid += message.count
            self.end(FinishReason.FAILED)
            self.is_over = True
            last = message.first_frame + message.count - 1
            text = (
                f"Frame {last} was sent, the start message announced {self.info.n_frames} frames. "
                "Expected no more than announced. Start the scan again. What was received is kept."
            )
            return [self.refusal(RefusalCode.INVALID, text)]
        return self._place(message, frames, now)

    def _place(self, message: Frames, frames: np.ndarray, now: float) -> list[ToSender]:
        if message.count > self.session.ring.free_slots():
            text = f"{message.count} frames came without credit. Send them again when there is credit."
            return [self._again(RefusalCode.NO_CREDIT, text, message)]
        arrival = self.sequence.take(message.first_frame, message.count)
        counters = self.counters
        counters.frames_received += message.count - arrival.n_repeated
        counters.frames_late += arrival.n_late
        counters.frames_repeated += arrival.n_repeated
        indices = np.arange(message.first_frame, message.first_frame + message.count)
        places = scan_indices_of(self.info, indices)
        if FrameFlag.DISCARD in message.flags:
            counters.frames_discarded += message.count - arrival.n_repeated
            places[:] = -1
        elif FrameFlag.FLYBACK in message.flags:
            places[:] = -1
        if FrameFlag.DISCARD not in message.flags:
            counters.frames_flyback += int((arrival.is_new & (places < 0)).sum())
        if arrival.n_repeated:
            frames, indices, places = frames[arrival.is_new], indices[arrival.is_new], places[arrival.is_new]
        if len(frames):
            self.session.ring.write(frames, indices, places, now)
        return []

    def take_end(self, message: End) -> list[ToSender]:
        """The sender has nothing more; frames that it sent and that did not come are asked for once."""
        if self.finish_reason is not None:
            return []
        self.counters.frames_dropped_by_sender = message.frames_dropped_by_sender
        n_here = self.sequence.seen.total
        if (
            message.reason is EndReason.COMPLETE
            and n_here < message.frames_sent
            and self._asked_again != n_here
        ):
            self._asked_again = n_here
            missing = tuple(self.sequence.seen.gaps(0, self.info.n_frames))[:MAX_RANGES]
            text = f"{message.frames_sent} frames were sent, {n_here} arrived. Send the others again."
            return [
                Refused(
                    scan_id=self.info.scan_id,
                    seq=self._next_seq(),
                    code=RefusalCode.INCOMPLETE,
                    reason=text,
                    resend=missing,
                    seq_seen=self.seq_seen,
                )
            ]
        self.end(_REASONS[message.reason])
        return []

    def end(self, reason: FinishReason) -> None:
        """Nothing more comes: close the ring, count what is missing."""
        if self.finish_reason is None:
            self.finish_reason = reason
            expected = n_mapped(self.info, self.info.n_frames)
            here = (
                self.counters.frames_received - self.counters.frames_flyback - self.counters.frames_discarded
            )
            self.counters.frames_missing = max(0, expected - here)
            self.session.ring.close()

    def stalled(self, now: float) -> bool:
        """Whether frames have stopped although the sender lives."""
        limit = max(STALLED_AFTER_S, STALLED_AFTER_DWELLS * (self.info.dwell_s or 0.0))
        return self.finish_reason is None and now - self.last_frame_s > limit

    def tick(self, now: float) -> list[ToSender]:
        """What is due without a message: acknowledgements, credit, the last word, the loss of the sender."""
        if self.is_over:
            return []
        failure = self.session.failure()
        if failure is not None:
            self.end(FinishReason.FAILED)
            self.finish_reason = FinishReason.FAILED
            self.is_over = True
            return [self.refusal(RefusalCode.FAILED, str(failure))]
        if self.finish_reason is not None:
            if not self.session.drained():
                return []
            self.is_over = True
            return [self._ack(end=True)]
        if now - self.last_message_s > LOST_AFTER_S:
            self.end(FinishReason.STREAM_LOST)
            self.is_over = True
            return [self.refusal(RefusalCode.LOST, _lost_text(self.counters.frames_received))]
        told = (self.session.durable().total, self._credit())
        if told != self._told and now - self._last_ack_s >= ACK_PERIOD_S:
            self._told, self._last_ack_s = told, now
            return [self._ack(end=False)]
        return []

    def refusal(self, code: RefusalCode, text: str) -> Refused:
        """The scan is over for the sender, and why."""
        return Refused(
            scan_id=self.info.scan_id,
            seq=self._next_seq(),
            code=code,
            reason=text[:2000],
            final=True,
            seq_seen=self.seq_seen,
        )

    def _again(self, code: RefusalCode, text: str, message: Frames) -> Refused:
        wanted = ((message.first_frame, message.first_frame + message.count),)
        return Refused(
            scan_id=self.info.scan_id,
            seq=self._next_seq(),
            code=code,
            reason=text[:2000],
            resend=wanted,
            seq_seen=self.seq_seen,
        )

    def _ack(self, end: bool) -> Ack:
        durable = self.session.durable()
        below = durable.below
        return Ack(
            scan_id=self.info.scan_id,
            seq=self._next_seq(),
            below=below,
            ranges=tuple(pair for pair in durable if pair[0] > below)[:MAX_RANGES],
            credit=self._credit(),
            seq_seen=self.seq_seen,
            end=end,
            finish_reason=self.finish_reason.value if self.finish_reason else None,
        )

    def _credit(self) -> int:
        return self.session.ring.free_slots()

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq - 1


def _lost_text(n_frames: int) -> str:
    return f"The sender was silent for {LOST_AFTER_S:g} s. {n_frames} frames had arrived and are kept."


def snapshot_of(counters: FrameCounters) -> FrameCounters:
    """A copy that another thread may read."""
    return replace(counters)
