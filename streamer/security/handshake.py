"""Why a connection does not come about: ZeroMQ tells its socket monitor what it never tells the caller."""

from typing import Self

import zmq
from zmq.utils.monitor import recv_monitor_message

_FAILED = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
}


class HandshakeWatch:
    """Watches one client socket from before `connect` on; closed before the socket."""

    def __init__(self, socket: zmq.Socket[bytes], endpoint: str, has_keys: bool) -> None:
        self._socket, self._endpoint, self._has_keys = socket, endpoint, has_keys
        self._monitor = socket.get_monitor_socket()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.disable_monitor()
        self._monitor.close(0)

    def refusal(self) -> str:
        """Why the other side was not believed, or did not let us in, in a sentence; "" as far as nothing failed.

        Never waits. That nobody listens there is no refusal.
        """
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event in _FAILED:
                return self._sentence(event)
        return ""

    def _sentence(self, event: int) -> str:
        where = self._endpoint
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return (
                f"The engine at {where} does not know this key. Expected one of its allowed/viewers or "
                "allowed/readers. Copy the public *.key file there and start the engine again."
            )
        # Which of the other two events comes depends on which side is quicker: they are told alike.
        if self._has_keys:
            return (
                f"What answers at {where} is not the engine whose engine.key is here, or it uses no keys. Nothing was "
                "sent to it. Check the address, get the engine.key of that engine, or leave --keys out."
            )
        return (
            f"What answers at {where} wants a key and none was given. Expected --keys DIR with engine.key and "
            "viewer.key_secret or reader.key_secret; whoever runs the engine makes them with `livestem keys`. "
            "If that is no livestem engine, check the address."
        )
