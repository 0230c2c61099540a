"""Scales as files of other programs state them, a size and a unit for each axis, as a `Calibration`."""

from collections.abc import Sequence
from typing import NamedTuple

from streamer.model import Calibration

_NM = {"pm": 1e-3, "A": 0.1, "nm": 1.0, "um": 1e3, "mm": 1e6, "m": 1e9}
_MRAD = {"mrad": 1.0, "rad": 1e3, "deg": 17.453292519943295}
_PER_NM = {f"1/{unit}": 1.0 / size for unit, size in _NM.items()}
_ALIKE = 0.01
"""Detector axes whose sizes differ by more have no common scale."""
_SMALLEST, _LARGEST = 1e-9, 1e9


class AxisScale(NamedTuple):
    """From one index of an axis to the next."""

    size: float
    unit: str


def calibration_of_axes(
    axes: Sequence[AxisScale | None], voltage_v: float | None = None, camera_length_m: float | None = None
) -> Calibration:
    """What four axes say of the scales; an axis without a unit that is known says nothing.

    Parameters
    ----------
    axes
        scan_y, scan_x, det_y, det_x.
    voltage_v, camera_length_m
        Where the file states them.
    """
    step = tuple(_in(_NM, axis) for axis in axes[:2])
    q, angle = _common(_PER_NM, axes[2:]), _common(_MRAD, axes[2:])
    known = Calibration(
        voltage_v,
        camera_length_m,
        angle,
        (step[0], step[1]) if step[0] and step[1] else None,
        "file" if q or angle else None,
        q,
    )
    if q and known.wavelength_nm:  # the angle too, for those who ask for mrad
        return Calibration(
            voltage_v, camera_length_m, q * known.wavelength_nm * 1e3, known.scan_step_yx_nm, "file", q
        )
    return known


def _common(units: dict[str, float], axes: Sequence[AxisScale | None]) -> float | None:
    sizes = [_in(units, axis) for axis in axes]
    if len(sizes) != 2 or not sizes[0] or not sizes[1]:
        return None
    return sizes[0] if abs(sizes[1] / sizes[0] - 1.0) <= _ALIKE else None


def _in(units: dict[str, float], axis: AxisScale | None) -> float | None:
    """The size of an axis in nm, mrad or 1/nm; None where its unit is another one."""
    if axis is None or (factor := units.get(_plain(axis.unit))) is None:
        return None
    size = abs(axis.size) * factor
    return size if _SMALLEST < size < _LARGEST else None


def _plain(unit: str) -> str:
    """One spelling for all: Å^-1, A-1, 1 / Å and angstrom^-1 become 1/A."""
    for old, new in ((" ", ""), ("$", ""), ("Å", "A"), ("Å", "A"), ("µ", "u"), ("μ", "u"), ("{-1}", "-1")):
        unit = unit.replace(old, new)
    for name in ("angstroms", "Angstroms", "angstrom", "Angstrom"):
        unit = unit.replace(name, "A")
    for ending in ("^-1", "**-1", "-1", "⁻¹"):
        if unit.endswith(ending):
            return f"1/{unit.removesuffix(ending)}"
    return unit
