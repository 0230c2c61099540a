"""Feature reductions times clusterings on the simulated junction: time, memory and accuracy.

Three questions: phases of all patterns (K = 3); sign of the rotation in WS2 (K = 2); regions of WSe2 (K = 4). The
last two are asked of the patterns that truly belong, so that a mistake of the first does not count twice. Times
are sums over the three. Memory is the peak of tracemalloc during the clustering (what numpy allocates; not what
compiled code takes for itself). Clusterings whose memory or time grows with the square of the number of patterns
(BIRCH where noise leaves every pattern a leaf) see a sample; the others get the label of their nearest neighbour
in it.
"""

import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scans import Scan, new_figure, save, show_table, simulated_features
from sklearn.cluster import AgglomerativeClustering, Birch, KMeans, MiniBatchKMeans, SpectralClustering
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

from simulators.simulate import parse_size
from simulators.specimen import Phase, junction
from simulators.truth import many_to_one_accuracy
from streamer.analysis.manifold import embed
from streamer.settings import ManifoldSettings

Points = NDArray[np.float32]
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
STANDARD = 0.3
N_COMPONENTS = 12
REDUCTIONS = (*(f"std{round(100 * share)}" for share in THRESHOLDS), "pca-once", "pca-again", "umap")
QUESTIONS = {"phases": 3, "rotation_sign": 2, "ripple_regions": 4}


def birch_threshold(points: Points) -> float:
    """Three quarters of the root mean square distance from the mean: BIRCH has no scale of its own."""
    return 0.75 * float(np.sqrt(points.var(axis=0, dtype=np.float64).sum()))


CLUSTERINGS: dict[str, Callable[[Points, int], Any]] = {
    "k-means": lambda _, k: KMeans(k, n_init=10, random_state=0),
    "mini-batch": lambda _, k: MiniBatchKMeans(k, n_init=3, random_state=0),
    "agglomerative": lambda _, k: AgglomerativeClustering(k),
    "birch": lambda points, k: Birch(threshold=birch_threshold(points), n_clusters=k),
    "spectral": lambda points, k: SpectralClustering(
        k, affinity="nearest_neighbors", n_neighbors=min(10, len(points) - 1), random_state=0
    ),
    "gaussian-mixture": lambda _, k: GaussianMixture(k, covariance_type="diag", random_state=0),
}
SAMPLED = ("agglomerative", "birch", "spectral")


def reduce(scan: Scan, reduction: str, rows: NDArray[np.intp]) -> Points:
    """Points (len(rows), d) of the patterns of a question."""
    if reduction.startswith("std"):
        return scan.features[int(reduction[3:]) / 100][rows]
    features = scan.features[STANDARD]
    if reduction == "pca-again":
        return PCA(N_COMPONENTS, random_state=0).fit_transform(features[rows])
    if reduction == "pca-once":
        return PCA(N_COMPONENTS, random_state=0).fit_transform(features)[rows]
    return embed(features, ManifoldSettings(method="umap"), seed=0)[rows]


def cluster(points: Points, clustering: str, k: int, most: int) -> NDArray[np.int32]:
    """Labels (n,) of one clustering, by way of a sample where it takes one."""
    rows = np.arange(len(points))
    if clustering in SAMPLED and len(points) > most:
        rows = np.sort(np.random.default_rng(0).choice(len(points), most, replace=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Separate phases are a graph of several parts, which spectral clustering remarks on.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        labels = CLUSTERINGS[clustering](points[rows], k).fit_predict(points[rows])
    if len(rows) < len(points):
        labels = KNeighborsClassifier(1).fit(points[rows], labels).predict(points)
    return np.asarray(labels)


def truths(scan: Scan) -> dict[str, tuple[NDArray[np.intp], NDArray[np.integer]]]:
    """For each question the rows that it is asked of, and their truth."""
    specimen = scan.specimen
    phase = specimen.phase.ravel()
    ws2, wse2 = np.flatnonzero(phase == Phase.WS2), np.flatnonzero(phase == Phase.WSE2)
    return {
        "phases": (np.arange(phase.size), phase),
        "rotation_sign": (ws2, (specimen.rotation_rad.ravel()[ws2] > 0).astype(np.int8)),
        "ripple_regions": (wse2, specimen.ripple_region.ravel()[wse2]),
    }


def measure(scan: Scan, reduction: str, chosen: list[str], most: int) -> list[dict[str, Any]]:
    """One row for each clustering of one reduction."""
    asked = truths(scan)
    begin = time.perf_counter()
    points = {name: reduce(scan, reduction, rows) for name, (rows, _) in asked.items()}
    reduce_s = time.perf_counter() - begin
    table = []
    for clustering in chosen:
        row: dict[str, Any] = {"reduction": reduction, "clustering": clustering}
        row["dimensions"] = points["phases"].shape[1]
        row["patterns"] = min(most, len(points["phases"])) if clustering in SAMPLED else len(points["phases"])
        tracemalloc.start()
        begin = time.perf_counter()
        labels = {name: cluster(points[name], clustering, k, most) for name, k in QUESTIONS.items()}
        row["reduce_s"], row["cluster_s"] = f"{reduce_s:.2f}", f"{time.perf_counter() - begin:.2f}"
        row["peak_mib"] = f"{tracemalloc.get_traced_memory()[1] / 2**20:.0f}"
        tracemalloc.stop()
        row |= {name: f"{many_to_one_accuracy(labels[name], asked[name][1]):.4f}" for name in QUESTIONS}
        table.append(row)
    return table


@click.command()
@click.option("--size", default="64", show_default=True, help="Scan positions: N or NxM.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--reductions", default=",".join(REDUCTIONS), show_default=True)
@click.option("--clusterings", default=",".join(CLUSTERINGS), show_default=True)
@click.option(
    "--sample", default=4096, show_default=True, help="Most patterns of " + ", ".join(SAMPLED) + "."
)
@click.option("--dose", default=60000.0, show_default=True, help="Electrons per pattern.")
def main(size: str, out: Path, reductions: str, clusterings: str, sample: int, dose: float) -> None:
    """Write feature_and_clustering.csv and feature_and_clustering.svg to --out."""
    wanted, chosen = reductions.split(","), clusterings.split(",")
    scan = simulated_features(junction(parse_size(size)), THRESHOLDS, dose)
    rows = [row for reduction in wanted for row in measure(scan, reduction, chosen, sample)]
    show_table(rows, out / "feature_and_clustering.csv")
    figure, panels = new_figure(9.0, 2.8, len(QUESTIONS))
    for axes, question in zip(panels, QUESTIONS, strict=True):
        for clustering in chosen:
            own = [row for row in rows if row["clustering"] == clustering]
            axes.plot(range(len(own)), [float(row[question]) for row in own], "o-", ms=3, label=clustering)
        axes.set_xticks(range(len(wanted)), wanted, rotation=60)
        axes.set(title=question.replace("_", " ") + f", K = {QUESTIONS[question]}", ylabel="accuracy")
    panels[0].legend(frameon=False, fontsize=6)
    save(figure, out / "feature_and_clustering.svg")


if __name__ == "__main__":
    main()
