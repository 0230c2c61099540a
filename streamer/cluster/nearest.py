"""A finished hierarchy on other vectors: nearest centroids from the root down, and how far away they are."""

from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.divisive import Hierarchy
from streamer.cluster.tree import ROOT_ID, ClusterTree
from streamer.cluster.vectors import Vectors, as_vectors
from streamer.model import ClusterNode

REACH_SAMPLE = 512
"""Most vectors of a leaf whose distances are looked at."""


def label_by(
    tree: ClusterTree,
    centroids: NDArray[np.float32],
    features: NDArray[np.float32] | Vectors,
    executor: Executor | None = None,
) -> Hierarchy:
    """The same nodes and centroids with the members, sizes and inertias of these vectors.

    At every node a vector goes to the child whose centroid is nearest: where K-means made the children, its own
    vectors come back to them.

    Parameters
    ----------
    tree, centroids
        Of the finished hierarchy; centroids (n_nodes, n_features).
    features
        (n, n_features), finite.
    """
    vectors = as_vectors(features, executor)
    leaf_of = np.full(len(vectors), ROOT_ID, np.int32)
    nodes = list(tree.nodes)
    inertias = vectors.assign(centroids[:1]).inertias
    nodes[ROOT_ID] = _with_members(nodes[ROOT_ID], len(vectors), float(inertias[0]))
    for node in tree.nodes:  # a child's id is larger than its parent's
        children = [child.id for child in tree.children(node.id)]
        if not children:
            continue
        members = np.flatnonzero(leaf_of == node.id)
        found = vectors.part(members).assign(centroids[children])
        leaf_of[members] = np.array(children, np.int32)[found.labels]
        inertias = found.inertias
        for label, child in enumerate(children):
            nodes[child] = _with_members(nodes[child], int(found.counts[label]), float(inertias[label]))
    return Hierarchy(ClusterTree(nodes), leaf_of, centroids)


def _with_members(node: ClusterNode, n_patterns: int, inertia: float) -> ClusterNode:
    radius = float(np.sqrt(inertia / max(n_patterns, 1)))
    return replace(node, n_patterns=n_patterns, inertia=inertia, radius=radius)


def reach_of_leaves(hierarchy: Hierarchy, features: NDArray[np.float32] | Vectors) -> NDArray[np.float32]:
    """Distance of the farthest of a leaf's vectors from its centroid, (n_nodes,); NaN of nodes that are no leaf.

    Of at most `REACH_SAMPLE` vectors of each leaf, spread evenly over it.
    """
    reach = np.full(len(hierarchy.tree.nodes), np.nan, np.float32)
    for leaf in hierarchy.tree.leaves():
        members = np.flatnonzero(hierarchy.leaf_of == leaf.id)
        if len(members):
            rows = members[np.linspace(0, len(members) - 1, min(REACH_SAMPLE, len(members))).astype(np.int64)]
            own = as_vectors(as_vectors(features).rows(rows))
            reach[leaf.id] = np.sqrt(own.assign(hierarchy.centroids[leaf.id : leaf.id + 1]).distances.max())
    return reach


def chance_beyond(tree: ClusterTree) -> float:
    """Share of vectors like those of a hierarchy that chance puts beyond its reach.

    The next of m + 1 equal vectors is the farthest of them once in m + 1 times.
    """
    leaves = [leaf.n_patterns for leaf in tree.leaves()]
    return sum(n / (min(n, REACH_SAMPLE) + 1) for n in leaves) / max(sum(leaves), 1)


def distance_in_reaches(
    reach: NDArray[np.float32],
    centroids: NDArray[np.float32],
    features: NDArray[np.float32] | Vectors,
    executor: Executor | None = None,
) -> NDArray[np.float32]:
    """Distance of every vector (n,) from a leaf's centroid in units of its reach, for that leaf where it is smallest.

    Above 1: the vector is farther from every leaf than all that these were made of.
    """
    vectors = as_vectors(features, executor)
    smallest = np.full(len(vectors), np.inf, np.float32)
    for leaf in np.flatnonzero(np.isfinite(reach)).tolist():
        distances = vectors.assign(centroids[leaf : leaf + 1]).distances
        # A leaf of equal vectors reaches no farther than rounding does.
        nearest = np.sqrt(distances) / max(float(reach[leaf]), np.finfo(np.float32).tiny)
        np.minimum(smallest, nearest, out=smallest)
    return smallest
