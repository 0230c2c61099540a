"""What waits to be asked of the engine and what is being answered: bounded, used by the refresh thread.

Threads: the window puts requests in, the refresh thread does the rest.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator

from gui.presenters.snapshot import Answer, Request
from streamer.client import EngineClient
from streamer.errors import LivestemError

MAX_WAITING = 32
MAX_UNDER_WAY = 4
"""The engine computes one after the other: more of them would only wait there."""
NOT_ANSWERED = "The engine did not answer to {method!r}; whether it was done is not known."
TOO_MANY = "{n} requests wait for the engine already. {method!r} was not sent; try again in a moment."


class RequestQueue:
    """Requests on their way to one engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[object, Request] = OrderedDict()
        self._under_way: dict[int, Request] = {}
        self._n_put = self._n_answered = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting) + len(self._under_way)

    def put(self, request: Request) -> bool:
        """Add a request; one of the same slot that still waits is replaced. False where there are too many."""
        with self._lock:
            self._n_put += 1
            key: object = request.slot or self._n_put
            if key not in self._waiting and len(self._waiting) >= MAX_WAITING:
                return False
            self._waiting[key] = request
            return True

    def clear(self) -> tuple[Request, ...]:
        """Forget everything, for the engine is gone; those under way, of which nobody knows."""
        with self._lock:
            under_way = tuple(self._under_way.values())
            self._waiting.clear()
            self._under_way.clear()
            return under_way

    def send(self, client: EngineClient, timeout_s: float) -> None:
        """Send what waits, as far as the engine may have so much at once.

        Raises
        ------
        EngineUnreachable
            It takes nothing.
        """
        while (taken := self._take()) is not None:
            number = client.submit(taken.method, taken.arrays, timeout_s, **dict(taken.params))
            with self._lock:
                self._under_way[number] = taken

    def receive(self, client: EngineClient) -> Iterator[Answer]:
        """Answers that have come."""
        for number, reply in client.replies().items():
            with self._lock:
                request = self._under_way.pop(number, None)
            if request is None:
                continue
            if isinstance(reply, LivestemError):
                yield self.answer(request, str(reply))
            else:
                self._n_answered += 1
                yield Answer(self._n_answered, request, reply.header, reply.arrays)

    def answer(self, request: Request, error: str) -> Answer:
        """An answer that says why there is none."""
        self._n_answered += 1
        return Answer(self._n_answered, request, error=error)

    def _take(self) -> Request | None:
        with self._lock:
            if not self._waiting or len(self._under_way) >= MAX_UNDER_WAY:
                return None
            busy = {request.slot for request in self._under_way.values() if request.slot}
            key = next((key for key, request in self._waiting.items() if request.slot not in busy), None)
            return None if key is None else self._waiting.pop(key)
