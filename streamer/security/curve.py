"""CURVE on sockets: what a socket is told before it binds or connects, and what a frame says of its sender."""

import zmq

from streamer.security.keys import ClientKeys, EngineKeys

STREAM = "stream"
VIEW = "view"


def protect_server(socket: zmq.Socket[bytes], keys: EngineKeys | None, domain: str) -> None:
    """Let only keys of `domain` (STREAM, VIEW) connect; to be called before `bind`. None protects nothing."""
    if keys is None:
        return
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public_key)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret_key)
    socket.setsockopt_string(zmq.ZAP_DOMAIN, domain)
    # Without this, libzmq lets every key in while nobody answers for the allow-list.
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def protect_client(socket: zmq.Socket[bytes], keys: ClientKeys | None) -> None:
    """Speak with the engine of these keys alone; to be called before `connect`. None protects nothing."""
    if keys is None:
        return
    socket.setsockopt(zmq.CURVE_SERVERKEY, keys.engine_key)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public_key)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret_key)


def may_change(keys: EngineKeys, frame: zmq.Frame) -> bool:
    """Whether the sender of `frame` (received with ``copy=False``) is a viewer and not only a reader."""
    try:
        user = frame.get("User-Id")  # the key that the connection proved to hold; ZeroMQ's, not the message's
    except zmq.ZMQError:
        return False
    return str(user).encode() in keys.viewers - keys.readers
