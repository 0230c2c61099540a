"""Changes of a hierarchy by hand: split, merge, rename, hide, move.

Each gives another hierarchy and leaves the old one as it was.

Nodes that an edit does not touch keep their names; ids are given anew, in the old order, since the id of a node is
its row in every table.
"""

from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.divisive import DivisionRules, Hierarchy, divide_leaf
from streamer.cluster.lloyd import about_mean
from streamer.cluster.moving import give_branch
from streamer.cluster.tree import ROOT_ID, ClusterTree
from streamer.cluster.vectors import Vectors, as_vectors
from streamer.errors import SettingsError
from streamer.model import ClusterNode
from streamer.settings import HideEdit, MergeEdit, MoveEdit, RenameEdit, SplitEdit, TreeEdit


def apply_edits(
    hierarchy: Hierarchy,
    edits: tuple[TreeEdit, ...],
    features: NDArray[np.float32] | Vectors,
    rules: DivisionRules,
    seed: int,
    executor: Executor | None = None,
) -> Hierarchy:
    """The hierarchy after all edits, in order.

    Parameters
    ----------
    features
        (n, n_features) that the hierarchy was made of.
    rules, seed
        As in `divide`; a split re-runs a branch with them.

    Raises
    ------
    SettingsError
        An edit names a node that does not exist, or cannot be done.
    """
    for edit in edits:
        match edit:
            case SplitEdit():
                hierarchy = split(hierarchy, edit, features, rules, seed, executor)
            case MergeEdit():
                hierarchy = merge(hierarchy, edit, features)
            case RenameEdit():
                hierarchy = rename(hierarchy, edit)
            case HideEdit():
                hierarchy = hide(hierarchy, edit)
            case MoveEdit():
                hierarchy = move(hierarchy, edit, features)
    return hierarchy


def split(
    hierarchy: Hierarchy,
    edit: SplitEdit,
    features: NDArray[np.float32] | Vectors,
    rules: DivisionRules,
    seed: int,
    executor: Executor | None = None,
) -> Hierarchy:
    """The node's branch made anew, with K as given or chosen."""
    node = node_named(hierarchy.tree, edit.node)
    if edit.k is not None:
        rules = replace(rules, k_by_name={**rules.k_by_name, node.name: edit.k})
    if edit.k is not None and edit.k > node.n_patterns:
        raise SettingsError(
            f"Node {node.name} has {node.n_patterns} patterns and cannot be split into {edit.k}. "
            f"Choose at most {node.n_patterns}."
        )
    leaf_of = _with_branch_as(hierarchy, [node.id], node.id)
    pruned, new_ids = _without(hierarchy, hierarchy.tree.descendants(node.id), leaf_of)
    return divide_leaf(pruned, new_ids[node.id], features, rules, seed, executor)


def merge(hierarchy: Hierarchy, edit: MergeEdit, features: NDArray[np.float32] | Vectors) -> Hierarchy:
    """Siblings as one leaf; a parent whose children are all merged becomes a leaf itself."""
    tree = hierarchy.tree
    nodes = [node_named(tree, name) for name in dict.fromkeys(edit.nodes)]
    if (
        len(nodes) < 2
        or len({node.parent for node in nodes}) > 1
        or any(node.id == ROOT_ID for node in nodes)
    ):
        parents = ", ".join(f"{node.name} (child of {tree.nodes[node.parent].name})" for node in nodes)
        raise SettingsError(
            f"Nodes {parents} cannot be merged. Expected two or more different children of one node. "
            "Nothing was changed."
        )
    parent = tree.nodes[nodes[0].parent]
    ids = [node.id for node in nodes]
    others = [child for child in tree.children(parent.id) if child.id not in ids]
    if not others:
        leaf_of = _with_branch_as(hierarchy, [parent.id], parent.id)
        whole, new_ids = _without(hierarchy, tree.descendants(parent.id), leaf_of)
        return _with_node(whole, replace(parent, id=new_ids[parent.id], k=1))
    first, *rest = ids
    leaf_of = _with_branch_as(hierarchy, ids, first)
    removed = {below for node in ids for below in tree.descendants(node)} | set(rest)
    merged, new_ids = _without(hierarchy, sorted(removed), leaf_of)
    new_id, parent_id = new_ids[first], new_ids[parent.id]
    own = about_mean(as_vectors(features).part(np.flatnonzero(merged.leaf_of == new_id)))
    merged.centroids[new_id] = own.centroids[0]
    merged.elbows.pop(new_id, None)  # the curve was of the first alone
    n_patterns = int(own.counts[0])
    node = replace(
        merged.tree.nodes[new_id],
        n_patterns=n_patterns,
        inertia=own.inertia,
        radius=float(np.sqrt(own.inertia / n_patterns)),
        k=1,
        k_auto=1,
        title="",
    )
    merged = _with_node(merged, node)
    return _with_node(merged, replace(merged.tree.nodes[parent_id], k=len(others) + 1))


def rename(hierarchy: Hierarchy, edit: RenameEdit) -> Hierarchy:
    """The same with another title."""
    node = node_named(hierarchy.tree, edit.node)
    return _with_node(hierarchy, replace(node, title=edit.title))


def hide(hierarchy: Hierarchy, edit: HideEdit) -> Hierarchy:
    """The same with branches hidden, or shown again; a node that is shown has no hidden ancestor."""
    tree = hierarchy.tree
    changed: set[int] = set()
    for name in edit.nodes:
        node = node_named(tree, name)
        if node.id == ROOT_ID:
            raise SettingsError("The whole scan cannot be hidden. Choose a cluster. Nothing was changed.")
        changed |= {node.id, *tree.descendants(node.id)}
        if not edit.hidden:
            changed |= {tree.ancestor(node.id, level) for level in range(1, node.level)}
    nodes = [replace(node, hidden=edit.hidden) if node.id in changed else node for node in tree.nodes]
    return replace(hierarchy, tree=ClusterTree(nodes))


def move(hierarchy: Hierarchy, edit: MoveEdit, features: NDArray[np.float32] | Vectors) -> Hierarchy:
    """A branch under another parent, or its patterns in another leaf; see `streamer.cluster.moving`."""
    tree = hierarchy.tree
    node, onto = node_named(tree, edit.node), node_named(tree, edit.onto)
    branch = {node.id, *tree.descendants(node.id)}
    if node.id == ROOT_ID or onto.id in branch or onto.id == node.parent:
        raise SettingsError(
            f"Node {node.name} cannot be moved onto {onto.name}. Expected a cluster outside its own branch that is "
            "not its parent already. Nothing was changed."
        )
    return give_branch(hierarchy, node, onto, features)


def node_named(tree: ClusterTree, name: str) -> ClusterNode:
    """The node of that name, or SettingsError with the names there are."""
    for node in tree.nodes:
        if node.name == name:
            return node
    names = ", ".join(node.name for node in tree.nodes)
    raise SettingsError(f"There is no node {name}. This hierarchy has {names}. Nothing was changed.")


def _with_node(hierarchy: Hierarchy, node: ClusterNode) -> Hierarchy:
    nodes = list(hierarchy.tree.nodes)
    nodes[node.id] = node
    return replace(hierarchy, tree=ClusterTree(nodes))


def _with_branch_as(hierarchy: Hierarchy, node_ids: list[int], target: int) -> NDArray[np.int32]:
    """Leaves with every vector of these branches in `target`."""
    branch = [below for node in node_ids for below in (node, *hierarchy.tree.descendants(node))]
    return np.where(np.isin(hierarchy.leaf_of, branch), target, hierarchy.leaf_of).astype(np.int32)


def _without(
    hierarchy: Hierarchy, removed: list[int], leaf_of: NDArray[np.int32]
) -> tuple[Hierarchy, dict[int, int]]:
    """The hierarchy less some nodes, none of which is a leaf of `leaf_of`; and the new ids by the old."""
    gone = set(removed)
    kept = [node for node in hierarchy.tree.nodes if node.id not in gone]
    new_ids = {node.id: row for row, node in enumerate(kept)}
    nodes = [replace(node, id=new_ids[node.id], parent=new_ids[node.parent]) for node in kept]
    table = np.full(len(hierarchy.tree.nodes), -1, np.int32)
    table[list(new_ids)] = list(new_ids.values())
    elbows = {new_ids[old]: elbow for old, elbow in hierarchy.elbows.items() if old in new_ids}
    return Hierarchy(ClusterTree(nodes), table[leaf_of], hierarchy.centroids[list(new_ids)], elbows), new_ids
