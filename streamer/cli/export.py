"""``livestem export``: what was found, as figures, tables, texts, moving pictures and files for other programs."""

import json
from pathlib import Path
from typing import Any

import click

from streamer.errors import SettingsError
from streamer.export.plan import COLUMN_WIDTHS_MM, FigurePlan, Kind, MoviePlan, Panel

_FIGURE, _MOVIE = FigurePlan(), MoviePlan()
_HELP = """Write what an analysis found. Nothing is replaced.

\b
png svg pdf tiff  the figure for a paper
html              a report in one file
csv               nodes, label maps, curves, lattices, points of the manifold
images            maps and patterns as TIFF of numbers, with the size of a pixel
tree              the hierarchy as Newick and JSON
methods script    the paragraph for a paper; a Python script that repeats the analysis
emd hspy          for py4DSTEM; for HyperSpy and pyxem
apertures         momentum-space clusters as masks, with settings that apply them to other scans
gif mp4           the live map over the scan, computed once more from the scan itself
"""


class _Width(click.ParamType):
    """A width in mm, or a journal's word for one."""

    name = "MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if value in COLUMN_WIDTHS_MM:
            return COLUMN_WIDTHS_MM[value]
        try:
            width = float(value)
        except ValueError:
            width = 0.0
        if not 60 <= width <= 500:
            words = ", ".join(COLUMN_WIDTHS_MM)
            self.fail(f"{value} is no width. Expected 60 to 500 mm, or one of {words}.", param, ctx)
        return width


@click.command(
    "export", short_help="Figures, tables, a report, a time-lapse of a result; files for others.", help=_HELP
)
@click.argument("result_path", metavar="RESULT.h5", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "kinds",
    type=click.Choice([str(kind) for kind in Kind]),
    multiple=True,
    required=True,
    help="May be given again.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder; default: beside the result."
)
@click.option(
    "--name", "stem", default="", help="What names of files begin with; default: the result's name."
)
@click.option(
    "--dpi", type=click.IntRange(50, 1200), default=_FIGURE.dpi, show_default=True, help="Of PNG and TIFF."
)
@click.option(
    "--width", "width_mm", type=_Width(), default=_FIGURE.width_mm, show_default=True,
    help="mm, or of columns: single, 1.5, double.",
)  # fmt: skip
@click.option(
    "--panels", metavar="NAME,...", default="", help=f"Of the figure, in order: {', '.join(Panel)}."
)
@click.option(
    "--font", "font_pt", type=click.FloatRange(5, 14), default=_FIGURE.font_pt, show_default=True,
    help="Size of words, pt.",
)  # fmt: skip
@click.option("--level", type=click.IntRange(1), help="Of the cluster map; default: the last.")
@click.option(
    "--scale-bar", metavar="COLOUR", default=_FIGURE.scale_bar, show_default=True,
    help="white, black, #RRGGBB or none.",
)  # fmt: skip
@click.option("--letters/--no-letters", default=True, help="A letter for each panel.  [default: letters]")
@click.option("--numbers/--no-numbers", default=True, help="Numbers on the map.  [default: numbers]")
@click.option("--hatches", is_flag=True, help="Grey with hatches, for printing in black and white.")
@click.option(
    "--frames", "n_frames", type=click.IntRange(2, 300), default=_MOVIE.n_frames, show_default=True,
    help="Pictures of the time-lapse.",
)  # fmt: skip
@click.option(
    "--fps", type=click.IntRange(1, 50), default=_MOVIE.fps, show_default=True, help="Pictures a second."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    result_path: Path,
    kinds: tuple[str, ...],
    out: Path | None,
    stem: str,
    panels: str,
    n_frames: int,
    fps: int,
    as_json: bool,
    **figure: Any,
) -> int:
    """Write what the options ask for."""
    from streamer.analysis.result_file import open_result
    from streamer.cli.progress import shown
    from streamer.export.export import export
    from streamer.export.plan import export_plan

    chosen = [name.strip() for name in panels.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in list(Panel)]:
        raise SettingsError(f"--panels {unknown[0]} is no panel. Expected some of {', '.join(Panel)}.")
    plan = export_plan(
        {
            "kinds": kinds,
            "figure": {"panels": chosen, **figure},
            "movie": {"n_frames": n_frames, "fps": fps},
        }
    )
    result = open_result(result_path)
    folder = out or result_path.parent
    if Kind.GIF in plan.kinds or Kind.MP4 in plan.kinds:
        with shown(("export",)) as update:
            written = export(result, plan, folder, stem, lambda share: update("export", share))
    else:
        written = export(result, plan, folder, stem)
    if as_json:
        click.echo(json.dumps({"result": str(result_path), "files": [str(path) for path in written]}))
    else:
        for path in written:
            click.echo(str(path))
    return 0
