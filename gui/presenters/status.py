"""The engine's published state as typed values: the only place that knows the keys of the state JSON."""

from dataclasses import dataclass, field
from typing import Any, Self

from gui.presenters.past_scans import PastScan, past_scans
from gui.presenters.viewers import Viewers, viewers_of
from streamer.model import (
    Calibration,
    ClusterNode,
    EngineState,
    FinishReason,
    FrameCounters,
    Problem,
    ScanInfo,
)


@dataclass(frozen=True)
class Progress:
    """How far the analysis is: step `step` of `n_steps`, all of it `fraction` (0..1) done."""

    step: int
    n_steps: int
    name: str
    fraction: float
    left_s: float | None


@dataclass(frozen=True)
class Edits:
    """How far undo and redo reach, and in words what they would take back or make again."""

    n_undo: int = 0
    n_redo: int = 0
    undo_text: str = ""
    redo_text: str = ""


@dataclass(frozen=True)
class Source:
    """The file that a result was made of, and whether it is there."""

    path: str
    is_there: bool


@dataclass(frozen=True)
class EngineStatus:
    """One published state (docs/protocol.md, part 2); fields as there."""

    state: EngineState = EngineState.IDLE
    finish_reason: FinishReason | None = None
    shows: str = "nothing"
    stalled: bool = False
    engine_pid: int = 0
    listen: str | None = None
    scan: ScanInfo | None = None
    q_per_px_inv_nm: float | None = None
    counters: FrameCounters = field(default_factory=FrameCounters)
    receive_hz: float = 0.0
    analyse_hz: float = 0.0
    lag_s: float = 0.0
    n_queued: int = 0
    left_s: float | None = None
    settled: bool = False
    settled_share: float | None = None
    kernels_share: float = 1.0
    in_force: dict[str, Any] = field(default_factory=dict)
    auto: dict[str, Any] = field(default_factory=dict)
    manual: dict[str, Any] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    edits: Edits | None = None
    source: Source | None = None
    read_only: bool = False
    viewers: Viewers | None = None
    tree: tuple[ClusterNode, ...] = ()
    momentum_tree: tuple[ClusterNode, ...] = ()
    array_versions: dict[str, int] = field(default_factory=dict)
    recording: str | None = None
    result: str | None = None
    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    disk_free_bytes: int | None = None
    history: tuple[PastScan, ...] = ()

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read a state; keys that are missing take their defaults, unknown ones are passed over.

        Raises
        ------
        ValueError, TypeError, KeyError
            A value is not of its kind: the message is not a state of this protocol.
        """
        rates, settings = values.get("rates") or {}, values.get("settings") or {}
        finish_reason, scan, progress = (
            values.get("finish_reason"),
            values.get("scan"),
            values.get("progress"),
        )
        return cls(
            state=EngineState(values["state"]),
            finish_reason=None if finish_reason is None else FinishReason(finish_reason),
            shows=str(values.get("shows", "nothing")),
            stalled=bool(values.get("stalled")),
            engine_pid=int(values.get("engine_pid") or 0),
            listen=(values.get("endpoints") or {}).get("listen"),
            scan=None if scan is None else ScanInfo.from_json(scan),
            q_per_px_inv_nm=values.get("q_per_px_inv_nm"),
            counters=_counters(values.get("counters") or {}),
            receive_hz=float(rates.get("receive_hz") or 0.0),
            analyse_hz=float(rates.get("analyse_hz") or 0.0),
            lag_s=float(values.get("lag_s") or 0.0),
            n_queued=int(values.get("n_queued") or 0),
            left_s=values.get("left_s"),
            settled=bool(values.get("settled")),
            settled_share=values.get("settled_share"),
            kernels_share=float(values.get("kernels_share", 1.0)),
            in_force=settings.get("in_force") or {},
            auto=settings.get("auto") or {},
            manual=settings.get("manual") or {},
            stale=tuple(str(stage) for stage in values.get("stale") or ()),
            edits=_edits(values.get("edits")),
            source=_source(values.get("source")),
            read_only=bool(values.get("read_only")),
            viewers=viewers_of(values),
            tree=_nodes(values.get("tree")),
            momentum_tree=_nodes(values.get("momentum_tree")),
            array_versions=dict(values.get("array_versions") or {}),
            recording=values.get("recording"),
            result=values.get("result"),
            progress=None if progress is None else _progress(progress),
            seconds=dict(values.get("seconds") or {}),
            problems=tuple(_problem(entry) for entry in values.get("problems") or ()),
            disk_free_bytes=values.get("disk_free_bytes"),
            history=past_scans(values.get("history")),
        )

    @property
    def calibration(self) -> Calibration:
        """The scan's calibration; an empty one where there is no scan."""
        return self.scan.calibration if self.scan else Calibration()

    def node(self, node_id: int | None) -> ClusterNode | None:
        """The cluster of that id, None where there is none."""
        return next((node for node in self.tree if node.id == node_id), None)


def _counters(values: dict[str, Any]) -> FrameCounters:
    return FrameCounters(**{name: int(values.get(name, 0)) for name in FrameCounters.__dataclass_fields__})


def _nodes(values: Any) -> tuple[ClusterNode, ...]:
    return tuple(ClusterNode.from_json(entry) for entry in values or ())


def _progress(values: dict[str, Any]) -> Progress:
    left_s = values.get("left_s")
    return Progress(
        step=int(values.get("step", 0)),
        n_steps=int(values.get("n_steps", 0)),
        name=str(values.get("name", "")),
        fraction=min(1.0, max(0.0, float(values.get("fraction") or 0.0))),
        left_s=None if left_s is None else float(left_s),
    )


def _edits(values: Any) -> Edits | None:
    if not values:
        return None
    texts = (str(values.get(name) or "") for name in ("undo_text", "redo_text"))
    return Edits(int(values.get("n_undo", 0)), int(values.get("n_redo", 0)), *texts)


def _source(values: Any) -> Source | None:
    return None if not values else Source(str(values["path"]), bool(values["is_there"]))


def _problem(values: dict[str, Any]) -> Problem:
    return Problem(str(values["code"]), str(values["text"]), int(values.get("count", 1)))
