"""Header, banner and status bar: where the operator stands and what needs attention."""

from typing import Any

from gui.presenters import texts
from gui.presenters.clusters import Clusters
from gui.presenters.image_panes import scan_scale
from gui.presenters.in_charge import why_watching
from gui.presenters.numbers import count, duration, free_space, rate
from gui.presenters.phase import FAULTS, Phase, phase_of
from gui.presenters.selection import Selected, Selection
from gui.presenters.snapshot import Link, Snapshot
from gui.presenters.status import EngineStatus
from gui.presenters.views import BannerView, HeaderView, Severity, StatusField, StatusView
from streamer.model import EngineState

LOW_DISK_BYTES = 5e9


def header_view(snapshot: Snapshot) -> HeaderView:
    """Pill, sentences, progress and buttons."""
    status = snapshot.status
    phase = phase_of(snapshot)
    icon, word = texts.PILLS[phase]
    fraction = scanned_fraction(status, phase)
    may_act = snapshot.link is Link.CONNECTED and not why_watching(snapshot)
    return HeaderView(
        phase=phase,
        icon=icon,
        word=word,
        summary=texts.scan_summary(status),
        sentence=texts.pill_sentence(
            phase,
            status,
            has_labels=snapshot.values("label_maps") is not None,
            endpoint=snapshot.endpoint,
            attempt=snapshot.attempt,
        ),
        severity=_severity(status, phase),
        fraction=fraction,
        progress=texts.progress_text(phase, status, fraction),
        can_stop=may_act and status.state is EngineState.RUNNING,
        can_analyze=may_act and _can_analyze(status),
        can_cancel=may_act and (status.state is EngineState.ANALYSING or status.progress is not None),
    )


def _severity(status: EngineStatus, phase: Phase) -> Severity:
    if phase is Phase.SCANNING:
        return _lag_severity(status)
    return Severity.AMBER if phase is Phase.DONE and status.stale else Severity.NORMAL


def scanned_fraction(status: EngineStatus, phase: Phase) -> float:
    """How much of the scan, or of its analysis, is done, 0..1."""
    if phase is Phase.ANALYSING:
        return status.progress.fraction if status.progress else 0.0
    if phase is Phase.DONE:
        return 1.0
    if status.scan is None or not status.scan.n_frames:
        return 0.0
    arrived = status.counters.frames_received - status.counters.frames_repeated
    return min(1.0, max(0.0, arrived / status.scan.n_frames))


def banner_view(snapshot: Snapshot, dismissed: frozenset[str]) -> BannerView | None:
    """The most important matter that the operator has not closed: faults, then refusals, then problems."""
    return next((banner for banner in _banners(snapshot) if banner.key not in dismissed), None)


def _banners(snapshot: Snapshot) -> list[BannerView]:
    status = snapshot.status
    phase = phase_of(snapshot)
    banners = []
    if phase is Phase.ENGINE_GONE:
        text = texts.engine_gone(snapshot.endpoint, snapshot.engine_exit_code)
        banners.append(BannerView(f"gone {snapshot.reset}", Severity.ORANGE, texts.ENGINE_GONE_TITLE, text))
    elif phase in FAULTS and status.finish_reason is not None:
        scan_id = status.scan.scan_id if status.scan else ""
        key = f"{phase} {scan_id} {status.counters.frames_received}"
        text = texts.fault_text(status)
        offers = _can_analyze(status)
        banners.append(
            BannerView(key, Severity.ORANGE, texts.FINISH_REASONS[status.finish_reason], text, offers)
        )
    if snapshot.notice is not None:
        banners.append(
            BannerView(f"notice {snapshot.notice.number}", Severity.AMBER, "", snapshot.notice.text)
        )
    for problem in reversed(status.problems):
        times = f" ({count(problem.count)} times)" if problem.count > 1 else ""
        key = f"problem {snapshot.reset} {problem.code}"
        severity, title = texts.PROBLEMS.get(problem.code, (Severity.AMBER, ""))
        banners.append(BannerView(key, severity, title, f"{problem.text}{times}"))
    return banners


def status_view(snapshot: Snapshot, selection: Selection, clusters: Clusters) -> StatusView:
    """What is under the cursor on the left, figures of the stream on the right."""
    status = snapshot.status
    scanning = status.state is EngineState.RUNNING
    missing = status.counters.frames_missing
    fields = (
        StatusField("rate", rate(status.receive_hz) if scanning else "idle"),
        StatusField("lost", count(missing), Severity.AMBER if missing else Severity.NORMAL),
        StatusField("lag", duration(status.lag_s) if scanning else "–", _lag_severity(status)),
        StatusField("disk", free_space(status.disk_free_bytes), _disk_severity(status)),
    )
    return StatusView(_cursor_text(snapshot, selection, clusters), fields)


def _cursor_text(snapshot: Snapshot, selection: Selection, clusters: Clusters) -> str:
    parts = []
    for kind, part in selection.parts.items():
        named = _named(kind, part, snapshot, selection)
        if named is None:
            continue
        parts.append(texts.SELECTED[kind].format(what=named[0], n=count(named[1])))
        if kind in (Selected.HOVER, Selected.PIN) and part == selection.position_yx and clusters.hovered:
            parts.append(f"cluster {texts.node_label(clusters.hovered)}")
    if not selection.is_empty:
        parts.append(texts.ESC_CLEARS)
    return " · ".join(parts) or texts.ready(snapshot.status)


def _named(kind: Selected, part: Any, snapshot: Snapshot, selection: Selection) -> tuple[str, int] | None:
    """Something selected in words, and of how many patterns or positions it is; None where it is not there."""
    status = snapshot.status
    match kind:
        case Selected.HOVER | Selected.PIN | Selected.COMPARED_POSITION:
            return texts.position(part, scan_scale(status)), 1
        case Selected.REGION:
            return "", int(selection.region.sum()) if selection.region is not None else 0
        case Selected.MOMENTUM:
            node = next((node for node in status.momentum_tree if node.id == part), None)
        case _:
            node = status.node(part)
    return None if node is None else (texts.node_label(node), node.n_patterns)


def _can_analyze(status: EngineStatus) -> bool:
    """Whether the engine would: it is at rest, and has a recording, or the source of the file that it serves."""
    at_rest = status.state in (EngineState.IDLE, EngineState.LISTENING)
    if status.listen is None:
        return at_rest and status.source is not None and status.source.is_there
    return at_rest and status.recording is not None


def _lag_severity(status: EngineStatus) -> Severity:
    if status.state is not EngineState.RUNNING or status.lag_s <= texts.LAG_AMBER_S:
        return Severity.AMBER if status.stalled else Severity.NORMAL
    return Severity.ORANGE if status.lag_s > texts.LAG_ORANGE_S else Severity.AMBER


def _disk_severity(status: EngineStatus) -> Severity:
    low = status.disk_free_bytes is not None and status.disk_free_bytes < LOW_DISK_BYTES
    return Severity.AMBER if low else Severity.NORMAL
