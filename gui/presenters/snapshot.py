"""What the refresh thread hands over: one immutable value with everything that the window may show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

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

    ``reset`` counts the scans and engines seen: what was memorised of arrays counts only within one.
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

    def raise_if_failed(self) -> None:
        """Raise what ended the source, if anything did."""
        ...
