"""The scans of a night: what became of each, and how long the disk will do. Engine thread alone."""

import base64
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.result_file import AnalysisResult
from streamer.look.palette import NOT_VISITED, node_colours
from streamer.model import FinishReason
from streamer.serve.publish import disk_free
from streamer.serve.scan_run import ScanRun

KEPT = 12
"""Scans that the state tells of; files tell of all."""
MAP_SIDE = 24
"""Longer side of a thumbnail map, in pixels."""
BUDGET_SHARE = 0.9
FEW_SCANS = 3
"""Of the size of the last: a disk that holds no more of them is said."""


@dataclass(frozen=True)
class PastScan:
    """One scan that has ended: names of files, what was found, a thumbnail (``map``: rgb rows in base64)."""

    scan_id: str
    scan_shape: tuple[int, int]
    ended: str
    finish_reason: str
    recording: str | None
    result: str | None = None
    n_clusters: int | None = None
    error: str = ""
    map: dict[str, Any] = field(default_factory=dict)


class Night:
    """Parameters: the folder of the recordings (None: nothing is recorded), the budget for it (None: the disk)."""

    def __init__(self, record_dir: Path | None, budget_bytes: int | None) -> None:
        self._record_dir, self.budget_bytes = record_dir, budget_bytes
        self._scans: deque[PastScan] = deque(maxlen=KEPT)
        self._last_bytes = 0

    def ended(self, run: ScanRun, reason: FinishReason | None, now: datetime) -> None:
        """A scan has ended; its recording is closed."""
        if run.path is not None:
            self._last_bytes = run.path.stat().st_size
        self._scans.append(
            PastScan(
                run.info.scan_id,
                run.info.scan_shape,
                now.isoformat(timespec="seconds"),
                (reason or FinishReason.STOPPED).value,
                str(run.path) if run.path else None,
            )
        )

    def analysed(self, run: ScanRun, result: AnalysisResult) -> None:
        """The result of a scan is there."""
        n_clusters = sum(node.level == 1 for node in result.nodes) or 1
        self._change(run, result=str(result.path), n_clusters=n_clusters, error="", map=thumbnail(result))

    def failed(self, run: ScanRun, error: str) -> None:
        """The scan has no result, and why."""
        self._change(run, error=error)

    def _change(self, run: ScanRun, **values: Any) -> None:
        path = str(run.path)
        changed = [replace(scan, **values) if scan.recording == path else scan for scan in self._scans]
        self._scans = deque(changed, maxlen=KEPT)

    def warning(self) -> str:
        """What there is to say of the disk, "" if nothing."""
        if self._record_dir is None:
            return ""
        used, free = self.used_bytes(), disk_free(self._record_dir)
        budget = self.budget_bytes
        if budget is not None and used > BUDGET_SHARE * budget:
            return (
                f"Recordings and results in {self._record_dir} take {used / 1e9:.1f} GB of the budget of "
                f"{budget / 1e9:.1f} GB. {self._room(budget - used)} Move finished ones away. Nothing is deleted or "
                "refused for it."
            )
        if free is not None and self._last_bytes and free < FEW_SCANS * self._last_bytes:
            return (
                f"{self._record_dir} has {free / 1e9:.1f} GB free. {self._room(free)} Move finished recordings away. A "
                "scan that finds no room is refused before its beam is on."
            )
        return ""

    def _room(self, n_bytes: int) -> str:
        if not self._last_bytes:
            return ""
        n = max(0, n_bytes // self._last_bytes)
        return f"That is room for {n} more of the size of the last ({self._last_bytes / 1e9:.2f} GB)."

    def used_bytes(self) -> int:
        """Of HDF5 files in the folder."""
        if self._record_dir is None or not self._record_dir.is_dir():
            return 0
        return sum(path.stat().st_size for path in self._record_dir.glob("*.h5"))

    def to_json(self) -> list[dict[str, Any]]:
        """Past scans, the latest last."""
        return [asdict(scan) for scan in self._scans]


def thumbnail(result: AnalysisResult) -> dict[str, Any]:
    """The map of level 1 as a small picture: ``shape`` (y, x), ``rgb`` base64 of its bytes."""
    labels = result.label_maps[0]
    step = max(1, -(-max(labels.shape) // MAP_SIDE))
    small = labels[::step, ::step]
    colours = node_colours(result.nodes)
    table = np.array([colours.get(node.id, NOT_VISITED) for node in result.nodes] + [NOT_VISITED], np.uint8)
    picture: NDArray[np.uint8] = table[small]
    return {"shape": list(small.shape), "rgb": base64.b64encode(picture.tobytes()).decode()}
