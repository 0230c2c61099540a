"""EMPAD, first generation: a RAW file of 130 x 128 float32 records and the XML beside it.

A record is the 128 x 128 pattern and two footer rows, which no reader relies on. Records are in scan order,
x fast (empad notes, part 1). What the XML says: `streamer.formats.empad_xml`; the shape:
`streamer.formats.empad_shape`.
"""

import uuid
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import FileFormatError
from streamer.formats.empad_shape import decide_shape
from streamer.formats.empad_xml import NOMINAL_MRAD_M, EmpadMetadata, read_xml
from streamer.formats.record_scan import RecordLayout, RecordScan
from streamer.model import Calibration, Orientation, ScanInfo

__all__ = [
    "DETECTOR_SHAPE",
    "NOMINAL_MRAD_M",
    "RECORD_BYTES",
    "EmpadMetadata",
    "EmpadRaw",
    "metadata_beside",
    "read_xml",
]

DETECTOR_SHAPE = (128, 128)
FOOTER_ROWS = 2
FRAME_BYTES = 128 * 128 * 4
RECORD_BYTES = 130 * 128 * 4
_N_SAMPLES = 8
_MAX_XMLS = 256
_LARGEST, _SMALLEST = 1e12, 1e-12
"""No ADU lies outside: what does is read in the wrong byte order, or is none."""


class EmpadRaw(RecordScan):
    """A first-generation EMPAD scan or series; see `streamer.formats.scan_file.ScanFile`.

    Parameters
    ----------
    path
        The RAW file.
    metadata
        Of the XML that named it; None: looked for beside it.

    Raises
    ------
    FileFormatError
        Missing file, or less than a line; name, XML and size that disagree; values that are no float32 counts.
    """

    def __init__(self, path: Path, metadata: EmpadMetadata | None = None) -> None:
        n_records, rest = count_records(path, RECORD_BYTES, "an EMPAD RAW file")
        metadata = metadata or metadata_beside(path)
        scan_shape, _ = decide_shape(path, metadata, n_records)
        info = describe(path, metadata, scan_shape, "EMPAD RAW", "float32")
        info = cut_short(path, info, n_records, rest, RECORD_BYTES)
        check_values(path, n_records)
        super().__init__(path, info, RecordLayout(RECORD_BYTES, n_records), count_empty(path, n_records))


def describe(
    path: Path, metadata: EmpadMetadata | None, scan_shape: tuple[int, int], kind: str, dtype: str
) -> ScanInfo:
    """What is known of the scan, from its XML."""
    said: dict[str, Any] = {"format": kind, "source": path.name}
    calibration, rotation, dwell_s = Calibration(), None, None
    if metadata is not None:
        known = metadata.calibration
        calibration = Calibration(
            known.voltage_v,
            known.camera_length_m,
            known.angle_per_px_mrad,
            metadata.step_yx_nm(scan_shape),
            known.q_source,
        )
        rotation, dwell_s = metadata.scan_rotation_rad, metadata.dwell_s
        said |= {
            "xml": metadata.path.name,
            "software": metadata.software,
            "scan_type": metadata.scan_type,
            "exposure_s": metadata.exposure_s,
            "created": metadata.created,
        }
    return ScanInfo(
        scan_id=str(uuid.uuid4()),
        scan_shape=scan_shape,
        detector_shape=DETECTOR_SHAPE,
        dtype=dtype,
        n_frames=scan_shape[0] * scan_shape[1],
        dwell_s=dwell_s,
        calibration=calibration,
        orientation=Orientation(scan_rotation_rad=rotation),
        metadata={key: value for key, value in said.items() if value not in (None, "")},
    )


def count_records(path: Path, record_bytes: int, what: str) -> tuple[int, int]:
    """Whole records of a file, and bytes after the last: half a record, where the acquisition was cut short.

    Raises
    ------
    FileFormatError
        The file is missing, or has not one record.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    if size == 0:
        raise FileFormatError(
            f"{path} is empty. Expected records of {record_bytes} bytes. Copy the file again."
        )
    if size < record_bytes:
        raise FileFormatError(
            f"{path} has {size} bytes. Expected records of {record_bytes} bytes. The file is truncated or not {what}. "
            "Copy it again."
        )
    return divmod(size, record_bytes)


def cut_short(path: Path, info: ScanInfo, n_records: int, rest: int, record_bytes: int) -> ScanInfo:
    """The scan's description, which says that its last record is half a record and left out.

    Raises
    ------
    FileFormatError
        The whole scan is there before these bytes: they are no record of it.
    """
    if not rest:
        return info
    if n_records >= info.n_positions:
        raise FileFormatError(
            f"{path} has {rest} bytes after its {n_records} records of {record_bytes} bytes. Expected "
            f"{info.n_positions} records and nothing else. Copy the file again, or correct its name."
        )
    said = f"record {n_records + 1} has {rest} of {record_bytes} bytes and is left out"
    return replace(info, metadata=info.metadata | {"cut_short": said})


def metadata_beside(path: Path) -> EmpadMetadata | None:
    """The XML in the same folder that names this RAW file; one of the file's own stem where its RAW is gone.

    Raises
    ------
    FileFormatError
        Several XML files name it.
    """
    named, renamed = [], None
    for xml_path in sorted(path.parent.glob("*.[xX][mM][lL]"))[:_MAX_XMLS]:
        try:
            metadata = read_xml(xml_path)
        except FileFormatError:
            continue  # another program's XML in the folder says nothing of this file
        if metadata.raw_name == path.name:
            named.append(metadata)
        elif xml_path.stem == path.stem and not (path.parent / (metadata.raw_name or "")).is_file():
            renamed = metadata
    if len(named) > 1:
        names = ", ".join(metadata.path.name for metadata in named)
        raise FileFormatError(
            f"{names} all name {path.name}. Expected one XML for one RAW file. Move the others away."
        )
    return named[0] if named else renamed


def check_values(path: Path, n_records: int) -> None:
    """Refuse what is no little-endian float32, by a sample of frames; NaN and zero say nothing.

    Raises
    ------
    FileFormatError
        Most values lie out of any detector's range.
    """
    records = np.unique(np.linspace(0, n_records - 1, _N_SAMPLES).astype(int))
    with path.open("rb") as file:
        raw = []
        for record in records.tolist():
            file.seek(record * RECORD_BYTES)
            raw.append(file.read(FRAME_BYTES))
    words = np.frombuffer(b"".join(raw), "<u4")
    share = _implausible_share(words.view("<f4"))
    if share > 0.25:
        swapped = _implausible_share(words.byteswap().view("<f4"))
        order = " Read as big-endian they are plausible: swap the bytes." if swapped < share / 2 else ""
        raise FileFormatError(
            f"{path} does not hold EMPAD counts: {share:.0%} of the sampled values lie outside {_SMALLEST:g} to "
            f"{_LARGEST:g}. Expected little-endian float32.{order} Copy the file again, or convert it."
        )


def _implausible_share(values: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):  # signalling NaN bits of a file that is none
        size = np.abs(values[~np.isnan(values) & (values != 0)].astype(np.float64))
    return float(((size > _LARGEST) | (size < _SMALLEST)).mean()) if size.size else 0.0


def count_empty(path: Path, n_records: int, record_bytes: int = RECORD_BYTES) -> int:
    """Records at the end without a single bit set, that an aborted acquisition made room for.

    No detector sends such a record. Found by bisection, so that a file of any size is asked in a moment.

    Raises
    ------
    FileFormatError
        There is nothing else in the file.
    """
    with path.open("rb") as file:

        def is_empty(record: int) -> bool:
            file.seek(record * record_bytes)
            raw = file.read(record_bytes)
            return raw.count(0) == len(raw)

        if not is_empty(n_records - 1):
            return 0
        first = bisect_left(range(n_records), True, key=is_empty)
        sample = np.linspace(first, n_records - 1, _N_SAMPLES).astype(int).tolist()
        if not all(map(is_empty, sample)):
            return 0
    if not first:
        raise FileFormatError(
            f"{path} holds {n_records} records of zeros alone: room that was made for a scan and never written. "
            "Expected counts. Copy the file again, or look for the scan elsewhere."
        )
    return n_records - first
