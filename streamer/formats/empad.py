"""EMPAD, first generation: a RAW file of 130 x 128 float32 records and the XML beside it.

A record is the 128 x 128 pattern and two footer rows, which no reader relies on. Records are in scan order,
x fast (empad notes, part 1).
"""

import hashlib
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
import numpy as np
from numpy.typing import NDArray

from streamer.errors import FileFormatError
from streamer.formats.positional_file import PositionalFile
from streamer.model import Calibration, ScanInfo
from streamer.wire.sequence import runs

DETECTOR_SHAPE = (128, 128)
FOOTER_ROWS = 2
FRAME_BYTES = 128 * 128 * 4
RECORD_BYTES = 130 * 128 * 4
NOMINAL_MRAD_M = 0.31
"""Angle per pixel times camera length: 0.31 mm is what the acquisition software itself divides."""
_CHECKSUM_SAMPLES = 64
_MAX_XML_BYTES = 4 << 20
_NAME_SHAPE = re.compile(r"x(\d+)_y(\d+)(?=\.raw$)")


@dataclass(frozen=True)
class EmpadMetadata:
    """What the XML says: scan shapes by mode, and the calibration."""

    raw_name: str | None
    shapes: dict[str, tuple[int, int]]
    calibration: Calibration
    field_of_view_m: float | None
    dwell_s: float | None
    path: Path


class EmpadRaw:
    """A first-generation EMPAD scan, read by position; see `streamer.formats.scan_file.ScanFile`.

    Parameters
    ----------
    path
        The RAW file.

    Raises
    ------
    FileFormatError
        Missing, empty or truncated file, or name, XML and size that disagree.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        n_records = _count_records(path)
        metadata = _metadata_beside(path)
        scan_shape = _scan_shape(path, metadata, n_records)
        self.info = ScanInfo(
            scan_id=str(uuid.uuid4()),
            scan_shape=scan_shape,
            detector_shape=DETECTOR_SHAPE,
            dtype="float32",
            n_frames=n_records,
            dwell_s=metadata.dwell_s if metadata else None,
            calibration=_calibration(metadata, scan_shape),
            metadata={"format": "EMPAD", "source": path.name},
        )
        self.received: NDArray[np.uint8] = np.ones(scan_shape, np.uint8)
        self._file = PositionalFile(path)

    def refresh(self) -> None:
        """A RAW file is read once it is finished: nothing changes."""

    def read_block(self, start: int, stop: int, out: NDArray[Any]) -> NDArray[Any]:
        """Patterns of flat scan indices [start, stop) into the first rows of `out`."""
        block = out[: stop - start]
        self._file.read_rows(block, RECORD_BYTES, start * RECORD_BYTES)
        return block

    def read_positions(self, scan_indices: NDArray[np.int64], out: NDArray[Any]) -> NDArray[Any]:
        """Patterns of these flat scan indices into the first rows of `out`."""
        done = 0
        for start, stop in runs(scan_indices):
            self.read_block(start, stop, out[done:])
            done += stop - start
        return out[:done]

    def pattern(self, scan_y: int, scan_x: int) -> NDArray[np.float32]:
        """One pattern, a copy. IndexError outside the scan."""
        n_y, n_x = self.info.scan_shape
        if not (0 <= scan_y < n_y and 0 <= scan_x < n_x):
            raise IndexError(f"Scan position ({scan_y}, {scan_x}) lies outside the scan of {n_y} x {n_x}.")
        index = scan_y * n_x + scan_x
        return self.read_block(index, index + 1, np.empty((1, *DETECTOR_SHAPE), np.float32))[0]

    def checksum(self) -> str:
        """SHA-256 over size and 64 records spread over the file: cheap, and any other scan differs."""
        n = self.info.n_positions
        digest = hashlib.sha256(str((n, *DETECTOR_SHAPE)).encode())
        for index in np.linspace(0, n - 1, _CHECKSUM_SAMPLES).astype(int):
            digest.update(self._file.read(FRAME_BYTES, int(index) * RECORD_BYTES))
        return f"sha256-sample:{digest.hexdigest()}"

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_xml(path: Path) -> EmpadMetadata:
    """Read the acquisition XML (v1.2.x).

    Raises
    ------
    FileFormatError
        Unreadable, too large, or not an EMPAD acquisition.
    """
    try:
        if path.stat().st_size > _MAX_XML_BYTES:
            raise FileFormatError(
                f"{path} has {path.stat().st_size} bytes. An EMPAD XML has a few thousand. Choose another file."
            )
        root = defusedxml.ElementTree.parse(path).getroot()
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    except Exception as error:  # the parser and defusedxml have no common base class
        raise FileFormatError(f"{path} is not valid XML: {error}. Remove or repair it.") from None
    if root is None or root.tag != "root":
        raise FileFormatError(
            f"{path} is not an EMPAD acquisition file. Its outermost element should be <root>."
        )
    raw_file = root.find("raw_file")
    raw_name = raw_file.get("filename") if raw_file is not None else None
    camera_length = _number(root, "iom_measurements/nominal_camera_length")
    exposure_ms = _number(root, "exposure_time")
    return EmpadMetadata(
        raw_name=re.split(r"[\\/]", raw_name)[-1] if raw_name else None,
        shapes=_shapes(root),
        calibration=Calibration(
            voltage_v=_number(root, "iom_measurements/high_voltage"),
            camera_length_m=camera_length,
            angle_per_px_mrad=NOMINAL_MRAD_M / camera_length if camera_length else None,
            q_source="nominal" if camera_length else None,
        ),
        field_of_view_m=_field_of_view(root),
        dwell_s=(exposure_ms + 0.86) * 1e-3 if exposure_ms else None,
        path=path,
    )


def _number(root: Element, where: str) -> float | None:
    element = root.find(where)
    if element is None or element.text is None:
        return None
    try:
        return float(element.text.split()[0])
    except (ValueError, IndexError):
        return None


def _field_of_view(root: Element) -> float | None:
    """Longer side of the scanned field in metres: the recorded value is the true one times scale_factor."""
    full = _number(root, "iom_measurements/full_scan_field_of_view/x")
    scale = _number(root, "iom_measurements/full_scan_field_of_view/scale_factor")
    return full / scale if full and scale else None


def _shapes(root: Element) -> dict[str, tuple[int, int]]:
    shapes = {}
    for parameters in root.findall("scan_parameters"):
        n_x = _number(parameters, "scan_resolution_x")
        n_y = _number(parameters, "scan_resolution_y")
        if n_x and n_y:
            shapes[parameters.get("mode", "acquire")] = (int(n_y), int(n_x))
    return shapes


def _count_records(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    if size == 0:
        raise FileFormatError(
            f"{path} is empty. Expected records of {RECORD_BYTES} bytes. Copy the file again."
        )
    if size % RECORD_BYTES:
        raise FileFormatError(
            f"{path} has {size} bytes, which is {size // RECORD_BYTES} whole records of {RECORD_BYTES} bytes and "
            f"{size % RECORD_BYTES} bytes more. The file is truncated or not an EMPAD RAW file. Copy it again."
        )
    return size // RECORD_BYTES


def _metadata_beside(path: Path) -> EmpadMetadata | None:
    """The XML in the same folder that names this RAW file."""
    candidates = []
    for xml_path in sorted(path.parent.glob("*.xml")):
        try:
            metadata = read_xml(xml_path)
        except FileFormatError:
            continue  # another program's XML in the folder says nothing of this file
        if metadata.raw_name == path.name:
            candidates.append(metadata)
    if len(candidates) > 1:
        names = ", ".join(metadata.path.name for metadata in candidates)
        raise FileFormatError(
            f"{names} all name {path.name}. Expected one XML for one RAW file. Move the others away."
        )
    return candidates[0] if candidates else None


def _scan_shape(path: Path, metadata: EmpadMetadata | None, n_records: int) -> tuple[int, int]:
    """Scan shape; the file's size is the judge.

    Order: 1. the file's name, 2. XML acquire, 3. XML search. A name must be confirmed by one of the XML's modes.
    """
    found: dict[str, tuple[int, int]] = {}
    match = _NAME_SHAPE.search(path.name)
    if match:
        found["file name"] = (int(match.group(2)), int(match.group(1)))  # 1.
    if metadata:
        for mode in ("acquire", "search"):  # 2. and 3.
            if mode in metadata.shapes:
                found[f"{mode} entry of {metadata.path.name}"] = metadata.shapes[mode]
    fitting = {source: shape for source, shape in found.items() if shape[0] * shape[1] == n_records}
    said = ", ".join(f"{shape[1]} x {shape[0]} (x, y) by the {source}" for source, shape in found.items())
    named_only = set(fitting) == {"file name"} and len(found) > 1
    if len(set(fitting.values())) > 1 or named_only:
        raise FileFormatError(
            f"{path} has {n_records} records; {said}: name and XML disagree. "
            "Expected the same shape from both. Correct the file's name, or move the XML of another scan away."
        )
    if fitting:
        return next(iter(fitting.values()))
    if found:
        raise FileFormatError(
            f"{path} has {n_records} records; expected {said}. The file is incomplete, or its name or XML "
            "belongs to another scan. Copy the file again, or correct the name."
        )
    raise FileFormatError(
        f"{path} has {n_records} records and neither its name nor an XML says the scan's shape. "
        "Name it like scan_x64_y128.raw, or put its XML beside it."
    )


def _calibration(metadata: EmpadMetadata | None, scan_shape: tuple[int, int]) -> Calibration:
    if metadata is None:
        return Calibration()
    known = metadata.calibration
    step_nm = None
    if metadata.field_of_view_m:
        step = metadata.field_of_view_m / max(scan_shape) * 1e9
        step_nm = (step, step)
    return Calibration(
        known.voltage_v, known.camera_length_m, known.angle_per_px_mrad, step_nm, known.q_source
    )
