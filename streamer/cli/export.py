"""``livestem export``: what was found, as figures, tables and a report."""

import json
from pathlib import Path

import click

from streamer.errors import RecordingError, SettingsError

KINDS = ("html", "png", "svg", "pdf", "tiff", "csv", "emd", "hspy", "apertures")


@click.command("export", short_help="Figures, tables, a report of a result; files for other programs.")
@click.argument("result_path", metavar="RESULT.h5", type=click.Path(path_type=Path))
@click.option(
    "--to", "kinds", type=click.Choice(KINDS), multiple=True, required=True, help="May be given again."
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder; default: beside the result."
)
@click.option("--dpi", type=click.IntRange(50, 1200), default=300, show_default=True, help="Of PNG and TIFF.")
@click.option(
    "--width", "width_mm", type=click.FloatRange(60, 500), default=180.0, show_default=True, help="mm."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    result_path: Path, kinds: tuple[str, ...], out: Path | None, dpi: int, width_mm: float, as_json: bool
) -> int:
    """Write a report (html), the overview figure (png, svg, pdf, tiff), tables (csv), or files for others.

    emd is for py4DSTEM, hspy for HyperSpy and pyxem; apertures are momentum-space clusters as masks, with settings
    that apply them to other scans. Nothing is replaced.
    """
    from streamer.analysis.result_file import open_result
    from streamer.export import figures
    from streamer.export.apertures import write_apertures
    from streamer.export.interop import write_emd, write_hspy
    from streamer.export.report import report_html
    from streamer.export.tables import write_tables

    writers = {"emd": write_emd, "hspy": write_hspy}
    result = open_result(result_path)
    folder = out or result_path.parent
    stem = result_path.name.removesuffix(".h5").removesuffix(".result")
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind in dict.fromkeys(kinds):
            if kind == "csv":
                written += write_tables(result, folder, stem)
                continue
            if kind == "apertures":
                written += write_apertures(result, folder, stem)
                continue
            path = folder / f"{stem}.{kind}"
            if kind in writers:
                writers[kind](result, path)
                written.append(path)
                continue
            with path.open("xb") as file:
                if kind == "html":
                    file.write(report_html(result).encode())
                else:
                    figures.save_figure(figures.overview(result, width_mm), file, kind, dpi)
            written.append(path)
    except FileExistsError as error:
        raise SettingsError(
            f"{error.filename} exists and is not replaced. Choose another folder with --out, or move it away. "
            f"{len(written)} other files were written."
        ) from None
    except OSError as error:
        raise RecordingError(
            f"The export to {folder} failed: {error.strerror or error}. Free some space or choose another folder with "
            "--out. The result is unchanged."
        ) from error
    if as_json:
        click.echo(json.dumps({"result": str(result_path), "files": [str(path) for path in written]}))
    else:
        for path in written:
            click.echo(str(path))
    return 0
