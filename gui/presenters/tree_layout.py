"""Places of the nodes of a hierarchy: leaves evenly from left to right, parents above their children."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.look.palette import children_of
from streamer.model import ClusterNode


@dataclass(frozen=True)
class PlacedNode:
    """A node at (x, y), both 0..1 from the left and the top, and the place of its parent (None: root)."""

    node: ClusterNode
    x: float
    y: float
    parent_xy: tuple[float, float] | None


def layout(tree: Sequence[ClusterNode]) -> tuple[PlacedNode, ...]:
    """Every node that can be reached from the root, parents before children."""
    root = next((node for node in tree if node.level == 0), None)
    if root is None:
        return ()
    children = children_of(tree)
    depth = max(node.level for node in tree)
    rank: dict[int, float] = {}
    n_leaves = _rank_leaves(root, children, rank, 0)
    placed: list[PlacedNode] = []

    def place(node: ClusterNode, parent_xy: tuple[float, float] | None) -> None:
        x = (rank[node.id] + 0.5) / n_leaves
        y = node.level / depth if depth else 0.0
        placed.append(PlacedNode(node, x, y, parent_xy))
        for child in children.get(node.id, ()):
            place(child, (x, y))

    place(root, None)
    return tuple(placed)


def _rank_leaves(
    node: ClusterNode, children: dict[int, list[ClusterNode]], rank: dict[int, float], first: int
) -> int:
    """Give `node` and all below it their rank; the number of leaves from 0 to the last one below it."""
    below = children.get(node.id, ())
    after = first
    for child in below:
        after = _rank_leaves(child, children, rank, after)
    if not below:
        rank[node.id] = float(first)
        return first + 1
    rank[node.id] = (rank[below[0].id] + rank[below[-1].id]) / 2
    return after


def path_to_root(tree: Sequence[ClusterNode], node_id: int | None) -> tuple[int, ...]:
    """Ids from the node up to the root; () where there is no such node."""
    by_id = {node.id: node for node in tree}
    path: list[int] = []
    while node_id in by_id and node_id not in path:
        path.append(node_id)
        node_id = by_id[node_id].parent
    return tuple(path)


def branch_of(tree: Sequence[ClusterNode], node_id: int) -> frozenset[int]:
    """Ids of the node and of everything below it."""
    return frozenset(node.id for node in tree if node_id in path_to_root(tree, node.id))


def visible(tree: Sequence[ClusterNode]) -> tuple[ClusterNode, ...]:
    """Nodes that are neither hidden themselves nor below one that is."""
    hidden = {node.id for node in tree if node.hidden}
    return tuple(node for node in tree if hidden.isdisjoint(path_to_root(tree, node.id)))
