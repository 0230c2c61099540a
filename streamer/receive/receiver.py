"""The receiver: the ROUTER socket that senders connect to, and the thread that serves it.

Reads: the socket. Writes: the ring of the session that its host makes. What each message means stands in
`streamer.receive.stream`.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import zmq

from streamer.errors import LivestemError, StreamLost, WireError
from streamer.model import FinishReason, FrameCounters, ScanInfo
from streamer.receive.scan_session import HostBusy, ScanSession
from streamer.receive.stream import ScanStream
from streamer.security.curve import STREAM, protect_server
from streamer.security.endpoints import bind
from streamer.security.keys import EngineKeys
from streamer.wire.codec import HeaderError, VersionError, decode, encode
from streamer.wire.messages import (
    MAX_PAYLOAD_BYTES,
    MAX_REASON_CHARS,
    End,
    Frames,
    Heartbeat,
    RefusalCode,
    Refused,
    Start,
    ToSender,
)

POLL_S = 0.02
TAKEOVER_AFTER_S = 2.0
"""A scan passes to another connection that knows its id only when its sender has missed two heartbeats."""
HEARTBEAT_S = 1.0
MAX_BURST = 64
"""Messages handled before acknowledgements are looked at again."""


class ScanHost(Protocol):
    """Who owns the scans: the engine. Both methods are called in the receiver's thread."""

    def open_scan(self, info: ScanInfo) -> ScanSession:
        """Make the session of a new scan; a LivestemError refuses it with its sentence.

        `HostBusy` asks the sender to send start again in a moment.
        """
        ...

    def scan_ended(self, reason: FinishReason, counters: FrameCounters) -> None:
        """The stream of the scan has ended, its ring is closed. Must return at once."""
        ...


@dataclass(frozen=True)
class ReceiverStatus:
    """What the receiver has seen; replaced, never changed.

    ``counters`` are those of the present or last scan; ``stalled`` says that its frames have stopped although
    the sender lives; ``refusal`` is the last sentence that a sender was refused with.
    """

    counters: FrameCounters = field(default_factory=FrameCounters)
    stalled: bool = False
    refusal: str = ""


class Receiver:
    """Serves senders, one scan at a time.

    Parameters
    ----------
    listen
        Endpoint to bind; ``tcp://127.0.0.1:*`` picks a free port.
    host
        Makes sessions and hears of ends.
    context
        Of the sockets.
    clock
        Seconds.
    security
        Keys that may connect; None: whoever reaches the endpoint may send.

    Raises
    ------
    SettingsError
        The endpoint cannot be bound.
    """

    def __init__(
        self,
        listen: str,
        host: ScanHost,
        context: zmq.Context[zmq.Socket[bytes]],
        clock: Callable[[], float] = time.monotonic,
        security: EngineKeys | None = None,
    ) -> None:
        self._host, self._clock = host, clock
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 500)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES)
        # A sender that gives itself a routing id stays the same sender when its connection comes back.
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        protect_server(self._socket, security, STREAM)
        self.endpoint = bind(self._socket, listen)
        # A message here ends the wait at once; the address is ours alone.
        self._wake_in = context.socket(zmq.PAIR)
        self._wake_in.bind(f"inproc://livestem-receiver-{id(self)}")
        self._wake_out = context.socket(zmq.PAIR)
        self._wake_out.connect(f"inproc://livestem-receiver-{id(self)}")
        self._wake_lock = threading.Lock()
        self._stream: ScanStream | None = None
        self._sender = b""
        self._messages_invalid = 0
        self._messages_stale = 0
        self._refusal = ""
        self._status = ReceiverStatus()
        self._last_heartbeat_s = clock()
        self._failure: BaseException | None = None
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="livestem-receiver")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def status(self) -> ReceiverStatus:
        """The newest status."""
        return self._status

    def stop_scan(self, reason: FinishReason) -> None:
        """End the scan that runs, from any thread; the sender is told."""
        self._wake(reason.value.encode())

    def close(self) -> None:
        """Stop the thread at once and close the sockets; may be called again."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._thread.ident is not None:
            self._wake(b"close")
            self._thread.join()
        for socket in (self._wake_in, self._wake_out, self._socket):
            socket.close()

    def raise_if_failed(self) -> None:
        """Raise what ended the thread.

        Raises
        ------
        StreamLost
            With the cause; frames that arrived before are kept.
        """
        if self._failure is not None:
            raise StreamLost(
                f"The receiver stopped: {self._failure}. What was received is kept. Start the engine again."
            ) from self._failure

    def _wake(self, word: bytes) -> None:
        with self._wake_lock:
            self._wake_out.send(word)

    def _run(self) -> None:
        try:
            poller = zmq.Poller()
            poller.register(self._socket, zmq.POLLIN)
            poller.register(self._wake_in, zmq.POLLIN)
            while True:
                poller.poll(int(POLL_S * 1000))
                if self._wake_in.poll(0):
                    word = self._wake_in.recv()
                    if word == b"close":
                        break
                    self._stop(FinishReason(word.decode()))
                self._take_burst()
                self._tick()
        except Exception as failure:  # kept for the owner
            self._failure = failure
        finally:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        """The engine ends in the middle of a scan: its sender may go on when there is one again."""
        stream = self._stream
        if stream is None or stream.finish_reason is not None:
            return
        self._end_stream(FinishReason.FAILED if self._failure else FinishReason.STOPPED)
        text = (
            "The engine is ending. What it received is kept. The same start message continues the scan there."
        )
        self._answer([stream.refuse_for_good(RefusalCode.STOPPED, text, resume=True)])

    def _take_burst(self) -> None:
        for _ in range(MAX_BURST):
            try:
                sender, *parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._handle(bytes(sender.buffer), [part.buffer for part in parts])

    def _handle(self, sender: bytes, parts: list[memoryview]) -> None:
        now = self._clock()
        try:
            message = decode(list(parts))
        except HeaderError as error:
            self._messages_invalid += 1
            is_version = isinstance(error, VersionError)
            code = RefusalCode.VERSION if is_version else RefusalCode.INVALID
            # A start message that cannot be used ends the matter; of another one the scan goes on.
            final = is_version or error.kind == "start"
            self._refuse(sender, error.scan_id, code, str(error), final=final)
            return
        except WireError:
            self._messages_invalid += 1
            return
        stream = self._stream
        if isinstance(message, Start):
            self._open(sender, message, now)
        elif stream is None or message.scan_id != stream.info.scan_id:
            self._messages_stale += 1
            text = f"Scan {message.scan_id} is not running here. Send start, first or again."
            self._refuse(sender, message.scan_id, RefusalCode.UNKNOWN_SCAN, text, resume=True)
        elif stream.last_word is not None:
            self._messages_stale += 1
            self._send(sender, stream.last_word)
        elif sender != self._sender:
            self._refuse(sender, message.scan_id, RefusalCode.BUSY, self._busy_text())
        else:
            stream.heard(message.seq, now)
            if isinstance(message, Frames):
                self._answer(stream.take_frames(message, now))
            elif isinstance(message, End):
                self._answer(stream.take_end(message))
            elif not isinstance(message, Heartbeat):
                self._messages_invalid += 1  # a message that only the engine sends
            self._tell_host_if_ended()

    def _open(self, sender: bytes, message: Start, now: float) -> None:
        info, stream = message.scan_info(), self._stream
        if stream is not None and info.continues(stream.info):
            if stream.last_word is None and stream.finish_reason is not None:
                text = "The end of this scan is being written. Expected it to be done soon. Send start again then."
                self._refuse(sender, info.scan_id, RefusalCode.BUSY, text, final=False)
                return
            if stream.last_word is None:
                if sender != self._sender and now - stream.last_message_s < TAKEOVER_AFTER_S:
                    self._refuse(sender, info.scan_id, RefusalCode.BUSY, self._busy_text(), final=False)
                    return
                # Its sender asks again, or comes back, perhaps as another process.
                self._sender = sender
                self._answer([stream.started(message.seq, now)])
                return
            if not stream.may_go_on:
                self._send(sender, stream.last_word)  # it was told before, and that did not arrive
                return
        if stream is not None and not stream.is_over:
            if sender != self._sender:
                self._refuse(sender, message.scan_id, RefusalCode.BUSY, self._busy_text())
                return
            self._end_stream(FinishReason.STOPPED)
        try:
            session = self._host.open_scan(info)
        except HostBusy as error:
            self._refuse(sender, message.scan_id, RefusalCode.BUSY, str(error), final=False)
            return
        except LivestemError as error:
            self._refuse(sender, message.scan_id, RefusalCode.CANNOT_START, str(error))
            return
        except Exception as error:  # one scan that cannot be begun must not end the engine for all others
            text = (
                f"The scan cannot be begun: {type(error).__name__}: {error}. Expected one that fits into this "
                "computer's memory and disk. This is said in the engine's log. Nothing was recorded yet."
            )
            self._refuse(sender, message.scan_id, RefusalCode.CANNOT_START, text)
            return
        self._sender = sender
        self._stream = stream = ScanStream(info, session, now)
        self._messages_invalid = self._messages_stale = 0
        self._publish(now)
        self._answer([stream.started(message.seq, now)])

    def _busy_text(self) -> str:
        scan = self._stream.info.scan_id if self._stream else ""
        return (
            f"Another sender's scan {scan} is running. Expected one sender at a time. "
            "Send start again when it has ended."
        )

    def _stop(self, reason: FinishReason) -> None:
        stream = self._stream
        if stream is None or stream.finish_reason is not None:
            return
        self._end_stream(reason)
        text = "The scan was stopped at the engine. What was received is kept."
        self._answer([stream.refuse_for_good(RefusalCode.STOPPED, text)])

    def _end_stream(self, reason: FinishReason) -> None:
        if self._stream is not None:
            self._stream.end(reason)
            self._tell_host_if_ended()

    def _tell_host_if_ended(self) -> None:
        stream = self._stream
        if stream is not None and stream.finish_reason is not None and not stream.host_knows:
            stream.host_knows = True
            self._host.scan_ended(stream.finish_reason, self._counters())

    def _tick(self) -> None:
        now = self._clock()
        if self._stream is not None:
            self._answer(self._stream.tick(now))
            self._tell_host_if_ended()
        if now - self._last_heartbeat_s >= HEARTBEAT_S:
            self._last_heartbeat_s = now
            if self._stream is not None and not self._stream.is_over:
                self._send(self._sender, self._stream.heartbeat())
        self._publish(now)

    def _publish(self, now: float) -> None:
        stalled = self._stream is not None and self._stream.stalled(now)
        self._status = ReceiverStatus(self._counters(), stalled, self._refusal)

    def _counters(self) -> FrameCounters:
        counters = self._stream.counted() if self._stream else FrameCounters()
        return replace(counters, messages_invalid=self._messages_invalid, messages_stale=self._messages_stale)

    def _answer(self, replies: list[ToSender]) -> None:
        for reply in replies:
            if isinstance(reply, Refused):
                self._refusal = reply.reason
            self._send(self._sender, reply)

    def _refuse(
        self,
        sender: bytes,
        scan_id: str,
        code: RefusalCode,
        text: str,
        final: bool = True,
        resume: bool = False,
    ) -> None:
        """Answer what belongs to no stream of ours."""
        self._refusal = text
        refused = Refused(
            scan_id=scan_id, seq=0, code=code, reason=text[:MAX_REASON_CHARS], final=final, resume=resume
        )
        self._send(sender, refused)

    def _send(self, sender: bytes, message: ToSender) -> None:
        try:
            self._socket.send_multipart([sender, *encode(message)], zmq.NOBLOCK)
        except zmq.Again:
            pass  # a sender that does not read: the next acknowledgement says all that this one did
