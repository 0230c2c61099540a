"""The hierarchy as data: nodes by id, apart from the numerics that made them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamer.model import LABEL_NOT_VISITED, ClusterNode

ROOT_ID = 0
ROOT_NAME = "all"


@dataclass
class ClusterTree:
    """Nodes in the order they were made; the position of a node in `nodes` is its id."""

    nodes: list[ClusterNode] = field(default_factory=list)

    def add(self, node: ClusterNode) -> int:
        """Append a node, whose id must be the next; returns it."""
        if node.id != len(self.nodes):
            raise ValueError(f"Node id {node.id} is out of order; the next is {len(self.nodes)}.")
        self.nodes.append(node)
        return node.id

    def children(self, node_id: int) -> list[ClusterNode]:
        """Children in order."""
        return [node for node in self.nodes if node.parent == node_id and node.id != ROOT_ID]

    def leaves(self) -> Iterator[ClusterNode]:
        """Nodes without children."""
        parents = {node.parent for node in self.nodes if node.id != ROOT_ID}
        return (node for node in self.nodes if node.id not in parents)

    def descendants(self, node_id: int) -> list[int]:
        """Ids of all nodes below; a child's id is larger than its parent's."""
        below = {node_id}
        for node in self.nodes[1:]:
            if node.parent in below:
                below.add(node.id)
        return sorted(below - {node_id})

    def leaf_ids_below(self, node_id: int) -> list[int]:
        """Ids of the leaves of a branch: the node itself where it is one."""
        leaves = {leaf.id for leaf in self.leaves()}
        return [below for below in (node_id, *self.descendants(node_id)) if below in leaves]

    @property
    def depth(self) -> int:
        """Level of the deepest node."""
        return max(node.level for node in self.nodes)

    def ancestor(self, node_id: int, level: int) -> int:
        """The node itself or the ancestor that stands at `level`."""
        while self.nodes[node_id].level > level:
            node_id = self.nodes[node_id].parent
        return node_id

    def label_maps(self, leaf_of: NDArray[np.int32], n_levels: int) -> NDArray[np.int32]:
        """Node id of each position at each level below the root; a leaf keeps its id further down.

        Parameters
        ----------
        leaf_of
            (...) int32: id of the leaf of each position, -1 not visited.
        n_levels
            Number of levels.

        Returns
        -------
        NDArray
            (n_levels, ...) int32.
        """
        maps = np.full((n_levels, *leaf_of.shape), LABEL_NOT_VISITED, np.int32)
        for level in range(1, n_levels + 1):
            table = np.array([self.ancestor(node.id, level) for node in self.nodes], np.int32)
            visited = leaf_of >= 0
            maps[level - 1][visited] = table[leaf_of[visited]]
        return maps


def child_name(parent: ClusterNode, position: int) -> str:
    """Name for people: "3" below the root, "2.3" below "2"; `position` counts from 1."""
    return str(position) if parent.id == ROOT_ID else f"{parent.name}.{position}"
