"""What the receiving side needs of whoever keeps a scan: ring, what is durable, what was there before."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from streamer.errors import LivestemError
from streamer.model import FrameCounters
from streamer.receive.ring import FrameRing
from streamer.wire.sequence import IntervalSet


@dataclass(frozen=True)
class Earlier:
    """What an earlier run of the same scan left in its recording: frames that are there, and its counters."""

    frames: IntervalSet = field(default_factory=IntervalSet)
    counters: FrameCounters = field(default_factory=FrameCounters)


class ScanSession(Protocol):
    """What the engine keeps for a scan: where frames go, and which of them are safe."""

    @property
    def ring(self) -> FrameRing:
        """Where frames are written."""
        ...

    @property
    def earlier(self) -> Earlier:
        """What is there already."""
        ...

    def learn(self, scales: dict[str, Any]) -> None:
        """Scales that the sender knew only at the end, as `ScanInfo.filled` takes them."""
        ...

    def durable(self) -> IntervalSet:
        """Frame indices that may be acknowledged."""
        ...

    def drained(self) -> bool:
        """Whether everything that was written to the ring is durable."""
        ...

    def failure(self) -> LivestemError | None:
        """What makes it impossible to keep frames."""
        ...


class HostBusy(LivestemError):
    """The engine still finishes the scan before: the sender is told to send start again in a moment."""
