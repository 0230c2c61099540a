"""What the refresh thread hands over: one immutable value with everything that the window may show."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gui.presenters.status import EngineStatus
from streamer.wire.control import NamedArray


class Link(StrEnum):
    """Whether the engine answers."""

    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    GONE = "GONE"


@dataclass(frozen=True)
class PatternAnswer:
    """The pattern of one scan position, (det_y, det_x); or why there is none."""

    position_yx: tuple[int, int]
    version: int
    values: NDArray[np.float32] | None = None
    error: str = ""


@dataclass(frozen=True)
class Request:
    """Something asked of the engine.

    ``slot`` is where the answer goes: one that waits to be sent is replaced by a newer one of the same slot, so
    that dragging asks for the newest place alone. "" for what must be done each time, such as a split. ``tag``
    is not sent: it says what the answer belongs to.
    """

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    slot: str = ""
    arrays: tuple[NamedArray, ...] = ()
    tag: Hashable = None


@dataclass(frozen=True)
class Answer:
    """The engine's answer to a request; `number` tells one from the next, `error` is a sentence or ""."""

    number: int
    request: Request
    fields: Mapping[str, Any] = field(default_factory=dict)
    arrays: tuple[NamedArray, ...] = ()
    error: str = ""

    def array(self, name: str) -> NDArray[Any] | None:
        """An array of the answer, None where it has none of that name."""
        return next((entry.values for entry in self.arrays if entry.name == name), None)


@dataclass(frozen=True)
class Notice:
    """A command that the engine refused, or that did not reach it; `number` tells one from the next."""

    number: int
    text: str


@dataclass(frozen=True)
class StreamHistory:
    """The last two minutes at 1 Hz: seconds before now (<= 0), patterns per second, lag in seconds."""

    age_s: tuple[float, ...] = ()
    receive_hz: tuple[float, ...] = ()
    lag_s: tuple[float, ...] = ()
    version: int = 0


@dataclass(frozen=True)
class Snapshot:
    """Everything known of the engine at one moment; `sequence` counts up with every new one.

    ``reset`` counts the scans and engines seen: what was memorised of arrays counts only within one. ``answers``
    holds the newest answer of every slot, ``n_waiting`` the requests that are not answered yet. ``viewer`` is the
    number that the engine knows this window by, None where it does not.
    """

    sequence: int = 0
    reset: int = 0
    link: Link = Link.CONNECTING
    endpoint: str = ""
    attempt: int = 0
    engine_exit_code: int | None = None
    status: EngineStatus = field(default_factory=EngineStatus)
    arrays: Mapping[str, NamedArray] = field(default_factory=lambda: MappingProxyType({}))
    pattern: PatternAnswer | None = None
    compared: PatternAnswer | None = None
    history: StreamHistory = field(default_factory=StreamHistory)
    notice: Notice | None = None
    answers: Mapping[str, Answer] = field(default_factory=lambda: MappingProxyType({}))
    n_waiting: int = 0
    viewer: int | None = None
    may_change: bool = True

    def version(self, name: str) -> tuple[int, int]:
        """Identity of an array for memos: (reset, version), version -1 where it does not exist."""
        return (self.reset, self.arrays[name].version if name in self.arrays else -1)

    def values(self, name: str) -> NDArray | None:
        """The array of that name, None where it has not come (yet) or is empty."""
        entry = self.arrays.get(name)
        return entry.values if entry is not None and entry.values.size else None


class SnapshotSource(Protocol):
    """What the window needs of the refresh thread."""

    def latest(self) -> Snapshot:
        """The newest snapshot; the same object as long as nothing is new."""
        ...

    def want_pattern(self, position_yx: tuple[int, int] | None) -> None:
        """Ask for the pattern of a scan position."""
        ...

    def want_compared(self, position_yx: tuple[int, int] | None) -> None:
        """Ask for a second pattern, to stand beside the first."""
        ...

    def command(self, name: str) -> None:
        """Send a command to the engine."""
        ...

    def ask(self, request: Request) -> None:
        """Ask the engine for something; the answer is in a later snapshot."""
        ...

    def raise_if_failed(self) -> None:
        """Raise what ended the source, if anything did."""
        ...
