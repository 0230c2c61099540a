"""The panes that are curves and lines of text: rings, elbow, stream, log."""

import numpy as np
from numpy.typing import NDArray

from gui.presenters import texts
from gui.presenters.memo import Memo
from gui.presenters.numbers import count, duration
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Link, Snapshot
from gui.presenters.tree_layout import path_to_root
from gui.presenters.views import ElbowView, LogView, RingsView, Severity, StreamView


def rings_view(snapshot: Snapshot, selection: Selection, memo: Memo) -> RingsView:
    """Rotational mean of the STD, with ring and threshold in force; thin: that of the pattern under the cursor."""
    in_force = snapshot.status.in_force
    values = snapshot.values("radial_std")
    if values is None:
        return RingsView(None, None, message=texts.RINGS_EMPTY)
    inner, outer, threshold = (in_force.get(name) for name in ("inner_px", "outer_px", "threshold"))
    single: tuple[float, ...] = ()
    answer = snapshot.pattern
    if selection.position_yx is not None and answer is not None and answer.values is not None:
        pattern, key = answer.values, (snapshot.reset, answer.position_yx, answer.version, inner)
        single = memo.get("radial profile", key, lambda: _radial_profile(pattern, int(inner or 0)))
    return RingsView(
        snapshot.version("radial_std"), values, inner, outer, threshold, single, texts.rings_note(in_force)
    )


def _radial_profile(pattern: NDArray[np.float32], first_px: int) -> tuple[float, ...]:
    """Rotational mean about the middle of the detector, relative to its largest value from `first_px` on."""
    height, width = pattern.shape
    y, x = np.ogrid[:height, :width]
    radius = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2).astype(np.int64)
    finite = np.nan_to_num(pattern)
    n_radii = min(height, width) // 2
    total = np.bincount(radius.ravel(), finite.ravel())[:n_radii]
    profile = total / np.bincount(radius.ravel())[:n_radii]
    largest = float(profile[min(first_px, n_radii - 1) :].max(initial=0.0))
    return tuple((profile / (largest or 1.0)).tolist())


def elbow_view(snapshot: Snapshot, selection: Selection) -> ElbowView:
    """Inertia against K for the selected node; for a leaf that of its parent, for none that of the root."""
    rows = snapshot.values("elbow")
    status = snapshot.status
    root = next((node for node in status.tree if node.level == 0), None)
    if rows is None or root is None:
        return ElbowView(None, message=texts.ELBOW_EMPTY)
    # A leaf that was never tried has no curve: the split that made it is what the operator wants to judge.
    curves = {
        node_id: rows[rows[:, 0] == node_id] for node_id in path_to_root(status.tree, selection.node_id)
    }
    node_id = next((node_id for node_id, curve in curves.items() if len(curve)), root.id)
    node, curve = status.node(node_id) or root, curves.get(node_id, rows[rows[:, 0] == root.id])
    if not len(curve):
        return ElbowView(None, title=texts.elbow_title(node), message=texts.ELBOW_EMPTY)
    curve = curve[curve[:, 1].argsort()]
    largest = float(curve[:, 2].max()) or 1.0
    return ElbowView(
        key=(snapshot.version("elbow"), node.id),
        k=tuple(int(k) for k in curve[:, 1]),
        inertia=tuple(float(wss) / largest for wss in curve[:, 2]),
        chosen_k=node.k,
        title=texts.elbow_title(node),
        note=texts.elbow_note(node),
    )


def stream_view(snapshot: Snapshot) -> StreamView:
    """Rate and lag of the last two minutes."""
    history = snapshot.history
    if snapshot.status.scan is None or not any(history.receive_hz):
        return StreamView(history.version, message=texts.STREAM_EMPTY)
    return StreamView(history.version, history.age_s, history.receive_hz, history.lag_s)


def log_view(snapshot: Snapshot) -> LogView:
    """Problems as the engine reported them, then where things are kept and how the frames fared."""
    status = snapshot.status
    lines: list[tuple[Severity, str]] = []
    if snapshot.link is Link.GONE:
        lines.append((Severity.ORANGE, texts.engine_gone(snapshot.endpoint, snapshot.engine_exit_code)))
    for problem in status.problems:
        times = f" ({count(problem.count)} times)" if problem.count > 1 else ""
        lines.append((Severity.AMBER, f"{problem.text}{times}"))
    if snapshot.notice is not None:
        lines.append((Severity.AMBER, snapshot.notice.text))
    if status.recording:
        lines.append((Severity.NORMAL, f"Recording: {status.recording}"))
    if status.result:
        lines.append((Severity.NORMAL, f"Result: {status.result}"))
    counted = {name: number for name, number in status.counters.to_json().items() if number}
    if counted:
        said = ", ".join(f"{name.replace('_', ' ')} {count(number)}" for name, number in counted.items())
        lines.append((Severity.NORMAL, f"Counters: {said}."))
    if status.seconds:
        said = ", ".join(f"{name} {duration(seconds)}" for name, seconds in status.seconds.items())
        lines.append((Severity.NORMAL, f"Time taken: {said}."))
    return LogView(tuple(lines), "" if lines else texts.LOG_EMPTY)
