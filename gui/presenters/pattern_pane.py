"""Pane C: one diffraction pattern, single or mean, with its rings."""

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from gui.presenters import texts
from gui.presenters.charge import Draft, mask_answer, ring_of
from gui.presenters.chart_panes import NO_DRAFT
from gui.presenters.clusters import Clusters
from gui.presenters.image_panes import cluster_patterns, detector_scale, scan_scale
from gui.presenters.levels import image_bytes, pattern_levels, symmetric_levels, to_bytes
from gui.presenters.memo import Memo
from gui.presenters.numbers import count, figure
from gui.presenters.outlines import border_edges
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.snapshot import Snapshot
from gui.presenters.spots import REGION_SLOT
from gui.presenters.status import EngineStatus
from gui.presenters.views import Circle, Image, ImageView, KeptPixels, Outline, PatternView

KEPT_RGBA = (80, 230, 190, 130)


def pattern_view(
    snapshot: Snapshot,
    selection: Selection,
    options: ViewOptions,
    clusters: Clusters,
    memo: Memo,
    draft: Draft = NO_DRAFT,
) -> PatternView:
    """The pattern under the cursor, else the pinned one, else the mean of the selected cluster or scan."""
    key, values, title, message, centre_yx = _wanted_pattern(snapshot, selection, clusters)
    image, levels = None, None
    if values is not None:
        levels = options.kept_levels or memo.get("pattern levels", key, lambda: pattern_levels(values))
        key = (key, options.scale, levels)
        image = memo.get("pattern", key, lambda: image_bytes(values, options.scale, levels))
    circles = _circles(snapshot.status, centre_yx, draft) if image is not None else ()
    kept = _kept(snapshot, draft, memo) if image is not None and centre_yx is None else None
    scale = detector_scale(snapshot.status)
    note = "" if scale.unit == "px" or image is None else f"{scale.per_px:.3g} {scale.unit}/px"
    if note and snapshot.status.calibration.q_source == "nominal":
        note += " (nominal)"
    if options.kept_levels is not None and image is not None:
        note = f"{note} · {texts.KEPT_LEVELS}" if note else texts.KEPT_LEVELS
    picture = ImageView(key, image, title, note, message if image is None else "", scale)
    compared, difference = _comparison(snapshot, selection, options, (key, values), memo)
    return PatternView(
        picture, circles, options.scale, _momentum_outline(snapshot, selection, memo), compared, difference,
        kept, levels,
    )  # fmt: skip


def _comparison(
    snapshot: Snapshot,
    selection: Selection,
    options: ViewOptions,
    shown: tuple[Hashable, NDArray[np.float32] | None],
    memo: Memo,
) -> tuple[ImageView | None, ImageView | None]:
    """A second pattern, and the shown one minus it; None, None where nothing is compared."""
    scale = detector_scale(snapshot.status)
    second: NDArray[np.float32] | None = None
    key: Hashable = None
    node = snapshot.status.node(selection.compared_id)
    answer = snapshot.compared
    if selection.compared_yx is not None and answer is not None:
        key, second = (answer.position_yx, answer.version), answer.values
        title = f"{texts.COMPARED} · {texts.position(answer.position_yx, scan_scale(snapshot.status))}"
    elif node is not None:
        key = (snapshot.version("cluster_patterns"), node.id)
        second = cluster_patterns(snapshot).get(node.id)
        title = f"{texts.COMPARED} · cluster {texts.node_label(node)}"
    else:
        return None, None
    if second is None:
        return ImageView(None, None, title, message=texts.IMAGE_EMPTY, scale=scale), None
    values = second
    key = ("compared", key, options.scale, options.kept_levels)
    levels = options.kept_levels or memo.get("compared levels", key, lambda: pattern_levels(values))
    image = memo.get("compared pattern", key, lambda: image_bytes(values, options.scale, levels))
    compared = ImageView(key, image, title, scale=scale)
    first_key, first = shown
    if first is None or first.shape != values.shape:
        return compared, None
    both = ("difference", first_key, key)
    difference = np.subtract(first, values, dtype=np.float32)
    lower, upper = memo.get("difference levels", both, lambda: symmetric_levels(difference))
    image = memo.get("difference", both, lambda: to_bytes(difference, lower, upper))
    ends = figure(lower), figure(upper)
    return compared, ImageView(both, image, texts.DIFFERENCE, scale=scale, colours="CET-D1", ends=ends)


def _momentum_outline(snapshot: Snapshot, selection: Selection, memo: Memo) -> Outline | None:
    """Border of the selected cluster of detector pixels."""
    labels = snapshot.values("momentum_labels")
    if labels is None or selection.momentum_id is None:
        return None
    key = (snapshot.version("momentum_labels"), selection.momentum_id)
    edges = memo.get(
        "momentum outline", key, lambda: border_edges((labels == selection.momentum_id).any(axis=0))
    )
    return Outline(key, edges)


def _wanted_pattern(
    snapshot: Snapshot, selection: Selection, clusters: Clusters
) -> tuple[Hashable, NDArray[np.float32] | None, str, str, tuple[float, float] | None]:
    """Key, values, title, message and measured centre of the pattern to show."""
    answer = snapshot.pattern
    if selection.position_yx is not None and answer is not None:
        y, x = answer.position_yx
        name = texts.PINNED_TITLE if selection.hover_yx is None else texts.PATTERN_TITLE
        title = f"{name} · {texts.position((y, x), scan_scale(snapshot.status))}"
        return (
            (answer.position_yx, answer.version),
            answer.values,
            title,
            answer.error,
            _beam_at(snapshot, y, x),
        )
    marked = snapshot.answers.get(REGION_SLOT)
    if selection.region is not None and marked is not None and marked.request.tag == selection.region_key:
        title = texts.region_title(int(selection.region.sum()))
        return ("region", marked.number), marked.array("pattern"), title, marked.error, None
    node = clusters.selected
    if node is not None and (values := cluster_patterns(snapshot).get(node.id)) is not None:
        title = f"{texts.CLUSTER_PATTERN_TITLE} {texts.node_label(node)} · {count(node.n_patterns)} patterns"
        return (snapshot.version("cluster_patterns"), node.id), values, title, "", None
    mean = snapshot.values("mean_pattern")
    if mean is not None:
        return snapshot.version("mean_pattern"), mean, texts.MEAN_PATTERN_TITLE, "", None
    message = texts.PATTERN_WAITING if snapshot.status.scan is None else texts.PATTERN_EMPTY
    return None, None, texts.PATTERN_TITLE, message, None


def _beam_at(snapshot: Snapshot, y: int, x: int) -> tuple[float, float] | None:
    com_yx = snapshot.values("com_yx")
    if com_yx is None or y >= com_yx.shape[0] or x >= com_yx.shape[1] or not np.isfinite(com_yx[y, x]).all():
        return None
    return float(com_yx[y, x, 0]), float(com_yx[y, x, 1])


def _kept(snapshot: Snapshot, draft: Draft, memo: Memo) -> KeptPixels | None:
    """Feature pixels of the mask that is tried, else of that in force, where they are to be seen."""
    if not draft.shows_mask:
        return None
    answer = mask_answer(snapshot, draft)
    if answer is None and not draft.pins_mask:
        return None
    features = answer.array("features") if answer is not None else snapshot.values("features")
    if features is None:
        return None
    key = ("tried", answer.number) if answer is not None else snapshot.version("features")
    veil = memo.get("kept pixels", key, lambda: paint_kept(features))
    return KeptPixels(key, veil, texts.kept_pixels(int(features.sum()), features.size))


def paint_kept(features: NDArray[np.bool_]) -> Image:
    """Feature pixels as a veil, RGBA."""
    veil = np.zeros((*features.shape, 4), np.uint8)
    veil[features] = KEPT_RGBA
    return veil


def _circles(
    status: EngineStatus, centre_yx: tuple[float, float] | None, draft: Draft = NO_DRAFT
) -> tuple[Circle, ...]:
    if centre_yx is None:
        if status.scan is None:
            return ()
        det_y, det_x = status.scan.detector_shape
        centre_yx = ((det_y - 1) / 2, (det_x - 1) / 2)
    drawn = (("disk_radius_px", True), ("inner_px", False), ("outer_px", False))
    ring = ring_of(status, draft) or (None, None)
    shown = {**status.in_force, "inner_px": ring[0], "outer_px": ring[1]}
    radii = ((shown.get(name), is_faint) for name, is_faint in drawn)
    return tuple(Circle(centre_yx, float(radius), is_faint) for radius, is_faint in radii if radius)
