"""What the three scripts share: a simulated scan, its aligned features, a table and a figure on disk."""

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from simulators.detector import Exposure, PatternMaker, write_raw
from simulators.specimen import Specimen
from streamer import open_scan
from streamer.analysis.passes import Cancel
from streamer.analysis.preprocess import align_scan, choose_mask, extract
from streamer.export.style import save_figure, style
from streamer.settings import analysis_settings

N_THREADS = 2


@dataclass(frozen=True)
class Scan:
    """Features of a simulated scan: for each STD threshold (n, n_features) float32, in scan order."""

    specimen: Specimen
    features: dict[float, NDArray[np.float32]]


def simulated_features(
    specimen: Specimen, thresholds: tuple[float, ...], dose: float = 60000.0, seed: int = 0
) -> Scan:
    """Simulate, align and take the feature pixels of the published rule at every threshold.

    Parameters
    ----------
    specimen
        What is scanned.
    thresholds
        Shares of the largest STD in the ring.
    dose
        Electrons per pattern.
    seed
        Of the shot noise.
    """
    settings = analysis_settings({"seed": seed})
    n_y, n_x = specimen.scan_shape
    features: dict[float, NDArray[np.float32]] = {}
    with TemporaryDirectory() as folder, ThreadPoolExecutor(N_THREADS) as executor:
        raw = Path(folder) / f"scan_x{n_x}_y{n_y}.raw"
        write_raw(PatternMaker(specimen, Exposure(dose, 3.0, seed)), raw)
        with open_scan(raw) as scan:
            aligned = align_scan(scan, settings, executor, _silent, Cancel())
            for threshold in thresholds:
                rule = {"rule": "std", "weighting": "none", "max_features": 16384, "threshold": threshold}
                mask = choose_mask(aligned, analysis_settings({"mask": rule, "seed": seed}))
                found = extract(scan, aligned, mask, settings, executor, _silent, Cancel())
                features[threshold] = found.features
    return Scan(specimen, features)


def _silent(_: float) -> None:
    return None


def show_table(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows of equal keys as CSV, and print them in columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    widths = [
        max(len(str(line[key])) for line in [dict(zip(rows[0], rows[0], strict=True)), *rows])
        for key in rows[0]
    ]
    for line in [list(rows[0]), *(list(row.values()) for row in rows)]:
        click.echo(
            "  ".join(str(value).ljust(width) for value, width in zip(line, widths, strict=True)).rstrip()
        )


def new_figure(width_in: float, height_in: float, columns: int) -> tuple[Figure, list[Any]]:
    """A figure of panels side by side in the style of the exported ones."""
    with rc_context(style()):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def save(figure: Figure, path: Path) -> None:
    """Write the figure as SVG, its text as text."""
    save_figure(figure, path, "svg")
