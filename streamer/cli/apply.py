"""``livestem apply``: the clusters of one scan on others."""

import json
from pathlib import Path
from typing import Any

import click

from streamer.cli.batch import is_batch, overview_option, run_many, run_one
from streamer.cli.detector_options import detector_options, detector_values
from streamer.cli.scaling import executor_for, scaling_options
from streamer.cli.scan_options import scan_options, take_told
from streamer.cli.summary import in_words
from streamer.errors import SettingsError

KIND = "applied"
"""In the names of the results."""


@click.command("apply", short_help="The clusters of one scan on others.")
@click.argument("result_path", metavar="RESULT.h5", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Result file; default: NAME.applied.result.h5 beside FILE."
)
@detector_options
@scan_options
@scaling_options
@overview_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    result_path: Path,
    files: tuple[Path, ...],
    out: Path | None,
    threads: int | None,
    scheduler: str | None,
    workers: int | None,
    overview: Path | None,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Label each FILE by the clusters of RESULT.h5: nothing is fitted, colours mean the same.

    Patterns that are farther from every cluster than all that these were made of are counted and mapped. FILE may be a
    folder or a pattern, as for `livestem analyze`.
    """
    from dataclasses import replace

    from streamer.analysis.applied import load_model
    from streamer.analysis.run import STAGES, analyze
    from streamer.settings import with_detector

    model, told = load_model(result_path), take_told(chosen)
    model = replace(model, settings=with_detector(model.settings, detector_values(chosen)))

    many = is_batch(files)
    if many and out is not None:
        raise SettingsError(f"--out {out} names one result, several scans are given. Leave --out away.")
    with executor_for(threads, scheduler, workers) as executor:

        def work(scan: Any, progress: Any) -> Any:
            return analyze(scan, model.settings, progress, n_threads=threads, model=model, executor=executor)

        if many:
            return run_many(files, model.settings_id, work, STAGES, overview, as_json, KIND, told)
        target = out or files[0].with_name(f"{files[0].stem}.{KIND}.result.h5")
        summary, result = run_one(files[0], target, work, STAGES, told)
    summary |= {"model": str(result_path), "n_new": result.array_attrs["model"]["n_new"]}
    click.echo(json.dumps(summary) if as_json else in_words(summary))
    return 0
