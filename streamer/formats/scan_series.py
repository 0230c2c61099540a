"""Several scans seen as one: bands of their lines, one below the other, so that one model can be made of all.

A series file (``*.series``, JSON) names the scans and the lines that are taken of each; see docs/scale.md.
"""

import hashlib
import os
import uuid
from dataclasses import replace
from functools import reduce
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from streamer.errors import FileFormatError, RecordingError, SettingsError
from streamer.formats.block_reader import BlockReader
from streamer.formats.scan_file import ScanFile
from streamer.model import Calibration, ScanInfo

SUFFIX = ".series"
LARGEST_SCALE_DIFFERENCE = 0.02
"""Of the size of a pixel: patterns of other camera lengths have no common pixels."""
_MAX_BYTES = 16 << 20
GAP_ROWS = 3
"""Never visited, between bands: farther than any position is averaged with, and no patterns of two scans are
neighbours."""


class SeriesScan(BaseModel):
    """One scan of a series.

    Attributes
    ----------
    path
        Its file, absolute or from the folder of the series file.
    bands
        Rows [first, last) that are taken, ascending.
    dataset, scan_shape, flyback_left
        What `open_scan` is told beside the path.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    bands: tuple[tuple[int, int], ...]
    dataset: str | None = None
    scan_shape: tuple[int, int] | None = None
    flyback_left: int | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.bands or any(first < 0 or first >= last for first, last in self.bands):
            raise ValueError("bands must be rows [first, last), at least one")
        if any(one[1] > other[0] for one, other in pairwise(self.bands)):
            raise ValueError("bands must ascend and not overlap")
        return self


class SeriesFile(BaseModel):
    """What a series file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["livestem series"] = "livestem series"
    version: Literal[1] = 1
    scans: tuple[SeriesScan, ...]

    @model_validator(mode="after")
    def _of_scans(self) -> Self:
        if not self.scans:
            raise ValueError("a series has at least one scan")
        if any(scan.path.lower().endswith(SUFFIX) for scan in self.scans):
            raise ValueError("a series has scans, not other series")
        return self

    def text(self) -> str:
        """As it is written."""
        return self.model_dump_json(indent=1, exclude_none=True) + "\n"


def read_series(path: Path) -> SeriesFile:
    """What a series file says; FileFormatError where it is none."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES} bytes")
        return SeriesFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where}: {first['msg']}" if where else first["msg"]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise FileFormatError(
        f"{path} cannot be read as a series of scans: {reason}. Expected a file that `livestem analyze --together` "
        "wrote. Make it anew."
    )


def write_series(series: SeriesFile, path: Path) -> None:
    """Write a series file; RecordingError where the disk refuses."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(series.text(), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be written: {error.strerror}. Choose another place with --out. The scans are unchanged."
        ) from None


class Band(NamedTuple):
    """Neighbouring rows of a member, and the row of the series that the first of them is."""

    member: int
    first_row: int
    n_rows: int
    top: int


class ScanSeries(BlockReader):
    """See `streamer.formats.scan_file.ScanFile`; narrower scans have no positions at the right.

    Parameters
    ----------
    path
        The series file.
    series
        What it says.
    members
        Its scans, open, in this order; closed with the series.

    Raises
    ------
    FileFormatError
        A scan has fewer lines than are asked for, or the scans cannot be seen as one.
    """

    def __init__(self, path: Path, series: SeriesFile, members: list[ScanFile]) -> None:
        self.path, self.series, self.members = path, series, members
        self.bands = _stacked(path, series, members)
        for other, member in combinations(members, 2):
            if reason := difference(other.info, member.info):
                raise FileFormatError(
                    f"{member.path} cannot be in one series with {other.path}: {reason}. Make a series of scans "
                    "of the same detector and camera length."
                )
        first = members[0].info
        n_rows = self.bands[-1].top + self.bands[-1].n_rows
        width = max(member.info.scan_shape[1] for member in members)
        self.received: NDArray[np.uint8] = np.zeros((n_rows, width), np.uint8)
        self._mark()
        self.info = ScanInfo(
            scan_id=str(uuid.uuid4()),
            scan_shape=(n_rows, width),
            detector_shape=first.detector_shape,
            dtype=first.dtype,
            n_frames=int(np.count_nonzero(self.received)),
            calibration=_common(members),
            orientation=first.orientation,
            metadata={
                "format": "livestem series",
                "source": path.name,
                "rows": [
                    {"scan": series.scans[band.member].path, "from": band.top, "to": band.top + band.n_rows}
                    for band in self.bands
                ],
            },
        )

    def with_members(self, members: list[ScanFile], calibration: Calibration) -> "ScanSeries":
        """The same, with its scans seen otherwise and with this calibration."""
        other = ScanSeries(self.path, self.series, members)
        other.info = replace(other.info, calibration=calibration)
        return other

    def refresh(self) -> None:
        """See `ScanFile`; the rows are those that were chosen."""
        for member in self.members:
            member.refresh()
        self._mark()
        self.info = replace(self.info, n_frames=int(np.count_nonzero(self.received)))

    def read_block(self, start: int, stop: int, out: NDArray[Any]) -> NDArray[Any]:
        """Patterns of flat scan indices [start, stop) into the first rows of `out`; zeros where missing."""
        width = self.info.scan_shape[1]
        block = out[: stop - start]
        for row in range(start // width, -(-stop // width)):
            band = self._band_at(row)
            if band is None:
                continue
            member = self.members[band.member]
            own_width = member.info.scan_shape[1]
            first, last = max(start - row * width, 0), min(stop - row * width, own_width)
            if first < last:
                line = (band.first_row + row - band.top) * own_width
                member.read_block(line + first, line + last, block[row * width + first - start :])
        block[self.received.reshape(-1)[start:stop] == 0] = 0
        return block

    def checksum(self) -> str:
        """Over the bands and the checksums of the scans."""
        digest = hashlib.sha256(str([tuple(band) for band in self.bands]).encode())
        for member in self.members:
            digest.update(member.checksum().encode())
        return f"sha256-series:{digest.hexdigest()}"

    def close(self) -> None:
        """Release the scans."""
        for member in self.members:
            member.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mark(self) -> None:
        for band in self.bands:
            stored = self.members[band.member].received[band.first_row : band.first_row + band.n_rows]
            self.received[band.top : band.top + band.n_rows, : stored.shape[1]] = stored

    def _band_at(self, row: int) -> Band | None:
        return next((band for band in self.bands if band.top <= row < band.top + band.n_rows), None)


def difference(one: ScanInfo, other: ScanInfo) -> str:
    """Why patterns of two scans cannot be compared pixel by pixel, in words; "": they can."""
    if one.detector_shape != other.detector_shape:
        return f"its patterns are {other.detector_shape}, not {one.detector_shape}"
    if one.dtype != other.dtype:
        return f"its pixels are {other.dtype}, not {one.dtype}"
    for name, unit in (("angle_per_px_mrad", "mrad"), ("q_per_px_inv_nm", "1/nm")):
        known, found = getattr(one.calibration, name), getattr(other.calibration, name)
        if known and found and abs(found / known - 1.0) > LARGEST_SCALE_DIFFERENCE:
            return f"a pixel is {found:.4g} {unit}, not {known:.4g} {unit}"
    return ""


def refuse_series_of_words(scan: ScanFile) -> None:
    """Raise SettingsError where frames are words, whose parity is that of their place in a scan that is not told."""
    if isinstance(scan, ScanSeries) and any("encoding" in member.info.metadata for member in scan.members):
        raise SettingsError(
            f"{scan.path} is a series of undecoded EMPAD-G2 words, which are decoded by their place in their own scan. "
            "Expected one scan. Replay the scans of the series one by one."
        )


def _stacked(path: Path, series: SeriesFile, members: list[ScanFile]) -> list[Band]:
    bands: list[Band] = []
    top = 0
    for number, (said, member) in enumerate(zip(series.scans, members, strict=True)):
        if said.bands[-1][1] > member.info.scan_shape[0]:
            raise FileFormatError(
                f"{path} takes rows up to {said.bands[-1][1]} of {member.path}, which has {member.info.scan_shape[0]}. "
                "It was made of another file of that name. Make the series anew."
            )
        for first, last in said.bands:
            bands.append(Band(number, first, last - first, top))
            top += last - first + GAP_ROWS
    return bands


def _common(members: list[ScanFile]) -> Calibration:
    """What is known of any of the scans, with the step of the scan where all have the same."""
    each = [member.info.calibration for member in members]
    known = reduce(Calibration.filled, each)
    is_same = len({one.scan_step_yx_nm for one in each}) == 1
    return known if is_same else replace(known, scan_step_yx_nm=None)
