"""``livestem analyze``: the full analysis of finished scans."""

import json
from pathlib import Path
from typing import Any

import click

from streamer.errors import SettingsError

_K_HELP = "Number of children of a node, as NODE=K; the root is 'all'. May be given again."


@click.command("analyze", short_help="Full analysis of a finished scan.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Result file; default: beside the source.")
@click.option("--levels", type=click.IntRange(1, 6), help="Levels below the root.  [default: 3]")
@click.option(
    "--settings", "settings_path", type=click.Path(path_type=Path), help="Analysis settings (TOML)."
)
@click.option("--seed", type=click.IntRange(0), help="Seed; same seed, same labels.  [default: 0]")
@click.option("--k", "k_values", multiple=True, metavar="NODE=K", help=_K_HELP)
@click.option("--momentum/--no-momentum", default=None, help="Momentum-space clusters.  [default: momentum]")
@click.option("--threads", type=click.IntRange(1), help="Threads; default: one per processor.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    files: tuple[Path, ...],
    out: Path | None,
    levels: int | None,
    settings_path: Path | None,
    seed: int | None,
    k_values: tuple[str, ...],
    momentum: bool | None,
    threads: int | None,
    as_json: bool,
) -> int:
    """Align, mask, cluster in real and in momentum space; writes NAME.result.h5 beside each FILE."""
    if out is not None and len(files) > 1:
        raise SettingsError(
            f"--out names one result, {len(files)} files are given. Leave --out away for several files."
        )
    settings = _settings(settings_path, levels, seed, k_values, momentum)
    done = [_analyze_one(path, out, settings, threads) for path in files]
    if as_json:
        click.echo(json.dumps(done[0] if len(done) == 1 else {"results": done}))
    else:
        for summary in done:
            _print_summary(summary)
    return 0


def _settings(
    path: Path | None, levels: int | None, seed: int | None, k_values: tuple[str, ...], momentum: bool | None
) -> Any:
    from streamer.settings import AnalysisSettings, analysis_settings, load_settings

    values = (load_settings(path) if path else AnalysisSettings()).model_dump()
    if levels is not None:
        values["cluster"]["levels"] = levels
    if seed is not None:
        values["seed"] = seed
    if momentum is not None:
        values["momentum"]["enabled"] = momentum
    for text in k_values:
        name, _, number = text.partition("=")
        if not name or not number.isdigit():
            raise SettingsError(f"--k {text} cannot be read. Expected NODE=K, for example all=3 or 2.1=4.")
        values["cluster"]["k"][name] = int(number)
    return analysis_settings(values)


def _analyze_one(path: Path, out: Path | None, settings: Any, threads: int | None) -> dict[str, Any]:
    from streamer.analysis.result_file import refuse_existing, write_result
    from streamer.analysis.run import STAGES, analyze
    from streamer.cli.progress import shown
    from streamer.formats.open_scan import open_scan

    target = out or path.with_name(path.stem + ".result.h5")
    refuse_existing(target)
    with open_scan(path) as scan, shown(STAGES) as update:
        result = analyze(scan, settings, update, n_threads=threads)
    write_result(result, target)
    alignment = result.array_attrs["alignment"]
    by_level: dict[int, int] = {}
    for node in result.nodes[1:]:
        by_level[node.level] = by_level.get(node.level, 0) + 1
    return {
        "source": str(path),
        "result": str(target),
        "clusters_per_level": by_level,
        "n_features": result.array_attrs["mask"]["n_features"],
        "alignment_std_px": alignment["std_px"],
        "alignment_mean_error_px": alignment["mean_error_px"],
        "remark": alignment["remark"],
        "settings_id": result.attrs["settings_id"],
        "seconds": result.seconds,
    }


def _print_summary(summary: dict[str, Any]) -> None:
    clusters = ", ".join(f"level {level}: {count}" for level, count in summary["clusters_per_level"].items())
    click.echo(f"{summary['source']}: clusters {clusters or 'none (one homogeneous region)'}")
    click.echo(
        f"  features {summary['n_features']}, alignment residual STD {summary['alignment_std_px']:.4f} px"
    )
    if summary["remark"]:
        click.echo(f"  {summary['remark']}")
    seconds = ", ".join(f"{name} {value:.1f}" for name, value in summary["seconds"].items())
    click.echo(f"  seconds: {seconds}")
    click.echo(f"  result: {summary['result']}")
