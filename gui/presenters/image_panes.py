"""The panes that are pictures: cluster map, virtual images, mean pattern of each cluster, alignment."""

from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gui.presenters import texts
from gui.presenters.clusters import Clusters, rows_of_labels
from gui.presenters.levels import Scale, image_bytes, pattern_bytes, percentile_levels
from gui.presenters.map_labels import Places, place_labels
from gui.presenters.memo import Memo
from gui.presenters.numbers import figure
from gui.presenters.outlines import border_edges
from gui.presenters.phase import Phase, phase_of
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.snapshot import Snapshot
from gui.presenters.status import EngineStatus
from gui.presenters.views import (
    Emphasis,
    Image,
    ImageView,
    MapLabel,
    MapView,
    Outline,
    TilesView,
    TileView,
)
from streamer.look.palette import NOT_VISITED, Rgb, dimmed
from streamer.look.scale_bar import ImageScale
from streamer.model import EngineState

BLEND_DARKEST = 0.35
"""Brightness of the darkest positions where the bright field is blended in."""


def map_view(
    snapshot: Snapshot, selection: Selection, options: ViewOptions, clusters: Clusters, memo: Memo
) -> MapView:
    """Pane A. Bright field until the first clusters are in; what was not visited is neutral dark."""
    scale = scan_scale(snapshot.status)
    running = snapshot.status.state is EngineState.RUNNING
    newest_row = _newest_row(snapshot, memo) if running else None
    if clusters.label_map is None:
        picture = _image(snapshot, "bright_field", memo, "", selection, message=_map_message(snapshot))
        return MapView(picture, newest_row=newest_row, is_waiting=phase_of(snapshot) is Phase.WAITING)
    if selection.momentum_id is not None and (view := _momentum_map(snapshot, selection, memo)):
        return replace(view, newest_row=newest_row, level=clusters.level)
    lit = clusters.lit if clusters.selected else frozenset()
    key = (
        snapshot.version("label_maps"),
        clusters.level,
        tuple(clusters.colours.items()),
        lit,
        clusters.selected and clusters.selected.id,
        selection.region_key,
        options.blends_bright_field and snapshot.version("bright_field"),
    )
    label_map = clusters.label_map
    blend = snapshot.values("bright_field") if options.blends_bright_field else None
    rgba = memo.get(
        "map",
        key,
        lambda: paint_labels(label_map, clusters.colours, _lit_on_map(clusters), selection.region, blend),
    )
    picture = ImageView(
        key, rgba, scale=scale, note=_step_note(snapshot.status), crosshair_yx=selection.position_yx
    )
    return MapView(
        picture=picture,
        labels=_map_labels(snapshot, clusters, memo) if options.show_labels else (),
        outline=_outline(snapshot, selection, options, clusters, memo),
        newest_row=newest_row,
        levels=clusters.levels,
        level=clusters.level,
        tag=_tag(snapshot.status),
        has_numbers=options.show_labels,
        has_outlines=options.show_outlines,
        is_blended=options.blends_bright_field,
        is_provisional=snapshot.status.shows == "live" and not snapshot.status.settled,
    )


def _outline(
    snapshot: Snapshot, selection: Selection, options: ViewOptions, clusters: Clusters, memo: Memo
) -> Outline | None:
    """Borders of what is selected and marked, or of all clusters."""
    label_map, lit = clusters.label_map, _lit_on_map(clusters)
    if label_map is None or not (options.show_outlines or lit or selection.region is not None):
        return None
    shown = None if options.show_outlines else lit
    key = (snapshot.version("label_maps"), clusters.level, shown, selection.region_key)

    def edges() -> NDArray[np.int32]:
        regions = label_map
        if shown is not None:
            regions = np.isin(label_map, list(shown)).astype(np.int32)
        elif not options.show_outlines:
            regions = np.zeros_like(label_map)
        parts = [border_edges(regions)]
        if selection.region is not None and selection.region.shape == label_map.shape:
            parts.append(border_edges(selection.region))
        return np.concatenate(parts)

    return Outline(key, memo.get("map outline", key, edges))


def _momentum_map(snapshot: Snapshot, selection: Selection, memo: Memo) -> MapView | None:
    """The real-space image of a cluster of detector pixels in place of the map; None where there is none."""
    images = snapshot.values("momentum_images")
    node = next((node for node in snapshot.status.momentum_tree if node.id == selection.momentum_id), None)
    ids = list(snapshot.arrays["momentum_images"].meta.get("ids", ())) if images is not None else []
    if images is None or node is None or node.id not in ids:
        return None
    key = (snapshot.version("momentum_images"), node.id)
    image = memo.get("momentum map image", key, lambda: image_bytes(images[ids.index(node.id)]))
    return MapView(scan_image(snapshot, selection, key, image), title=texts.momentum_map_title(node))


def virtual_views(snapshot: Snapshot, selection: Selection, memo: Memo) -> tuple[ImageView, ...]:
    """Pane B: bright field, annular dark field, and the further virtual detectors of a result."""
    views = [
        _image(snapshot, "bright_field", memo, texts.BRIGHT_FIELD, selection),
        _image(snapshot, "annular_dark_field", memo, texts.DARK_FIELD, selection),
    ]
    images = snapshot.values("virtual_images")
    if images is None:
        return tuple(views)
    for row, name in enumerate(snapshot.arrays["virtual_images"].meta.get("names", ())[: len(images)]):
        key = (snapshot.version("virtual_images"), row)
        image = memo.get(f"virtual {row}", key, lambda row=row: image_bytes(images[row]))
        views.append(scan_image(snapshot, selection, key, image, str(name).replace("_", " ")))
    return tuple(views)


def alignment_views(snapshot: Snapshot, selection: Selection, memo: Memo) -> tuple[ImageView, ...]:
    """Tab Alignment: position of the direct beam, y and x, and what alignment has left of its offset."""
    com_yx, residual_yx = snapshot.values("com_yx"), snapshot.values("residual_yx")
    if com_yx is None:
        return (ImageView(None, None, message=texts.ALIGNMENT_EMPTY),)
    parts = [(f"Beam {name}", "com_yx", com_yx[..., axis]) for axis, name in enumerate("yx")]
    if residual_yx is not None:
        parts.append((texts.RESIDUAL, "residual_yx", np.hypot(residual_yx[..., 0], residual_yx[..., 1])))
    views = []
    for title, name, values in parts:
        key = (snapshot.version(name), title)
        image = memo.get(title, key, lambda values=values: image_bytes(values))
        spread = memo.get(f"{title} spread", key, lambda values=values: percentile_levels(values))
        view = scan_image(snapshot, selection, key, image, f"{title} (px)")
        views.append(replace(view, ends=(figure(spread[0]), figure(spread[1]))))
    return tuple(views)


def scan_image(
    snapshot: Snapshot, selection: Selection, key: Hashable, image: Image, title: str = ""
) -> ImageView:
    """An image of the scan with its scale and the crosshair of the selection."""
    status = snapshot.status
    return ImageView(
        key, image, title, _step_note(status), scale=scan_scale(status), crosshair_yx=selection.position_yx
    )


def tiles_view(snapshot: Snapshot, options: ViewOptions, clusters: Clusters, memo: Memo) -> TilesView:
    """Pane D: the mean pattern of every cluster of the shown level."""
    patterns = cluster_patterns(snapshot)
    if not clusters.shown or not patterns:
        will_come = phase_of(snapshot) in (Phase.CONNECTING, Phase.WAITING, Phase.SCANNING)
        message = texts.TILES_EMPTY if will_come else texts.TILES_NONE
        return TilesView(message=message, title=texts.TILES_TITLE)
    version = snapshot.version("cluster_patterns")
    tiles = []
    side_by_side = clusters.compared
    is_whole = side_by_side is clusters.shown
    for node in side_by_side:
        values = patterns.get(node.id)
        key = (version, node.id, options.scale)
        image = None
        if values is not None:
            image = memo.get(
                f"tile {node.id}", key, lambda values=values: pattern_bytes(values, options.scale)
            )
        tiles.append(
            TileView(
                node_id=node.id,
                key=key,
                image=image,
                colour=clusters.colours.get(node.id, NOT_VISITED),
                name=texts.node_label(node),
                share=texts.share(node, clusters.n_patterns),
                caption=texts.members(node),
                # Where all belong to what is selected none stands out, but the one under the mouse.
                emphasis=clusters.emphasis(node.id) if is_whole else clusters.hover_emphasis(node.id),
            )
        )
    title = texts.tiles_title(clusters.level, None if is_whole else clusters.selected)
    return TilesView(tuple(tiles), title)


def paint_labels(
    label_map: NDArray[np.int32],
    colours: Mapping[int, Rgb],
    lit: frozenset[int] | None = None,
    region: NDArray[np.bool_] | None = None,
    blend: NDArray[np.float32] | None = None,
) -> Image:
    """A label map (scan_y, scan_x) as RGBA.

    Where `lit` is given the other clusters step back, where `region` is given what lies outside; `blend` is an
    image that gives the brightness.
    """
    ids = sorted(colours)
    n_rows = len(ids) + 1
    table = np.zeros((2 * n_rows, 4), dtype=np.uint8)
    table[0] = table[n_rows] = (*NOT_VISITED, 255)
    for row, node_id in enumerate(ids, start=1):
        colour, back = colours[node_id], dimmed(colours[node_id])
        table[row] = (*(colour if lit is None or node_id in lit else back), 255)
        table[n_rows + row] = (*back, 255)
    rows = rows_of_labels(label_map, ids)
    if region is not None and region.shape == label_map.shape:
        rows = np.where(region, rows, rows + n_rows)
    # Four bytes at once: a quarter of the time of rows of four.
    rgba = table.view(np.uint32)[:, 0][rows].view(np.uint8).reshape(*label_map.shape, 4)
    if blend is not None and blend.shape == label_map.shape:
        bright = image_bytes(blend).astype(np.float32)[..., None] / 255
        rgba[..., :3] = (rgba[..., :3] * (BLEND_DARKEST + (1 - BLEND_DARKEST) * bright)).astype(np.uint8)
    return rgba


def scan_scale(status: EngineStatus) -> ImageScale:
    """Size of a scan position."""
    step_yx_nm = status.calibration.scan_step_yx_nm
    return ImageScale(step_yx_nm[1], "nm") if step_yx_nm and step_yx_nm[1] > 0 else ImageScale()


def detector_scale(status: EngineStatus) -> ImageScale:
    """Size of a detector pixel, q = 1/d in 1/Å."""
    q_per_px_inv_nm = status.q_per_px_inv_nm or status.calibration.q_per_px_inv_nm
    return ImageScale(q_per_px_inv_nm / 10, "Å⁻¹") if q_per_px_inv_nm else ImageScale()


def cluster_patterns(snapshot: Snapshot) -> dict[int, NDArray[np.float32]]:
    """Mean pattern (det_y, det_x) by node id."""
    patterns = snapshot.values("cluster_patterns")
    if patterns is None:
        return {}
    return dict(zip(snapshot.arrays["cluster_patterns"].meta.get("ids", ()), patterns, strict=False))


def _image(
    snapshot: Snapshot,
    name: str,
    memo: Memo,
    title: str,
    selection: Selection,
    message: str = texts.IMAGE_EMPTY,
) -> ImageView:
    values = snapshot.values(name)
    if values is None:
        return ImageView(None, None, title, message=message)
    key = snapshot.version(name)
    image = memo.get(name, key, lambda: image_bytes(values, Scale.LINEAR))
    return scan_image(snapshot, selection, key, image, title)


def _map_labels(snapshot: Snapshot, clusters: Clusters, memo: Memo) -> tuple[MapLabel, ...]:
    label_map = clusters.label_map
    if label_map is None:
        return ()
    # A place is remembered within one scan and level: another scan or level starts afresh.
    name = f"places {snapshot.reset} {clusters.level}"
    places: Places = memo.get(
        name, snapshot.version("label_maps"), lambda: place_labels(label_map, memo.last(name))
    )
    by_id = {node.id: node for node in clusters.tree}
    return tuple(
        MapLabel(y, x, texts.node_label(by_id[node_id]), _label_emphasis(clusters, node_id))
        for node_id, (y, x) in places.items()
        if node_id in by_id
    )


def _label_emphasis(clusters: Clusters, node_id: int) -> Emphasis:
    emphasis = clusters.emphasis(node_id)
    return Emphasis.NORMAL if emphasis is Emphasis.HOVERED else emphasis


def _lit_on_map(clusters: Clusters) -> frozenset[int] | None:
    """Ids on the map that belong to the selection; the shown ancestor where the selected node lies deeper."""
    if not clusters.lit:
        return None
    on_map = {node.id for node in clusters.shown}
    return frozenset(node_id for node_id in on_map if clusters.emphasis(node_id) is Emphasis.SELECTED)


def _newest_row(snapshot: Snapshot, memo: Memo) -> int | None:
    for name in ("received", "bright_field"):
        values = snapshot.values(name)
        if values is not None:
            seen = values > 0 if name == "received" else np.isfinite(values)
            rows = memo.get(
                "newest row", snapshot.version(name), lambda seen=seen: np.flatnonzero(seen.any(axis=1))
            )
            return int(rows[-1]) if rows.size else None
    return None


def _map_message(snapshot: Snapshot) -> str:
    phase = phase_of(snapshot)
    if phase is Phase.CONNECTING:
        return texts.MAP_CONNECTING
    waiting = phase in (Phase.WAITING, Phase.SCANNING)
    return texts.map_waiting(snapshot.status) if waiting else texts.MAP_EMPTY


def _step_note(status: EngineStatus) -> str:
    scale = scan_scale(status)
    return "" if scale.unit == "px" else f"1 px = {scale.per_px:.3g} {scale.unit}"


def _tag(status: EngineStatus) -> str:
    if status.shows != "live":
        return ""
    return texts.TAG_SETTLED if status.settled else texts.TAG_PROVISIONAL
