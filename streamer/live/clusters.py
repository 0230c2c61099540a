"""Two levels of clusters that follow a growing scan.

A pattern gets its labels on arrival, from the nearest centroids. Each time the number of patterns has grown
by a tenth, Lloyd passes over all stored features move the centroids of both levels and relabel everything,
so that the map is always consistent; by a further growth the number of clusters is voted on, and a fresh fit
replaces the present one where it explains clearly more. Identities are matched to the previous ones, so that
colours stay. (The trials behind these numbers: shared feasibility notes, "live clustering".)
"""

from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.coherence import neighbour_pairs
from streamer.cluster.divisive import Averaging, DivisionRules, Hierarchy, Noise, divide
from streamer.cluster.elbow import Elbow, choose_k
from streamer.cluster.lloyd import Clustering, group_means, kmeans, refine
from streamer.cluster.matching import match_labels
from streamer.cluster.neighbours import ScanMap
from streamer.cluster.tree import ROOT_ID, ROOT_NAME
from streamer.cluster.vectors import as_vectors
from streamer.kernels.distance import assign_nearest, assign_two_levels
from streamer.model import ClusterNode

SETTLED_LOOKS = 5
SETTLED_CHANGE = 0.005
"""Labels count as settled when at most this share of positions changed at each of the last looks."""
RELABEL_GROWTH = 1.10
REFIT_GROWTH = 1.30
ADOPT_GAIN = 0.02
VOTE_SAMPLE = 1024
MAX_IDENTITIES = 32
"""Identities of one family run from 0 to this less one; ids of level-2 nodes are built on it."""


def level_1_id(identity: int) -> int:
    """Node id of a level-1 cluster."""
    return 1 + identity


def level_2_id(parent: int, identity: int) -> int:
    """Node id of a level-2 cluster."""
    return (1 + parent) * MAX_IDENTITIES + 1 + identity


@dataclass
class Family:
    """The clusters of one node: centroids (k, n_features), their identities (k,), and the votes on K."""

    centroids: NDArray[np.float32]
    identities: NDArray[np.int64]
    k_auto: int = 1
    vote: int = 1
    elbow: Elbow | None = None


@dataclass
class LiveClusters:
    """Clusters of the patterns so far, in order of arrival.

    Attributes
    ----------
    labels
        (2, capacity) int32: identity at level 1, and at level 2 within it; -1 not labelled.
    families
        By parent identity; -1 is the root's family.
    fixed
        Clusters come from elsewhere (a model) and only label.
    asked
        Fit and vote anew at the next look, whether the scan has grown or not.
    changed_share
        Share of labelled positions whose label changed at the last look.
    n_quiet
        Looks in a row at which no cluster came or went, and next to no label changed.
    """

    capacity: int
    k_max: int
    min_patterns: int
    seed: int
    k_by_name: dict[str, int] = field(default_factory=dict)
    families: dict[int, Family] = field(default_factory=dict)
    fixed: bool = False
    asked: bool = False
    labels: NDArray[np.int32] = field(init=False)
    changed_share: float = 1.0
    n_quiet: int = 0
    _n_relabelled: int = 0
    _n_refitted: int = 0
    _draws: int = 0
    _stack: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]] | None = None

    def __post_init__(self) -> None:
        self.labels = np.full((2, self.capacity), -1, np.int32)

    @property
    def n_clusters(self) -> tuple[int, ...]:
        """Clusters at level 1, then within each of them."""
        return tuple(len(self.families[parent].identities) for parent in sorted(self.families))

    @property
    def is_settled(self) -> bool:
        """Whether the last looks, over which the scan grew by 60 %, changed next to nothing."""
        return self.n_quiet >= SETTLED_LOOKS

    def _is_quiet(self, n_clusters: tuple[int, ...]) -> bool:
        return self.changed_share <= SETTLED_CHANGE and self.n_clusters == n_clusters

    @property
    def ready(self) -> bool:
        """Whether there are clusters yet."""
        return -1 in self.families

    def label_new(self, features: NDArray[np.float32], first: int, last: int) -> None:
        """Label rows [first, last) of `features` by the nearest centroids of both levels."""
        if not self.ready or last <= first:
            return
        if self._stack is None:
            self._stack = self._stacked()
        centroids, starts, identities = self._stack
        nearest = np.empty((2, last - first), np.int32)
        assign_two_levels(features[first:last], centroids, starts, nearest)
        self.labels[:, first:last] = np.where(nearest >= 0, identities[nearest], 0)

    def due(self, n: int) -> bool:
        """Whether enough patterns have come since the last relabelling."""
        return n >= self.min_patterns and n >= RELABEL_GROWTH * self._n_relabelled

    def copy(self) -> "LiveClusters":
        """Clusters that can be worked on while these go on labelling."""
        other = copy(self)
        other.labels = self.labels.copy()
        other.families = {parent: replace(family) for parent, family in self.families.items()}
        return other

    def close(
        self,
        features: NDArray[np.float32],
        order: NDArray[np.int64],
        scan_shape: tuple[int, int],
        noise: Noise | None = None,
    ) -> None:
        """Cluster all patterns (n, n_features) of these scan positions (n,) as the analysis does.

        The outcome depends on the patterns alone, neither on the order in which they came nor on what the
        clusters were before; those give their identities. `noise`: see `Averaging`; None: nothing is averaged.
        """
        n = len(features)
        if self.fixed or not n:
            self.maintain(features)
            return
        before = self.labels[:, :n].copy()
        by_place = np.argsort(order, kind="stable")
        in_order = bool((np.diff(order) > 0).all())
        vectors = features if in_order else features[by_place]
        root_k = {name: k for name, k in self.k_by_name.items() if name == ROOT_NAME}
        positions = np.sort(order[:n])
        averaging = Averaging(ScanMap.of(positions, scan_shape), noise) if noise else None
        pairs = neighbour_pairs(positions, scan_shape)
        rules = DivisionRules(2, self.k_max, self.min_patterns, root_k, pairs, averaging=averaging)
        hierarchy = divide(vectors, rules, self.seed)
        first = _first_level(hierarchy)
        identities = _matched(first, before[0][by_place], len(hierarchy.tree.children(ROOT_ID)))
        if root_k != self.k_by_name:  # names of children are known only now
            named = {str(i + 1): str(identity + 1) for i, identity in enumerate(identities.tolist())}
            wanted = {mine: self.k_by_name[own] for mine, own in named.items() if own in self.k_by_name}
            hierarchy = divide(vectors, replace(rules, k_by_name={**root_k, **wanted}), self.seed)
        self._take_hierarchy(hierarchy, identities, before, by_place)
        self.changed_share = _changed(self.labels[:, :n], before)
        self._stack = None
        self._n_relabelled = self._n_refitted = n

    def _take_hierarchy(
        self,
        hierarchy: Hierarchy,
        identities: NDArray[np.int64],
        before: NDArray[np.int32],
        by_place: NDArray[np.int64],
    ) -> None:
        """Families and labels of a hierarchy over the patterns in scan order, with identities kept."""
        tree = hierarchy.tree
        children = tree.children(ROOT_ID)
        members = [child.id for child in children] or [ROOT_ID]
        root = tree.nodes[ROOT_ID]
        self.families = {
            -1: Family(
                hierarchy.centroids[members], identities, root.k_auto, root.k_auto, hierarchy.elbows.get(0)
            )
        }
        first = identities[_first_level(hierarchy)]
        second = np.zeros(len(first), np.int64)
        for child, identity in zip(children, identities.tolist(), strict=False):
            inside = np.flatnonzero(first == identity)
            grandchildren = tree.children(child.id)
            rows = [node.id for node in grandchildren] or [child.id]
            own = np.searchsorted(rows, hierarchy.leaf_of[inside])
            # Identities of children mean something only within the same parent.
            previous = np.where(before[0][by_place][inside] == identity, before[1][by_place][inside], -1)
            inner = _matched(own, previous, len(rows))
            second[inside] = inner[own]
            self.families[identity] = Family(
                hierarchy.centroids[rows], inner, child.k_auto, child.k_auto, hierarchy.elbows.get(child.id)
            )
        self.labels[:, by_place] = np.stack([first, second])

    def maintain(self, features: NDArray[np.float32]) -> None:
        """Relabel all patterns (n, n_features); vote on K and refit where the scan has grown enough."""
        n = len(features)
        before = self.labels[:, :n].copy()
        if self.fixed:
            self.label_new(features, 0, n)
            self._n_relabelled = n
            return
        refit = not self.ready or self.asked or n >= REFIT_GROWTH * self._n_refitted
        self.asked = False
        n_clusters = self.n_clusters
        self.families[-1] = self._follow(features, -1, ROOT_NAME, refit)
        self._label_family(features, np.arange(n), -1, 0)
        for identity in self.families[-1].identities.tolist():
            rows = np.flatnonzero(self.labels[0, :n] == identity)
            if len(rows):
                inside = features[rows]
                self.families[identity] = self._follow(inside, identity, str(identity + 1), refit)
                self._label_family(inside, rows, identity, 1)
        self.changed_share = _changed(self.labels[:, :n], before)
        self.n_quiet = self.n_quiet + 1 if self._is_quiet(n_clusters) else 0
        self._stack = None
        self._n_relabelled = n
        if refit:
            self._n_refitted = n

    def rebase(self, features: NDArray[np.float32]) -> None:
        """Carry labels over to another set of features: centroids become the means of the labelled patterns."""
        n = len(features)
        self._stack = None
        root = self.families.get(-1)
        if root is None:
            return
        for parent, family in self.families.items():
            rows = np.arange(n) if parent < 0 else np.flatnonzero(self.labels[0, :n] == parent)
            level = 0 if parent < 0 else 1
            index = np.full(MAX_IDENTITIES, -1, np.int32)
            index[family.identities] = np.arange(len(family.identities))
            own = self.labels[level, rows]
            family.centroids = group_means(
                features[rows], np.where(own >= 0, index[own], -1), len(family.identities)
            )

    def nodes(self, n: int) -> tuple[ClusterNode, ...]:
        """The tree with the number of patterns of every node, root first."""
        if not self.ready:
            return ()
        root = self.families[-1]
        nodes = [ClusterNode(ROOT_ID, ROOT_ID, 0, ROOT_NAME, n, k=len(root.identities), k_auto=root.k_auto)]
        counts = np.bincount(np.maximum(self.labels[0, :n], 0), minlength=MAX_IDENTITIES)
        for identity in sorted(root.identities.tolist()):
            family = self.families.get(identity)
            k = len(family.identities) if family else 1
            parent = level_1_id(identity)
            name = str(identity + 1)
            nodes.append(
                ClusterNode(
                    parent,
                    ROOT_ID,
                    1,
                    name,
                    int(counts[identity]),
                    k=k,
                    k_auto=family.k_auto if family else 1,
                )
            )
        for node in nodes[1:].copy():
            family = self.families.get(node.id - 1)
            if family is None or len(family.identities) < 2:
                continue
            inside = self.labels[1, :n][self.labels[0, :n] == node.id - 1]
            own = np.bincount(np.maximum(inside, 0), minlength=MAX_IDENTITIES)
            nodes.extend(
                ClusterNode(
                    level_2_id(node.id - 1, child), node.id, 2, f"{node.name}.{child + 1}", int(own[child])
                )
                for child in sorted(family.identities.tolist())
            )
        return tuple(nodes)

    def node_ids(self, n: int) -> NDArray[np.int32]:
        """Node ids (2, n) int32 of the first n patterns; a level-1 leaf keeps its id at level 2."""
        first, second = self.labels[0, :n], self.labels[1, :n]
        ids = np.full((2, n), -1, np.int32)
        labelled = first >= 0
        ids[0, labelled] = 1 + first[labelled]
        ids[1] = ids[0]
        split = np.array(
            [
                len(self.families[i].identities) > 1 if i in self.families else False
                for i in range(MAX_IDENTITIES)
            ]
        )
        inner = labelled & (second >= 0) & split[np.maximum(first, 0)]
        ids[1, inner] = (1 + first[inner]) * MAX_IDENTITIES + 1 + second[inner]
        return ids

    def _stacked(self) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        """Centroids of both levels in one array, where each family begins, and the identity of every row."""
        root = self.families[-1]
        inner = [self.families.get(identity) for identity in root.identities.tolist()]
        families = [root, *(family for family in inner if family is not None)]
        sizes = [len(root.identities), *(len(family.identities) if family else 0 for family in inner)]
        centroids = np.concatenate([family.centroids for family in families])
        return centroids, np.cumsum(sizes), np.concatenate([family.identities for family in families])

    def _label_family(
        self, inside: NDArray[np.float32], rows: NDArray[np.int64], parent: int, level: int
    ) -> None:
        family = self.families.get(parent)
        if family is None:
            self.labels[level, rows] = 0
            return
        nearest, distances = np.empty(len(inside), np.int32), np.empty(len(inside), np.float32)
        assign_nearest(inside, family.centroids, nearest, distances)
        self.labels[level, rows] = family.identities[nearest]

    def _follow(self, inside: NDArray[np.float32], parent: int, name: str, refit: bool) -> Family:
        """The family of a node after a look at all its patterns."""
        family = self.families.get(parent)
        if family is None or refit:
            family = self._refit(inside, family, parent, name)
        if len(family.identities) > 1:
            family.centroids = refine(inside, family.centroids, max_passes=2).centroids
        else:
            family.centroids = _mean(inside)
        return family

    def _refit(self, inside: NDArray[np.float32], old: Family | None, parent: int, name: str) -> Family:
        self._draws += 1
        rng = np.random.default_rng([self.seed, self._draws])
        k_max = self.k_max if len(inside) >= self.min_patterns else 1
        elbow = choose_k(inside, k_max, rng, VOTE_SAMPLE)
        k = self._vote(elbow.k, old)
        wanted = max(1, min(self.k_by_name.get(name, k), len(inside)))
        fresh = kmeans(inside, wanted, rng, max_passes=2, sample_size=VOTE_SAMPLE)
        if old is not None and len(old.identities) == wanted:
            present = as_vectors(inside).assign(old.centroids).inertias.sum()
            total = as_vectors(inside).assign(_mean(inside)).inertias.sum()
            if present - fresh.inertia <= ADOPT_GAIN * max(total - present, 0.0):
                return Family(old.centroids, old.identities, k, elbow.k, elbow)
        return Family(fresh.centroids, self._identities(fresh, inside, old), k, elbow.k, elbow)

    @staticmethod
    def _vote(k: int, old: Family | None) -> int:
        """A new K needs two votes in a row, but for the first."""
        return k if old is None or old.vote == k else old.k_auto

    @staticmethod
    def _identities(fresh: Clustering, inside: NDArray[np.float32], old: Family | None) -> NDArray[np.int64]:
        if old is None:
            return np.arange(fresh.k)
        previous = old.identities[as_vectors(inside).assign(old.centroids).labels]
        return match_labels(fresh.labels, previous, fresh.k)


def _first_level(hierarchy: Hierarchy) -> NDArray[np.int64]:
    """Index of every pattern's child of the root."""
    table = np.array([max(hierarchy.tree.ancestor(node.id, 1) - 1, 0) for node in hierarchy.tree.nodes])
    return table[hierarchy.leaf_of]


def _matched(new: NDArray[np.integer], old: NDArray[np.integer], k: int) -> NDArray[np.int64]:
    """Identities (max(k, 1),) of new labels that continue the old ones."""
    return match_labels(new, old, max(k, 1))


def _changed(labels: NDArray[np.int32], before: NDArray[np.int32]) -> float:
    """Share of the positions labelled before, (2, n), that have another label now; 1 where none had one."""
    seen = before[0] >= 0
    return float((labels != before)[:, seen].any(axis=0).mean()) if seen.any() else 1.0


def _mean(inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean vector (1, n_features)."""
    return group_means(inside, np.zeros(len(inside), np.int32), 1)
