"""What people know of a file and the file does not say: a small JSON file beside it, ``<name>.session.json``.

Keys: ``calibration`` (measured by the user: it wins over what the file holds), ``source`` (where the file that a
result was made of lies now), ``overrides`` and ``edits`` (values set by hand, with automatic value, manual value
and time: what a methods section needs). The scan or result itself is never written to.
"""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamer.errors import RecordingError
from streamer.formats.scan_file import ScanFile
from streamer.model import Calibration, ScanInfo

MAX_BYTES = 4 << 20
CALIBRATED = ("scan_step_yx_nm", "q_measured_inv_nm")
"""What a user may measure."""


def side_path(path: Path) -> Path:
    """Where the side settings of a file lie."""
    return path.with_name(f"{path.stem}.session.json")


def read_side(path: Path) -> dict[str, Any]:
    """The side settings of a file; empty where there are none that can be read."""
    where = side_path(path)
    try:
        if where.stat().st_size > MAX_BYTES:
            return {}
        values = json.loads(where.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def source_places(result_path: Path, source: str) -> list[Path]:
    """Where the scan may lie that a result was made of: where it was located, where it was, beside the result."""
    located = read_side(result_path).get("source")
    places = [Path(str(located))] if located else []
    return [*places, Path(source), result_path.parent / Path(source).name]


def write_side(path: Path, changes: dict[str, Any]) -> Path:
    """Change some keys of a file's side settings; the others stay. None takes a key away.

    Raises
    ------
    RecordingError
        The disk refused; what stood there stays.
    """
    where = side_path(path)
    values = {key: value for key, value in (read_side(path) | changes).items() if value is not None}
    part = where.with_name(where.name + ".part")
    try:
        part.write_text(json.dumps(values, indent=1), encoding="utf-8")
        os.replace(part, where)
    except OSError as error:
        raise RecordingError(
            f"{where} cannot be written: {error.strerror}. What was entered counts until this is closed; make the "
            "folder writable to keep it."
        ) from None
    return where


def calibrated(info: ScanInfo, side: dict[str, Any]) -> ScanInfo:
    """The scan's description with what the user has measured; values that are no numbers count for nothing."""
    said = side.get("calibration")
    if not isinstance(said, dict):
        return info
    try:
        known = Calibration.from_json({key: said[key] for key in CALIBRATED if said.get(key) is not None})
        changes = {key: getattr(known, key) for key in CALIBRATED if getattr(known, key) is not None}
        if not all(_is_size(value) for value in changes.values()):
            return info
    except (TypeError, ValueError, IndexError, KeyError):
        return info
    if "q_measured_inv_nm" in changes:
        changes["q_source"] = "user"
    return replace(info, calibration=replace(info.calibration, **changes))


def take_side_settings(scan: ScanFile) -> ScanFile:
    """The same scan, calibrated as the user has measured."""
    side = read_side(scan.path)
    if side.get("calibration"):
        scan.info = calibrated(scan.info, side)
    return scan


def _is_size(value: Any) -> bool:
    sizes = value if isinstance(value, tuple) else (value,)
    return all(isinstance(size, int | float) and 0.0 < size < 1e12 for size in sizes)
