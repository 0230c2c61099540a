"""What the engine answers to each message of a sender: the protocol's receiving side without socket or clock.

`ScanStream` is the logic of one scan; `docs/protocol.md`, part 1, is its text.
"""

from dataclasses import dataclass, field, replace
from importlib.metadata import version

import numpy as np

from streamer.errors import WireError
from streamer.model import FinishReason, FrameCounters, ScanInfo
from streamer.receive.scan_map import n_mapped, scan_indices_of
from streamer.receive.scan_session import ScanSession
from streamer.wire.codec import CrcError, unpack_frames
from streamer.wire.messages import (
    MAX_RANGES,
    MAX_REASON_CHARS,
    Ack,
    End,
    EndReason,
    FrameFlag,
    Frames,
    Heartbeat,
    Ready,
    RefusalCode,
    Refused,
    ToSender,
)
from streamer.wire.sequence import FrameSequence

LOST_AFTER_S = 4.8
"""Without any message, heartbeats included; with the time to say so it is within 5 s of the last one."""
PAUSED_AFTER_S = 1.0
TICKS_AFTER_PAUSE = 10
"""When this process itself stood still (a suspended computer), what the sender said meanwhile is heard first."""
STALLED_AFTER_S = 2.0
STALLED_AFTER_DWELLS = 20
ACK_PERIOD_S = 0.02
ACK_AGAIN_S = 1.0
"""An acknowledgement that says nothing new goes out this often: a sender that waits for credit for messages
that were lost on the way learns from it that they were."""

MAX_ASK_PARTS = 32
MAX_ASKS = 3
"""How often in a row missing frames are asked for in vain: ends may cross requests on the way."""

_REASONS = {
    EndReason.COMPLETE: FinishReason.COMPLETED,
    EndReason.ABORTED: FinishReason.STOPPED,
    EndReason.ERROR: FinishReason.FAILED,
}


@dataclass
class ScanStream:
    """One scan from the receiver's side; one thread calls it.

    Attributes
    ----------
    finish_reason
        Set when the stream has ended; the ring is closed then.
    last_word
        What the sender is told at the very end, and again whenever it asks; None before.
    host_knows
        Whether the host has been told of the end; for the receiver.
    """

    info: ScanInfo
    session: ScanSession
    now: float
    counters: FrameCounters = field(init=False)
    sequence: FrameSequence = field(init=False)
    finish_reason: FinishReason | None = None
    last_word: Ack | Refused | None = None
    host_knows: bool = False
    seq_seen: int = 0
    last_message_s: float = 0.0
    last_frame_s: float = 0.0
    _seq: int = 0
    _last_ack_s: float = 0.0
    _told: tuple[int, int, int] = (-1, -1, -1)
    _n_asked: int = 0
    _n_here_when_asked: int = -1
    _surplus_told: bool = False
    _n_sent: int = 0
    _ticks: int = TICKS_AFTER_PAUSE

    def __post_init__(self) -> None:
        self.last_message_s = self.last_frame_s = self._last_ack_s = self._last_tick_s = self.now
        earlier = self.session.earlier
        self.counters, self.sequence = replace(earlier.counters), FrameSequence(earlier.frames)

    def started(self, seq: int, now: float) -> Ready:
        """The answer to a start message: the first one, or that of a sender that comes back.

        Its messages count from `seq` on: what it sent before has come or never will.
        """
        self.last_message_s = self.last_frame_s = now
        self.seq_seen = seq
        return Ready(
            scan_id=self.info.scan_id,
            seq=self._next_seq(),
            credit=self._credit(),
            seq_seen=self.seq_seen,
            stored=tuple(self.sequence.seen)[:MAX_RANGES],
            software=f"livestem {version('livestem')}",
        )

    def heard(self, seq: int, now: float) -> None:
        """Note that a message of the scan came."""
        self.last_message_s = now
        self.seq_seen = max(self.seq_seen, seq)

    def heartbeat(self) -> Heartbeat:
        """The engine lives."""
        return Heartbeat(scan_id=self.info.scan_id, seq=self._next_seq())

    def counted(self) -> FrameCounters:
        """A copy of the counters; while frames come, those are missing that later ones have overtaken."""
        if self.finish_reason is not None:
            return replace(self.counters)
        n_gaps = self.sequence.highest + 1 - self.sequence.seen.total
        return replace(self.counters, frames_missing=n_gaps)

    def take_frames(self, message: Frames, now: float) -> list[ToSender]:
        """Put new frames into the ring; the answer only where something is wrong.

        A payload of another length than announced ends the scan: every further frame would be wrong too, and
        the operator should know at once. Damaged frames are asked for again, surplus ones left out.
        """
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
            return [self.refuse_for_good(RefusalCode.INVALID, str(error))]
        n_announced = max(0, min(message.count, self.info.n_frames - message.first_frame))
        replies = self._without_surplus(message, n_announced)
        return replies + self._place(message, frames[:n_announced], now) if n_announced else replies

    def _without_surplus(self, message: Frames, n_announced: int) -> list[ToSender]:
        """Count frames past the announced end, and say so once; the scan goes on."""
        self.counters.frames_invalid += message.count - n_announced
        if n_announced == message.count or self._surplus_told:
            return []
        self._surplus_told = True
        text = (
            f"Frame {message.first_frame + message.count - 1} was sent, the start message announced "
            f"{self.info.n_frames} frames. Expected no more than announced. Correct the number of frames. "
            "Frames past it are left out, the others are kept."
        )
        return [self._refused(RefusalCode.INVALID, text)]

    def _place(self, message: Frames, frames: np.ndarray, now: float) -> list[ToSender]:
        if len(frames) > self.session.ring.free_slots():
            text = f"{message.count} frames came without credit. Send them again when there is credit."
            return [self._again(RefusalCode.NO_CREDIT, text, message)]
        arrival = self.sequence.take(message.first_frame, len(frames))
        counters = self.counters
        counters.frames_received += len(frames) - arrival.n_repeated
        counters.frames_late += arrival.n_late
        counters.frames_repeated += arrival.n_repeated
        indices = np.arange(message.first_frame, message.first_frame + len(frames))
        places = scan_indices_of(self.info, indices)
        if FrameFlag.DISCARD in message.flags:
            counters.frames_discarded += len(frames) - arrival.n_repeated
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
        """The sender has nothing more; frames that it sent and that did not come are asked for."""
        if self.finish_reason is not None:
            return []
        self.counters.frames_dropped_by_sender = message.frames_dropped_by_sender
        self._n_sent = message.frames_sent + message.frames_dropped_by_sender
        if message.scales:
            self.session.learn(message.scales)
        n_here = self.sequence.seen.total
        if (
            message.reason is EndReason.COMPLETE
            and n_here < min(message.frames_sent, self.info.n_frames)
            and self._may_ask_again(n_here)
        ):
            text = f"{message.frames_sent} frames were sent, {n_here} arrived. Send the others again."
            return [self._refused(RefusalCode.INCOMPLETE, text, resend=part) for part in self._gaps()]
        self.end(_REASONS[message.reason])
        return []

    def _gaps(self) -> list[tuple[tuple[int, int], ...]]:
        """Frames that have not come, in parts that fit into a message; the next ones each time they are asked for."""
        gaps = tuple(self.sequence.seen.gaps(0, self._n_expected()))
        parts = [gaps[first : first + MAX_RANGES] for first in range(0, len(gaps), MAX_RANGES)]
        begin = (self._n_asked - 1) * MAX_ASK_PARTS % len(parts)
        return (parts[begin:] + parts[:begin])[:MAX_ASK_PARTS]

    def _may_ask_again(self, n_here: int) -> bool:
        self._n_asked = self._n_asked + 1 if n_here == self._n_here_when_asked else 1
        self._n_here_when_asked = n_here
        return self._n_asked <= MAX_ASKS

    def end(self, reason: FinishReason) -> None:
        """Nothing more comes: close the ring, count what is missing."""
        if self.finish_reason is None:
            self.finish_reason = reason
            expected = n_mapped(self.info, self._n_expected())
            here = (
                self.counters.frames_received - self.counters.frames_flyback - self.counters.frames_discarded
            )
            self.counters.frames_missing = max(0, expected - here)
            self.session.ring.close()

    def _n_expected(self) -> int:
        """Frames that the scan has, as far as that is known."""
        if not self.info.open_ended:
            return self.info.n_frames
        return min(max(self._n_sent, self.sequence.highest + 1), self.info.n_frames)

    def stalled(self, now: float) -> bool:
        """Whether frames have stopped although the sender lives."""
        limit = max(STALLED_AFTER_S, STALLED_AFTER_DWELLS * (self.info.dwell_s or 0.0))
        return self.finish_reason is None and now - self.last_frame_s > limit

    def tick(self, now: float) -> list[ToSender]:
        """What is due without a message: acknowledgements, credit, the last word, the loss of the sender."""
        if self.is_over:
            return []
        # In this order: what has failed is drained too, and must not be called durable.
        is_drained = self.finish_reason is not None and self.session.drained()
        failure = self.session.failure()
        if failure is not None:
            self.end(FinishReason.FAILED)
            self.finish_reason = FinishReason.FAILED
            return [self.refuse_for_good(RefusalCode.FAILED, str(failure))]
        if self.finish_reason is not None:
            if not is_drained:
                return []
            self.last_word = self._ack(end=True)
            return [self.last_word]
        if self._is_lost(now):
            self.end(FinishReason.STREAM_LOST)
            return [self.refuse_for_good(RefusalCode.LOST, _lost_text(self.counters.frames_received))]
        since_ack_s = now - self._last_ack_s
        if since_ack_s < ACK_PERIOD_S:
            return []
        told = (self.session.durable().total, self._credit(), self.seq_seen)
        if told == self._told and since_ack_s < ACK_AGAIN_S:
            return []
        self._told, self._last_ack_s = told, now
        return [self._ack(end=False)]

    @property
    def is_over(self) -> bool:
        """Whether the sender has been told the last word."""
        return self.last_word is not None

    @property
    def may_go_on(self) -> bool:
        """Whether the same scan may be started again: it was neither completed nor given up by anybody."""
        return self.finish_reason in {FinishReason.STREAM_LOST, FinishReason.FAILED}

    def refuse_for_good(self, code: RefusalCode, text: str, resume: bool = False) -> Refused:
        """The scan is over for the sender, and why; one that was thought lost may come back."""
        self.last_word = self._refused(code, text, final=True, resume=resume or code is RefusalCode.LOST)
        return self.last_word

    def _is_lost(self, now: float) -> bool:
        self._ticks = 0 if now - self._last_tick_s > PAUSED_AFTER_S else self._ticks + 1
        self._last_tick_s = now
        return now - self.last_message_s > LOST_AFTER_S and self._ticks >= TICKS_AFTER_PAUSE

    def _again(self, code: RefusalCode, text: str, message: Frames) -> Refused:
        stop = min(message.first_frame + message.count, self.info.n_frames)
        return self._refused(code, text, resend=((message.first_frame, stop),))

    def _refused(
        self,
        code: RefusalCode,
        text: str,
        resend: tuple[tuple[int, int], ...] = (),
        final: bool = False,
        resume: bool = False,
    ) -> Refused:
        return Refused(
            scan_id=self.info.scan_id,
            seq=self._next_seq(),
            code=code,
            reason=text[:MAX_REASON_CHARS],
            final=final,
            resume=resume,
            resend=resend,
            seq_seen=self.seq_seen,
        )

    def _ack(self, end: bool) -> Ack:
        durable = self.session.durable()
        below = durable.below
        return Ack(
            scan_id=self.info.scan_id,
            seq=self._next_seq(),
            below=below,
            # The newest, where there are too many: a sender has been told of the others.
            ranges=tuple(pair for pair in durable if pair[0] > below)[-MAX_RANGES:],
            credit=self._credit(),
            seq_seen=self.seq_seen,
            end=end,
            finish_reason=self.finish_reason.value if self.finish_reason else None,
        )

    def _credit(self) -> int:
        return self.session.ring.promised_slots()

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq - 1


def _lost_text(n_frames: int) -> str:
    return (
        f"The sender was silent for {LOST_AFTER_S:g} s. {n_frames} frames had arrived and are kept. "
        "A start message of the same scan continues it."
    )
