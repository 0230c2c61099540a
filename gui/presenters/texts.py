"""All words of the window. Sentences say what happened, what is kept, and what can be done."""

from pathlib import PurePath
from typing import Any

from gui.presenters.levels import Scale
from gui.presenters.numbers import count, duration, percent, shape
from gui.presenters.phase import Phase
from gui.presenters.selection import LatticeQuantity
from gui.presenters.status import EngineStatus
from streamer.look.scale_bar import ImageScale
from streamer.model import ClusterNode, FinishReason

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

SCALE_TIPS: dict[Scale, str] = {
    Scale.LINEAR: "Linear intensity (N)",
    Scale.SQRT: "Square root of the intensity (Q)",
    Scale.LOG: "Logarithm of the intensity (L)",
}
SCALES: dict[Scale, str] = {Scale.LINEAR: "Lin", Scale.SQRT: "√", Scale.LOG: "Log"}

PATTERN_TITLE = "Pattern at cursor"
CLUSTER_PATTERN_TITLE = "Mean pattern of cluster"
MEAN_PATTERN_TITLE = "Mean pattern of the scan"
TILES_TITLE = "Mean pattern of each cluster"
PINNED_TITLE = "Pinned pattern"
OUTLINES = "Outlines"
OUTLINES_TIP = "Draw the borders of the clusters (O)"
BLEND = "Blend BF"
BLEND_TIP = "Brightness of the map from the bright field (B)"
COMPARED = "Compared"
DIFFERENCE = "Difference"
TAG_PROVISIONAL = "provisional"
TAG_SETTLED = "settled"

MAP_TITLE = "Cluster map"
VIRTUAL_TITLE = "Virtual images"
TREE_TITLE = "Hierarchy"
STREAM_TITLE = "Stream, last two minutes"
LEVEL = "Level"
LABELS = "Numbers"
LABELS_TIP = "Print the number of each cluster on the map (T)"
PANE_PAUSED = "This pane is paused, the others go on."
RETRY = "Retry"
DETAILS = "Details"
CLOSE = "Close"
ANALYSE_REST = "Analyse what is there"
TABS = {
    "rings": "Rings",
    "elbow": "Elbow",
    "alignment": "Alignment",
    "lattice": "Lattice",
    "stream": "Stream",
    "momentum": "k-space",
    "log": "Log",
}
BRIGHT_FIELD = "Bright field"
DARK_FIELD = "Annular dark field"
RESIDUAL = "Residual"
MANIFOLD_TITLE = "Manifold"
MANIFOLD_METHODS = {"pca": "principal components", "umap": "UMAP"}
MANIFOLD_EMPTY = "This result holds no manifold.\nlivestem analyze --manifold makes one."
MANIFOLD_TIP = (
    "Drag turns, wheel zooms, click selects, Shift and drag marks a region; double-click: as at first"
)
LATTICE_EMPTY = "No lattice here.\nThe analysis measures it where Bragg disks are seen."
LATTICE_QUANTITIES: dict[LatticeQuantity, tuple[str, str]] = {
    LatticeQuantity.CONSTANT: ("a", "Lattice constant"),
    LatticeQuantity.ROTATION: ("θ", "Rotation"),
    LatticeQuantity.STRAIN_YY: ("εyy", "Strain yy"),
    LatticeQuantity.STRAIN_XX: ("εxx", "Strain xx"),
    LatticeQuantity.STRAIN_YX: ("εyx", "Shear strain"),
    LatticeQuantity.QUALITY: ("Q", "Quality"),
}
AXIS_RADIUS = "radius (px)"
AXIS_STD = "rotational STD"
AXIS_K = "clusters K"
AXIS_INERTIA = "inertia / largest"
AXIS_RATE = "patterns / s"
AXIS_LAG = "lag (s)"
AXIS_SHARE = "share"

TABLE_TITLE = "Hierarchy as a table"
TABLE = "Table"
TABLE_TIP = "The hierarchy as a table, for keyboard and screen reader (Ctrl+T)"
TABLE_COLUMNS = ["Number", "Title", "Patterns", "Share", "Colour"]
MENU_COPY = "Copy"
MENU_SAVE_PICTURE = "Save picture…"
MENU_SAVE_DATA = "Save data…"
MENU_OWN_WINDOW = "Show in own window"
MENU_MAXIMISE = "Maximise"
NOTHING_TO_SAVE = "There are no numbers here yet. Save again when the pane shows something."
MENU = "☰"
MENU_TIP = "Files, look, keys"
MENU_RECENT = "Open recent"
MENU_NO_RECENT = "No recent files"
MENU_THEME = "Look (from the next start)"
THEMES = {"dark": "Dark", "light": "Light", "system": "As the system"}
OPEN_TITLE = "Open a result or a recording"
OPEN_FILTER = "Results and recordings (*.h5 *.hdf5 *.emd)"
SIMULATE = "Try with a simulated scan"
SIMULATE_STAGES = {
    "making": "Making a specimen…",
    "sending": "Sending the scan…",
    "ended": "Try with a simulated scan",
    "failed": "The simulated scan failed. Try again",
}
KEYS_TITLE = "Keys"
KEYS_COLUMNS = ["Key", "What it does"]

MAP_WAITING = "Waiting for the detector.\nThe map fills in here when the first row arrives."
MAP_HOW_TO_SEND = "\n\nTo send a file as a detector would:\nlivestem replay FILE --to {listen}"
MAP_CONNECTING = "Connecting to the engine…"
MAP_EMPTY = "No cluster map yet."
PATTERN_EMPTY = "Move the mouse over the map:\nthe pattern of that position appears here."
PATTERN_WAITING = "The first pattern appears here."
TILES_EMPTY = "The mean pattern of each cluster appears here\nwhen the first clusters are in."
TILES_NONE = "No mean patterns here.\nAn analysis of the recording makes them."
TREE_EMPTY = "The hierarchy grows here\nwhen the first clusters are in."
IMAGE_EMPTY = "No data yet"
RINGS_EMPTY = "No radial profile yet."
ELBOW_EMPTY = "No elbow curve for this cluster yet."
STREAM_EMPTY = "No stream in the last two minutes."
ALIGNMENT_EMPTY = "No alignment yet."
LOG_EMPTY = "Nothing to report."

MOMENTUM_TITLE = "k-space: clusters of detector pixels"
MOMENTUM_MAP_TITLE = "Clusters of the detector"
MOMENTUM_TILES_TITLE = "Real-space image of each"
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
    return f"Step {progress.step} of {progress.n_steps}: {progress.name}{left}. Map and patterns stay usable."


def done_sentence(status: EngineStatus) -> str:
    """What was found, and how the scan ended where it did not end as planned."""
    early = ""
    if status.finish_reason not in (None, FinishReason.COMPLETED):
        early = f"{FINISH_REASONS[status.finish_reason]} "
    took = f" · analysed in {duration(sum(status.seconds.values()))}" if status.seconds else ""
    return f"{early}{cluster_count(status.tree)}{took}"


def cluster_count(tree: tuple[ClusterNode, ...]) -> str:
    """Such as "3 clusters, 8 sub-clusters"."""
    n_first = sum(node.level == 1 for node in tree)
    n_below = sum(node.level == 2 for node in tree)
    text = f"{n_first} cluster{'s' * (n_first != 1)}"
    return f"{text}, {n_below} sub-cluster{'s' * (n_below != 1)}" if n_below else text


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
        return "no scan yet"
    name = PurePath(status.result or status.recording or "").name or f"scan {status.scan.scan_id[:8]}"
    return f"{name} · {shape(status.scan.scan_shape)} positions · {shape(status.scan.detector_shape)} px"


def cannot_open(path: PurePath) -> str:
    """That a dropped file is none that the window shows, and what makes one of it."""
    return (
        f"{path.name} is neither a result nor a recording (*.h5). "
        f"Run `livestem analyze {path.name}` and open the result, or `livestem replay` to send it."
    )


def map_waiting(status: EngineStatus) -> str:
    """The empty map: what will come, and how to make it come."""
    how = MAP_HOW_TO_SEND.format(listen=status.listen) if status.listen and status.scan is None else ""
    return f"{MAP_WAITING}{how}"


def ready(status: EngineStatus) -> str:
    """The status bar where nothing is under the cursor."""
    if status.listen and status.scan is None:
        return f"Ready. Listening on {status.listen}."
    return "Move over the map for patterns, click for clusters." if status.scan else ""


def rings_note(in_force: dict[str, Any]) -> str:
    """Ring, threshold and number of features in one line."""
    inner, outer = in_force.get("inner_px"), in_force.get("outer_px")
    parts = [] if inner is None or outer is None else [f"ring {inner:.3g}–{outer:.3g} px"]
    if in_force.get("threshold") is not None:
        parts.append(f"threshold {percent(in_force['threshold'])}")
    if in_force.get("n_features") is not None:
        parts.append(f"{count(int(in_force['n_features']))} feature pixels")
    return " · ".join(parts)


def elbow_title(node: ClusterNode) -> str:
    """Whose children the curve is about."""
    return "Split of the whole scan" if node.level == 0 else f"Split of cluster {node_label(node)}"


def elbow_note(node: ClusterNode) -> str:
    """Such as "K = 3 (auto 3)"."""
    return f"K = {node.k} (auto {node.k_auto})"


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


def manifold_title(node: ClusterNode | None) -> str:
    """Whose patterns the points are."""
    if node is None or node.level == 0:
        return MANIFOLD_TITLE
    return f"{MANIFOLD_TITLE} of cluster {node_label(node)}"


def level_tip(level: int) -> str:
    """Tool tip of a level button."""
    return f"Colour the map by level {level} of the hierarchy ({level})"


def position(position_yx: tuple[int, int], scale: ImageScale) -> str:
    """A scan position in the unit of the map: "x 152.2 nm, y 29.4 nm"."""
    y, x = position_yx
    if scale.unit == "px":
        return f"x {x}, y {y} px"
    return f"x {x * scale.per_px:.1f} {scale.unit}, y {y * scale.per_px:.1f} {scale.unit}"


def marked(n_positions: int) -> str:
    """How much of the scan is marked."""
    return f"{count(n_positions)} positions marked"


def momentum_map_title(node: ClusterNode) -> str:
    """What stands in for the cluster map while a cluster of detector pixels is selected."""
    return f"Image of k-space cluster {node_label(node)}"


def node_label(node: ClusterNode) -> str:
    """The number of a cluster, with its title where somebody gave it one."""
    return node.name if node.title in ("", node.name) else f"{node.name} {node.title}"


def share(node: ClusterNode, n_all: int) -> str:
    """Share of all patterns, such as "15 %"."""
    return percent(node.n_patterns / n_all if n_all else 0.0)


def members(node: ClusterNode) -> str:
    """Number of patterns, such as "n = 5 445"."""
    return f"n = {count(node.n_patterns)}"


# Taking charge.

CHARGE_NO_ENGINE = "The engine does not answer; the hierarchy can be changed when it is back."
CHARGE_READ_ONLY = "This window may only look: the engine was started read-only."
CHARGE_SCANNING = "Clusters can be edited once the result of this scan is there; ring and K at any time."
CHARGE_ANALYSING = "The hierarchy can be changed when the analysis that runs has ended, or is cancelled."
CHARGE_NO_RESULT = "The hierarchy can be changed when there is a result: Analyse makes one."
THRESHOLD_REFUSED = "The threshold lies between 0 and 100 %."
BACK_TO_AUTO = "↺ auto"
BACK_TO_AUTO_TIP = "Give ring and threshold back to the automatic choice (Ctrl+0)"
SHOW_MASK = "Mask"
SHOW_MASK_TIP = "Paint the feature pixels over the pattern"
INNER, OUTER, THRESHOLD = "inner", "outer", "threshold"
APPLY, CANCEL_PROMPT = "Apply", "Leave"
SPOT_COMES = "The image of this spot is on its way."
MERGE = "Merge"
LOCK_K, UNLOCK_K = "Lock K", "Unlock K"
LOCK_K_TIP = "Keep K of this branch in every analysis to come"
LOCATE_QUESTION = "Where is the source of this result now?"
CALIBRATION_TITLE = "Calibration: what is measured wins over what the file says"
CALIBRATION_FIELDS = {
    "step_nm": "Scan position (nm)",
    "full_width_nm": "or full width of the map (nm)",
    "q_per_px_inv_angstrom": "Detector pixel (1/Å)",
    "ring_px": "or a known ring: radius (px)",
    "spacing_angstrom": "its lattice spacing d (Å)",
}
CALIBRATION_RING = "A known ring needs both its radius in px and its spacing d in Å."
CALIBRATION_EMPTY = (
    "Nothing was entered. Type the size of a scan position or of a detector pixel, or a known ring."
)
CALIBRATION_NO_SCAN = "There is no scan to calibrate yet."


def ring_too_thin(inner_px: float, outer_px: float, least_px: float) -> str:
    """Why a ring was refused."""
    return (
        f"A ring from {inner_px:.3g} to {outer_px:.3g} px is too thin: at least {least_px:.3g} px are needed."
    )


def ring_outside(largest_px: float) -> str:
    """Why a ring was refused."""
    return f"The ring has to stay on the detector: between 0 and {largest_px:.3g} px."


def ring_label(auto: dict[str, Any], ring: tuple[float, float], *, is_manual: bool) -> str:
    """Such as "auto 22–56, now 20–46"."""
    inner, outer = auto.get("inner_px"), auto.get("outer_px")
    if inner is None or outer is None or not is_manual:
        return f"ring {ring[0]:.3g}–{ring[1]:.3g} px (auto)"
    return f"ring: auto {inner:.3g}–{outer:.3g}, now {ring[0]:.3g}–{ring[1]:.3g} px"


def threshold_label(auto: dict[str, Any], threshold: float, *, is_manual: bool) -> str:
    """Such as "threshold: auto 30 %, now 34 %"."""
    automatic = auto.get("threshold")
    if automatic is None or not is_manual:
        return f"threshold {percent(threshold)} (auto)"
    return f"threshold: auto {percent(automatic)}, now {percent(threshold)}"


def mask_effect(n_features: int, n_pixels: int, changed_share: float | None, n_sample: int) -> str:
    """Such as "kept 2 140 of 16 384 px · would change 3 % of labels (1 024 patterns looked at)"."""
    kept_now = kept_pixels(n_features, n_pixels)
    if changed_share is None:
        return kept_now
    if not n_sample:
        return f"{kept_now} · changes nothing"
    return (
        f"{kept_now} · would change {percent(changed_share)} of labels ({count(n_sample)} patterns looked at)"
    )


def kept_pixels(n_features: int, n_pixels: int) -> str:
    """Such as "kept 2 140 of 16 384 px"."""
    return f"kept {count(n_features)} of {count(n_pixels)} px"


def stale_sentence(stale: tuple[str, ...], seconds: dict[str, float]) -> str:
    """That what is shown does not follow what was set, and what does."""
    took = sum(seconds.get(stage, 0.0) for stage in stale)
    about = f", about {duration(took)}" if took else ""
    return f"Stale: {', '.join(stale)}. Analyse follows what you have set{about}; until then nothing changes."


def k_label(node: ClusterNode, wanted: int | None, *, is_locked: bool) -> str:
    """Such as "K = 3 (auto 3), wanted 4, locked"."""
    parts = [f"K = {node.k} (auto {node.k_auto})"]
    if wanted is not None and wanted != node.k:
        parts.append(f"wanted {wanted}")
    if is_locked:
        parts.append("locked")
    return ", ".join(parts)


def k_preview_title(node_name: str, k: int) -> str:
    """Title of a small map."""
    return f"{node_name}: K = {k}"


def split_question(node: ClusterNode) -> str:
    """Into how many."""
    what = "the whole scan" if node.level == 0 else f"cluster {node_label(node)}"
    return f"Split {what} into"


def rename_question(node: ClusterNode) -> str:
    """The new title."""
    return f"Title of cluster {node.name}"


def merge_question(node: ClusterNode) -> str:
    """With which sister."""
    return f"Merge {node_label(node)} with"


def move_question(node: ClusterNode) -> str:
    """Onto which node."""
    return f"Move {node_label(node)} onto"


def move_and_merge(node: ClusterNode, parent: ClusterNode, leaf: ClusterNode | None) -> str:
    """Such as "Move 3.1 under 2 and merge with 2.2?"."""
    under = "the whole scan" if parent.level == 0 else node_label(parent)
    merge = f" and merge with {node_label(leaf)}" if leaf is not None else ""
    return f"Move {node_label(node)} under {under}{merge}?"


def tiny_offer(node: ClusterNode, sister: ClusterNode) -> str:
    """That a cluster is hardly one."""
    return f"Cluster {node_label(node)} has only {count(node.n_patterns)} patterns. Merge it with {node_label(sister)}?"


def undo_action(text: str) -> str:
    """Text of the action, such as "Undo merge 2.1 + 2.2"."""
    return f"Undo {text}".strip()


def redo_action(text: str) -> str:
    """Text of the action."""
    return f"Redo {text}".strip()


def calibration_refused(field: str, text: str) -> str:
    """Why an entry was refused."""
    return f"{field}: {text!r} is no size. Expected a positive number."


def region_title(n_positions: int) -> str:
    """Title of the mean pattern of what is marked."""
    return f"Mean of {count(n_positions)} marked positions"


def spot_title(name: str, *, conjugate: bool) -> str:
    """Title of an image of a spot that was clicked."""
    return f"{name.replace('_', ' ')}{' and conjugate' if conjugate else ''}"


def saved_as(path: str) -> str:
    """Where the result with its changes is."""
    return f"Saved as {path}. The result that is open stays as it was."
