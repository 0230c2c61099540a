"""From one address to both endpoints of an engine, as they are reached from here; or why it cannot be."""

import time
from dataclasses import replace
from typing import Any

import zmq

from gui.engine_process import Endpoints
from streamer.errors import EngineUnreachable, SettingsError, WireError
from streamer.security.curve import protect_client
from streamer.security.endpoints import is_loopback
from streamer.security.handshake import HandshakeWatch
from streamer.security.keys import ClientKeys
from streamer.wire.control import ControlVersionError, decode

FIRST_STATE_S = 10.0
LOOK_MS = 100
_WILDCARDS = ("*", "0.0.0.0", "[::]")


def running_engine(publish: str, control: str | None, keys: ClientKeys | None = None) -> Endpoints:
    """Both endpoints of an engine of which the published one is known: its state says the other.

    Raises
    ------
    EngineUnreachable
        No engine publishes there, it does not let us in, or it speaks another version.
    SettingsError
        The endpoint is not one of ZeroMQ.
    """
    if control is not None:
        return Endpoints(publish, control)
    context = zmq.Context()
    try:
        states = context.socket(zmq.SUB)
        states.setsockopt(zmq.SUBSCRIBE, b"")
        protect_client(states, keys)
        with HandshakeWatch(states, publish, keys is not None) as watch:
            states.connect(publish)
            told = _first_state(states, watch, publish)["endpoints"]["control"]
    except zmq.ZMQError as error:
        raise SettingsError(f"{publish} is no endpoint: {error}. Expected tcp://host:port.") from None
    except ControlVersionError as error:
        raise EngineUnreachable(str(error)) from None
    except (WireError, KeyError, TypeError):
        raise EngineUnreachable(
            f"What publishes at {publish} is no livestem engine of this version."
        ) from None
    finally:
        context.destroy(linger=0)
    return Endpoints(publish, reachable_control(publish, told))


def _first_state(states: "zmq.Socket[bytes]", watch: HandshakeWatch, publish: str) -> dict[str, Any]:
    """The first state that comes; who is refused learns it at once."""
    deadline = time.monotonic() + FIRST_STATE_S
    while not states.poll(LOOK_MS):
        if refusal := watch.refusal():
            raise EngineUnreachable(refusal)
        if time.monotonic() > deadline:
            raise EngineUnreachable(
                f"No engine publishes at {publish} (waited {FIRST_STATE_S:g} s). "
                "Check the address, or start one with `livestem serve`."
            )
    return decode(states.recv_multipart()).header


def reachable_control(publish: str, told: str) -> str:
    """The control endpoint as seen from here: a wildcard host is that of the published endpoint.

    Raises
    ------
    EngineUnreachable
        States come from another computer, and requests are taken on that computer alone.
    """
    scheme, _, rest = told.partition("://")
    host, _, port = rest.rpartition(":")
    if host in _WILDCARDS:
        return f"{scheme}://{publish.partition('://')[2].rpartition(':')[0]}:{port}"
    if is_loopback(told) and not is_loopback(publish):
        raise EngineUnreachable(
            f"The engine at {publish} takes requests on its own computer alone ({told}). "
            f"Start it with --control {scheme}://0.0.0.0:{port} too, or use an SSH tunnel for both ports."
        )
    return told


def from_this_computer(endpoints: Endpoints) -> Endpoints:
    """Endpoints of an engine that runs here: one bound to every address is reached by loopback."""
    here = "tcp://127.0.0.1:0"
    return replace(
        endpoints,
        publish=reachable_control(here, endpoints.publish),
        control=reachable_control(here, endpoints.control),
    )
