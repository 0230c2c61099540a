"""The control socket: requests of viewers, answered from the newest snapshot and the recording.

Quick answers are given at once; those that read many patterns are computed beside, one after the other, so
that publishing never waits for them.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import zmq
from numpy.typing import NDArray

from streamer.errors import LivestemError, WireError
from streamer.formats.scan_file import ScanFile
from streamer.live.snapshot import LiveSnapshot
from streamer.security.curve import VIEW, may_change, protect_server
from streamer.security.endpoints import bind
from streamer.security.keys import EngineKeys
from streamer.serve.in_charge import CHARGE_METHODS, InCharge
from streamer.serve.job_progress import JobProgress
from streamer.serve.on_demand import mean_pattern, virtual_image
from streamer.serve.reading import Reading, cancelled
from streamer.wire.control import (
    VERSION,
    ControlMessage,
    ControlVersionError,
    NamedArray,
    decode,
    encode,
    request_number,
)

MAX_REQUEST_BYTES = 64 << 20
MAX_REQUESTS_AT_ONCE = 64
"""Answered before the engine does something else again, however many come."""
MAX_REPLIES_WAITING = 16
"""For a viewer that does not read them; further ones are dropped, so that it costs bounded memory."""
MAX_JOBS = 8
READING_METHODS = frozenset(
    {"hello", "state", "get", "pattern", "mean_pattern", "virtual_image", "health", "preview", "preview_mask"}
)
"""What a reader may ask for. Everything else counts as changing something, also what is added later."""
EDIT_METHODS = frozenset(
    {"preview", "split", "merge", "rename", "hide", "move", "undo", "redo", "save", "preview_mask", "locate"}
)
"""What takes a moment: computed beside, one after the other."""
Answer = tuple[tuple[NamedArray, ...], dict[str, Any]]
"""Arrays and fields of a reply."""


@dataclass
class _Job:
    """A request that is answered later."""

    identity: bytes
    request_id: int
    method: str
    future: Future[Answer]


class Served(Protocol):
    """What the control socket gives access to: an engine, or a finished result."""

    @property
    def snapshot(self) -> LiveSnapshot:
        """What is shown."""
        ...

    @property
    def scan_file(self) -> ScanFile | None:
        """Where patterns are read."""
        ...

    def state_object(self) -> dict[str, Any]:
        """The published state."""
        ...

    def health(self) -> dict[str, Any]:
        """Whether all is well."""
        ...

    def set_value(self, name: str, value: Any) -> None:
        """Follow another value set by hand; None: automatic."""
        ...

    def calibrate(self, measured: dict[str, Any]) -> None:
        """Take over sizes that the user has measured."""
        ...

    def stop_scan(self) -> None:
        """End the scan that runs."""
        ...

    def analyze_again(self, params: dict[str, Any]) -> None:
        """Analyse once more, as values set by hand want it; ``roi``: a region alone, None: all of it."""
        ...

    def cancel_analysis(self) -> None:
        """Cancel the analysis that runs."""
        ...

    def edit(self, method: str, params: dict[str, Any]) -> Answer:
        """Do one of `EDIT_METHODS`; called beside, one at a time."""
        ...

    def request_quit(self, when: str = "now") -> None:
        """End."""
        ...


class ControlServer:
    """The ROUTER socket; one thread calls `serve`.

    Parameters
    ----------
    endpoint, context
        Of the socket.
    served
        What is asked for and changed.
    security
        Keys that may connect; those of readers change nothing. None: whoever reaches the endpoint may.
    read_only
        Nobody changes anything.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context[zmq.Socket[bytes]],
        served: Served,
        security: EngineKeys | None = None,
        read_only: bool = False,
    ) -> None:
        self._served, self._security, self._read_only = served, security, read_only
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
        self._socket.setsockopt(zmq.SNDHWM, MAX_REPLIES_WAITING)
        self._socket.setsockopt(zmq.RCVHWM, MAX_REQUESTS_AT_ONCE)
        protect_server(self._socket, security, VIEW)
        self.endpoint = bind(self._socket, endpoint)
        self.in_charge = InCharge()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="livestem-on-demand")
        self._jobs: list[_Job] = []
        self._reading: Reading | None = None

    def serve(self, timeout_s: float) -> None:
        """Answer what has come; wait at most `timeout_s` for the first request."""
        wait_ms = int(timeout_s * 1000)
        for _ in range(MAX_REQUESTS_AT_ONCE):
            if not self._socket.poll(wait_ms):
                break
            wait_ms = 0
            # Not copied: a frame says which key its connection proved to hold.
            identity, *frames = self._socket.recv_multipart(copy=False)
            self._answer(identity.bytes, frames)
        for job in [job for job in self._jobs if job.future.done()]:
            self._jobs.remove(job)
            self._answer_job(job)

    @property
    def reading_progress(self) -> JobProgress | None:
        """Of the pass over the scan that a viewer has asked for; None where there is none."""
        reading = self._reading
        return reading.progress if reading is not None else None

    def close(self) -> None:
        """Close the socket; what is computed beside is finished and thrown away."""
        self._beside.shutdown(cancel_futures=True)
        self._socket.close()

    def _answer_job(self, job: _Job) -> None:
        error: BaseException | None
        if job.future.cancelled():
            error = cancelled(job.method.replace("_", " "))
        else:
            error = job.future.exception()
        if isinstance(error, KeyError | TypeError | ValueError | IndexError):
            error = _unusable(error)
        if error is None:
            arrays, fields = job.future.result()
            self._reply(job.identity, job.request_id, arrays, **fields)
        else:
            self._refuse(job.identity, job.request_id, str(error))

    def _answer(self, identity: bytes, frames: list[zmq.Frame]) -> None:
        try:
            message = decode([frame.bytes for frame in frames])
        except ControlVersionError as error:
            self._refuse(identity, request_number(frames[0].bytes), str(error), versions=[VERSION])
            return
        except WireError as error:
            self._refuse(identity, 0, str(error))
            return
        request_id = message.header.get("id")
        if message.header["type"] != "request" or not isinstance(request_id, int):
            self._refuse(
                identity, 0, "A message without type 'request' and a whole-number id. Expected a request."
            )
            return
        try:
            self._check_right(identity, message.header.get("method"), frames[0])
            self._dispatch(identity, request_id, message, frames[0])
        except LivestemError as error:
            self._refuse(identity, request_id, str(error))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            self._refuse(identity, request_id, str(_unusable(error)))

    def _why_only_reading(self, frame: zmq.Frame) -> str:
        if self._read_only:
            return "this engine was started with --read-only"
        if self._security is not None and not may_change(self._security, frame):
            return "this viewer's key may only read"
        return ""

    def _check_right(self, identity: bytes, method: Any, frame: zmq.Frame) -> None:
        """Refuse to change anything for somebody who may only read, or while another viewer is in charge."""
        if isinstance(method, str) and method in READING_METHODS:
            return
        why = self._why_only_reading(frame)
        if not why:
            if method not in CHARGE_METHODS:
                self.in_charge.check_change(identity, str(method))
            return
        raise LivestemError(
            f"Request '{method}' was refused: {why}. Expected one of {', '.join(sorted(READING_METHODS))}. "
            "Ask whoever runs the engine. Nothing was changed."
        )

    def _dispatch(self, identity: bytes, request_id: int, message: ControlMessage, frame: zmq.Frame) -> None:
        method, params = message.header.get("method"), dict(message.header.get("params") or {})
        served = self._served
        if method == "state":
            self._reply(identity, request_id, (), state=served.state_object())
        elif method == "health":
            self._reply(identity, request_id, (), health=served.health())
        elif method == "hello":
            can_change = not self._why_only_reading(frame)
            said = (params.get("name"), params.get("token"), can_change, params.get("takes_free") is True)
            self._reply(identity, request_id, (), **self.in_charge.hello(identity, *said))
        elif method in CHARGE_METHODS:
            self.in_charge.answer(identity, method, params)
            self._reply(identity, request_id, ())
        elif method == "get":
            self._reply(identity, request_id, self._arrays(params))
        elif method == "pattern":
            y, x = int(params["y"]), int(params["x"])
            self._check_received(y, x)
            pattern = self._scan().pattern(y, x).astype(np.float32)
            self._reply(identity, request_id, (NamedArray("pattern", pattern),))
        elif method in ("mean_pattern", "virtual_image"):
            self._begin_computation(identity, request_id, method, message.array("mask"))
        elif method in EDIT_METHODS:
            self._begin_job(identity, request_id, served.edit, method, params)
        else:
            self._command(method, params)
            self._reply(identity, request_id, ())

    def _command(self, method: Any, params: dict[str, Any]) -> None:
        served = self._served
        if method == "set":
            served.set_value(str(params["name"]), params["value"])
        elif method == "release":
            served.set_value(str(params["name"]), None)
        elif method == "calibrate":
            served.calibrate(params)
        elif method == "stop":
            served.stop_scan()
        elif method == "analyze":
            served.analyze_again(params)
        elif method == "cancel":
            self._cancel()
        elif method == "shutdown":
            served.request_quit("idle" if params.get("when") == "idle" else "now")
        else:
            raise LivestemError(
                f"Request '{method}' is unknown to this engine. Use the same version on both sides."
            )

    def _cancel(self) -> None:
        """End what is computed; of what waits, whatever changes nothing."""
        reading = self._reading
        if reading is not None:
            reading.cancel()
        waiting = [job for job in self._jobs if job.method in READING_METHODS and job.future.cancel()]
        try:
            self._served.cancel_analysis()
        except LivestemError:
            if reading is None and not waiting:
                raise

    def _arrays(self, params: dict[str, Any]) -> tuple[NamedArray, ...]:
        names, since = params["names"], dict(params.get("since") or {})
        arrays = self._served.snapshot.arrays
        return tuple(
            arrays[name] for name in names if name in arrays and since.get(name) != arrays[name].version
        )

    def _scan(self) -> ScanFile:
        scan = self._served.scan_file
        if scan is None:
            raise LivestemError(
                "Single patterns cannot be read: this scan is not recorded, or its file is not where it was. "
                "Start the engine with --record, or put the file back."
            )
        return scan

    def _check_received(self, y: int, x: int) -> None:
        """Refuse what has not come yet: the recording holds zeros there."""
        scan = self._scan()
        n_y, n_x = scan.received.shape
        if not (0 <= y < n_y and 0 <= x < n_x):
            return  # said by whoever reads it
        if not scan.received[y, x]:
            scan.refresh()  # the live view may know a pattern before the recorder has written it
        if not scan.received[y, x]:
            raise LivestemError(f"No pattern at y {y}, x {x} yet. Choose a position that has been scanned.")

    def _begin_computation(self, identity: bytes, request_id: int, method: str, mask: NDArray[Any]) -> None:
        scan = self._scan()
        com = self._served.snapshot.arrays.get("com_yx")
        if com is None:
            raise LivestemError("The direct beam has not been found yet. Wait for the first patterns.")
        expected = scan.info.scan_shape if method == "mean_pattern" else scan.info.detector_shape
        if mask.shape != expected:
            raise LivestemError(f"The mask has shape {mask.shape}. Expected {expected}.")
        self._begin_job(identity, request_id, self._read, method, scan, com.values, mask.astype(np.bool_))

    def _read(
        self, method: str, scan: ScanFile, com_yx: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> Answer:
        """Pass over the scan, in the thread beside."""
        reading = self._reading = Reading(method.replace("_", " "))
        try:
            if method == "mean_pattern":
                return (NamedArray("pattern", mean_pattern(scan, com_yx, mask, reading.told)),), {}
            return (NamedArray("image", virtual_image(scan, com_yx, mask, reading.told)),), {}
        finally:
            self._reading = None

    def _begin_job(
        self, identity: bytes, request_id: int, work: Callable[..., Answer], method: str, *arguments: Any
    ) -> None:
        if len(self._jobs) >= MAX_JOBS:
            raise LivestemError(f"{MAX_JOBS} requests are being computed already. Wait for their answers.")
        self._jobs.append(_Job(identity, request_id, method, self._beside.submit(work, method, *arguments)))

    def _reply(self, identity: bytes, request_id: int, arrays: tuple[NamedArray, ...], **fields: Any) -> None:
        self._send(
            identity, ControlMessage({"type": "reply", "id": request_id, "ok": True, **fields}, arrays)
        )

    def _refuse(self, identity: bytes, request_id: int, sentence: str, **fields: Any) -> None:
        header = {"type": "reply", "id": request_id, "ok": False, "error": sentence, **fields}
        self._send(identity, ControlMessage(header))

    def _send(self, identity: bytes, message: ControlMessage) -> None:
        try:
            self._socket.send_multipart([identity, *encode(message)], zmq.NOBLOCK)
        except zmq.Again:
            pass  # a viewer that does not read its answers loses them


def _unusable(error: Exception) -> LivestemError:
    return LivestemError(f"The request's parameters cannot be used: {error}.")
