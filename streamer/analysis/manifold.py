"""Manifold: the feature vectors of a node as points in three dimensions, for display alone (method, part 4).

Principal components come at once, as a preview. UMAP (McInnes, Healy and Melville 2018) runs on the leading
components of a sample, from exact neighbours and with the components as its start; the other patterns are placed
between their nearest neighbours of the sample. Vectors differ by shot noise in all other directions, so that
neighbours are found better without them than with them.
"""

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.passes import Cancel
from streamer.cluster.lloyd import SAMPLE_SIZE, about_mean, sample_rows
from streamer.cluster.seeding import principal_components
from streamer.cluster.tree import ClusterTree
from streamer.cluster.vectors import Vectors, as_vectors
from streamer.errors import SettingsError
from streamer.settings import AnalysisSettings, ManifoldSettings

N_DIMENSIONS = 3
_N_COMPONENTS = 12
_N_EPOCHS = 200
_START_EXTENT = 10.0
"""Largest coordinate of the start: what UMAP's own starts have."""
_PLACED_ROWS = 4096


@dataclass(frozen=True)
class Manifold:
    """The points of one node.

    Attributes
    ----------
    node_id
        Of the hierarchy.
    method
        "pca" or "umap".
    points
        (n, 3) float32, without unit.
    scan_index
        (n,) int64: flat scan index of each point.
    """

    node_id: int
    method: str
    points: NDArray[np.float32]
    scan_index: NDArray[np.int64]


def embed_nodes(
    features: NDArray[np.float32] | Vectors,
    scan_index: NDArray[np.int64],
    leaf_of: NDArray[np.int32],
    tree: ClusterTree,
    settings: AnalysisSettings,
    progress: Callable[[float], None] = lambda fraction: None,
    cancel: Cancel | None = None,
) -> list[Manifold]:
    """The manifolds that the settings ask for, in their order; a name that no node has is left out.

    Parameters
    ----------
    features
        (n, n_features) of the usable patterns.
    scan_index, leaf_of
        (n,) scan position and leaf of each.
    tree
        The hierarchy.

    Raises
    ------
    SettingsError
        UMAP is asked for and not installed.
    ScanStopped
        Cancelled.
    """
    wanted = settings.manifold
    if wanted.method == "none":
        return []
    manifolds = []
    nodes = [node for name in dict.fromkeys(wanted.nodes) for node in tree.nodes if node.name == name]
    for number, node in enumerate(nodes):
        ancestors = np.array([tree.ancestor(other.id, node.level) for other in tree.nodes])
        members = np.flatnonzero(ancestors[leaf_of] == node.id)
        inside = as_vectors(features).part(members)

        def told(fraction: float, number: int = number) -> None:
            progress((number + fraction) / len(nodes))

        points = embed(inside, wanted, settings.seed, told, cancel or Cancel())
        manifolds.append(Manifold(node.id, wanted.method, points, scan_index[members]))
    return manifolds


def embed(
    features: NDArray[np.float32] | Vectors,
    settings: ManifoldSettings,
    seed: int,
    progress: Callable[[float], None] = lambda fraction: None,
    cancel: Cancel | None = None,
) -> NDArray[np.float32]:
    """Points (n, 3) float32 of feature vectors (n, n_features), by the settings' method."""
    cancel = cancel or Cancel()
    rng = np.random.default_rng([seed, 7])
    scores = component_scores(features, rng)
    n_neighbours = min(settings.n_neighbours, settings.max_points - 1, len(scores) - 1)
    if settings.method != "umap" or n_neighbours < 2 or scores.shape[1] < N_DIMENSIONS:
        return _three_columns(scores)
    rows = sample_rows(len(scores), settings.max_points, rng)
    neighbours = _nearest_neighbours(scores[rows], n_neighbours)
    sampled = _umap(scores[rows], neighbours, n_neighbours, settings, seed, rng, progress, cancel)
    return _placed(scores, rows, sampled, neighbours, cancel)


def component_scores(
    features: NDArray[np.float32] | Vectors, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Leading principal components (n, c) of all vectors, found on a sample; their signs are fixed."""
    vectors = as_vectors(features)
    sample = vectors.rows(sample_rows(len(vectors), SAMPLE_SIZE, rng))
    _, axes = principal_components(sample, _N_COMPONENTS, rng)
    if not axes.size:  # no feature pixel
        return np.zeros((len(vectors), 0), np.float32)
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    axes = (axes * np.where(largest < 0, -1.0, 1.0)[:, None]).astype(np.float32)
    centre = about_mean(vectors).centroids[0]
    return vectors.project(axes) - centre @ axes.T


def _three_columns(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    points = np.zeros((len(scores), N_DIMENSIONS), np.float32)
    points[:, : scores.shape[1]] = scores[:, :N_DIMENSIONS]
    return points


def _nearest_neighbours(points: NDArray[np.float32], n_neighbours: int) -> Any:
    """Exact neighbours by blocked matrix products: in few dimensions quicker than an approximate index."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=n_neighbours, algorithm="brute").fit(points)


def _umap(
    scores: NDArray[np.float32],
    neighbours: Any,
    n_neighbours: int,
    settings: ManifoldSettings,
    seed: int,
    rng: np.random.Generator,
    progress: Callable[[float], None],
    cancel: Cancel,
) -> NDArray[np.float32]:
    umap = import_umap()
    distances, indices = neighbours.kneighbors(scores)
    start = _three_columns(scores)
    start *= _START_EXTENT / max(float(np.abs(start).max()), np.finfo(np.float32).tiny)
    start += rng.normal(scale=1e-4, size=start.shape).astype(np.float32)  # equal points could never part
    model = umap.UMAP(
        n_components=N_DIMENSIONS,
        n_neighbors=n_neighbours,
        min_dist=settings.min_dist,
        n_epochs=_N_EPOCHS,
        init=start,
        precomputed_knn=(indices, distances),
        random_state=seed if settings.seeded else None,
        n_jobs=1 if settings.seeded else -1,
        tqdm_kwds={
            "disable": False,
            "file": _Epochs(progress, cancel),
            "bar_format": "{n_fmt}/{total_fmt}",
            "mininterval": 0.1,
        },
    )
    with warnings.catch_warnings():
        # It cannot place further points without an index of its own: they are placed here.
        warnings.filterwarnings("ignore", message="precomputed_knn", category=UserWarning)
        points = model.fit_transform(scores)
    return np.ascontiguousarray(points, np.float32)


def remark_on_nodes(settings: ManifoldSettings, tree: ClusterTree) -> str:
    """A sentence where the settings name nodes that the hierarchy lacks; "" otherwise."""
    there = [node.name for node in tree.nodes]
    missing = [name for name in settings.nodes if name not in there]
    if settings.method == "none" or not missing:
        return ""
    return (
        f"No manifold of {', '.join(missing)}: this scan has the nodes {', '.join(there)}. "
        "Choose among them with the setting manifold.nodes; all else is complete."
    )


def import_umap() -> ModuleType:
    """The module, or SettingsError with what to install; asked before an analysis begins."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Tensorflow", category=ImportWarning)
            import umap
    except ImportError:
        raise SettingsError(
            "A UMAP is asked for and umap-learn is not installed. Install it with pip install 'livestem[manifold]', "
            "or use principal components: setting manifold.method = 'pca'."
        ) from None
    return umap


class _Epochs(io.TextIOBase):
    """Where UMAP's progress bar writes: turns its epochs into progress, and ends it when cancelled."""

    def __init__(self, progress: Callable[[float], None], cancel: Cancel) -> None:
        self._progress, self._cancel = progress, cancel

    def write(self, text: str) -> int:
        self._cancel.check()
        if match := re.search(r"(\d+)/(\d+)", text):
            self._progress(int(match[1]) / max(int(match[2]), 1))
        return len(text)


def _placed(
    scores: NDArray[np.float32],
    rows: NDArray[np.int64],
    sampled: NDArray[np.float32],
    neighbours: Any,
    cancel: Cancel,
) -> NDArray[np.float32]:
    """All points: those of the sample, the others at the mean of their neighbours, weighted by 1 / distance."""
    points = np.empty((len(scores), N_DIMENSIONS), np.float32)
    points[rows] = sampled
    rest = np.setdiff1d(np.arange(len(scores)), rows)
    for first in range(0, len(rest), _PLACED_ROWS):
        cancel.check()
        block = rest[first : first + _PLACED_ROWS]
        distances, indices = neighbours.kneighbors(scores[block])
        weights = 1.0 / np.maximum(distances, np.finfo(np.float32).tiny)
        weights /= weights.sum(axis=1, keepdims=True)
        points[block] = np.einsum("ij,ijk->ik", weights, sampled[indices])
    return points
