"""One analysis of a sample of many scans: the model that ``livestem apply`` then labels all of them by."""

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from streamer.cli.batch import EXIT_SOME_FAILED, run_one
from streamer.cli.progress import shown
from streamer.cli.summary import in_words, summary_of
from streamer.errors import FileFormatError, LivestemError

NAME = "together"
"""Of series and result, unless told."""


def analyze_together(
    files: tuple[Path, ...],
    out: Path | None,
    n_positions: int | None,
    settings: Any,
    work: Any,
    as_json: bool,
    told: dict[str, Any],
) -> int:
    """Write the series file, analyse it; returns the exit code: 0, or 8 where a scan is left out.

    Parameters
    ----------
    files
        As they were named.
    out
        Result file; the series file goes beside it. None: ``together.result.h5`` beside the first scan.
    n_positions
        Of all scans together; None: as `streamer.formats.sample_series` has it.
    settings, work
        What is done to the series, as ``work(settings, scan, progress)``.
    told
        What `open_scan` is told beside each file.
    """
    from streamer.analysis.run import STAGES
    from streamer.formats.find_scans import find_scans
    from streamer.formats.sample_series import SAMPLE_POSITIONS, sample_series
    from streamer.formats.scan_series import SUFFIX

    sources = find_scans(files)
    folder = files[0] if files[0].is_dir() else sources[0].parent
    stem = NAME
    if out is not None:
        folder, stem = out.parent, out.name.removesuffix(".h5").removesuffix(".result")
    series, left_out = sample_series(sources, folder, n_positions or SAMPLE_POSITIONS, told)
    for source, reason in left_out.items():
        click.echo(f"{source}: left out. {reason}", err=True)
    if series is None:
        raise FileFormatError(
            f"None of {len(sources)} scans can be taken together. Expected at least one that opens. Check the files."
        )
    path = _kept(series, folder / f"{stem}{SUFFIX}")
    work = partial(work, settings)
    if out is not None:
        summary = run_one(path, out, work, STAGES, {})[0] | {"is_new": True}
    else:
        summary = _run_unless_done(path, settings.settings_id, work, STAGES)
    summary |= {
        "scans": [scan.path for scan in series.scans],
        "left_out": {str(source): reason for source, reason in left_out.items()},
    }
    if as_json:
        click.echo(json.dumps(summary))
    else:
        click.echo(in_words(summary))
        click.echo(
            f"  {len(series.scans)} scans together"
            + ("" if summary["is_new"] else ", finished before")
            + f"; label each: livestem apply {summary['result']} {' '.join(map(str, files))}"
        )
    return EXIT_SOME_FAILED if left_out else 0


def _kept(series: Any, path: Path) -> Path:
    """Where the series stands: under its name or, where another one does, one with its hash."""
    from streamer.formats.scan_series import write_series

    text = series.text()
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    for place in (path, path.with_name(f"{path.stem}.{digest}{path.suffix}")):
        if not place.exists():
            write_series(series, place)
            return place
        if place.read_text(encoding="utf-8", errors="replace") == text:
            return place
    raise FileFormatError(
        f"{place} exists and says something else. Expected room for a series file. Move it away, or choose another "
        "place with --out."
    )


def _run_unless_done(path: Path, settings_id: str, work: Any, stages: tuple[str, ...]) -> dict[str, Any]:
    from streamer.analysis.batch import run_batch

    with shown(stages) as update:
        outcome = next(run_batch([path], settings_id, work, lambda number, source: update))
    if outcome.result is None:
        raise LivestemError(outcome.error)
    found: Any = outcome.result
    return summary_of(found, path, found.path) | {"is_new": outcome.is_new}
