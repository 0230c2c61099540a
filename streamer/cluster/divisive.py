"""Divisive hierarchical K-means: cluster all vectors, then each cluster again (method, part 3)."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.blocks import end_once
from streamer.cluster.coherence import coherence
from streamer.cluster.elbow import Elbow, choose_k
from streamer.cluster.lloyd import Clustering, about_mean, by_labels, kmeans, leading_axes
from streamer.cluster.neighbours import WIDTHS, WORTH, ScanMap, stein_risk
from streamer.cluster.seeding import one_blas_thread
from streamer.cluster.tree import ROOT_ID, ROOT_NAME, ClusterTree, child_name
from streamer.cluster.varying import varying_features
from streamer.cluster.vectors import Vectors, as_vectors
from streamer.model import LABEL_NOT_VISITED, ClusterNode

CLEAR_GAIN = 0.2
"""Share of a node's inertia: a split that takes more away needs no map to be believed."""
MIN_COHERENCE = 4.0
"""Standard deviations of chance by which neighbours must agree, else the split is one of noise."""
CLEAR_DISTANCE = 12.0
"""Standard deviations of noise between centroids: noise alone puts no pattern on the wrong side."""
NODES_AT_ONCE = 4
"""That are looked at side by side."""

Noise = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Variance of the noise along directions (d, n_features) of unit length, for vectors of a mean (n_features,): (d,)."""


@dataclass(frozen=True)
class Averaging:
    """What a node's vectors are averaged with their neighbours by, where that pays (decision 27).

    Attributes
    ----------
    scan_map
        Where all vectors lie.
    noise
        Theirs.
    """

    scan_map: ScanMap
    noise: Noise


@dataclass(frozen=True)
class Hierarchy:
    """Clusters of vectors, and clusters of these; never changed: edits make another one.

    Attributes
    ----------
    tree
        The nodes.
    leaf_of
        (n,) int32: id of the leaf of each vector.
    centroids
        (n_nodes, n_features) float32, row = node id.
    elbows
        Curve of every node that was considered for a split, by node id.
    """

    tree: ClusterTree
    leaf_of: NDArray[np.int32]
    centroids: NDArray[np.float32]
    elbows: dict[int, Elbow] = field(default_factory=dict)


@dataclass(frozen=True)
class DivisionRules:
    """When and how a node is split: see `streamer.settings.ClusterSettings`.

    `neighbours` (m, 2): rows of vectors that are next to each other on the map, see `cluster.coherence`; None: no map.
    `varying_share`: a node is split by those features alone whose STD within it exceeds this share of the
    largest there; None: by all. `averaging`: how vectors are averaged with their neighbours once K is chosen;
    None: not at all.
    """

    levels: int
    k_max: int
    min_patterns: int
    k_by_name: dict[str, int] = field(default_factory=dict)
    neighbours: NDArray[np.int64] | None = None
    varying_share: float | None = None
    averaging: Averaging | None = None


Progress = Callable[[str, float], None]
"""Called with the name of the node that begins, and the share of the work done."""


def divide(
    features: NDArray[np.float32] | Vectors,
    rules: DivisionRules,
    seed: int,
    executor: Executor | None = None,
    progress: Progress = lambda name, fraction: None,
) -> Hierarchy:
    """Cluster vectors top down.

    Parameters
    ----------
    features
        (n, n_features), finite, n >= 1.
    rules
        Depth, stop rules and numbers of clusters set by hand.
    seed
        Same seed, same labels.
    executor
        Runs blocks side by side; the outcome does not depend on it.
    progress
        See there.
    """
    vectors, n = as_vectors(features, executor), len(features)
    whole = about_mean(vectors)
    radius = float(np.sqrt(whole.inertia / n))
    root = ClusterNode(ROOT_ID, ROOT_ID, 0, ROOT_NAME, n, whole.inertia, radius)
    undivided = Hierarchy(ClusterTree([root]), whole.labels, whole.centroids)
    return divide_leaf(undivided, ROOT_ID, vectors, rules, seed, executor, progress)


def divide_leaf(
    hierarchy: Hierarchy,
    leaf_id: int,
    features: NDArray[np.float32] | Vectors,
    rules: DivisionRules,
    seed: int,
    executor: Executor | None = None,
    progress: Progress = lambda name, fraction: None,
) -> Hierarchy:
    """The hierarchy with one leaf divided, and its children, down to the rules' depth.

    Every node draws from a generator of its own, made of the seed and its name: re-running one branch gives
    the same clusters as running all.
    """
    vectors = as_vectors(features, executor)
    tree = ClusterTree(list(hierarchy.tree.nodes))
    leaf_of, elbows = hierarchy.leaf_of.copy(), dict(hierarchy.elbows)
    centroids = [hierarchy.centroids]
    n_work = tree.nodes[leaf_id].n_patterns * max(1, rules.levels - tree.nodes[leaf_id].level)
    done = 0
    with one_blas_thread(), _side_by_side(executor) as begun:
        look = partial(begun, _division, vectors, rules, seed, executor)
        members = np.flatnonzero(leaf_of == leaf_id)
        queue = deque([(leaf_id, members, look(tree.nodes[leaf_id], members))])
        # Nodes are looked at in any order and take their numbers in the order of the queue.
        while queue:
            node_id, members, division_of_node = queue.popleft()
            node = tree.nodes[node_id]
            progress(node.name, done / n_work)
            division = division_of_node()
            done += node.n_patterns
            elbows[node.id] = division.elbow
            tree.nodes[node.id] = replace(
                node, k=division.k, k_auto=division.elbow.k, averaging=division.averaging
            )
            clustering = division.clustering
            if clustering is None:
                continue
            centroids.append(clustering.centroids)
            for label in range(division.k):
                own = members[clustering.labels == label]
                child = _child(tree, node, label, len(own), float(clustering.inertias[label]))
                leaf_of[own] = tree.add(child)
                if child.level < rules.levels:
                    queue.append((child.id, own, look(child, own)))
    return Hierarchy(tree, leaf_of, np.concatenate(centroids), elbows)


def _child(tree: ClusterTree, node: ClusterNode, label: int, n_patterns: int, inertia: float) -> ClusterNode:
    """The node that is added next."""
    return ClusterNode(
        id=len(tree.nodes),
        parent=node.id,
        level=node.level + 1,
        name=child_name(node, label + 1),
        n_patterns=n_patterns,
        inertia=inertia,
        radius=float(np.sqrt(inertia / max(n_patterns, 1))),
    )


Later = Callable[[], "_Division"]


@contextmanager
def _side_by_side(executor: Executor | None) -> Iterator[Callable[..., Later]]:
    """Begins work and returns where its outcome will be; without an executor, work is done when it is asked for.

    Much of the work on a node is one thread's: two nodes fill the processors better than one. Work that has begun
    and is not asked for any more, after Ctrl+C say, ends between blocks.
    """
    if executor is None:
        yield partial
        return
    dropped = threading.Event()
    pool = ThreadPoolExecutor(NODES_AT_ONCE, initializer=end_once, initargs=(dropped,))
    try:
        yield lambda work, *arguments: pool.submit(work, *arguments).result
    finally:
        dropped.set()
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Division:
    """`clustering` None: the node is a leaf."""

    k: int
    elbow: Elbow
    clustering: Clustering | None = None
    averaging: float = 0.0


def _division(
    vectors: Vectors,
    rules: DivisionRules,
    seed: int,
    executor: Executor | None,
    node: ClusterNode,
    members: NDArray[np.int64],
) -> _Division:
    """What becomes of one node; touches nothing else."""
    inside = vectors.part(members)
    share = rules.varying_share
    seen = inside if share is None else varying_features(inside, share, executor)
    rng = np.random.default_rng([seed, *node.name.encode()])
    k, elbow = _number_of_children(seen, node, rules, rng, executor)
    if k == 1:
        return _Division(k, elbow)
    clustering = kmeans(seen, k, rng, executor)
    if node.name not in rules.k_by_name and _is_noise(clustering, elbow, members, rules, len(vectors)):
        return _Division(1, replace(elbow, k=1))
    if seen.shape != inside.shape:
        clustering = by_labels(inside, clustering.labels, k)
    if not rules.averaging:
        return _Division(k, elbow, clustering)
    return _Division(
        k, elbow, *_with_neighbours(inside, seen, clustering, members, rules.averaging, rng, executor)
    )


def _with_neighbours(
    inside: Vectors,
    seen: Vectors,
    alone: Clustering,
    members: NDArray[np.int64],
    averaging: Averaging,
    rng: np.random.Generator,
    executor: Executor | None,
) -> tuple[Clustering, float]:
    """The clustering after averaging with neighbours, and how wide; as it is, and 0, where that does not pay."""
    scan_map, together = averaging.scan_map.part(members), np.zeros(len(members), np.int32)
    width = _averaging_width(inside, alone, scan_map, averaging.noise, executor)
    if not width:
        return alone, width
    # Along the leading components: what separates clusters lies there, and averaging all features is slow.
    scores = seen.project(leading_axes(seen, rng))
    averaged, _ = scan_map.averaged(scores, together, width, executor)
    labels = kmeans(averaged, alone.k, rng, executor).labels
    return by_labels(inside, labels, alone.k), width


def _averaging_width(
    inside: Vectors, clustering: Clustering, scan_map: ScanMap, noise_of: Noise, executor: Executor | None
) -> float:
    """How wide averaging with neighbours pays where it matters: along what separates the clusters; 0: not at all."""
    centroids = clustering.centroids.astype(np.float64)
    mean = np.average(centroids, axis=0, weights=clustering.counts)
    _, lengths, directions = np.linalg.svd(centroids - mean, full_matrices=False)
    directions = directions[lengths > 1e-6 * lengths[0]]
    noise = noise_of(directions, mean) if len(directions) else np.zeros(1)
    one, other = np.triu_indices(len(centroids), 1)
    apart = np.linalg.norm(centroids[one] - centroids[other], axis=1).min()
    if not (noise > 0).all() or apart > CLEAR_DISTANCE * np.sqrt(noise.max()):
        return 0.0
    scores, together = inside.project(directions.astype(np.float32)), np.zeros(len(inside), np.int32)
    least, best = WORTH, 0.0
    for width in WIDTHS:
        averaged, own_share = scan_map.averaged(scores, together, width, executor)
        risk = stein_risk(scores, averaged, own_share, noise).mean(axis=0) @ noise / noise.sum()
        if risk < least:
            least, best = risk, width
    return best


def _is_noise(
    clustering: Clustering, elbow: Elbow, members: NDArray[np.int64], rules: DivisionRules, n: int
) -> bool:
    """Whether a split that gains little does not show on the map either."""
    gain = 1.0 - elbow.wss[clustering.k - 1] / max(float(elbow.wss[0]), np.finfo(np.float64).tiny)
    if rules.neighbours is None or gain >= CLEAR_GAIN:
        return False
    labels = np.full(n, LABEL_NOT_VISITED, np.int32)
    labels[members] = clustering.labels
    return coherence(labels, rules.neighbours) < MIN_COHERENCE


def _number_of_children(
    inside: Vectors,
    node: ClusterNode,
    rules: DivisionRules,
    rng: np.random.Generator,
    executor: Executor | None,
) -> tuple[int, Elbow]:
    k_max = rules.k_max if len(inside) >= rules.min_patterns else 1
    elbow = choose_k(inside, k_max, rng, executor=executor)
    wanted = rules.k_by_name.get(node.name, elbow.k)
    return max(1, min(wanted, len(inside))), elbow
