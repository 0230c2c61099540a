"""Pane E: the hierarchy, with the cut of the shown level and the branch that is selected."""

from gui.presenters import texts
from gui.presenters.clusters import Clusters
from gui.presenters.memo import Memo
from gui.presenters.numbers import count
from gui.presenters.selection import Selection
from gui.presenters.tree_layout import layout
from gui.presenters.views import TreeNodeView, TreeView
from streamer.look.palette import ROOT


def tree_view(clusters: Clusters, selection: Selection, memo: Memo) -> TreeView:
    """The nodes at their places; the root says how many patterns there are."""
    placed = layout(clusters.tree)
    key = (selection.region_key, clusters.level, clusters.map_key)
    shares = memo.get("marked shares", key, lambda: _marked_shares(clusters, selection))
    if not placed:
        return TreeView(message=texts.TREE_EMPTY)
    nodes = tuple(
        TreeNodeView(
            node_id=place.node.id,
            x=place.x,
            y=place.y,
            parent_xy=place.parent_xy,
            colour=clusters.colours.get(place.node.id, ROOT),
            name=texts.node_label(place.node),
            caption=count(place.node.n_patterns),
            emphasis=clusters.emphasis(place.node.id),
            share_marked=shares.get(place.node.id),
            parent_id=place.node.parent if place.node.level else None,
            number=place.node.name,
            title=place.node.title,
            share=texts.share(place.node, clusters.n_patterns),
        )
        for place in placed
    )
    depth = max(place.node.level for place in placed)
    return TreeView(
        nodes, clusters.level / depth if depth > 1 else None, clusters.selected and clusters.selected.id
    )


def _marked_shares(clusters: Clusters, selection: Selection) -> dict[int, float]:
    """Share of each node of the shown level that lies in the marked region; {} where nothing is marked."""
    label_map, region = clusters.label_map, selection.region
    if label_map is None or region is None or region.shape != label_map.shape:
        return {}
    inside = label_map[region]
    counts = {node.id: int((label_map == node.id).sum()) for node in clusters.shown}
    return {node_id: float((inside == node_id).sum() / n) for node_id, n in counts.items() if n}
