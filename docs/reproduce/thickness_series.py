"""Nanoprisms of different thickness: are prism and film, and the sides of the bending contour, still told apart?

K-means as the analysis does it: K = 2 on all patterns, then K = 4 on those of the prism; clusters mapped
many-to-one to the truth.
"""

from pathlib import Path

import click
import numpy as np
from scans import new_figure, save, show_table, simulated_features

from simulators.nanoprism import PRISM, nanoprism
from simulators.simulate import parse_size
from simulators.truth import many_to_one_accuracy
from streamer.cluster.lloyd import kmeans

THRESHOLD = 0.30
K_INSIDE = 4


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
        first = kmeans(features, 2, np.random.default_rng(0))
        second = kmeans(features[inside], K_INSIDE, np.random.default_rng(0))
        rows.append(
            {
                "thickness_a": f"{thickness:g}",
                "n_features": features.shape[1],
                "prism_film": f"{many_to_one_accuracy(first.labels, phase):.4f}",
                "sides": f"{many_to_one_accuracy(second.labels, side[inside]):.4f}",
            }
        )
    show_table(rows, out / "thickness_series.csv")
    figure, (axes,) = new_figure(3.5, 2.4, 1)
    x = [float(row["thickness_a"]) / 10 for row in rows]
    axes.plot(x, [float(row["prism_film"]) for row in rows], "o-", ms=3, label="prism / film, K = 2")
    axes.plot(
        x, [float(row["sides"]) for row in rows], "s-", ms=3, label=f"sides of the contour, K = {K_INSIDE}"
    )
    axes.set(xlabel="thickness (nm)", ylabel="accuracy", ylim=(0.45, 1.02))
    axes.legend(frameon=False)
    save(figure, out / "thickness_series.svg")


if __name__ == "__main__":
    main()
