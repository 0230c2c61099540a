"""Many scans, one after the other: what is finished is skipped, what fails does not stop the rest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamer.analysis.result_file import (
    AnalysisResult,
    open_result,
    refuse_existing,
    same_result,
    write_result,
)
from streamer.analysis.run import Progress
from streamer.errors import LivestemError, ScanStopped
from streamer.formats.open_scan import open_scan
from streamer.formats.scan_file import ScanFile

Work = Callable[[ScanFile, Progress], AnalysisResult]
"""What is done to each scan."""


@dataclass(frozen=True)
class ScanOutcome:
    """What became of one scan.

    Attributes
    ----------
    source
        Its file.
    result
        What was found, now or before; None: failed.
    is_new
        Whether it was found now.
    error
        Why it failed, in a sentence.
    """

    source: Path
    result: AnalysisResult | None = None
    is_new: bool = False
    error: str = ""


def run_batch(
    sources: list[Path],
    settings_id: str,
    work: Work,
    begins: Callable[[int, Path], Progress] = lambda number, source: lambda name, fraction: None,
    kind: str = "",
    opened_with: dict[str, Any] | None = None,
) -> Iterator[ScanOutcome]:
    """Do the same to every scan; outcomes come one by one, so that no two results need be in memory.

    Parameters
    ----------
    sources
        Scan files.
    settings_id
        That results of this work have.
    work
        See there.
    begins
        Called with number (from 0) and file of a scan that is not finished; returns where its progress goes.
    kind
        As in `result_names`.
    opened_with
        What `open_scan` is opened_with beside the file.

    Raises
    ------
    ScanStopped
        Cancelled.
    """
    for number, source in enumerate(sources):
        try:
            yield _one(source, settings_id, work, lambda n=number, s=source: begins(n, s), kind, opened_with)
        except ScanStopped:
            raise
        except LivestemError as error:
            yield ScanOutcome(source, error=str(error))
        except Exception as error:  # a defect met in one scan: the others may be without it
            text = f"The analysis failed: {type(error).__name__}: {error}. The scan is unchanged."
            yield ScanOutcome(source, error=text)


def _one(
    source: Path,
    settings_id: str,
    work: Work,
    begins: Callable[[], Progress],
    kind: str,
    opened_with: dict[str, Any] | None,
) -> ScanOutcome:
    with open_scan(source, **(opened_with or {})) as scan:
        checksum = scan.checksum()
        target, is_new = place_of_result(source, settings_id, checksum, kind)
        if not is_new:
            return ScanOutcome(source, open_result(target))
        result = work(scan, begins())
    write_result(result, target)
    return ScanOutcome(source, replace(result, path=target), is_new=True)


def place_of_result(source: Path, settings_id: str, checksum: str, kind: str = "") -> tuple[Path, bool]:
    """Where the result of a scan goes, or stands already, and whether it is still to be made.

    Parameters
    ----------
    source, settings_id, kind
        As in `result_names`.
    checksum
        Of the scan's content.

    Raises
    ------
    SettingsError
        Every name is taken by something else.
    """
    names = result_names(source, settings_id, kind)
    for path in names:
        if same_result(path, settings_id, checksum):
            return path, False
    target = next((path for path in names if not path.exists()), names[-1])
    refuse_existing(target)
    return target, True


def result_names(source: Path, settings_id: str, kind: str = "") -> tuple[Path, Path]:
    """Where the result of a scan may lie: under its own name or, where that is taken, one with the settings' hash.

    `kind` stands behind the source's name, where it is no analysis.
    """
    stem = source.name.removesuffix(source.suffix) + (f".{kind}" if kind else "")
    return (
        source.with_name(f"{stem}.result.h5"),
        source.with_name(f"{stem}.{settings_id[:8]}.result.h5"),
    )
