"""Clusters of a finished result that label the next scan, so that colours mean the same from scan to scan."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.kernels.mask import FeatureMask
from streamer.live.clusters import Family, LiveClusters
from streamer.model import ClusterNode


@dataclass(frozen=True)
class StartModel:
    """Mask and centroids of two levels.

    Attributes
    ----------
    mask
        Whose features the centroids live in.
    nodes
        The tree of the result, root first; those of levels 1 and 2 are used.
    centroids
        (n_nodes, n_features) float32, row = node id.
    """

    mask: FeatureMask
    nodes: tuple[ClusterNode, ...]
    centroids: NDArray[np.float32]

    def begin(self, clusters: LiveClusters) -> tuple[FeatureMask, LiveClusters]:
        """The mask, and clusters that label by the model and do not move."""
        first = self._children(0)
        families = {-1: self._family(first, 0)}
        for identity, node in enumerate(first):
            families[identity] = self._family(self._children(node.id), node.id)
        clusters.families, clusters.fixed = families, True
        return self.mask, clusters

    def _children(self, parent: int) -> list[ClusterNode]:
        return [node for node in self.nodes if node.parent == parent and node.id != parent]

    def _family(self, children: list[ClusterNode], parent: int) -> Family:
        rows = [node.id for node in children] or [parent]
        return Family(self.centroids[rows], np.arange(len(rows)), len(rows), len(rows))
