"""Says hello to the engine once a second, so that it knows who watches and who is in charge."""

import getpass
import platform
import time
from collections.abc import Callable
from typing import Any

from streamer.client import EngineClient
from streamer.errors import EngineUnreachable, LivestemError

PERIOD_S = 1.0
ANSWER_S = 2.0


class Greeting:
    """One window's name and token; used by the refresh thread alone.

    Parameters
    ----------
    name
        What others see; "": user and computer.
    takes_free
        Whether this window is in charge from the start where nobody is: that of `livestem monitor`.
    """

    def __init__(
        self, name: str = "", takes_free: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._takes_free, self._clock = takes_free, clock
        self._token: str | None = None
        self._due_s = 0.0
        self._is_understood = True
        self._number: int | None = None

    def begin(self) -> None:
        """Another connection: it has to be said at once, and perhaps to an engine that understands it."""
        self._due_s, self._is_understood, self._number = 0.0, True, None

    def follow(self, client: EngineClient) -> dict[str, Any]:
        """Say hello where it is due; returns what the engine answered, nothing where it was not asked.

        Raises
        ------
        EngineUnreachable
            No answer.
        """
        if not self._is_understood or self._clock() < self._due_s:
            return {}
        self._due_s = self._clock() + PERIOD_S
        is_new = self._number is None
        try:
            known = client.hello(
                self.name or default_name(), self._token, self._takes_free and is_new, timeout_s=ANSWER_S
            )
        except EngineUnreachable:
            raise
        except LivestemError:
            # An engine of an older version, or one with too many viewers: it is watched all the same.
            self._is_understood = False
            return {"viewer": None, "may_change": True}
        self._token, self._number = known["token"], known["viewer"]
        return {"viewer": known["viewer"], "may_change": known["may_change"]}


def default_name() -> str:
    """User and computer, such as "anna@scope"."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{platform.node() or 'unknown computer'}"
