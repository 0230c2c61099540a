"""Sizes that a user has measured: checked, and kept beside the file that they belong to."""

from pathlib import Path
from typing import Any

from streamer.errors import LivestemError
from streamer.formats.side_settings import calibrated, write_side
from streamer.model import ScanInfo

MAX_SIZE = 1e9


def measured_calibration(params: dict[str, Any]) -> dict[str, Any]:
    """The ``calibration`` of side settings from a request: scan_step_yx_nm [y, x], q_measured_inv_nm; None: not known.

    Raises
    ------
    LivestemError
        A size that is none.
    """
    step, q = params.get("scan_step_yx_nm"), params.get("q_measured_inv_nm")
    if step is not None and not (
        isinstance(step, list | tuple) and len(step) == 2 and all(_is_size(x) for x in step)
    ):
        raise LivestemError(
            f"The size of a scan position is {step!r}. Expected two positive numbers, y and x in nm. "
            "The calibration is as it was."
        )
    if q is not None and not _is_size(q):
        raise LivestemError(
            f"The size of a detector pixel is {q!r}. Expected a positive number in 1/nm. "
            "The calibration is as it was."
        )
    return {"scan_step_yx_nm": None if step is None else list(step), "q_measured_inv_nm": q}


def take_calibration(info: ScanInfo, measured: dict[str, Any], paths: list[Path]) -> ScanInfo:
    """The scan's description with what was measured, kept beside all these files.

    Raises
    ------
    RecordingError
        It could not be kept.
    """
    for path in paths:
        write_side(path, {"calibration": measured})
    return calibrated(info, {"calibration": measured})


def _is_size(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0.0 < value < MAX_SIZE
