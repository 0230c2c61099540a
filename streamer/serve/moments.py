"""What undo goes over: every state that an operator has brought a result into, and in words what led there."""

import threading
from dataclasses import dataclass, replace
from typing import Any

from streamer.analysis.editing import EditSession, EditStep
from streamer.analysis.result_file import AnalysisResult
from streamer.errors import LivestemError
from streamer.live.overrides import OverrideRecord, Overrides
from streamer.live.snapshot import LiveSnapshot
from streamer.settings import AnalysisSettings, TreeEdit

MAX_UNDO = 50
MAX_RESULTS = 4
"""Analyses that undo can go back over: each keeps its arrays in memory."""


@dataclass
class Base:
    """One analysis, and what its edits compute with."""

    result: AnalysisResult
    settings: AnalysisSettings
    first: LiveSnapshot
    edits: EditSession | None = None


@dataclass(frozen=True)
class Moment:
    """Everything that undo brings back; `text` says what led here, `gesture` which value was set at `at_s`."""

    base: Base
    overrides: Overrides
    step: EditStep | None = None
    edit_records: tuple[OverrideRecord, ...] = ()
    text: str = ""
    gesture: str = ""
    at_s: float = 0.0

    @property
    def tree_edits(self) -> tuple[TreeEdit, ...]:
        """Edits of the hierarchy so far."""
        return self.step.edits if self.step else self.base.settings.edits


class Moments:
    """The list and the place in it; from any thread."""

    def __init__(self, first: Moment) -> None:
        self._lock = threading.Lock()
        self._all = [first]
        self._at = 0

    @property
    def now(self) -> Moment:
        """Where the operator stands."""
        with self._lock:
            return self._all[self._at]

    def to_json(self) -> dict[str, Any]:
        """How far undo and redo reach, and what they would take back or make again."""
        with self._lock:
            following = self._all[self._at + 1 : self._at + 2]
            return {
                "n_undo": self._at,
                "n_redo": len(self._all) - 1 - self._at,
                "undo_text": self._all[self._at].text if self._at else "",
                "redo_text": following[0].text if following else "",
            }

    def add(self, *, over_s: float = -1.0, **changes: Any) -> None:
        """Go on from here with some fields changed; what was undone is forgotten.

        The same gesture again at most `over_s` after the last takes its place.
        """
        with self._lock:
            last = self._all[self._at]
            moment = replace(last, **changes)
            is_same = bool(moment.gesture) and moment.gesture == last.gesture
            instead = self._at > 0 and is_same and moment.at_s - last.at_s < over_s
            self._all = [*self._all[: self._at + (0 if instead else 1)], moment][-MAX_UNDO - 1 :]
            self._at = len(self._all) - 1

    def beside(self, by: int) -> Moment:
        """The moment before (-1) or after (+1); LivestemError where there is none."""
        with self._lock:
            if not 0 <= self._at + by < len(self._all):
                raise LivestemError(f"There is nothing to {'undo' if by < 0 else 'redo'}.")
            return self._all[self._at + by]

    def go(self, by: int) -> None:
        """Stand there."""
        with self._lock:
            self._at = min(max(self._at + by, 0), len(self._all) - 1)

    def begin_edits(self, base: Base, step: EditStep) -> None:
        """From now on the edits of a base have a step to go back to."""
        with self._lock:
            self._all = [
                replace(moment, step=step) if moment.base is base and moment.step is None else moment
                for moment in self._all
            ]

    def drop_old_results(self) -> None:
        """Keep so many analyses, and of the older ones not what their edits compute with, which is large."""
        with self._lock:
            seen: list[Base] = []
            for place in range(len(self._all) - 1, -1, -1):
                if self._all[place].base not in seen:
                    seen.append(self._all[place].base)
                if len(seen) > MAX_RESULTS:
                    self._all = self._all[place + 1 :]
                    break
            self._at = len(self._all) - 1
            for base in seen[1:]:
                if base.edits is not None:
                    base.edits.let_go()
