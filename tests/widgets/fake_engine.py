"""An engine of plain dicts and arrays: publishes a state, answers requests; can go away and come back."""

import threading
from typing import Any

import numpy as np
import zmq

from streamer.wire.control import VERSION, ControlMessage, NamedArray, decode, encode

PUBLISH_S = 0.05


class FakeEngine:
    """PUB and ROUTER in a thread of their own, on free loopback ports unless given.

    ``scan`` gives patterns (`pattern(y, x)`); ``state`` and ``arrays`` may be replaced at any time by `follow`.
    """

    def __init__(
        self, scan: Any, state: dict[str, Any], arrays: dict[str, NamedArray], ports=("*", "*")
    ) -> None:
        self._scan = scan
        self._shown = (state, arrays)
        self.asked: list[tuple[int, int]] = []
        self.commands: list[str] = []
        self.refusal = ""
        self.withheld = ""
        self._context = zmq.Context()
        self._pub, self._router = self._context.socket(zmq.PUB), self._context.socket(zmq.ROUTER)
        for socket, port in ((self._pub, ports[0]), (self._router, ports[1])):
            socket.setsockopt(zmq.LINGER, 0)
            socket.bind(f"tcp://127.0.0.1:{port}")
        self.publish, self.control = (
            socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0") for socket in (self._pub, self._router)
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-engine")
        self._thread.start()

    @property
    def ports(self) -> tuple[str, str]:
        """Ports to come back on."""
        return self.publish.rpartition(":")[2], self.control.rpartition(":")[2]

    def follow(self, scan: Any, state: dict[str, Any], arrays: dict[str, NamedArray]) -> None:
        """Be in another state from now on."""
        self._scan, self._shown = scan, (state, arrays)

    def close(self) -> None:
        """Go away at once; a second call does nothing."""
        self._stopping.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._pub.send_multipart(_sent(ControlMessage({"type": "state", **self._state()})))
            while self._router.poll(int(PUBLISH_S * 1000)):
                identity, *frames = self._router.recv_multipart()
                self._router.send_multipart([identity, *_sent(self._answer(decode(frames)))])

    def _state(self) -> dict[str, Any]:
        state, arrays = self._shown
        endpoints = {**state["endpoints"], "publish": self.publish, "control": self.control}
        versions = {name: entry.version for name, entry in arrays.items()}
        return {**state, "endpoints": endpoints, "array_versions": versions}

    def _answer(self, request: ControlMessage) -> ControlMessage:
        method, params = request.header["method"], request.header["params"]
        reply: dict[str, Any] = {"type": "reply", "id": request.header["id"], "ok": True}
        given: tuple[NamedArray, ...] = ()
        if method == "hello":  # an engine of before there were viewers by name
            reply |= {"ok": False, "error": "Request 'hello' is unknown to this engine."}
        elif method == "state":
            reply["state"] = self._state()
        elif method == "get":
            arrays = self._shown[1]
            given = tuple(
                arrays[name]
                for name in params["names"]
                if name in arrays
                and name != self.withheld
                and arrays[name].version != params["since"].get(name)
            )
        elif method == "pattern":
            y, x = params["y"], params["x"]
            self.asked.append((y, x))
            if self._scan.visited[y, x]:
                given = (NamedArray("pattern", np.asarray(self._scan.pattern(y, x))),)
            else:
                reply |= {"ok": False, "error": f"No pattern at y {y}, x {x} yet."}
        else:
            self.commands.append(method)
            if self.refusal:
                reply |= {"ok": False, "error": self.refusal}
        return ControlMessage(reply, given)


def _sent(message: ControlMessage) -> list:
    """The frames of a message, as an engine of `VERSION` sends it."""
    header, *arrays = encode(message)
    return [header.replace(b'"version":1,"arrays"', b'"version":%d,"arrays"' % VERSION), *arrays]
