"""``livestem simulate``: a scan file with known truth."""

import json
import re
import time
from pathlib import Path

import click

from streamer.errors import SettingsError


def parse_size(text: str) -> tuple[int, int]:
    """Scan shape of "N" or "NxM" (rows x columns).

    Raises
    ------
    SettingsError
        The text is neither.
    """
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    shape = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(1 <= side <= 4096 for side in shape):
        raise SettingsError(
            f"--size {text} cannot be used. Expected N or NxM (rows x columns), each from 1 to 4096."
        )
    return shape


@click.command("simulate", short_help="Write a simulated scan with known truth.")
@click.argument("specimen")
@click.option(
    "--size", default="64", show_default=True, metavar="N[xM]", help="Scan positions: rows x columns."
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for RAW and XML."
)
@click.option(
    "--truth-out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the truth; default: --out.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same bytes.")
@click.option(
    "--dose", type=click.FloatRange(1, 1e8), default=60000.0, show_default=True, help="Electrons per pattern."
)
@click.option(
    "--drift", type=click.FloatRange(0, 20), default=3.0, show_default=True, help="Drift of the beam, px."
)
@click.option("--dead-pixels", type=click.IntRange(0, 1000), default=0, help="Pixels that are always 0.")
@click.option("--hot-pixels", type=click.IntRange(0, 1000), default=0, help="Pixels that are far too bright.")
@click.option("--nan-pixels", type=click.IntRange(0, 1000), default=0, help="Pixels that are never a number.")
@click.option("--nan-frames", type=click.IntRange(0), default=0, help="Patterns that are no numbers at all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    specimen: str,
    size: str,
    out: Path,
    truth_out: Path | None,
    seed: int,
    dose: float,
    drift: float,
    dead_pixels: int,
    hot_pixels: int,
    nan_pixels: int,
    nan_frames: int,
    as_json: bool,
) -> int:
    """Simulate SPECIMEN (junction, superlattice, nanoprism, cross-section, film) as a first-generation EMPAD records.

    Writes scan_xN_yM.raw, its XML, and the truth: phase, rotation, strain and tilt of every scan position, what
    else the specimen has (flakes, thickness, regions), and where the direct beam really was.
    """
    from rich.console import Console
    from rich.progress import Progress

    from simulators.detector import Exposure, PatternMaker, write_raw, write_xml
    from simulators.diffraction import ANGLE_PER_PX_MRAD, DISK_RADIUS_PX, EDGE_SIGMA_PX, film_share
    from simulators.specimens import make_specimen
    from simulators.truth import Truth, write_truth

    begin = time.perf_counter()
    scan_shape = parse_size(size)
    exposure = Exposure(dose, drift, seed, dead_pixels, hot_pixels, nan_pixels, nan_frames)
    maker = PatternMaker(make_specimen(specimen, scan_shape), exposure)
    stem = f"scan_x{scan_shape[1]}_y{scan_shape[0]}"
    raw, xml = out / f"{stem}.raw", out / "acquisition_1.xml"
    truth_path = (truth_out or out) / f"{stem}.truth.h5"
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(f"simulating {specimen}", total=1.0)
        write_raw(maker, raw, lambda fraction: bars.update(task, completed=fraction))
    write_xml(xml, raw.name, scan_shape, maker.specimen.electrons.voltage_v)
    truth_path.parent.mkdir(parents=True, exist_ok=True)
    attrs = {
        "seed": seed,
        "dose": dose,
        "drift_px": drift,
        "angle_per_px_mrad": ANGLE_PER_PX_MRAD,
        "disk_radius_px": DISK_RADIUS_PX,
        "edge_sigma_px": EDGE_SIGMA_PX,
        "direct_beam_electrons": dose * (1.0 - film_share()),
    }
    write_truth(truth_path, Truth(maker.specimen, maker.centres_yx.reshape(*scan_shape, 2), attrs))
    summary = {
        "raw": str(raw),
        "xml": str(xml),
        "truth": str(truth_path),
        "n_patterns": maker.n_positions,
        "seconds": round(time.perf_counter() - begin, 2),
    }
    if as_json:
        click.echo(json.dumps(summary))
    else:
        for name, value in summary.items():
            click.echo(f"{name:<10} {value}")
    return 0
