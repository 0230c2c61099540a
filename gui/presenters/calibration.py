"""Calibration entry: what the operator types, turned into sizes; a wrong entry is a hint."""

from dataclasses import dataclass
from typing import Any

from gui.presenters import texts
from gui.presenters.snapshot import Request
from gui.presenters.status import EngineStatus


@dataclass(frozen=True)
class CalibrationEntry:
    """The fields as they were typed; "" where nothing was: nm, nm, 1/Å, px, Å."""

    step_nm: str = ""
    full_width_nm: str = ""
    q_per_px_inv_angstrom: str = ""
    ring_px: str = ""
    spacing_angstrom: str = ""


def entry_of(status: EngineStatus) -> CalibrationEntry:
    """What is known now, as the fields begin."""
    step, q = status.calibration.scan_step_yx_nm, status.q_per_px_inv_nm
    return CalibrationEntry(
        step_nm=f"{step[1]:.4g}" if step else "",
        q_per_px_inv_angstrom=f"{q / 10:.4g}" if q else "",
    )


def calibration_request(status: EngineStatus, entry: CalibrationEntry) -> Request | str:
    """The request, or a hint. A full width wins over a step, a ring over a size of pixel, since they are typed later.

    Parameters
    ----------
    entry
        Numbers may have a decimal comma.
    """
    values: dict[str, float | None] = {}
    for name in CalibrationEntry.__dataclass_fields__:
        text = getattr(entry, name).strip().replace(",", ".")
        try:
            values[name] = float(text) if text else None
        except ValueError:
            return texts.calibration_refused(texts.CALIBRATION_FIELDS[name], text)
        if values[name] is not None and not 0 < (values[name] or 0) < 1e9:
            return texts.calibration_refused(texts.CALIBRATION_FIELDS[name], text)
    if status.scan is None:
        return texts.CALIBRATION_NO_SCAN
    if (values["ring_px"] is None) != (values["spacing_angstrom"] is None):
        return texts.CALIBRATION_RING
    params: dict[str, Any] = {"scan_step_yx_nm": None, "q_measured_inv_nm": None}
    step = values["step_nm"]
    if (width := values["full_width_nm"]) is not None:
        step = width / status.scan.scan_shape[1]
    if step is not None:
        params["scan_step_yx_nm"] = [step, step]
    q = values["q_per_px_inv_angstrom"]
    params["q_measured_inv_nm"] = None if q is None else 10 * q
    if (ring := values["ring_px"]) is not None and (spacing := values["spacing_angstrom"]) is not None:
        params["q_measured_inv_nm"] = 10 / (spacing * ring)
    if params["scan_step_yx_nm"] is None and params["q_measured_inv_nm"] is None:
        return texts.CALIBRATION_EMPTY
    return Request("calibrate", params)
