"""Who watches an engine, and which one of them may change things: one at a time, handed over by request.

Sans-IO: whoever reads the control socket says what came from which connection; the clock is an argument.

    free ── a change, or take_charge ──► held ── leave_charge, or silence ──► free
    held ── another's take_charge ──► asked ── hand_over, or no answer in time ──► held by the other
                                        └──── keep_charge, or withdrawn ───────► held as before
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streamer.errors import LivestemError

MAX_VIEWERS = 32
"""Viewers that are known by name; more of them may watch, and are not listed."""
VANISHED_S = 6.0
"""A viewer that says nothing for so long is gone; windows say hello once a second."""
ANSWER_S = 30.0
"""A request that nobody answers for so long is granted: whoever left the room blocks nobody."""
ASK_AGAIN_S = 10.0
"""Who was refused does not ask again sooner."""
MAX_NAME_CHARS = 64
CHARGE_METHODS = frozenset({"take_charge", "hand_over", "keep_charge", "leave_charge"})


@dataclass
class Viewer:
    """One window or script that has said hello.

    ``number`` is public and names it for others; ``token`` is its own secret, by which it is known again after its
    connection broke.
    """

    number: int
    token: str
    connection: bytes
    name: str
    may_change: bool
    heard_s: float


@dataclass
class Asked:
    """A request for the right that is not answered yet."""

    viewer: Viewer
    until_s: float


class InCharge:
    """The viewers of one engine, and the right to change it. One writer: the thread of the control socket."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._viewers: dict[int, Viewer] = {}
        self._n_seen = 0
        self._holder: Viewer | None = None
        self._asked: Asked | None = None
        self._refused: dict[int, float] = {}

    def hello(
        self, connection: bytes, name: Any, token: Any, may_change: bool, takes_free: bool = False
    ) -> dict[str, Any]:
        """Take a viewer in, or hear again from one that is known by its token; returns the reply's fields.

        With `takes_free` it is in charge from now on where nobody is.

        Raises
        ------
        LivestemError
            There are too many already.
        """
        self.follow()
        name = _clean(name)
        viewer = next((known for known in self._viewers.values() if known.token == token), None)
        if viewer is None:
            if len(self._viewers) >= MAX_VIEWERS:
                raise LivestemError(
                    f"{MAX_VIEWERS} viewers are known here already. Watching works, changing does not. "
                    "Close a window that is not needed."
                )
            self._n_seen += 1
            viewer = Viewer(self._n_seen, secrets.token_hex(16), connection, name, may_change, self._clock())
            self._viewers[viewer.number] = viewer
        viewer.connection, viewer.name, viewer.may_change = connection, name, may_change
        viewer.heard_s = self._clock()
        if not may_change and self._holder is viewer:
            self._free()
        if takes_free and may_change and self._holder is None:
            self._give(viewer)
        return {"viewer": viewer.number, "token": viewer.token, "may_change": may_change}

    def check_change(self, connection: bytes, method: str) -> None:
        """Allow a change, and put a viewer that makes the first one in charge; else refuse.

        A connection that never said hello (a script, an older viewer) may change things while nobody is in charge.

        Raises
        ------
        LivestemError
            Somebody else is in charge.
        """
        self.follow()
        viewer = self._by_connection(connection)
        if self._holder is None:
            self._holder = viewer
        elif viewer is not self._holder:
            raise LivestemError(
                f"Request '{method}' was refused: {self._holder.name} is in charge. Expected one viewer at a time "
                "to change things. Ask to be put in charge, or wait. Nothing was changed."
            )

    def answer(self, connection: bytes, method: str, params: dict[str, Any]) -> None:
        """Do one of `CHARGE_METHODS` for a viewer that may change things.

        Raises
        ------
        LivestemError
            It makes no sense now.
        """
        self.follow()
        viewer = self._by_connection(connection)
        if viewer is None:
            raise LivestemError(
                f"Request '{method}' came from somebody unknown. Expected 'hello' first. Nothing was changed."
            )
        if method == "take_charge":
            self._take(viewer)
        elif method == "leave_charge":
            self._leave(viewer)
        elif viewer is not self._holder:
            raise LivestemError(
                f"Request '{method}' was refused: only who is in charge answers for it. Nothing was changed."
            )
        elif method == "hand_over":
            self._give(self._named(params.get("to")))
        else:
            self._keep()

    def follow(self) -> None:
        """Let time pass: the silent are gone, an unanswered request is granted."""
        now = self._clock()
        for viewer in [known for known in self._viewers.values() if now - known.heard_s > VANISHED_S]:
            self._leave(viewer)
            del self._viewers[viewer.number]
        self._refused = {number: at for number, at in self._refused.items() if now - at < ASK_AGAIN_S}
        if self._asked is not None and now >= self._asked.until_s:
            self._give(self._asked.viewer)

    def fields(self) -> dict[str, Any]:
        """What the published state says of it."""
        self.follow()
        holder, asked = self._holder, self._asked
        return {
            "in_charge": {
                "viewer": holder.number if holder else None,
                "name": holder.name if holder else "",
                "asked_by": {
                    "viewer": asked.viewer.number,
                    "name": asked.viewer.name,
                    "left_s": max(0.0, round(asked.until_s - self._clock(), 1)),
                }
                if asked
                else None,
                "refused": sorted(self._refused),
            },
            "viewers": [
                {"viewer": viewer.number, "name": viewer.name, "may_change": viewer.may_change}
                for viewer in self._viewers.values()
            ],
        }

    def _by_connection(self, connection: bytes) -> Viewer | None:
        return next((known for known in self._viewers.values() if known.connection == connection), None)

    def _named(self, number: Any) -> Viewer:
        """The viewer of that number; None: the one that asks."""
        if number is None and self._asked is not None:
            return self._asked.viewer
        viewer = self._viewers.get(number) if isinstance(number, int) else None
        if viewer is None or not viewer.may_change:
            raise LivestemError(
                f"There is no viewer {number} that may change things. Expected the number of one that is here. "
                "You stay in charge."
            )
        return viewer

    def _take(self, viewer: Viewer) -> None:
        if self._holder is None:
            self._give(viewer)
        elif self._holder is viewer or (self._asked is not None and self._asked.viewer is viewer):
            return
        elif self._asked is not None:
            raise LivestemError(
                f"{self._asked.viewer.name} has asked {self._holder.name} already. Wait for the answer."
            )
        elif viewer.number in self._refused:
            left_s = ASK_AGAIN_S - (self._clock() - self._refused[viewer.number])
            raise LivestemError(f"{self._holder.name} stays in charge. Ask again in {left_s:.0f} s.")
        else:
            self._asked = Asked(viewer, self._clock() + ANSWER_S)

    def _leave(self, viewer: Viewer) -> None:
        """The right falls free, or to whoever asks for it; a request is withdrawn."""
        if self._asked is not None and self._asked.viewer is viewer:
            self._asked = None
        if self._holder is viewer:
            self._free()

    def _free(self) -> None:
        self._holder = None
        if self._asked is not None:
            self._give(self._asked.viewer)

    def _give(self, viewer: Viewer) -> None:
        self._holder, self._asked = viewer, None
        self._refused.clear()

    def _keep(self) -> None:
        if self._asked is not None:
            self._refused[self._asked.viewer.number] = self._clock()
            self._asked = None


def _clean(name: Any) -> str:
    """A name that can be shown: printable, short, never empty."""
    shown = "".join(letter for letter in str(name) if letter.isprintable()).strip()[:MAX_NAME_CHARS]
    return shown or "somebody"
