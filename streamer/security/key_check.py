"""The check of the allow-list: which keys may connect to the protected sockets of a context.

Thread: "livestem-keys" answers ZeroMQ's questions about new connections; nothing else reads its sockets.
"""

import asyncio
import logging
import threading
from collections import deque

import zmq
from zmq.auth import Authenticator

from streamer.security.curve import STREAM, VIEW
from streamer.security.keys import EngineKeys

MAX_REFUSED_KEYS = 8
"""Strangers whose keys are remembered; more are refused all the same, and not spoken of."""

_WHAT = {STREAM: ("send", "allowed/senders"), VIEW: ("watch", "allowed/viewers or allowed/readers")}


class KeyCheck:
    """Answers, for every new connection to a protected socket of `context`, whether its key may connect.

    pyzmq's `ThreadAuthenticator` is not used: it runs an asyncio poller that cannot be had on Windows without a
    further package, and its thread dies in silence. If this one fails, nobody new gets in, and `problems` says so.

    Parameters
    ----------
    keys
        None: nothing is protected, nothing runs.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: EngineKeys | None) -> None:
        self._problems: deque[str] = deque(maxlen=MAX_REFUSED_KEYS + 1)
        self._refused: set[tuple[str, bytes]] = set()
        self._thread: threading.Thread | None = None
        if keys is None:
            return
        self._members = {STREAM: keys.senders, VIEW: keys.viewers | keys.readers}
        self._authenticator = Authenticator(context, log=_quiet_log())
        for domain in self._members:
            self._authenticator.configure_curve_callback(domain, self)
        self._authenticator.start()
        self._wake_in, self._wake_out = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        self._wake_in.bind(f"inproc://livestem-keys-{id(self)}")
        self._wake_out.connect(f"inproc://livestem-keys-{id(self)}")
        self._thread = threading.Thread(target=self._run, name="livestem-keys")
        self._thread.start()

    def close(self) -> None:
        """Stop the thread at once and close the sockets; may be called again. To be closed after what it guards."""
        if self._thread is None:
            return
        self._wake_out.send(b"")
        self._thread.join()
        self._thread = None
        self._authenticator.stop()
        self._wake_in.close(0)
        self._wake_out.close(0)

    def problems(self) -> list[str]:
        """What is new since the last call: keys that were refused (each once), or that the check itself failed."""
        return [self._problems.popleft() for _ in range(len(self._problems))]

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether `key` (Z85) may connect; pyzmq's `Authenticator` asks, in the thread."""
        if key in self._members[domain]:
            return True
        if (domain, key) not in self._refused and len(self._refused) < MAX_REFUSED_KEYS:
            self._refused.add((domain, key))
            verb, folder = _WHAT[domain]
            self._problems.append(
                f"Somebody with the key {key[:8].decode()}… asked to {verb} and was refused. Expected a key of "
                f"{folder}. If it is one of yours, copy its public *.key file there and start the engine again."
            )
        return False

    def _run(self) -> None:
        zap = self._authenticator.zap_socket
        poller = zmq.Poller()
        poller.register(zap, zmq.POLLIN)
        poller.register(self._wake_in, zmq.POLLIN)
        try:
            with asyncio.Runner() as runner:  # the library's answer is a coroutine; nothing here waits in it
                while self._wake_in not in (ready := dict(poller.poll())):
                    if zap in ready:
                        runner.run(self._authenticator.handle_zap_message(zap.recv_multipart()))
        except Exception as failure:
            self._problems.append(
                f"The check of keys stopped: {failure!r}. Those who are connected stay, nobody new gets in. "
                "Start the engine again after the scan. Nothing is lost."
            )


def _quiet_log() -> logging.Logger:
    """Where the library writes; refusals are said by `KeyCheck.problems`."""
    log = logging.getLogger("livestem.keys")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    return log
