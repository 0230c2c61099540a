"""What the live analysis shows: one immutable object, pulled by readers on their own clock.

The compute thread is the one writer of a `SnapshotBoard`; everybody else reads `SnapshotBoard.newest`.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from streamer.model import ClusterNode
from streamer.wire.control import NamedArray


@dataclass(frozen=True)
class LiveSnapshot:
    """Everything at one version.

    Attributes
    ----------
    version
        Counts up with every publication.
    arrays
        By name, each with a version of its own that changes when its values do; never written to again.
    tree, momentum_tree
        Nodes, root first.
    n_analysed, n_skipped
        Patterns in the live analysis; patterns it has passed over so far.
    lag_s
        Age of the oldest frame not yet analysed.
    settings
        ``in_force``, ``auto``, ``manual`` as docs/protocol.md, part 2 has them.
    settled, settled_share
        Whether labels have stopped changing, and at which share of the scan they did.
    remark
        A sentence where the patterns are not what was expected (no direct beam); else empty.
    """

    version: int = 0
    arrays: dict[str, NamedArray] = field(default_factory=dict)
    tree: tuple[ClusterNode, ...] = ()
    momentum_tree: tuple[ClusterNode, ...] = ()
    n_analysed: int = 0
    n_skipped: int = 0
    lag_s: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)
    settings_id: str = ""
    settled: bool = False
    settled_share: float | None = None
    remark: str = ""


class SnapshotBoard:
    """Holds the newest snapshot; replacing a reference is all that writer and readers share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = LiveSnapshot()

    @property
    def newest(self) -> LiveSnapshot:
        """The newest snapshot."""
        with self._lock:
            return self._newest

    def publish(self, snapshot: LiveSnapshot) -> None:
        """Replace the newest snapshot."""
        with self._lock:
            self._newest = snapshot
