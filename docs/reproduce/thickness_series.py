"""Nanoprisms of different thickness: are prism and film, and the sides of the bending contour, still told apart?

K-means as the analysis does it: K = 2 and K = 4 on all patterns (with two, the contour can win over the film), and
K = 4 on those of the prism; clusters mapped many-to-one to the truth.
"""

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scans import new_figure, save, show_table, simulated_features

from simulators.nanoprism import PRISM, nanoprism
from simulators.simulate import parse_size
from simulators.truth import many_to_one_accuracy
from streamer.cluster.lloyd import kmeans

THRESHOLD = 0.30
K_ALL = (2, 4)
K_INSIDE = 4


def accuracy_of(features: NDArray[np.float32], k: int, truth: NDArray[np.integer]) -> float:
    """How well K clusters answer."""
    return many_to_one_accuracy(kmeans(features, k, np.random.default_rng(0)).labels, truth)


@click.command()
@click.option("--size", default="64", show_default=True, help="Scan positions: N or NxM.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--thicknesses", default="20,50,100,150,200,300", show_default=True, help="In Angstrom.")
@click.option("--dose", default=60000.0, show_default=True, help="Electrons per pattern.")
def main(size: str, out: Path, thicknesses: str, dose: float) -> None:
    """Write thickness_series.csv and thickness_series.svg to --out."""
    rows = []
    for thickness in (float(text) for text in thicknesses.split(",")):
        specimen = nanoprism(parse_size(size), thickness)
        features = simulated_features(specimen, (THRESHOLD,), dose).features[THRESHOLD]
        phase, side = specimen.phase.ravel(), specimen.ripple_region.ravel()
        inside = phase == PRISM
        rows.append(
            {
                "thickness_a": f"{thickness:g}",
                "n_features": features.shape[1],
                **{f"prism_film_k{k}": f"{accuracy_of(features, k, phase):.4f}" for k in K_ALL},
                "sides": f"{accuracy_of(features[inside], K_INSIDE, side[inside]):.4f}",
            }
        )
    show_table(rows, out / "thickness_series.csv")
    figure, (axes,) = new_figure(3.5, 2.4, 1)
    x = [float(row["thickness_a"]) / 10 for row in rows]
    for k in K_ALL:
        accuracy = [float(row[f"prism_film_k{k}"]) for row in rows]
        axes.plot(x, accuracy, "o-", ms=3, label=f"prism / film, K = {k}")
    axes.plot(
        x, [float(row["sides"]) for row in rows], "s-", ms=3, label=f"sides of the contour, K = {K_INSIDE}"
    )
    axes.set(xlabel="thickness (nm)", ylabel="accuracy", ylim=(0.45, 1.02))
    axes.legend(frameon=False, fontsize=6)
    save(figure, out / "thickness_series.svg")


if __name__ == "__main__":
    main()
