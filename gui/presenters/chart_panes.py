"""The panes that are curves and lines of text: rings, elbow, stream, log."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gui.presenters import texts
from gui.presenters.charge import (
    Draft,
    is_manual,
    is_tried,
    k_previews,
    largest_radius,
    mask_answer,
    possible,
    ring_of,
    threshold_of,
)
from gui.presenters.image_panes import paint_labels
from gui.presenters.memo import Memo
from gui.presenters.numbers import count, duration
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Link, Snapshot
from gui.presenters.tree_layout import path_to_root
from gui.presenters.views import ElbowView, ImageView, LogView, RingsView, Severity, StreamView
from streamer.look.palette import Rgb, node_colours
from streamer.model import ClusterNode

NO_DRAFT = Draft()


def rings_view(snapshot: Snapshot, selection: Selection, memo: Memo, draft: Draft = NO_DRAFT) -> RingsView:
    """Rotational mean of the STD, with ring and threshold in force; thin: that of the pattern under the cursor."""
    values = snapshot.values("radial_std")
    if values is None:
        return RingsView(None, None, message=texts.RINGS_EMPTY)
    status = snapshot.status
    inner, outer = ring_of(status, draft) or (None, None)
    threshold = threshold_of(status, draft)
    single: tuple[float, ...] = ()
    answer = snapshot.pattern
    if selection.position_yx is not None and answer is not None and answer.values is not None:
        pattern, key = answer.values, (snapshot.reset, answer.position_yx, answer.version, inner)
        single = memo.get("radial profile", key, lambda: _radial_profile(pattern, int(inner or 0)))
    return RingsView(
        snapshot.version("radial_std"), values, inner, outer, threshold, single,
        note=_ring_note(snapshot, draft),
        effect=mask_effect(snapshot, draft),
        hint=draft.hint,
        can_set="inner_more" in possible(snapshot, None, False),
        is_manual=is_manual(status) or draft.has_mask,
        shows_mask=draft.shows_mask and (draft.pins_mask or is_tried(status, draft)),
        largest_px=largest_radius(status),
    )  # fmt: skip


def _ring_note(snapshot: Snapshot, draft: Draft) -> str:
    """What is automatic and what is set, in one line."""
    status = snapshot.status
    ring, threshold = ring_of(status, draft), threshold_of(status, draft)
    if ring is None:
        return texts.rings_note(status.in_force)
    by_hand = {
        *status.manual,
        *(name for name in ("inner_px", "outer_px") if getattr(draft, name) is not None),
    }
    parts = [texts.ring_label(status.auto, ring, is_manual=bool(by_hand & {"inner_px", "outer_px"}))]
    if threshold is not None:
        is_set = "threshold" in status.manual or draft.threshold is not None
        parts.append(texts.threshold_label(status.auto, threshold, is_manual=is_set))
    n_features = status.in_force.get("n_features")
    if n_features is not None and not draft.shows_mask:
        parts.append(f"{count(int(n_features))} feature pixels")
    return " · ".join(parts)


def mask_effect(snapshot: Snapshot, draft: Draft) -> str:
    """What the mask that was tried keeps, and how many labels it would change; "" where nothing was tried."""
    answer = mask_answer(snapshot, draft)
    if answer is None:
        return ""
    fields, ring = answer.fields, answer.array("ring")
    n_pixels = ring.size if ring is not None else 0
    n_sample = int(fields.get("n_sample", 0))
    return texts.mask_effect(int(fields["n_features"]), n_pixels, fields.get("changed_share"), n_sample)


def _radial_profile(pattern: NDArray[np.float32], first_px: int) -> tuple[float, ...]:
    """Rotational mean about the middle of the detector, relative to its largest value from `first_px` on."""
    n_radii = min(pattern.shape) // 2
    radius, n_at = _radii(pattern.shape)
    total = np.bincount(radius, np.nan_to_num(pattern).ravel())[:n_radii]
    profile = total / n_at[:n_radii]
    largest = float(profile[min(first_px, n_radii - 1) :].max(initial=0.0))
    return tuple((profile / (largest or 1.0)).tolist())


@lru_cache(maxsize=4)
def _radii(shape: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole radius of each pixel (flat) about the middle, and how many pixels each has."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    radius = np.hypot(y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2).astype(np.int64).ravel()
    return radius, np.bincount(radius)


def elbow_view(
    snapshot: Snapshot, selection: Selection, memo: Memo | None = None, draft: Draft = NO_DRAFT
) -> ElbowView:
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
    node = next((node for node in status.tree if node.name == draft.k_node), status.node(node_id) or root)
    curve = rows[rows[:, 0] == node.id]
    if not len(curve) and node.name != draft.k_node:
        return ElbowView(None, title=texts.elbow_title(node), message=texts.ELBOW_EMPTY)
    curve = curve[curve[:, 1].argsort()]
    largest = float(curve[:, 2].max(initial=0.0)) or 1.0
    wanted = draft.k if draft.k_node == node.name else (status.manual.get("k") or {}).get(node.name)
    is_locked = node.name in (status.manual.get("k") or {})
    return ElbowView(
        key=(snapshot.version("elbow"), node.id),
        k=tuple(int(k) for k in curve[:, 1]),
        inertia=tuple(float(wss) / largest for wss in curve[:, 2]),
        chosen_k=node.k,
        message="" if len(curve) else texts.ELBOW_EMPTY,
        title=texts.elbow_title(node),
        note=texts.k_label(node, wanted, is_locked=is_locked),
        node_name=node.name,
        wanted_k=wanted,
        previews=k_preview_views(snapshot, node, wanted, memo or Memo()),
        can_set="k_more" in possible(snapshot, None, False),
        is_locked=is_locked,
    )


def k_preview_views(
    snapshot: Snapshot, node: ClusterNode, wanted: int | None, memo: Memo
) -> tuple[ImageView, ...]:
    """Small maps of K-1, K and K+1 as far as they have come; () where nothing is wanted."""
    if wanted is None:
        return ()
    views = []
    for request in k_previews(node, wanted):
        k = request.params["k"]
        title = texts.k_preview_title(node.name, k)
        answer = snapshot.answers.get(request.slot)
        if answer is None or answer.request.tag != request.tag:
            continue
        labels = answer.array("labels")
        if labels is None:
            views.append(ImageView(None, None, title, message=answer.error))
            continue
        key = (snapshot.reset, answer.number, k)
        colours = dict(enumerate(child_colours(k)))
        image = memo.get(
            f"preview {request.slot}", key, lambda labels=labels, c=colours: paint_labels(labels, c, None)
        )
        views.append(ImageView(key, image, title))
    return tuple(views)


def child_colours(k: int) -> list[Rgb]:
    """Colours of k children in a preview: those of k clusters of a first level."""
    tree = [ClusterNode(0, 0, 0, "all", k, k=k)]
    tree += [ClusterNode(n, 0, 1, str(n), 1) for n in range(1, k + 1)]
    colours = node_colours(tree)
    return [colours[n] for n in range(1, k + 1)]


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
