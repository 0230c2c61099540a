"""Pill, sentences of the header, faults and banners, the line at the bottom."""

from pathlib import PurePath

from gui.presenters.numbers import count, duration, percent, shape
from gui.presenters.phase import Phase
from gui.presenters.status import EngineStatus
from gui.presenters.texts.nodes import cluster_count
from gui.presenters.views import Severity
from streamer.model import FinishReason, ProblemCode

LAG_AMBER_S = 1.0
LAG_ORANGE_S = 5.0

PILLS: dict[Phase, tuple[str, str]] = {
    Phase.CONNECTING: ("◌", "CONNECTING"),
    Phase.ENGINE_GONE: ("!", "ENGINE GONE"),
    Phase.IDLE: ("◌", "NOTHING OPEN"),
    Phase.WAITING: ("◌", "WAITING FOR STREAM"),
    Phase.SCANNING: ("▶", "SCANNING"),
    Phase.SAVING: ("⬇", "SAVING"),
    Phase.ANALYSING: ("⟳", "ANALYSING"),
    Phase.DONE: ("✓", "DONE"),
    Phase.RECORDED: ("✓", "RECORDED"),
    Phase.STOPPED: ("■", "STOPPED"),
    Phase.STREAM_LOST: ("!", "STREAM LOST"),
    Phase.OVERRUN: ("!", "OVERRUN"),
    Phase.FAILED: ("!", "SCAN FAILED"),
}

FINISH_REASONS: dict[FinishReason, str] = {
    FinishReason.COMPLETED: "The scan is complete.",
    FinishReason.STOPPED: "The scan was stopped by hand.",
    FinishReason.STREAM_LOST: "The detector stream was lost.",
    FinishReason.OVERRUN: "The detector sent faster than this computer could write.",
    FinishReason.FAILED: "The scan ended with an error.",
}

NEXT_STEPS: dict[FinishReason, str] = {
    FinishReason.COMPLETED: "Analyse starts the full analysis.",
    FinishReason.STOPPED: "Analyse works on what is there.",
    FinishReason.STREAM_LOST: "The sender may come back and continue it; Analyse works on what is there.",
    FinishReason.OVERRUN: "Use a faster disk or a longer dwell time; Analyse works on what is there.",
    FinishReason.FAILED: "The Log tab says why; Analyse works on what is there.",
}
TAG_PROVISIONAL = "provisional"
TAG_SETTLED = "settled"
DETAILS = "Details"
CLOSE = "Close"
ANALYSE_REST = "Analyse what is there"
PROBLEMS: dict[str, tuple[Severity, str]] = {
    ProblemCode.STREAM_LOST: (Severity.ORANGE, "Stream lost."),
    ProblemCode.RECORDING_FAILED: (Severity.ORANGE, "Recording failed."),
    ProblemCode.LIVE_FAILED: (Severity.ORANGE, "Live analysis failed."),
    ProblemCode.LIVE_REMARK: (Severity.AMBER, "Live analysis."),
    ProblemCode.ANALYSIS_FAILED: (Severity.ORANGE, "Analysis failed."),
    ProblemCode.ANALYSIS_CANCELLED: (Severity.AMBER, "Analysis cancelled."),
    ProblemCode.EDITS_NOT_REPEATED: (Severity.AMBER, "Changes left out."),
    ProblemCode.SIDE_SETTINGS: (Severity.AMBER, "Not kept."),
    ProblemCode.SOURCE_MISSING: (Severity.AMBER, "Source not found."),
    ProblemCode.NOT_PREPARED: (Severity.AMBER, "Not prepared."),
    ProblemCode.SLIDE_FAILED: (Severity.AMBER, "No slide."),
    ProblemCode.DISK_BUDGET: (Severity.AMBER, "Little room left."),
    ProblemCode.KEY_REFUSED: (Severity.AMBER, "Viewer refused."),
}
"""How much each kind of problem matters, and what its sentence stands under; a newer engine may know others."""

ENGINE_GONE_TITLE = "The engine does not answer."
ESC_CLEARS = "Esc clears"
FIRST_CLUSTERS = "Showing bright field until the first clusters are in."
PROVISIONAL = "Clusters are provisional until the scan ends."

STALLED = (
    "No pattern has come for a while, but the sender is still there. The scan goes on when it sends again."
)


def pill_sentence(
    phase: Phase, status: EngineStatus, *, has_labels: bool, endpoint: str, attempt: int
) -> str:
    """The sentence beside the pill."""
    match phase:
        case Phase.CONNECTING:
            return f"Connecting to {endpoint}."
        case Phase.ENGINE_GONE:
            return f"No answer from {endpoint}. Trying again, attempt {attempt}."
        case Phase.IDLE:
            return "The engine is there; it holds no scan and listens for none."
        case Phase.WAITING:
            return waiting_sentence(status)
        case Phase.SCANNING:
            return scanning_sentence(status, has_labels=has_labels)
        case Phase.SAVING:
            return "The last patterns are being written to disk. Do not unplug."
        case Phase.ANALYSING:
            return analysing_sentence(status)
        case Phase.DONE:
            return stale_sentence(status.stale, status.seconds) if status.stale else done_sentence(status)
        case _:
            return ended_sentence(status)


def scanning_sentence(status: EngineStatus, *, has_labels: bool) -> str:
    """What to know during a scan, the most urgent thing only."""
    if status.stalled:
        return STALLED
    if status.lag_s > LAG_AMBER_S:
        safe = "Nothing is lost" if not status.counters.frames_missing else "What came is kept"
        return (
            f"Analysis is {duration(status.lag_s)} behind the detector. "
            f"{safe}: {count(status.n_queued)} patterns are queued."
        )
    if not has_labels:
        return FIRST_CLUSTERS
    return settled_sentence(status) if status.settled else PROVISIONAL


def waiting_sentence(status: EngineStatus) -> str:
    """Where the engine listens, and whether its kernels are ready."""
    listening = f"Listening on {status.listen}. No scan yet."
    if status.kernels_share >= 1.0:
        return listening
    return (
        f"{listening} Kernels are being compiled, {status.kernels_share:.0%}; a scan may begin at any time."
    )


def settled_sentence(status: EngineStatus) -> str:
    """That the live clusters no longer change, and since when."""
    since = "" if status.settled_share is None else f" since {status.settled_share:.0%} of the scan"
    return f"Clusters have settled{since}: more of the scan will hardly change them."


def analysing_sentence(status: EngineStatus) -> str:
    """Which step runs and how long it takes."""
    progress = status.progress
    if progress is None:
        return "The full analysis starts. Map and patterns stay usable."
    left = "" if progress.left_s is None else f" · about {duration(progress.left_s)} left"
    step = f"Step {progress.step} of {progress.n_steps}: " if progress.n_steps > 1 else ""
    name = progress.name if step else progress.name.capitalize()
    return f"{step}{name}{left}. Map and patterns stay usable."


def done_sentence(status: EngineStatus) -> str:
    """What was found, and how the scan ended where it did not end as planned."""
    early = ""
    if status.finish_reason not in (None, FinishReason.COMPLETED):
        early = f"{FINISH_REASONS[status.finish_reason]} "
    took = f" · analysed in {duration(sum(status.seconds.values()))}" if status.seconds else ""
    return f"{early}{cluster_count(status.tree)}{took}"


def ended_sentence(status: EngineStatus) -> str:
    """How the scan ended, what is kept and what can be done, for a scan that is not analysed."""
    if status.finish_reason is None:
        return "No scan has ended."
    said = f"{kept(status)} {NEXT_STEPS[status.finish_reason]}"
    # A fault has its reason on the pill and on the banner: the line has room for what is kept.
    is_fault = status.finish_reason not in (FinishReason.COMPLETED, FinishReason.STOPPED)
    return said if is_fault else f"{FINISH_REASONS[status.finish_reason]} {said}"


def kept(status: EngineStatus) -> str:
    """What is safe of the scan."""
    n_kept = status.counters.frames_stored
    if status.recording:
        return f"{count(n_kept)} patterns are kept in {PurePath(status.recording).name}."
    return "No recording was asked for; clusters and images stay until the engine ends."


def engine_gone(endpoint: str, exit_code: int | None) -> str:
    """Which engine does not answer, what is kept, what happens next."""
    if exit_code is None:
        return (
            f"No answer from {endpoint}. What you see stays shown, what the engine has recorded is on disk. "
            "This window connects again by itself."
        )
    return (
        f"Its process ended with code {exit_code}. What you see stays shown, the recording is on disk. "
        "Close this window and start it again to go on."
    )


def fault_text(status: EngineStatus) -> str:
    """What goes on the banner of a scan that ended badly, after the title that says how it ended."""
    if status.finish_reason is None:
        return ""
    why = stopped_at(status)
    if status.finish_reason is not FinishReason.STREAM_LOST and status.problems:
        why = status.problems[-1].text
    return f"{why} {kept(status)} {NEXT_STEPS[status.finish_reason]}"


def stopped_at(status: EngineStatus) -> str:
    """Where the stream stopped."""
    n_received = status.counters.frames_received
    row = ""
    if status.scan and n_received:
        row = f" (row {min(n_received, status.scan.n_positions) // status.scan.scan_shape[1]})"
    return f"It stopped at pattern {count(n_received)}{row}."


def scan_summary(status: EngineStatus) -> str:
    """Name and size of the scan."""
    if status.scan is None:
        return "Ready for a scan"
    name = PurePath(status.result or status.recording or "").name or f"scan {status.scan.scan_id[:8]}"
    return f"{name} · {shape(status.scan.scan_shape)} positions · {shape(status.scan.detector_shape)} px"


def ready(status: EngineStatus) -> str:
    """The status bar where nothing is under the cursor."""
    if status.listen and status.scan is None:
        return f"Ready. Listening on {status.listen}."
    return "Move over the map for patterns, click for clusters." if status.scan else ""


def progress_text(phase: Phase, status: EngineStatus, fraction: float) -> str:
    """The text on the progress bar."""
    if phase in (Phase.CONNECTING, Phase.WAITING, Phase.IDLE):
        return "–"
    share = percent(fraction)
    left_s = status.progress.left_s if phase is Phase.ANALYSING and status.progress else status.left_s
    if phase in (Phase.SCANNING, Phase.ANALYSING) and left_s is not None:
        return f"{share} · {'about ' * (phase is Phase.ANALYSING)}{duration(left_s)} left"
    if phase in (Phase.STOPPED, Phase.STREAM_LOST, Phase.OVERRUN, Phase.FAILED):
        return f"{share} · stopped"
    return share


def stale_sentence(stale: tuple[str, ...], seconds: dict[str, float]) -> str:
    """That what is shown does not follow what was set, and what does."""
    took = sum(seconds.get(stage, 0.0) for stage in stale)
    about = f", about {duration(took)}" if took else ""
    return f"Stale: {', '.join(stale)}. Analyse follows what you have set{about}; until then nothing changes."
