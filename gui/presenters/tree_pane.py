"""Pane E: the hierarchy, with the cut of the shown level and the branch that is selected."""

from gui.presenters import texts
from gui.presenters.clusters import Clusters
from gui.presenters.numbers import count
from gui.presenters.tree_layout import layout
from gui.presenters.views import TreeNodeView, TreeView
from streamer.look.palette import ROOT


def tree_view(clusters: Clusters) -> TreeView:
    """The nodes at their places; the root says how many patterns there are."""
    placed = layout(clusters.tree)
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
        )
        for place in placed
    )
    depth = max(place.node.level for place in placed)
    return TreeView(nodes, clusters.level / depth if depth > 1 else None)
