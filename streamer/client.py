"""The other side of a running engine: its state as it is published, its arrays by version, its commands.

Reads: the engine's PUB and control sockets. Writes: requests. Thread: whichever made the client, and only that
one. Needs no numba, scikit-learn or Qt, so that a notebook or a small script can follow a scan::

    with EngineClient(publish, control) as engine:
        state = engine.wait_state(timeout_s=5)
        labels = engine.get(["label_maps"])["label_maps"].values
"""

import itertools
import time
from typing import Any, Self

import numpy as np
import zmq
from numpy.typing import NDArray

from streamer.errors import EngineUnreachable, LivestemError, WireError
from streamer.security.curve import protect_client
from streamer.security.keys import ClientKeys
from streamer.wire.control import ControlMessage, ControlVersionError, NamedArray, decode, encode

DEFAULT_TIMEOUT_S = 5.0
EDIT_TIMEOUT_S = 120.0
"""Of requests that may read the scan again."""


class EngineClient:
    """One viewer's connection to an engine.

    Parameters
    ----------
    publish, control
        Endpoints of the engine's PUB socket (states) and ROUTER socket (requests), as `livestem serve`
        prints them.
    context
        Of the sockets; None: the process's own.
    keys
        For an engine started with --keys (`streamer.security.keys.load_viewer_keys`); with them, an engine
        that does not hold the expected key gets no request and is not believed.
    """

    def __init__(
        self,
        publish: str,
        control: str,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        keys: ClientKeys | None = None,
    ) -> None:
        self._context = context or zmq.Context.instance()
        self._control_endpoint = control
        self._states = self._context.socket(zmq.SUB)
        self._states.setsockopt(zmq.LINGER, 0)
        # The newest state takes the place of one that was not read.
        self._states.setsockopt(zmq.CONFLATE, 1)
        self._states.setsockopt(zmq.SUBSCRIBE, b"")
        protect_client(self._states, keys)
        self._states.connect(publish)
        self._requests = self._context.socket(zmq.DEALER)
        self._requests.setsockopt(zmq.LINGER, 0)
        protect_client(self._requests, keys)
        self._requests.connect(control)
        self._request_ids = itertools.count(1)
        self._awaited: set[int] = set()
        self._replies: dict[int, ControlMessage | LivestemError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both sockets at once."""
        self._states.close(0)
        self._requests.close(0)

    def newest_state(self) -> dict[str, Any] | None:
        """The newest state that has arrived since the last call, None where none has. Never waits."""
        newest = None
        while self._states.poll(0):
            newest = decode(self._states.recv_multipart()).header
        return newest

    def wait_state(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> dict[str, Any]:
        """The next published state.

        Raises
        ------
        EngineUnreachable
            None came within `timeout_s`.
        """
        if not self._states.poll(int(timeout_s * 1000)):
            raise EngineUnreachable(
                f"No engine published its state within {timeout_s:g} s. "
                "Check the endpoint and the keys, or start `livestem serve`."
            )
        return decode(self._states.recv_multipart()).header

    def request(
        self,
        method: str,
        arrays: tuple[NamedArray, ...] = (),
        timeout_s: float = DEFAULT_TIMEOUT_S,
        **params: Any,
    ) -> ControlMessage:
        """Send one request and wait for its reply; replies to requests given up earlier are passed over.

        Raises
        ------
        EngineUnreachable
            No reply within `timeout_s`.
        ControlVersionError
            The engine speaks another version of the protocol.
        LivestemError
            The engine answered that it cannot do this; its sentence is the message.
        """
        request_id = self._send(method, arrays, timeout_s, params)
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            if not self._requests.poll(max(1, int(left_s * 1000))):
                continue
            answered_id, reply = self._receive()
            if answered_id != request_id:
                continue
            if isinstance(reply, LivestemError):
                raise reply
            if reply is not None:
                return reply
        raise self._unreachable(timeout_s)

    def submit(
        self,
        method: str,
        arrays: tuple[NamedArray, ...] = (),
        timeout_s: float = DEFAULT_TIMEOUT_S,
        **params: Any,
    ) -> int:
        """Send a request without waiting for its reply, which `replies` gives; returns its number.

        Raises
        ------
        EngineUnreachable
            It could not be sent within `timeout_s`.
        """
        request_id = self._send(method, arrays, timeout_s, params)
        self._awaited.add(request_id)
        return request_id

    def replies(self) -> dict[int, ControlMessage | LivestemError]:
        """Replies to submitted requests that have come since the last call, by number; never waits."""
        while self._requests.poll(0):
            self._receive()
        replies, self._replies = self._replies, {}
        return replies

    def _send(
        self, method: str, arrays: tuple[NamedArray, ...], timeout_s: float, params: dict[str, Any]
    ) -> int:
        request_id = next(self._request_ids)
        header = {"type": "request", "id": request_id, "method": method, "params": params}
        # Where the key is refused ZeroMQ gives the connection up, and a send would wait for ever.
        self._requests.setsockopt(zmq.SNDTIMEO, int(timeout_s * 1000))
        try:
            self._requests.send_multipart(encode(ControlMessage(header, arrays)), copy=True)
        except zmq.Again:
            raise self._unreachable(timeout_s) from None
        return request_id

    def _receive(self) -> tuple[int | None, ControlMessage | LivestemError | None]:
        """Take one reply; that of a submitted request is kept for `replies`."""
        try:
            message = decode(self._requests.recv_multipart())
        except ControlVersionError:
            raise
        except WireError:
            return None, None
        request_id = message.header.get("id")
        reply: ControlMessage | LivestemError = message
        if not message.header.get("ok"):
            reply = LivestemError(str(message.header.get("error", "The engine refused without a reason.")))
        if request_id in self._awaited:
            self._awaited.discard(request_id)
            self._replies[request_id] = reply
            return None, None
        return request_id, reply

    def _unreachable(self, timeout_s: float) -> EngineUnreachable:
        return EngineUnreachable(
            f"No engine answered at {self._control_endpoint} within {timeout_s:g} s. "
            "Check the endpoint and the keys, or start `livestem serve`."
        )

    def state(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> dict[str, Any]:
        """The engine's state, asked for rather than waited for."""
        return self.request("state", timeout_s=timeout_s).header["state"]

    def health(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> dict[str, Any]:
        """Whether the engine is well: ``ok``, ``why`` not, and the facts that monitoring asks for."""
        return self.request("health", timeout_s=timeout_s).header["health"]

    def hello(
        self,
        name: str,
        token: str | None = None,
        takes_free: bool = False,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> dict[str, Any]:
        """Say who is here: at first, and then once a second, or the right to change things falls free after 6 s.

        With `takes_free` it is taken where nobody has it. Returns ``viewer`` (the number that others know this one by),
        ``token`` (to be said the next time, by which the engine knows this viewer again after a broken connection) and
        ``may_change``.
        """
        reply = self.request(
            "hello", timeout_s=timeout_s, name=name, token=token, takes_free=takes_free
        ).header
        return {key: reply[key] for key in ("viewer", "token", "may_change")}

    def take_charge(self) -> None:
        """Be the one who changes things: at once where nobody is, else by asking; the state says what comes of it."""
        self.request("take_charge")

    def hand_over(self, to: int | None = None) -> None:
        """Grant the right to whoever asked for it, or to the viewer of that number."""
        self.request("hand_over", to=to)

    def keep_charge(self) -> None:
        """Refuse whoever asked for the right."""
        self.request("keep_charge")

    def leave_charge(self) -> None:
        """Give the right up, or take back a request for it."""
        self.request("leave_charge")

    def get(self, names: list[str], since: dict[str, int] | None = None) -> dict[str, NamedArray]:
        """Arrays by name; those whose version is still that in `since`, and those that do not exist, are left out."""
        reply = self.request("get", names=names, since=since or {})
        return {entry.name: entry for entry in reply.arrays}

    def pattern(self, scan_y: int, scan_x: int) -> NDArray[np.float32]:
        """The diffraction pattern of one scan position as recorded, (det_y, det_x)."""
        return self.request("pattern", y=scan_y, x=scan_x).array("pattern")

    def mean_pattern(self, mask: NDArray[np.bool_], timeout_s: float = 60.0) -> NDArray[np.float32]:
        """Mean aligned pattern, (det_y, det_x), over the True scan positions of `mask` (scan_y, scan_x)."""
        sent = (NamedArray("mask", mask.astype(np.bool_)),)
        return self.request("mean_pattern", arrays=sent, timeout_s=timeout_s).array("pattern")

    def virtual_image(self, mask: NDArray[np.bool_], timeout_s: float = 60.0) -> NDArray[np.float32]:
        """Sum over the True detector pixels of `mask` (det_y, det_x) of every aligned pattern, (scan_y, scan_x)."""
        sent = (NamedArray("mask", mask.astype(np.bool_)),)
        return self.request("virtual_image", arrays=sent, timeout_s=timeout_s).array("image")

    def set(self, name: str, value: Any) -> None:
        """Override an automatic value.

        "disk", "inner", "outer" (px), "ring" ([inner, outer]), "threshold" (0..1), "K" ({node name: k or None}),
        "virtual" ({name: {"spots_yx", "radius_px", "conjugate"} or None}).
        """
        self.request("set", name=name, value=value)

    def release(self, name: str) -> None:
        """Give a value back to the automatic choice."""
        self.request("release", name=name)

    def stop(self) -> None:
        """Stop the scan that runs; what was received is kept."""
        self.request("stop")

    def analyze(self, roi: tuple[int, int, int, int] | None = None) -> None:
        """Analyse the finished (or stopped) scan again with the values set by hand; `roi`: a region of it alone.

        Rows and columns as first, last + 1: (y0, y1, x0, x1). The reply comes when it begins.
        """
        if roi is None:
            self.request("analyze")
        else:
            self.request("analyze", roi=list(roi))

    def calibrate(
        self, scan_step_yx_nm: tuple[float, float] | None = None, q_measured_inv_nm: float | None = None
    ) -> None:
        """Sizes of a scan position and of a detector pixel as measured; they win, and are kept beside the file."""
        step = None if scan_step_yx_nm is None else list(scan_step_yx_nm)
        self.request("calibrate", scan_step_yx_nm=step, q_measured_inv_nm=q_measured_inv_nm)

    def locate(self, path: str, timeout_s: float = EDIT_TIMEOUT_S) -> None:
        """Say where the source of a result lies now, on the engine's computer."""
        self.request("locate", timeout_s=timeout_s, path=path)

    def cancel(self) -> None:
        """Cancel the analysis that runs; the recording and the live result stay."""
        self.request("cancel")

    def preview(self, node: str, k: int, timeout_s: float = EDIT_TIMEOUT_S) -> NDArray[np.int32]:
        """Which of `k` children each position of a node would belong to, (scan_y, scan_x); -1 elsewhere."""
        return self.request("preview", timeout_s=timeout_s, node=node, k=k).array("labels")

    def split(self, node: str, k: int | None = None, timeout_s: float = EDIT_TIMEOUT_S) -> None:
        """Divide a node of a finished result anew, into `k` children; None: the automatic choice."""
        self.request("split", timeout_s=timeout_s, node=node, k=k)

    def merge(self, nodes: list[str], timeout_s: float = EDIT_TIMEOUT_S) -> None:
        """Make siblings one leaf."""
        self.request("merge", timeout_s=timeout_s, nodes=nodes)

    def rename(self, node: str, title: str, timeout_s: float = EDIT_TIMEOUT_S) -> None:
        """Give a node a title."""
        self.request("rename", timeout_s=timeout_s, node=node, title=title)

    def hide(self, nodes: list[str], hidden: bool = True, timeout_s: float = EDIT_TIMEOUT_S) -> None:
        """Leave branches out of what is shown, or show them again."""
        self.request("hide", timeout_s=timeout_s, nodes=nodes, hidden=hidden)

    def move(self, node: str, onto: str, timeout_s: float = EDIT_TIMEOUT_S) -> None:
        """Give a branch to another node: a leaf takes its patterns in, another gets it as its last child."""
        self.request("move", timeout_s=timeout_s, node=node, onto=onto)

    def preview_mask(
        self,
        inner: float | None = None,
        outer: float | None = None,
        threshold: float | None = None,
        timeout_s: float = EDIT_TIMEOUT_S,
    ) -> ControlMessage:
        """What another ring or threshold would do.

        Arrays ring and features; n_features, n_ring, changed_share (of the labels, on n_sample patterns; None: not
        known) in the header.
        """
        return self.request(
            "preview_mask", timeout_s=timeout_s, inner=inner, outer=outer, threshold=threshold
        )

    def undo(self, timeout_s: float = EDIT_TIMEOUT_S) -> None:
        """Take the last edit back."""
        self.request("undo", timeout_s=timeout_s)

    def redo(self, timeout_s: float = EDIT_TIMEOUT_S) -> None:
        """Make the last edit that was undone again."""
        self.request("redo", timeout_s=timeout_s)

    def save(self, timeout_s: float = EDIT_TIMEOUT_S) -> str:
        """Write the edited result beside the one that is open; returns its path on the engine's computer."""
        return self.request("save", timeout_s=timeout_s).header["result"]

    def shutdown(self) -> None:
        """End the engine in order: a scan that runs is stopped and its recording closed."""
        self.request("shutdown")
