"""Which endpoints only this computer reaches."""

import re
from ipaddress import IPv4Address, IPv6Address

import zmq

from streamer.errors import SettingsError

# The whole of it, in ASCII: ZeroMQ binds `tcp://127.0.0.1:1;10.0.0.5:2` to what follows the semicolon, and a host
# that only begins like an address is a name that anybody may own.
_TCP = re.compile(r"tcp://(?:(localhost)|([0-9.]+)|\[([0-9a-f:]+)\]):(?:\*|[0-9]{1,5})")
_LOCAL_SCHEMES = ("ipc://", "inproc://")


def is_loopback(endpoint: str) -> bool:
    """Whether a socket bound to `endpoint` can be reached from this computer alone; False where in doubt."""
    if endpoint.startswith(_LOCAL_SCHEMES):
        return True
    match = _TCP.fullmatch(endpoint)
    if match is None:
        return False
    name, v4, v6 = match.groups()
    try:
        return bool(name) or (IPv4Address(v4) if v4 else IPv6Address(v6)).is_loopback
    except ValueError:
        return False


def check_endpoint(endpoint: str, has_keys: bool, insecure: bool) -> None:
    """Refuse an endpoint that other computers reach, unless keys protect it or the risk was accepted aloud.

    Raises
    ------
    SettingsError
        The endpoint is open to others.
    """
    if has_keys or insecure or is_loopback(endpoint):
        return
    raise SettingsError(
        f"{endpoint} is reachable from other computers and no keys protect it. "
        "Expected a loopback address such as tcp://127.0.0.1:9999, or keys. "
        "Make keys with `livestem keys` and give them with --keys DIR, use an SSH tunnel, or, on a network where "
        "everybody may send, watch and command, say --insecure. Nothing was started."
    )


def bind(socket: zmq.Socket[bytes], endpoint: str) -> str:
    """Bind a socket; returns the real endpoint, with the port that was picked.

    Raises
    ------
    SettingsError
        The endpoint is not valid, or in use.
    """
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        socket.close(0)
        raise SettingsError(
            f"{endpoint} cannot be bound: {error.strerror or error}. Another engine may be running there. "
            "Choose another endpoint; tcp://127.0.0.1:* picks a free port."
        ) from None
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)
