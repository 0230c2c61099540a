"""One analysis of a sample of many scans: the model that ``livestem apply`` then labels all of them by."""

import hashlib
import json
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import click

from streamer.cli.batch import EXIT_SOME_FAILED, folder_of, run_one
from streamer.cli.summary import in_words, summary_of
from streamer.errors import FileFormatError

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
    from streamer.analysis.result_file import open_result, refuse_existing
    from streamer.analysis.run import STAGES
    from streamer.formats.find_scans import find_scans
    from streamer.formats.sample_series import SAMPLE_POSITIONS, sample_series
    from streamer.formats.scan_series import SUFFIX

    sources = find_scans(files)
    folder, stem = folder_of(files, sources), NAME
    if out is not None:
        refuse_existing(out)
        folder, stem = out.parent, out.name.removesuffix(".h5").removesuffix(".result")
    series, left_out = sample_series(sources, folder, n_positions or SAMPLE_POSITIONS, told)
    for reason in left_out.values():
        click.echo(f"Left out: {reason}", err=True)
    if series is None:
        raise FileFormatError(
            f"None of {len(sources)} scans can be taken together. Expected at least one that opens. Check the files."
        )
    path = _kept(series, folder / f"{stem}{SUFFIX}")
    target, is_new = (out, True) if out is not None else _target(path, settings.settings_id)
    if is_new:
        summary, _ = run_one(path, target, partial(work, settings), STAGES, {})
    else:
        summary = summary_of(open_result(target), path, target)
    summary |= {
        "is_new": is_new,
        "scans": [scan.path for scan in series.scans],
        "left_out": {str(source): reason for source, reason in left_out.items()},
    }
    if as_json:
        click.echo(json.dumps(summary))
    else:
        click.echo(in_words(summary))
        following = shlex.join(["livestem", "apply", str(target), *map(str, files)])
        click.echo(
            f"  {len(series.scans)} scans together{'' if is_new else ', finished before'}; label each: {following}"
        )
    return EXIT_SOME_FAILED if left_out else 0


def _target(path: Path, settings_id: str) -> tuple[Path, bool]:
    """Where the result of a series goes or stands, and whether it is still to be made."""
    from streamer.analysis.batch import place_of_result
    from streamer.formats.open_scan import open_scan

    with open_scan(path) as scan:
        return place_of_result(path, settings_id, scan.checksum())


def _kept(series: Any, path: Path) -> Path:
    """Where the series stands: under its name or, where another one does, one with its hash."""
    from streamer.formats.scan_series import write_series

    text = series.text()
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    for place in (path, path.with_name(f"{path.stem}.{digest}{path.suffix}")):
        if not place.exists():
            write_series(series, place)
            return place
        if place.is_file() and place.read_text(encoding="utf-8", errors="replace") == text:
            return place
    raise FileFormatError(
        f"{place} exists and says something else. Expected room for a series file. Move it away, or choose another "
        "place with --out."
    )
