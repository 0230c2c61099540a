"""The sending side of the native stream: what a detector bridge does, with a scan file as its detector.

Frames are kept (here: in the file) until they are acknowledged. docs/protocol.md, part 1, is the text.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray

from streamer.errors import (
    EngineUnreachable,
    LivestemError,
    RecordingError,
    ScanStopped,
    SettingsError,
    StreamLost,
)
from streamer.formats.scan_file import ScanFile
from streamer.model import FinishReason, ScanInfo, ScanOrder
from streamer.wire.codec import decode, encode, make_frames
from streamer.wire.messages import Ack, End, EndReason, Heartbeat, Ready, RefusalCode, Refused, Start
from streamer.wire.sequence import IntervalSet, runs

HEARTBEAT_S = 1.0
SILENT_AFTER_S = 5.0
LATENCY_CAP_S = 0.05
POLL_S = 0.05

_ERRORS: dict[RefusalCode, type[LivestemError]] = {
    RefusalCode.STOPPED: ScanStopped,
    RefusalCode.LOST: StreamLost,
    RefusalCode.UNKNOWN_SCAN: StreamLost,
    RefusalCode.FAILED: RecordingError,
    RefusalCode.CANNOT_START: RecordingError,
    RefusalCode.VERSION: SettingsError,
    RefusalCode.INVALID: SettingsError,
    RefusalCode.BUSY: StreamLost,
}
"""What a final refusal becomes; the class carries the exit code."""


@dataclass
class Sent:
    """How a scan was sent."""

    frames_sent: int = 0
    frames_resent: int = 0
    frames_dropped: int = 0
    frames_acknowledged: int = 0
    seconds: float = 0.0
    finish_reason: str = ""
    scan_id: str = ""


@dataclass
class _Flight:
    """Messages under way, as (seq, first frame, stop), and what the engine has said of them."""

    messages: list[tuple[int, int, int]] = field(default_factory=list)
    credit: int = 0

    def room(self) -> int:
        return self.credit - sum(stop - start for _, start, stop in self.messages)

    def granted(self, credit: int, seq_seen: int) -> None:
        self.credit = credit
        self.messages = [entry for entry in self.messages if entry[0] > seq_seen]

    def sent_after(self, seq_seen: int) -> list[tuple[int, int]]:
        return [(start, stop) for seq, start, stop in self.messages if seq > seq_seen]


class Sender:
    """Sends one scan file.

    Parameters
    ----------
    scan
        The file.
    endpoint
        Of the engine.
    context
        Of the socket.
    rate_hz
        Frames per second; None: as fast as credit allows.
    batch
        Most frames a message; fewer where they would wait longer than 50 ms.
    wait_s
        How long an engine that does not answer is waited for.
    """

    def __init__(
        self,
        scan: ScanFile,
        endpoint: str,
        context: zmq.Context[zmq.Socket[bytes]],
        rate_hz: float | None = None,
        batch: int = 16,
        wait_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scan, self._info, self._endpoint = scan, _as_held(scan.info), endpoint
        self._rate_hz, self._wait_s, self._clock = rate_hz, wait_s, clock
        self._batch = batch if rate_hz is None else max(1, min(batch, int(rate_hz * LATENCY_CAP_S)))
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.ROUTING_ID, uuid.uuid4().bytes)
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self._socket.close(0)
            raise SettingsError(
                f"{endpoint} is not an endpoint: {error.strerror or error}. Expected tcp://HOST:PORT."
            ) from None
        self._seq = 0
        self._flight = _Flight()
        # A position that the file does not have is not sent: its undefined content would become data.
        self._to_send = IntervalSet(runs(np.flatnonzero(scan.received)))
        self._was_sent = IntervalSet()
        self._sent = Sent(
            scan_id=self._info.scan_id, frames_dropped=self._info.n_frames - self._to_send.total
        )
        self._buffer: NDArray[Any] = np.empty((self._batch, *self._info.detector_shape), self._info.dtype)
        self._last_heard_s = self._last_heartbeat_s = clock()
        self._end_sent = False
        self._ended: Ack | None = None
        self._is_ready = False
        self._start_again = False

    def close(self) -> None:
        """Close the socket at once."""
        self._socket.close(0)

    def run(self, progress: Callable[[int], None] = lambda n_acknowledged: None) -> Sent:
        """Send the whole scan; returns when the engine has acknowledged its end.

        Raises
        ------
        EngineUnreachable
            Nobody answered, or the engine fell silent.
        LivestemError
            The engine refused; the class by the reason.
        """
        self._start()
        begin = self._clock()
        n_paced = 0
        while self._ended is None:
            now = self._clock()
            count = self._next_count(n_paced, now - begin)
            if count:
                n_paced += self._send_batch(count)
                self._hear(0.0)
            else:
                if not self._to_send and not self._end_sent:
                    self._send_end(EndReason.COMPLETE)
                self._hear(self._pause(n_paced, now - begin))
            self._keep_alive()
            progress(self._sent.frames_acknowledged)
        self._sent.seconds = self._clock() - begin
        self._sent.finish_reason = self._ended.finish_reason or ""
        if self._sent.finish_reason != FinishReason.COMPLETED:
            raise ScanStopped(
                f"The engine ended the scan as {self._sent.finish_reason}. What it received is kept."
            )
        return self._sent

    def abort(self) -> None:
        """Tell the engine that the scan is given up; does not wait for an answer longer than a moment."""
        self._socket.setsockopt(zmq.LINGER, 500)
        self._send_end(EndReason.ABORTED)
        self._socket.close()

    def _start(self) -> None:
        deadline = self._clock() + self._wait_s
        self._send(Start.of_scan(self._info, seq=self._next_seq()))
        while not self._is_ready:
            if self._start_again:
                self._start_again = False
                self._send(Start.of_scan(self._info, seq=self._next_seq()))
            if self._clock() >= deadline:
                raise EngineUnreachable(
                    f"No engine answered at {self._endpoint} within {self._wait_s:g} s. "
                    "Start `livestem serve` or `livestem monitor`, or check the endpoint. Nothing was sent."
                )
            self._hear(POLL_S)

    def _next_count(self, n_paced: int, elapsed_s: float) -> int:
        """Frames that may go now: by credit, by what is left, and by the rate."""
        if not self._to_send or self._flight.room() < 1:
            return 0
        start, stop = next(iter(self._to_send))
        count = min(self._batch, stop - start, self._flight.room())
        if self._rate_hz is None or n_paced + count <= elapsed_s * self._rate_hz:
            return count
        return 0

    def _pause(self, n_paced: int, elapsed_s: float) -> float:
        """How long nothing needs to be done."""
        if self._rate_hz is None or not self._to_send or self._flight.room() < 1:
            return POLL_S
        return min(POLL_S, max(0.0, (n_paced + self._batch) / self._rate_hz - elapsed_s))

    def _send_batch(self, count: int) -> int:
        start, _ = next(iter(self._to_send))
        stop = start + count
        frames = self._scan.read_block(start, stop, self._buffer)
        message = make_frames(self._info.scan_id, self._next_seq(), start, frames, self._clock())
        self._flight.messages.append((message.seq, start, stop))
        self._send(message)
        self._sent.frames_resent += count - self._was_sent.gaps(start, stop).total
        self._was_sent = self._was_sent.add(start, stop)
        self._sent.frames_sent = self._was_sent.total
        self._to_send = self._to_send.remove(start, stop)
        return count

    def _send_end(self, reason: EndReason) -> None:
        self._end_sent = True
        self._send(
            End(
                scan_id=self._info.scan_id,
                seq=self._next_seq(),
                reason=reason,
                frames_sent=self._sent.frames_sent,
                frames_dropped_by_sender=self._sent.frames_dropped,
            )
        )

    def _hear(self, wait_s: float) -> None:
        wait_ms = int(wait_s * 1000)
        while self._socket.poll(wait_ms):
            wait_ms = 0
            self._take(decode(list(self._socket.recv_multipart())))

    def _take(self, message: object) -> None:
        self._last_heard_s = self._clock()
        if isinstance(message, Ready):
            self._is_ready = True
            self._flight.granted(message.credit, message.seq_seen)
            for start, stop in message.stored:
                self._to_send = self._to_send.remove(start, stop)
        elif isinstance(message, Ack):
            self._flight.granted(message.credit, message.seq_seen)
            self._sent.frames_acknowledged = message.below + sum(b - a for a, b in message.ranges)
            if message.end:
                self._ended = message
        elif isinstance(message, Refused):
            self._take_refusal(message)

    def _take_refusal(self, message: Refused) -> None:
        if message.final:
            raise _ERRORS.get(message.code, StreamLost)(message.reason)
        if message.code is RefusalCode.BUSY:
            self._start_again = True
        wanted = IntervalSet(message.resend)
        # Only what went out before, and is not on its way again already.
        for start, stop in message.resend:
            for never_sent in self._was_sent.gaps(start, stop):
                wanted = wanted.remove(*never_sent)
        for again in self._flight.sent_after(message.seq_seen):
            wanted = wanted.remove(*again)
        self._to_send = self._to_send.union(wanted)
        if message.code in {RefusalCode.INCOMPLETE, RefusalCode.BAD_CRC, RefusalCode.NO_CREDIT}:
            self._end_sent = False

    def _keep_alive(self) -> None:
        now = self._clock()
        if now - self._last_heartbeat_s >= HEARTBEAT_S:
            self._last_heartbeat_s = now
            self._send(Heartbeat(scan_id=self._info.scan_id, seq=self._next_seq()))
        if now - self._last_heard_s > max(SILENT_AFTER_S, self._wait_s):
            raise StreamLost(
                f"The engine at {self._endpoint} has been silent for {now - self._last_heard_s:.0f} s. "
                f"{self._sent.frames_acknowledged} frames are acknowledged and safe there. "
                "Start the engine and send the scan again."
            )

    def _send(self, message: Any) -> None:
        self._socket.send_multipart(encode(message))

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq - 1


def _as_held(info: ScanInfo) -> ScanInfo:
    """A scan as files hold it: line after line from the left, without footer, flyback and skipped frames."""
    return replace(
        info,
        n_frames=info.n_positions,
        order=ScanOrder.RASTER,
        skip_first=0,
        skip_per_line=0,
        skip_per_scan=0,
        footer_rows=0,
    )
