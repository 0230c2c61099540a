"""Which lines of many scans stand for all of them."""

import os
from dataclasses import dataclass
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
    found, left_out = _opened(sources, told or {})
    kept = _largest_group(found, left_out)
    scans = tuple(
        SeriesScan(
            path=_kept_path(one.source, folder), bands=one.bands(n_positions // len(kept)), **(told or {})
        )
        for one in kept
    )
    return SeriesFile(scans=scans) if scans else None, left_out


@dataclass(frozen=True)
class _Found:
    """A scan, and its rows [first, last) in which anything is stored."""

    source: Path
    info: ScanInfo
    stored: tuple[int, int]

    def bands(self, n_positions: int) -> tuple[tuple[int, int], ...]:
        first, last = self.stored
        inside = bands_of((last - first, self.info.scan_shape[1]), n_positions)
        return tuple((first + top, first + bottom) for top, bottom in inside)


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


def _opened(sources: list[Path], told: dict[str, Any]) -> tuple[list[_Found], dict[Path, str]]:
    found: list[_Found] = []
    left_out: dict[Path, str] = {}
    for source in sources:
        if source.suffix.lower() == SUFFIX:
            left_out[source] = f"{source} is a series itself. Name the scans of it."
            continue
        try:
            with open_scan(source, **told) as scan:
                info, rows = scan.info, np.flatnonzero(scan.received.any(axis=1))
        except LivestemError as error:
            left_out[source] = str(error)
            continue
        if rows.size:
            found.append(_Found(source, info, (int(rows[0]), int(rows[-1]) + 1)))
        else:
            left_out[source] = f"{source} holds no pattern. Expected at least one."
    return found, left_out


def _largest_group(found: list[_Found], left_out: dict[Path, str]) -> list[_Found]:
    """The most scans that can be compared with each other; the others are left out."""
    groups: list[list[_Found]] = []
    for one in sorted(found, key=_says_no_scale):
        fits = [group for group in groups if not any(difference(other.info, one.info) for other in group)]
        if not fits:
            groups.append([])
        max(fits or groups[-1:], key=len).append(one)
    largest = max(groups, key=len, default=[])
    for one in found:
        if one not in largest:
            reasons = ((other, difference(other.info, one.info)) for other in largest)
            incomparable = (largest[0], "the sizes of their pixels are said in other ways")
            other, reason = next((pair for pair in reasons if pair[1]), incomparable)
            left_out[one.source] = (
                f"{one.source} cannot be in one series with {other.source}: {reason}. Analyse it by itself."
            )
    return [one for one in found if one.source not in left_out]


def _says_no_scale(one: _Found) -> bool:
    """It fits everywhere, and waits for those that do not."""
    return one.info.calibration.angle_per_px_mrad is None and one.info.calibration.q_per_px_inv_nm is None


def _kept_path(source: Path, folder: Path) -> str:
    """From the folder, where the scan lies in it by name: links are followed when it is opened, not before."""
    absolute, within = Path(os.path.abspath(source)), Path(os.path.abspath(folder))
    return (absolute.relative_to(within) if absolute.is_relative_to(within) else absolute).as_posix()
