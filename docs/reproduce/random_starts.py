"""Single random starts of K-means on a continuous feature, the rotation of WS2, beside the seeding of livestem.

The patterns that truly are WS2 are clustered; clusters are mapped many-to-one to the sign of the rotation.
"""

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scans import new_figure, save, show_table, simulated_features
from sklearn.cluster import KMeans

from simulators.simulate import parse_size
from simulators.specimen import Phase, junction
from simulators.truth import many_to_one_accuracy
from streamer.cluster.lloyd import kmeans

THRESHOLD = 0.30
GOOD = 0.75
WAYS = ("random", "k-means++", "livestem")


def run_once(features: NDArray[np.float32], k: int, way: str, seed: int) -> tuple[NDArray[np.int32], float]:
    """Labels (n,) and inertia of one run."""
    if way == "livestem":
        ours = kmeans(features, k, np.random.default_rng(seed))
        return ours.labels, ours.inertia
    model = KMeans(k, init=way, n_init=1, random_state=seed).fit(features)
    return model.labels_, float(model.inertia_)


@click.command()
@click.option("--size", default="64", show_default=True, help="Scan positions: N or NxM.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--starts", default=100, show_default=True, help="Seeds.")
@click.option("--clusters", default="2,4", show_default=True, help="Values of K.")
@click.option("--dose", default=60000.0, show_default=True, help="Electrons per pattern.")
def main(size: str, out: Path, starts: int, clusters: str, dose: float) -> None:
    """Write random_starts.csv and random_starts.svg to --out."""
    specimen = junction(parse_size(size))
    own = specimen.phase.ravel() == Phase.WS2
    features = simulated_features(specimen, (THRESHOLD,), dose).features[THRESHOLD][own]
    sign = (specimen.rotation_rad.ravel()[own] > 0).astype(np.int8)
    numbers = [int(text) for text in clusters.split(",")]
    figure, panels = new_figure(3.2 * len(numbers), 2.4, len(numbers))
    rows: list[dict[str, Any]] = []
    for k, axes in zip(numbers, panels, strict=True):
        runs = {way: [run_once(features, k, way, seed) for seed in range(starts)] for way in WAYS}
        accuracy = {way: np.array([many_to_one_accuracy(run[0], sign) for run in runs[way]]) for way in WAYS}
        best = min(run[1] for way in WAYS for run in runs[way])
        for way in WAYS:
            worst = max(run[1] for run in runs[way])
            rows.append(
                {
                    "k": k,
                    "start": way,
                    "runs": starts,
                    "above_75": int((accuracy[way] > GOOD).sum()),
                    "median": f"{np.median(accuracy[way]):.4f}",
                    "lowest": f"{accuracy[way].min():.4f}",
                    "worst_wss_over_best": f"{worst / best:.4f}",
                }
            )
        bins = np.linspace(0.5, 1.0, 26).tolist()
        axes.hist(list(accuracy.values()), bins, label=list(WAYS))
        axes.axvline(GOOD, color="0.5", lw=0.6, ls="--")
        axes.set(xlabel=f"accuracy, sign of rotation, K = {k}", ylabel="runs")
        axes.legend(frameon=False, fontsize=6)
    show_table(rows, out / "random_starts.csv")
    save(figure, out / "random_starts.svg")


if __name__ == "__main__":
    main()
