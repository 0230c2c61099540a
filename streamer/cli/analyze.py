"""``livestem analyze``: the full analysis of finished scans."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import click

from streamer.cli.batch import is_batch, overview_option, run_many, run_one
from streamer.cli.detector_options import detector_options, detector_values
from streamer.cli.scaling import executor_for, scaling_options
from streamer.cli.scan_options import scan_options, take_told
from streamer.cli.summary import in_words
from streamer.cli.together import analyze_together
from streamer.errors import SettingsError

_OVERRIDES = {
    "disk": ("alignment", "disk_radius_px"),
    "inner": ("mask", "inner_px"),
    "outer": ("mask", "outer_px"),
    "threshold": ("mask", "threshold"),
    "rule": ("mask", "rule"),
    "weighting": ("mask", "weighting"),
    "levels": ("cluster", "levels"),
    "momentum": ("momentum", "enabled"),
    "exact": ("momentum", "exact"),
}
"""Options that set one value of one group of the settings."""
_K_HELP = "Number of children of a node, as NODE=K; the root is 'all'. May be given again."


@click.command("analyze", short_help="Full analysis of a finished scan.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Result file; default: beside the source.")
@click.option("--levels", type=click.IntRange(1, 6), help="Levels below the root.  [default: 3]")
@click.option(
    "--settings", "settings_path", type=click.Path(path_type=Path), help="Analysis settings (TOML)."
)
@click.option("--seed", type=click.IntRange(0), help="Seed; same seed, same labels.  [default: 0]")
@click.option("--k", "k_values", multiple=True, metavar="NODE=K", help=_K_HELP)
@click.option(
    "--roi", metavar="Y0:Y1,X0:X1", help="Only these rows and columns of the scan; the ends are not included."
)
@click.option(
    "--from",
    "from_result",
    type=click.Path(path_type=Path),
    metavar="RESULT.h5",
    help="Repeat that analysis: its source (unless FILE is given), its settings, its seed.",
)
@click.option(
    "--disk", type=float, metavar="PX", help="Radius of the direct-beam disk.  [default: from the data]"
)
@click.option("--inner", type=float, metavar="PX", help="Inner radius of the ring.  [default: from the data]")
@click.option("--outer", type=float, metavar="PX", help="Outer radius of the ring.  [default: from the data]")
@click.option(
    "--threshold",
    type=float,
    metavar="SHARE",
    help="Share of the largest STD above which a pixel is a feature.  [default: 0.3]",
)
@click.option(
    "--rule",
    type=click.Choice(["auto", "std", "spots", "excess"]),
    help="How feature pixels are chosen.  [default: auto]",
)
@click.option(
    "--weighting",
    type=click.Choice(["auto", "none", "noise"]),
    help="Features as they are, or divided by their shot noise.  [default: auto]",
)
@click.option("--momentum/--no-momentum", default=None, help="Momentum-space clusters.  [default: momentum]")
@click.option(
    "--exact/--folded",
    default=None,
    help="Momentum space by images of every scan position, or of patches of neighbours.  [default: folded]",
)
@click.option(
    "--manifold/--no-manifold",
    default=None,
    help="UMAP of the patterns in three dimensions, or nothing of the kind.  [default: principal components]",
)
@click.option(
    "--together",
    is_flag=True,
    help="One analysis of a sample of all FILEs, as a model for `livestem apply`.  [default: each by itself]",
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="POSITIONS",
    help="With --together: scan positions of all scans together, about.  [default: 65536]",
)
@detector_options
@scan_options
@scaling_options
@overview_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    files: tuple[Path, ...],
    out: Path | None,
    overview: Path | None,
    settings_path: Path | None,
    from_result: Path | None,
    together: bool,
    sample: int | None,
    threads: int | None,
    scheduler: str | None,
    workers: int | None,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Align, mask, cluster in real and in momentum space; writes NAME.result.h5 beside each FILE.

    FILE may be a folder or a pattern such as 'night/*.raw'. Of several scans, those that are finished are skipped,
    those that fail do not stop the rest, and livestem-overview.html shows all of them. With --together bands of lines
    of all of them make one result, by whose clusters `livestem apply` labels each.
    """
    told = take_told(chosen)
    settings = _settings(settings_path, **chosen)
    if together or sample is not None:
        _refuse_beside(together, from_result, settings.roi, overview)
    if from_result is not None:
        given = (settings_path, *told.values(), *chosen.values())
        is_changed = any(value not in (None, ()) for value in given)
        with executor_for(threads, scheduler, workers) as executor:
            done = _repeat(from_result, files, out, _work(executor, threads), is_changed)
        click.echo(json.dumps(done) if as_json else in_words(done))
        return 0
    if not files:
        raise SettingsError("No file is given. Expected FILE..., or --from RESULT.h5 to repeat an analysis.")
    if together:
        with executor_for(threads, scheduler, workers) as executor:
            return analyze_together(files, out, sample, settings, _work(executor, threads), as_json, told)
    many = is_batch(files)
    if many and out is not None:
        raise SettingsError(f"--out {out} names one result, several scans are given. Leave --out away.")
    with executor_for(threads, scheduler, workers) as executor:
        work = _work(executor, threads)
        if many:
            from streamer.analysis.run import STAGES

            queued = partial(work, settings)
            return run_many(files, settings.settings_id, queued, STAGES, overview, as_json, opened_with=told)
        done = _analyze_one(files[0], out, settings, work, told)[0]
    click.echo(json.dumps(done) if as_json else in_words(done))
    return 0


def _refuse_beside(
    together: bool, from_result: Path | None, roi: tuple[int, int, int, int] | None, overview: Path | None
) -> None:
    if not together:
        raise SettingsError("--sample says how much --together takes of all scans. Give both, or neither.")
    given = {"--from": from_result, "roi (--roi)": roi, "--overview": overview}
    if other := next((name for name, value in given.items() if value is not None), None):
        raise SettingsError(
            f"--together makes one result of many scans, {other} is of one. Give one of them."
        )


def _work(executor: Any, threads: int | None) -> Any:
    """What is done to a scan, with settings."""
    from streamer.analysis.run import analyze

    def work(settings: Any, scan: Any, progress: Any) -> Any:
        return analyze(scan, settings, progress, n_threads=threads, executor=executor)

    return work


def _settings(
    path: Path | None,
    *,
    seed: int | None,
    k_values: tuple[str, ...],
    roi: str | None,
    manifold: bool | None,
    **given: Any,
) -> Any:
    """The settings of the file, with every option that was given in its place (`_OVERRIDES`, those of the detector)."""
    from streamer.settings import AnalysisSettings, analysis_settings, load_settings

    values = (load_settings(path) if path else AnalysisSettings()).model_dump()
    for option, (group, name) in _OVERRIDES.items():
        value = given.pop(option)
        if value is not None:
            values[group][name] = value
    values["detector"] |= detector_values(given)
    if seed is not None:
        values["seed"] = seed
    if manifold is not None:
        values["manifold"]["method"] = "umap" if manifold else "none"
    if roi is not None:
        match = re.fullmatch(r"(\d+):(\d+),(\d+):(\d+)", roi)
        if not match:
            raise SettingsError(f"--roi {roi} cannot be read. Expected Y0:Y1,X0:X1, for example 0:32,16:48.")
        values["roi"] = tuple(int(number) for number in match.groups())
    for text in k_values:
        name, _, number = text.partition("=")
        if not name or not number.isdigit():
            raise SettingsError(f"--k {text} cannot be read. Expected NODE=K, for example all=3 or 2.1=4.")
        values["cluster"]["k"][name] = int(number)
    return analysis_settings(values)


def _repeat(
    from_result: Path, files: tuple[Path, ...], out: Path | None, work: Any, is_changed: bool
) -> dict[str, Any]:
    """The analysis of a result once more; says whether every label came out the same."""
    import numpy as np

    from streamer.analysis.result_file import open_result
    from streamer.formats.open_scan import open_scan, opened_with
    from streamer.settings import analysis_settings

    if is_changed or len(files) > 1:
        raise SettingsError(
            "--from repeats an analysis as it was. Expected at most one FILE and no other settings beside it. "
            "Leave them away, or leave --from away."
        )
    before = open_result(from_result)
    if model := before.array_attrs.get("model"):
        raise SettingsError(
            f"{from_result} has the clusters of {model['result']}. Repeat it with livestem apply, or analyse its "
            "source."
        )
    source = files[0] if files else Path(before.attrs["source"])
    told = opened_with(before.attrs["scan"]["metadata"])
    with open_scan(source, **told) as scan:
        checksum = scan.checksum()
    if checksum != before.attrs["source_checksum"]:
        raise SettingsError(
            f"{source} is not what {from_result} was made of: its checksum is {checksum}, expected "
            f"{before.attrs['source_checksum']}. Give the right file, or analyse this one without --from."
        )
    target = out or source.with_name(source.stem + ".again.result.h5")
    summary, result = _analyze_one(source, target, analysis_settings(before.attrs["settings"]), work, told)
    return summary | {"same_labels": bool(np.array_equal(result.label_maps, before.label_maps))}


def _analyze_one(
    path: Path, out: Path | None, settings: Any, work: Any, told: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    from streamer.analysis.run import STAGES

    target = out or path.with_name(path.stem + ".result.h5")
    return run_one(path, target, partial(work, settings), STAGES, told)
