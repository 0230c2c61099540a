"""The strip of the scans before: one tile each, with its map, time and outcome."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from gui.presenters.numbers import shape
from gui.presenters.past_scans import PastScan
from gui.presenters.views import Severity
from streamer.model import FinishReason

LEAST_TILES = 2
"""One scan alone is what the window shows anyway."""


@dataclass(frozen=True)
class HistoryTile:
    """`label` under the map, `tip` with everything, `severity` of its outcome, `picture` as in `PastScan`."""

    label: str
    tip: str
    severity: Severity
    picture: tuple[int, int, bytes] | None


def history_tiles(scans: tuple[PastScan, ...]) -> tuple[HistoryTile, ...]:
    """A tile for each, the latest last; none where there is but one."""
    return tuple(_tile(scan) for scan in scans) if len(scans) >= LEAST_TILES else ()


def _tile(scan: PastScan) -> HistoryTile:
    time = datetime.fromisoformat(scan.ended).strftime("%H:%M")
    is_whole = scan.finish_reason == FinishReason.COMPLETED
    outcome = (
        "no result" if scan.error else ("" if is_whole else scan.finish_reason.replace("_", " ").lower())
    )
    severity = Severity.NORMAL if is_whole and not scan.error else Severity.ORANGE
    clusters = "" if scan.n_clusters is None else f"{scan.n_clusters} clusters at level 1"
    lines = (
        f"{shape(scan.scan_shape)}, ended {scan.ended.replace('T', ' ')}: {scan.finish_reason}",
        clusters,
        PurePath(scan.recording).name,
        PurePath(scan.result).name,
        scan.error,
    )
    return HistoryTile(f"{time} {outcome}".strip(), "\n".join(filter(None, lines)), severity, scan.picture)
