"""The sending side of the native stream: what a detector bridge does, with a scan file as its detector.

Frames are kept (here: in the file) until they are acknowledged. docs/protocol.md, part 1, is the text.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import zmq
from numpy.typing import NDArray

from simulators.faults import Faults, FaultyLink
from simulators.flight import Flight
from simulators.plan import Plan
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
from streamer.security.curve import protect_client
from streamer.security.keys import ClientKeys
from streamer.wire.codec import Part, decode, encode, make_frames
from streamer.wire.messages import (
    NO_SCAN,
    Ack,
    End,
    EndReason,
    Heartbeat,
    Ready,
    RefusalCode,
    Refused,
    Start,
)
from streamer.wire.sequence import IntervalSet, runs

HEARTBEAT_S = 1.0
START_PERIOD_S = 0.5
END_PERIOD_S = 2.0
"""The end message is said again so often: it may be lost where a connection breaks for a moment."""
SILENT_AFTER_S = 5.0
STOOD_STILL_S = 2.0
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


class Growth(Protocol):
    """A source that is still being written."""

    def frames(self) -> IntervalSet:
        """Frames that are there now."""
        ...

    def end(self) -> EndReason | None:
        """Why nothing more will come; None while something may."""
        ...


class Sender:
    """Sends one scan file; through breaks of the connection and restarts of the engine too.

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
    faults
        What goes wrong on purpose.
    said
        Takes sentences for the operator.
    keys
        For an engine that was started with keys.
    growth
        Where `scan` is still being written; None: it is whole.
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
        faults: Faults | None = None,
        said: Callable[[str], None] = lambda sentence: None,
        keys: ClientKeys | None = None,
        growth: Growth | None = None,
    ) -> None:
        self._keys, self._growth = keys, growth
        self._scan, self._info, self._endpoint = scan, _as_held(scan.info), endpoint
        self._context, self._rate_hz, self._wait_s, self._clock = context, rate_hz, wait_s, clock
        self._batch = batch if rate_hz is None else max(1, min(batch, int(rate_hz * LATENCY_CAP_S)))
        self._faults, self._said = faults or Faults(), said
        self._link = FaultyLink(self._faults)
        self._identity = _new_identity()
        self._socket = self._connected()
        self._seq = 0
        self._flight = Flight()
        # A position that the file does not have is not sent: its undefined content would become data.
        available = growth.frames() if growth else IntervalSet(runs(np.flatnonzero(scan.received)))
        for dropped in self._faults.dropped(self._info.n_frames):
            available = available.remove(*dropped)
        self._plan = Plan(available)
        self._sent = Sent(scan_id=self._info.scan_id, frames_dropped=self._info.n_frames - available.total)
        self._buffer: NDArray[Any] = np.empty((self._batch, *self._info.detector_shape), self._info.dtype)
        self._began_s: float | None = None
        self._n_paced = 0
        self._waiting_since_s = self._last_heard_s = self._last_heartbeat_s = self._last_turn_s = clock()
        self._last_start_s = -np.inf
        self._stall_until_s: float | None = None
        self._has_restarted = False
        self._is_ready = False
        self._busy_text = ""
        self._end_sent_s = -np.inf
        self._ended: Ack | None = None

    def close(self) -> None:
        """Close the socket at once."""
        self._socket.close(0)

    def run(self, progress: Callable[[int], None] = lambda n_acknowledged: None) -> Sent:
        """Send the whole scan; returns when the engine has acknowledged its end.

        Raises
        ------
        EngineUnreachable
            Nobody answered.
        StreamLost
            The engine went away and did not come back in time.
        LivestemError
            The engine refused; the class by the reason.
        """
        begin = self._clock()
        while self._ended is None:
            self._follow_growth()
            if self._is_ready:
                self._send_what_is_due()
            else:
                self._ask_to_start()
            self._keep_alive()
            progress(self._sent.frames_acknowledged)
        self._sent.seconds = self._clock() - (self._began_s or begin)
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

    def _connected(self) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.ROUTING_ID, self._identity)
        # Nothing is queued for an engine that is away: it would find stale frames when it comes back.
        socket.setsockopt(zmq.IMMEDIATE, 1)
        protect_client(socket, self._keys)
        try:
            socket.connect(self._endpoint)
        except zmq.ZMQError as error:
            socket.close(0)
            raise SettingsError(
                f"{self._endpoint} is not an endpoint: {error.strerror or error}. Expected tcp://HOST:PORT."
            ) from None
        return socket

    def _ask_to_start(self) -> None:
        """Send the start message until the engine answers; the same one continues a scan."""
        now = self._clock()
        start_due = now - self._last_start_s >= START_PERIOD_S
        if start_due and self._send(Start.of_scan(self._info, seq=self._next_seq())):
            self._last_start_s = now
        self._hear(POLL_S)
        if not self._is_ready and self._ended is None and now - self._waiting_since_s >= self._wait_s:
            raise self._nobody_answers()

    def _nobody_answers(self) -> LivestemError:
        if self._busy_text:
            return StreamLost(f"{self._busy_text} It was waited for {self._wait_s:g} s.")
        if self._began_s is None:
            return EngineUnreachable(
                f"No engine answered at {self._endpoint} within {self._wait_s:g} s. "
                "Start `livestem serve` or `livestem monitor`, or check the endpoint and the keys. Nothing was sent."
            )
        return StreamLost(
            f"The engine at {self._endpoint} has been silent for {self._clock() - self._last_heard_s:.0f} s. "
            f"{self._sent.frames_acknowledged} frames are acknowledged and safe there. Start the engine, then "
            f"continue with --scan-id {self._info.scan_id}."
        )

    def _wait_again(self, reconnect: bool) -> None:
        """Ask to start again: the engine went away, or has forgotten us."""
        self._is_ready = False
        self._waiting_since_s, self._last_start_s = self._clock(), -np.inf
        if reconnect:
            self._link.flush()  # thrown away: the engine will say what it has
            self._socket.close(0)
            self._socket = self._connected()

    def _send_what_is_due(self) -> None:
        self._follow_faults()
        count = self._next_count()
        if count and self._send_batch(count):
            self._hear(0.0)
            return
        if not self._plan.to_send or self._flight.room() < 1:
            self._release_held()
        reason = self._growth.end() if self._growth else EndReason.COMPLETE
        if not self._plan.to_send and reason and self._clock() - self._end_sent_s >= END_PERIOD_S:
            self._send_end(reason)
        self._hear(self._pause())

    def _follow_growth(self) -> None:
        if self._growth is not None:
            available = self._growth.frames()
            self._plan.extend(available)
            self._sent.frames_dropped = self._info.n_frames - available.total

    def _follow_faults(self) -> None:
        """Stop, break the connection or pause where that was asked for."""
        faults, n_sent = self._faults, self._plan.was_sent.total
        share = n_sent / self._info.n_frames
        if faults.stop is not None and share >= faults.stop:
            raise ScanStopped(
                f"--fault stop: silent after {n_sent} frames, as asked. The engine was not told; "
                f"{self._sent.frames_acknowledged} frames are acknowledged and safe there."
            )
        if faults.restart is not None and share >= faults.restart and not self._has_restarted:
            self._has_restarted = True
            self._identity = _new_identity()
            self._said("--fault restart: the connection is broken and made anew.")
            self._wait_again(reconnect=True)
        if faults.stall_s and share >= 0.5 and self._stall_until_s is None:
            self._stall_until_s = self._clock() + faults.stall_s

    def _next_count(self) -> int:
        """Frames that may go now: by credit, by what is left, and by the rate."""
        now = self._clock()
        is_stalled = self._stall_until_s is not None and now < self._stall_until_s
        if not self._is_ready or not self._plan.to_send or is_stalled:
            return 0
        start, stop = self._plan.first()
        count = min(self._batch, stop - start, self._flight.room())
        is_paced = self._rate_hz is not None and start not in self._plan.was_sent
        if count < 1 or (is_paced and self._n_paced + count > self._elapsed_s(now) * (self._rate_hz or 0)):
            return 0
        return count

    def _elapsed_s(self, now: float) -> float:
        return now - (now if self._began_s is None else self._began_s)

    def _pause(self) -> float:
        """How long nothing needs to be done."""
        if self._rate_hz is None or not self._plan.to_send or self._flight.room() < 1:
            return POLL_S
        due_s = (self._n_paced + self._batch) / self._rate_hz
        return min(POLL_S, max(0.0, due_s - self._elapsed_s(self._clock())))

    def _send_batch(self, count: int) -> bool:
        """Whether the frames went; not where the engine is away or reads nothing."""
        start, _ = self._plan.first()
        stop = start + count
        frames = self._scan.read_block(start, stop, self._buffer)
        message = make_frames(self._info.scan_id, self._next_seq(), start, frames, self._clock())
        if not self._send(message):
            return False
        self._flight.sent(message.seq, start, stop)
        self._n_paced += self._plan.sent(start, stop)
        self._sent.frames_sent, self._sent.frames_resent = self._plan.was_sent.total, self._plan.n_resent
        return True

    def _send_end(self, reason: EndReason) -> None:
        # A file that grew may have got its XML since: what the start message said of scales is said again.
        scales = self._scan.info.scales if self._growth else {}
        if "scan_step_yx_nm" in scales:
            scales["scan_step_yx_nm"] = tuple(scales["scan_step_yx_nm"])
        end = End(
            scan_id=self._info.scan_id,
            seq=self._next_seq(),
            reason=reason,
            frames_sent=self._plan.n_known,
            frames_dropped_by_sender=self._sent.frames_dropped,
            **scales,
        )
        if self._send(end):
            self._end_sent_s = self._clock()

    def _hear(self, wait_s: float) -> None:
        wait_ms = int(wait_s * 1000)
        while self._socket.poll(wait_ms):
            wait_ms = 0
            self._take(decode(list(self._socket.recv_multipart())))

    def _take(self, message: Any) -> None:
        if message.scan_id not in (self._info.scan_id, NO_SCAN):
            return
        self._last_heard_s = self._clock()
        if isinstance(message, Ready):
            self._take_ready(message)
        elif isinstance(message, Ack):
            self._flight.granted(message.credit, message.seq_seen)
            self._sent.frames_acknowledged = message.below + sum(b - a for a, b in message.ranges)
            if message.end:
                self._ended = message
        elif isinstance(message, Refused):
            self._take_refusal(message)

    def _take_ready(self, message: Ready) -> None:
        """Send what the engine does not have: all of it at first, the rest when it comes back."""
        if self._is_ready:
            return  # the answer to a start message that was sent again
        self._is_ready, self._end_sent_s, self._busy_text = True, -np.inf, ""
        if self._began_s is None:
            self._began_s = self._clock()
        stored = IntervalSet(message.stored)
        if stored:
            self._said(f"The engine has {stored.total} frames of this scan already; the others follow.")
        self._plan.begin(stored)
        self._flight = Flight()
        self._flight.granted(message.credit, message.seq_seen)

    def _take_refusal(self, message: Refused) -> None:
        if message.final and message.resume:
            if self._is_ready:
                self._said(f"{message.reason} The scan is continued.")
                self._wait_again(reconnect=False)
            return
        if message.final:
            raise _ERRORS.get(message.code, StreamLost)(message.reason)
        if message.code is RefusalCode.BUSY:
            self._busy_text = message.reason
        self._plan.send_again(message.resend, self._flight.sent_after(message.seq_seen))
        if message.code in {RefusalCode.INCOMPLETE, RefusalCode.BAD_CRC, RefusalCode.NO_CREDIT}:
            self._end_sent_s = -np.inf

    def _keep_alive(self) -> None:
        now = self._clock()
        if now - self._last_turn_s > STOOD_STILL_S:
            self._last_heard_s = (
                now  # we stood still (suspended): what the engine said meanwhile is not read yet
            )
        self._last_turn_s = now
        if self._is_ready and now - self._last_heartbeat_s >= HEARTBEAT_S:
            self._last_heartbeat_s = now
            self._send(Heartbeat(scan_id=self._info.scan_id, seq=self._next_seq()))
        if self._is_ready and self._ended is None and now - self._last_heard_s > SILENT_AFTER_S:
            self._said(
                f"The engine at {self._endpoint} does not answer. It is waited for up to {self._wait_s:g} s; "
                f"{self._sent.frames_acknowledged} frames are acknowledged and safe there."
            )
            self._wait_again(reconnect=True)

    def _release_held(self) -> None:
        for parts in self._link.flush():
            self._send_parts(parts)

    def _send(self, message: Any) -> bool:
        """Whether the message is on its way (or its fault is)."""
        if isinstance(message, End):
            self._release_held()
        went = [self._send_parts(parts) for parts in self._link.pass_on(encode(message))]
        return all(went)

    def _send_parts(self, parts: list[Part]) -> bool:
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

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
        open_ended=False,
    )


def _new_identity() -> bytes:
    """A routing id of our own; ZeroMQ keeps those that begin with a zero byte for itself."""
    return b"\1" + uuid.uuid4().bytes[1:]
