"""Which lines of many scans stand for all of them."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import LivestemError
from streamer.formats.open_scan import open_scan
from streamer.formats.scan_series import SUFFIX, SeriesFile, SeriesScan, difference
from streamer.model import ScanInfo

BAND_ROWS = 16
"""Neighbours tell a pattern from its noise: lines are taken together, in bands spread over the scan."""
SAMPLE_POSITIONS = 65536
"""Of all scans together, unless told: as many as a scan of 256 x 256."""


def sample_series(
    sources: list[Path],
    folder: Path,
    n_positions: int = SAMPLE_POSITIONS,
    told: dict[str, Any] | None = None,
) -> tuple[SeriesFile | None, dict[Path, str]]:
    """As many positions of each scan, in bands of lines spread evenly over it; a small scan is taken whole.

    Parameters
    ----------
    sources
        Scan files.
    folder
        Where the series file will lie: paths within it are kept relative, so that the folder can be moved.
    n_positions
        Of all scans together, about.
    told
        What `open_scan` is told beside each file.

    Returns
    -------
    tuple
        The series, None where no scan is left; and the scans that are left out, with the reason in a sentence.
    """
    infos, left_out = _usable(sources, told or {})
    scans = []
    for source, info in infos.items():
        path = os.path.relpath(source, folder) if source.resolve().is_relative_to(folder.resolve()) else None
        scans.append(
            SeriesScan(
                path=Path(path).as_posix() if path else str(source.resolve()),
                bands=bands_of(info.scan_shape, n_positions // len(infos)),
                **(told or {}),
            )
        )
    return SeriesFile(scans=tuple(scans)) if scans else None, left_out


def bands_of(scan_shape: tuple[int, int], n_positions: int) -> tuple[tuple[int, int], ...]:
    """Rows [first, last) with about so many positions, in bands of `BAND_ROWS` spread evenly."""
    n_y, n_x = scan_shape
    n_rows = max(1, n_positions // n_x)
    if n_rows >= n_y:
        return ((0, n_y),)
    n_bands = -(-n_rows // BAND_ROWS)
    heights = np.diff(np.linspace(0, n_rows, n_bands + 1).astype(int))
    middles = (np.arange(n_bands) + 0.5) * n_y / n_bands
    firsts = np.floor(middles - heights / 2).astype(int)
    # Bands that touch are one: a gap between them would part neighbours.
    bands: list[tuple[int, int]] = []
    for first, height in zip(firsts.tolist(), heights.tolist(), strict=True):
        first = max(first, bands[-1][1] if bands else 0)
        last = min(first + height, n_y)
        if bands and bands[-1][1] == first:
            bands[-1] = (bands[-1][0], last)
        else:
            bands.append((first, last))
    return tuple(bands)


def _usable(sources: list[Path], told: dict[str, Any]) -> tuple[dict[Path, ScanInfo], dict[Path, str]]:
    infos: dict[Path, ScanInfo] = {}
    left_out: dict[Path, str] = {}
    for source in sources:
        if source.suffix.lower() == SUFFIX:
            left_out[source] = f"{source} is a series itself. Name the scans of it."
            continue
        try:
            with open_scan(source, **told) as scan:
                info, is_empty = scan.info, not scan.received.any()
        except LivestemError as error:
            left_out[source] = str(error)
            continue
        other = next(iter(infos), None)
        reason = difference(infos[other], info) if other else ""
        if is_empty:
            left_out[source] = f"{source} holds no pattern. Expected at least one."
        elif reason:
            left_out[source] = (
                f"{source} cannot be in one series with {other}: {reason}. Analyse it by itself."
            )
        else:
            infos[source] = info
    return infos, left_out
