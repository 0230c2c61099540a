"""The clusters as the selection sees them: which level is shown, which node lies where, which stand out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gui.presenters.memo import Memo
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Snapshot
from gui.presenters.tree_layout import branch_of, path_to_root, visible
from gui.presenters.views import Emphasis
from streamer.look.palette import Rgb, children_of, node_colours
from streamer.model import ClusterNode


@dataclass(frozen=True)
class Clusters:
    """The tree with its colours, the label map (scan_y, scan_x) of the shown level, and what is lit.

    ``shown`` are the nodes of the cut at that level, in order of id; ``lit`` those of the selected branch
    (empty: nothing selected), ``hovered`` the node under the mouse; ``map_key`` stands for the label maps.
    """

    tree: tuple[ClusterNode, ...] = ()
    colours: dict[int, Rgb] = field(default_factory=dict)
    levels: tuple[int, ...] = ()
    level: int = 1
    label_map: NDArray[np.int32] | None = None
    shown: tuple[ClusterNode, ...] = ()
    selected: ClusterNode | None = None
    lit: frozenset[int] = frozenset()
    hovered: ClusterNode | None = None
    map_key: tuple[int, int] = (0, -1)

    @classmethod
    def of(cls, snapshot: Snapshot, selection: Selection, memo: Memo) -> Self:
        """Read the clusters of a snapshot."""
        tree = visible(snapshot.status.tree)
        label_maps = _labelled(snapshot, memo)
        depth = max((node.level for node in tree), default=0)
        n_levels = min(depth, len(label_maps)) if label_maps is not None else 0
        levels = tuple(range(1, n_levels + 1))
        level = min(max(selection.level, 1), n_levels) if n_levels else 1
        label_map = label_maps[level - 1] if label_maps is not None and n_levels else None
        shape = tuple((node.id, node.parent, node.level, node.colour) for node in tree)
        colours = memo.get("node colours", shape, lambda: node_colours(tree))
        by_id = {node.id: node for node in tree}
        return cls(
            tree=tree,
            colours=colours,
            levels=levels,
            level=level,
            label_map=label_map,
            shown=cut(tree, level),
            selected=by_id.get(selection.node_id) if selection.node_id is not None else None,
            lit=lit_nodes(tree, selection.node_id),
            map_key=snapshot.version("label_maps"),
            hovered=by_id.get(node_at(label_map, selection.position_yx)),
        )

    @property
    def has_labels(self) -> bool:
        """Whether there is a map to show."""
        return self.label_map is not None

    @property
    def n_patterns(self) -> int:
        """Patterns in the whole tree."""
        return next((node.n_patterns for node in self.tree if node.level == 0), 0)

    @property
    def compared(self) -> tuple[ClusterNode, ...]:
        """What stands side by side as mean patterns: children of the selected branch, else all that is shown."""
        if self.selected is None or self.selected.level == 0:
            return self.shown
        below = children_of(self.tree).get(self.selected.id, [])
        return tuple(below) if below else self.shown

    def emphasis(self, node_id: int) -> Emphasis:
        """How a node stands out: what is selected wins over what is under the mouse."""
        if self.lit:
            if node_id in self.lit or (
                self.selected and node_id in path_to_root(self.tree, self.selected.id)
            ):
                return Emphasis.SELECTED
            return Emphasis.DIMMED
        return self.hover_emphasis(node_id)

    def hover_emphasis(self, node_id: int) -> Emphasis:
        """The same among nodes that are all selected."""
        is_under = self.hovered is not None and node_id in path_to_root(self.tree, self.hovered.id)
        return Emphasis.HOVERED if is_under else Emphasis.NORMAL


def _labelled(snapshot: Snapshot, memo: Memo) -> NDArray[np.int32] | None:
    """Label maps; None before the first label: an empty map is not shown in the place of the bright field."""
    maps = snapshot.values("label_maps")
    if maps is None:
        return None
    has_some = memo.get("has labels", snapshot.version("label_maps"), lambda: bool((maps[0] >= 0).any()))
    return maps if has_some else None


def cut(tree: tuple[ClusterNode, ...], level: int) -> tuple[ClusterNode, ...]:
    """The nodes that a map of this level shows: those of the level, and leaves above it."""
    children = children_of(tree)
    shown = (
        node for node in tree if 0 < node.level <= level and (node.level == level or node.id not in children)
    )
    return tuple(
        sorted(shown, key=lambda node: [int(part) if part.isdigit() else 0 for part in node.name.split(".")])
    )


def lit_nodes(tree: tuple[ClusterNode, ...], node_id: int | None) -> frozenset[int]:
    """The selected node and all below it; empty for none, and for the root, which is everything."""
    node = next((node for node in tree if node.id == node_id), None)
    if node is None or node.level == 0:
        return frozenset()
    return branch_of(tree, node.id)


def node_beside(clusters: Clusters, step: int) -> int | None:
    """The cluster `step` places after the selected one among those shown, from the first (last) where none is."""
    ids = [node.id for node in clusters.shown]
    if not ids:
        return None
    if clusters.selected is None or clusters.selected.id not in ids:
        return ids[0 if step > 0 else -1]
    return ids[(ids.index(clusters.selected.id) + step) % len(ids)]


def node_below(clusters: Clusters) -> int | None:
    """First child of the selected node, of the root where none is selected; None for a leaf."""
    root = next((node for node in clusters.tree if node.level == 0), None)
    start = clusters.selected or root
    below = children_of(clusters.tree).get(start.id, []) if start else []
    return below[0].id if below else None


def node_above(clusters: Clusters) -> int | None:
    """Parent of the selected node; None where there is none."""
    selected = clusters.selected
    return selected.parent if selected is not None and selected.level > 0 else None


def rows_of_labels(labels: NDArray[np.int32], ids: Sequence[int]) -> NDArray[np.int32]:
    """Place of each label in `ids`, counted from 1; 0 for one that is not there."""
    largest = max(ids, default=0)
    row_of = np.zeros(largest + 3, np.int32)
    row_of[np.asarray(ids, np.int64) + 1] = np.arange(1, len(ids) + 1)
    return row_of[np.clip(labels, -1, largest + 1) + 1]


def node_at(label_map: NDArray[np.int32] | None, position_yx: tuple[int, int] | None) -> int:
    """Node id at a scan position; -1 where there is none."""
    if label_map is None or position_yx is None:
        return -1
    y, x = position_yx
    inside = 0 <= y < label_map.shape[0] and 0 <= x < label_map.shape[1]
    return int(label_map[y, x]) if inside else -1
