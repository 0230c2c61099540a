"""Many scans in one call: what ``livestem analyze`` and ``livestem apply`` do with folders, patterns and lists."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from glob import has_magic
from pathlib import Path
from typing import Any

import click

from streamer.cli.progress import scan_by_scan, shown
from streamer.cli.summary import summary_of
from streamer.errors import RecordingError

EXIT_SOME_FAILED = 8
PAGE = "livestem-overview{kind}.html"
"""`kind`: what stands in the results' names too, so that clusters of a model leave the page of the analyses alone."""

overview_option = click.option(
    "--overview",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Page with all scans of a folder or list; default: livestem-overview.html (of apply: "
    "livestem-overview.applied.html) beside the first.",
)


def is_batch(files: tuple[Path, ...]) -> bool:
    """Whether more than one scan may be meant."""
    return len(files) > 1 or any(
        path.is_dir() or (has_magic(str(path)) and not path.exists()) for path in files
    )


def folder_of(files: tuple[Path, ...], sources: list[Path]) -> Path:
    """Where goes what is made of all scans: the folder that was named, or that of the first scan found."""
    return files[0] if files[0].is_dir() else sources[0].parent


def run_one(
    source: Path, target: Path, work: Any, stages: tuple[str, ...], opened_with: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    """Do `work` to one scan and write its result; returns the summary and the result.

    `opened_with`: the dataset or shape that was given, as `open_scan` takes them.

    Errors are the command's.
    """
    from streamer.analysis.result_file import refuse_existing, write_result
    from streamer.formats.open_scan import open_scan

    refuse_existing(target)
    with open_scan(source, **opened_with) as scan, shown(stages) as update:
        result = work(scan, update)
    write_result(result, target)
    return summary_of(result, source, target), result


def run_many(
    files: tuple[Path, ...],
    settings_id: str,
    work: Any,
    stages: tuple[str, ...],
    overview: Path | None,
    as_json: bool,
    kind: str = "",
    opened_with: dict[str, Any] | None = None,
) -> int:
    """Do `work` to every scan; returns the exit code: 0, or 8 where one failed.

    Parameters
    ----------
    files
        As they were named.
    settings_id, work
        As in `streamer.analysis.batch.run_batch`.
    stages
        Names of the stages of which `work` tells progress.
    overview
        Where the page goes; None: beside the first scan.
    as_json
        One JSON object on stdout, instead of a line for each scan.
    kind
        As in `streamer.analysis.batch.result_names`.
    opened_with
        As in `streamer.analysis.batch.run_batch`.
    """
    from streamer.analysis.batch import run_batch
    from streamer.export.overview import card
    from streamer.formats.find_scans import find_scans

    sources = find_scans(files)
    page = overview or folder_of(files, sources) / PAGE.format(kind=f".{kind}" if kind else "")
    cards: list[str] = []
    said: list[dict[str, Any]] = []
    with _page_at_the_end(page, cards), scan_by_scan(stages, len(sources)) as (begins, told):
        for outcome in run_batch(sources, settings_id, work, begins, kind, opened_with):
            cards.append(card(outcome, page.parent))
            said.append(_summary(outcome))
            told(_line(outcome))
    n_failed = sum("error" in one for one in said)
    if as_json:
        click.echo(json.dumps({"results": said, "n_failed": n_failed, "overview": str(page)}))
    else:
        n_new = sum(one["is_new"] for one in said)
        n_kept = len(said) - n_new - n_failed
        click.echo(f"{n_new} analysed, {n_kept} finished before, {n_failed} failed. Overview: {page}")
    return EXIT_SOME_FAILED if n_failed else 0


def _summary(outcome: Any) -> dict[str, Any]:
    if outcome.result is None:
        return {"source": str(outcome.source), "is_new": False, "error": outcome.error}
    return summary_of(outcome.result, outcome.source, outcome.result.path) | {"is_new": outcome.is_new}


def _line(outcome: Any) -> str:
    if outcome.result is None:
        return f"{outcome.source}: FAILED. {outcome.error}"
    if not outcome.is_new:
        return f"{outcome.source}: finished before, {outcome.result.path}"
    seconds = sum(outcome.result.seconds.values())
    return f"{outcome.source}: {seconds:.1f} s, {outcome.result.path}"


@contextmanager
def _page_at_the_end(page: Path, cards: list[str]) -> Iterator[None]:
    """Writes the page also where the queue is interrupted; not where it would be the same."""
    try:
        yield
    finally:
        from streamer.export.overview import overview_html

        text = overview_html(page.parent.resolve().name or "scans", cards)
        try:
            if not page.exists() or page.read_text(encoding="utf-8") != text:
                page.write_text(text, encoding="utf-8")
        except (OSError, ValueError) as error:
            raise RecordingError(
                f"The overview {page} could not be written: {error}. Choose another place with --overview. "
                "The results are kept."
            ) from None
