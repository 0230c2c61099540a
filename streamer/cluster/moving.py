"""A branch of a hierarchy given to another parent: who is below whom, and what that does to means and sizes."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.divisive import Hierarchy
from streamer.cluster.lloyd import about_mean
from streamer.cluster.tree import ROOT_ID, ClusterTree, child_name
from streamer.cluster.vectors import Vectors, as_vectors
from streamer.model import ClusterNode


def give_branch(
    hierarchy: Hierarchy, node: ClusterNode, onto: ClusterNode, features: NDArray[np.float32] | Vectors
) -> Hierarchy:
    """The hierarchy with `node`'s branch under `onto`, or, where that is a leaf, its patterns in it.

    Nodes that are not moved keep their names, so that numbers of former siblings may have a gap. A parent that
    is left with nothing goes too; one that is left with a single leaf becomes that leaf.

    Parameters
    ----------
    node, onto
        Of the tree; `onto` lies outside the branch and is not its parent.
    features
        (n, n_features) that the hierarchy was made of.
    """
    tree = hierarchy.tree
    leaf_of = hierarchy.leaf_of.copy()
    nodes = {entry.id: entry for entry in tree.nodes}
    branch = [node.id, *tree.descendants(node.id)]
    if tree.children(onto.id):
        _hang_under(nodes, tree, branch, node, onto)
    else:
        leaf_of[np.isin(leaf_of, branch)] = onto.id
        for moved in branch:
            del nodes[moved]
        nodes[onto.id] = replace(onto, k=1, k_auto=1, title="")
    _tidy(nodes, leaf_of, node.parent)
    touched = {*_path(tree, node.parent), *_path(tree, onto.id)}
    elbows = {key: elbow for key, elbow in hierarchy.elbows.items() if key in nodes and key not in touched}
    rebuilt = _numbered(nodes, leaf_of, hierarchy.centroids, elbows)
    return _measured(rebuilt, {nodes[key].name for key in touched if key in nodes}, features)


def _hang_under(
    nodes: dict[int, ClusterNode], tree: ClusterTree, branch: list[int], node: ClusterNode, onto: ClusterNode
) -> None:
    """Make `node` the last child of `onto`; names and levels of its branch follow."""
    numbers = [int(child.name.rpartition(".")[2]) for child in tree.children(onto.id)]
    name = child_name(onto, max(numbers) + 1)
    deeper = onto.level + 1 - node.level
    for moved in branch:
        entry = nodes[moved]
        nodes[moved] = replace(entry, name=name + entry.name[len(node.name) :], level=entry.level + deeper)
    nodes[node.id] = replace(nodes[node.id], parent=onto.id)
    nodes[onto.id] = replace(onto, k=onto.k + 1)


def _tidy(nodes: dict[int, ClusterNode], leaf_of: NDArray[np.int32], parent_id: int) -> None:
    """Put the former parent in order, and those above it that are left with nothing."""
    while True:
        parent = nodes[parent_id]
        children = [entry for entry in nodes.values() if entry.parent == parent_id and entry.id != ROOT_ID]
        if children or parent_id == ROOT_ID:
            break
        del nodes[parent_id]
        parent_id = parent.parent
    nodes[parent_id] = replace(parent, k=max(1, len(children)))
    if len(children) != 1 or any(entry.parent == children[0].id for entry in nodes.values()):
        return
    leaf_of[leaf_of == children[0].id] = parent_id
    del nodes[children[0].id]


def _path(tree: ClusterTree, node_id: int) -> list[int]:
    """Ids from the node up to, and without, the root, whose patterns stay the same."""
    path = []
    while node_id != ROOT_ID:
        path.append(node_id)
        node_id = tree.nodes[node_id].parent
    return path


def _numbered(
    nodes: dict[int, ClusterNode],
    leaf_of: NDArray[np.int32],
    centroids: NDArray[np.float32],
    elbows: dict,
) -> Hierarchy:
    """Ids given anew, level by level, so that a child's is larger than its parent's."""
    kept = sorted(nodes.values(), key=lambda entry: (entry.level, entry.id))
    new_ids = {entry.id: row for row, entry in enumerate(kept)}
    table = np.full(len(centroids), -1, np.int32)
    table[list(new_ids)] = list(new_ids.values())
    tree = ClusterTree([replace(e, id=new_ids[e.id], parent=new_ids[e.parent]) for e in kept])
    return Hierarchy(
        tree,
        table[leaf_of],
        centroids[list(new_ids)],
        {new_ids[key]: elbow for key, elbow in elbows.items()},
    )


def _measured(hierarchy: Hierarchy, names: set[str], features: NDArray[np.float32] | Vectors) -> Hierarchy:
    """Sizes, centroids and radii of the named nodes anew: their members are others now."""
    vectors = as_vectors(features)
    tree, centroids = ClusterTree(list(hierarchy.tree.nodes)), hierarchy.centroids.copy()
    for node in hierarchy.tree.nodes:
        if node.name not in names:
            continue
        members = np.isin(hierarchy.leaf_of, tree.leaf_ids_below(node.id))
        own = about_mean(vectors.part(np.flatnonzero(members)))
        centroids[node.id] = own.centroids[0]
        n_patterns = int(own.counts[0])
        radius = float(np.sqrt(own.inertia / n_patterns))
        tree.nodes[node.id] = replace(node, n_patterns=n_patterns, inertia=own.inertia, radius=radius)
    return replace(hierarchy, tree=tree, centroids=centroids)
