"""The XML beside an EMPAD's RAW file: first generation in its three dialects (v0.51, v0.7.12, v1.2), and G2.

`calibrated_pixelsize` is left alone: it is the field of view over 25,000, a number of the scan engine, and no
size of a detector pixel. `calibrated_diffraction_angle` is the camera length said in other words. Only what is
plausible is taken: a number out of any instrument's range counts as not given.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import defusedxml.ElementTree

from streamer.errors import FileFormatError
from streamer.model import Calibration

NOMINAL_MRAD_M = 0.31
"""Angle per pixel times camera length: 0.31 mm is what the acquisition software itself divides."""
READOUT_S = 0.86e-3
"""Between two exposures of the first generation: 1.1 kHz at most."""
G2_OVERHEAD_S = 20e-6
MAX_SIDE = 65536
MAX_XML_BYTES = 4 << 20
_LARGEST_TURN_RAD = 7.0


@dataclass(frozen=True)
class EmpadMetadata:
    """What the XML says.

    Attributes
    ----------
    raw_name
        File name of the RAW file, without its folder; None where none is named.
    shapes
        Scan shapes (scan_y, scan_x) by who says so: "pix", "acquire", "search", "scan" (G2).
    calibration
        Voltage, camera length and nominal angle; the scan step needs the shape, see `step_yx_nm`.
    field_of_view_m
        Longer side of the scanned field (v1.2, G2).
    field_of_view_yx_m
        Both sides (v0.51).
    dwell_s, exposure_s
        Time from frame to frame, and of one exposure.
    scan_type
        "scan", or "series": frames in time, of one place.
    series_count
        Frames of a series.
    scan_rotation_rad
        As the microscope had it; the first generation does not state its unit.
    flyback, left_trim
        G2: frames of flyback in every line, and how many are trimmed at its left.
    """

    raw_name: str | None
    shapes: dict[str, tuple[int, int]]
    calibration: Calibration
    field_of_view_m: float | None
    dwell_s: float | None
    path: Path
    generation: int = 1
    software: str = ""
    created: str = ""
    scan_type: str = "scan"
    series_count: int | None = None
    field_of_view_yx_m: tuple[float, float] | None = None
    exposure_s: float | None = None
    scan_rotation_rad: float | None = None
    flyback: int = 0
    left_trim: int = 0

    def step_yx_nm(self, scan_shape: tuple[int, int]) -> tuple[float, float] | None:
        """Distance of scan positions, y and x in nm; None for a series, or where no field of view is said."""
        if self.scan_type == "series":
            return None
        if self.field_of_view_yx_m is not None:
            height, width = self.field_of_view_yx_m
            return (height / scan_shape[0] * 1e9, width / scan_shape[1] * 1e9)
        if self.field_of_view_m is not None:
            step = self.field_of_view_m / max(scan_shape) * 1e9
            return (step, step)
        return None


def read_xml(path: Path) -> EmpadMetadata:
    """Read an acquisition's XML of any dialect.

    Raises
    ------
    FileFormatError
        Unreadable, too large, or not an EMPAD acquisition.
    """
    root = _parse(path)
    return _read_g2(root, path) if root.find("rawfile") is not None else _read_g1(root, path)


def _parse(path: Path) -> Element:
    try:
        size = path.stat().st_size
        if size > MAX_XML_BYTES:
            raise FileFormatError(
                f"{path} has {size} bytes. An EMPAD XML has a few thousand. Choose another file."
            )
        root = defusedxml.ElementTree.fromstring(path.read_bytes())
    except FileFormatError:
        raise
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    except Exception as error:  # the parser and defusedxml have no common base class
        raise FileFormatError(f"{path} is not valid XML: {str(error)[:200]}. Remove or repair it.") from None
    if root is None or root.tag != "root":
        raise FileFormatError(
            f"{path} is not an EMPAD acquisition file. Its outermost element should be <root>."
        )
    return root


def _read_g1(root: Element, path: Path) -> EmpadMetadata:
    measured = root.find("iom_measurements")
    measured = Element("none") if measured is None else measured
    camera_length = _number(measured, 1e-4, 1e3, "nominal_camera_length", "optics.get_cameralength")
    exposure_ms = _number(root, 1e-4, 1e7, "exposure_time")
    post_ms = _number(root, 0.0, 1e7, "post_exposure_time") or 0.0
    series_count = _count(root, "count") or _count(root, "scan_parameters/series_count")
    raw_file = root.find("raw_file")
    return EmpadMetadata(
        raw_name=_base_name(raw_file.get("filename") if raw_file is not None else None),
        shapes=_shapes(root),
        calibration=_calibration(
            _number(measured, 1.0, 1e8, "high_voltage", "source.get_voltage"), camera_length
        ),
        field_of_view_m=_field_of_view(measured),
        dwell_s=(exposure_ms + post_ms) * 1e-3 + READOUT_S if exposure_ms else None,
        path=path,
        software=_text(root, "software_version"),
        created=_timestamp(root),
        scan_type="series" if _text(root, "type") == "series" else "scan",
        series_count=series_count,
        field_of_view_yx_m=_both_sides(_text(measured, "optics.get_full_scan_field_of_view")),
        exposure_s=exposure_ms * 1e-3 if exposure_ms else None,
        scan_rotation_rad=_number(
            measured, -_LARGEST_TURN_RAD, _LARGEST_TURN_RAD, "scan_rotation", "column.get_scanrotation"
        ),
    )


def _read_g2(root: Element, path: Path) -> EmpadMetadata:
    measured = root.find("iom_measurements")
    measured = Element("none") if measured is None else measured
    exposure = _number(root, 1e-7, 1e4, "sensor/exposure_time", "scan/exposure_time")
    overhead = _number(root, 0.0, 1.0, "pia_scan/scan_overhead_period")
    shape = re.fullmatch(r"\(\s*(\d{1,6})\s*,\s*(\d{1,6})\s*\)", _text(root, "scan/shape"))
    sides = (int(shape.group(1)), int(shape.group(2))) if shape else (0, 0)
    is_possible = all(0 < side <= MAX_SIDE for side in sides)
    return EmpadMetadata(
        raw_name=_base_name(_text(root, "rawfile/filename")),
        shapes={"scan": sides} if is_possible else {},
        calibration=_calibration(
            _number(measured, 1.0, 1e8, "ColumnSourceHighVoltage"),
            _number(measured, 1e-4, 1e3, "ColumnOpticsGetCameraLengthNominalCameraLength"),
        ),
        field_of_view_m=_number(measured, 1e-12, 1.0, "ColumnOpticsGetFullScanFieldOfViewx"),
        dwell_s=exposure + (G2_OVERHEAD_S if overhead is None else overhead) if exposure else None,
        path=path,
        generation=2,
        software=_text(root, "software_version"),
        created=_timestamp(root),
        scan_type=_text(root, "scan/type") or "scan",
        exposure_s=exposure,
        scan_rotation_rad=_number(measured, -_LARGEST_TURN_RAD, _LARGEST_TURN_RAD, "ColumnGetScanRotation"),
        flyback=_count(root, "pia_scan/flyback_dwell_periods") or 0,
        left_trim=_count(root, "grabber/LeftTrim") or 0,
    )


def _calibration(voltage_v: float | None, camera_length_m: float | None) -> Calibration:
    return Calibration(
        voltage_v=voltage_v,
        camera_length_m=camera_length_m,
        angle_per_px_mrad=NOMINAL_MRAD_M / camera_length_m if camera_length_m else None,
        q_source="nominal" if camera_length_m else None,
    )


def _text(root: Element, where: str) -> str:
    # Not by path: tags of v0.51 hold dots, which a path would take for the element itself.
    element: Element | None = root
    for tag in where.split("/"):
        element = next((child for child in element if child.tag == tag), None)
        if element is None:
            return ""
    return (element.text or "").strip()


def _number(root: Element, least: float, most: float, *places: str) -> float | None:
    """The number at the first of these places that has one in this range; a unit may follow it."""
    for where in places:
        words = _text(root, where).split()
        try:
            value = float(words[0]) if words else math.nan
        except ValueError:
            continue
        if least <= value <= most:
            return value
    return None


def _count(root: Element, where: str) -> int | None:
    value = _number(root, 0, 1 << 34, where)
    return int(value) if value is not None and value == int(value) else None


def _base_name(name: str | None) -> str | None:
    """The last part of a path of any system; XML files are moved together with their RAW file."""
    return re.split(r"[\\/]", name.strip())[-1] or None if name else None


def _timestamp(root: Element) -> str:
    stamp = root.find("timestamp")
    return (stamp.get("isoformat") or "") if stamp is not None else ""


def _field_of_view(measured: Element) -> float | None:
    """Longer side of the scanned field in metres: the recorded value is the true one times scale_factor."""
    full = _number(measured, 1e-12, 1.0, "full_scan_field_of_view/x")
    scale = _number(measured, 1e-3, 1e3, "full_scan_field_of_view/scale_factor")
    return full / scale if full and scale else None


def _both_sides(text: str) -> tuple[float, float] | None:
    """Height and width in metres; in which order they are said is not known, and RosettaSciIO's is taken."""
    words = text.strip("[]() ").split(",")
    try:
        height, width = (float(word) for word in words)
    except ValueError:
        return None
    return (height, width) if 1e-12 <= height <= 1.0 and 1e-12 <= width <= 1.0 else None


def _shapes(root: Element) -> dict[str, tuple[int, int]]:
    found = {"pix": (_count(root, "pix_y"), _count(root, "pix_x"))}
    for parameters in root.findall("scan_parameters"):
        sides = (_count(parameters, "scan_resolution_y"), _count(parameters, "scan_resolution_x"))
        found[parameters.get("mode", "acquire")] = sides
    return {
        source: (n_y, n_x)
        for source, (n_y, n_x) in found.items()
        if n_y and n_x and max(n_y, n_x) <= MAX_SIDE
    }
