"""Pane F: the feature vectors of a node as points, coloured like the map."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gui.presenters import texts
from gui.presenters.clusters import Clusters, rows_of_labels
from gui.presenters.memo import Memo
from gui.presenters.numbers import count
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Snapshot
from gui.presenters.tree_layout import path_to_root
from gui.presenters.views import Emphasis, ManifoldView, PointCloud
from streamer.look.palette import NOT_VISITED, dimmed

LIT_RANK = 4.0
"""More than any depth: what is selected lies over what is not."""
MAX_SAMPLES = 4096
REACH_PERCENT = 99.5
"""So many points lie within 1 of the origin; a few far ones do not make the others small."""


def manifold_view(snapshot: Snapshot, selection: Selection, clusters: Clusters, memo: Memo) -> ManifoldView:
    """The manifold of the deepest embedded node above the selected one, or of the whole scan."""
    points, index = snapshot.values("manifold"), snapshot.values("manifold_index")
    scan = snapshot.status.scan
    if points is None or index is None or len(points) != len(index) or scan is None:
        return ManifoldView(None, message=texts.MANIFOLD_EMPTY)
    part = _part(snapshot, selection)
    if part is None:
        return ManifoldView(None, message=texts.MANIFOLD_EMPTY)
    identity = (snapshot.version("manifold"), part["id"])
    inside = slice(part["start"], part["stop"])
    placed = memo.get("manifold points", identity, lambda: _centred(points[inside]))
    index = index[inside]
    colour_key = (clusters.level, tuple(clusters.colours.items()), clusters.lit, selection.region_key)
    key = (identity, snapshot.version("label_maps"), colour_key)
    cloud = memo.get(
        "manifold cloud",
        key,
        lambda: PointCloud(placed, *_coloured(clusters, index, selection.region), index, scan.scan_shape),
    )
    return ManifoldView(
        key=key,
        cloud=cloud,
        marker=_marker(selection, identity, index, scan.scan_shape, memo),
        title=texts.manifold_title(snapshot.status.node(part["id"])),
        note=f"{texts.MANIFOLD_METHODS.get(part['method'], part['method'])} · {count(len(index))} points",
    )


def _part(snapshot: Snapshot, selection: Selection) -> dict[str, Any] | None:
    nodes = snapshot.arrays["manifold"].meta.get("nodes", ())
    by_id = {entry["id"]: entry for entry in nodes}
    above = path_to_root(snapshot.status.tree, selection.node_id)
    return next((by_id[node_id] for node_id in above if node_id in by_id), nodes[0] if nodes else None)


def _centred(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Around the origin, with unit reach. Points that are not finite are put at the origin."""
    if not len(points):
        return np.zeros((0, 3), np.float32)
    is_finite = np.isfinite(points)
    finite = points if is_finite.all() else np.where(is_finite, points, np.float32(0.0))
    sample = finite[:: max(1, len(finite) // MAX_SAMPLES)]
    last = len(sample) - 1
    ranks = [round(last * percent / 100) for percent in (100 - REACH_PERCENT, REACH_PERCENT)]
    centre = np.partition(sample, ranks, axis=0)[ranks].mean(axis=0, dtype=np.float32)
    reach = float(np.partition(np.linalg.norm(sample - centre, axis=1), ranks)[ranks[1]])
    around = np.subtract(finite, centre, dtype=np.float32)
    around /= np.float32(reach or 1.0)
    return around


def _coloured(
    clusters: Clusters, index: NDArray[np.int64], region: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.float32]]:
    """Row of each point; colour (rows, 3) and rank of the rows: no cluster, the clusters, all of them stepped back."""
    ids = [node.id for node in clusters.shown]
    full = [NOT_VISITED, *(clusters.colours.get(node_id, NOT_VISITED) for node_id in ids)]
    back = [dimmed(colour) for colour in full]
    stands_back = [False, *(clusters.emphasis(node_id) is Emphasis.DIMMED for node_id in ids)]
    first = [back[row] if is_back else full[row] for row, is_back in enumerate(stands_back)]
    rank = np.zeros(2 * len(full), np.float32)
    rank[: len(full)] = [0.0 if is_back else LIT_RANK for is_back in stands_back]
    rows = np.zeros(len(index), np.int32)
    if clusters.label_map is not None:
        rows = rows_of_labels(clusters.label_map.ravel()[index], ids)
    if region is not None:
        rows = np.where(region.ravel()[index], rows, rows + len(full)).astype(np.int32)
    return rows, np.array(first + back, np.uint8), rank


def _marker(
    selection: Selection,
    identity: object,
    index: NDArray[np.int64],
    scan_shape: tuple[int, int],
    memo: Memo,
) -> int | None:
    if selection.position_yx is None:
        return None

    def invert() -> NDArray[np.int64]:
        point_at = np.full(scan_shape[0] * scan_shape[1], -1, np.int64)
        point_at[index] = np.arange(len(index))
        return point_at

    point_at = memo.get("manifold inverse", (identity, scan_shape), invert)
    y, x = selection.position_yx
    if not (0 <= y < scan_shape[0] and 0 <= x < scan_shape[1]):
        return None
    number = int(point_at[y * scan_shape[1] + x])
    return number if number >= 0 else None
