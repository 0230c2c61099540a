"""What is this file? The one place that decides which reader opens a path."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from streamer.errors import FileFormatError, SettingsError
from streamer.formats import npy
from streamer.formats.empad import EmpadRaw, read_xml
from streamer.formats.empad_g2 import EmpadG2Raw, holds_words
from streamer.formats.empad_xml import EmpadMetadata
from streamer.formats.hdf5 import open_hdf5
from streamer.formats.recording import RecordingReader, is_recording
from streamer.formats.rosettasciio import open_with_rosettasciio
from streamer.formats.scan_file import ScanFile
from streamer.formats.scan_series import SUFFIX as SERIES_SUFFIX
from streamer.formats.scan_series import ScanSeries, read_series
from streamer.formats.side_settings import take_side_settings

OPENED_WITH = "opened_with"
"""In a scan's metadata: what had to be said to open its file, to be said again."""


def open_scan(
    path: str | Path,
    dataset: str | None = None,
    scan_shape: tuple[int, int] | None = None,
    flyback_left: int | None = None,
) -> ScanFile:
    """Open a scan of any known kind; nothing is read but its description.

    Order: 1. an EMPAD XML opens the RAW file that it names, 2. a ``.raw`` file is EMPAD, 3. an HDF5 file with our
    schema is a recording; by their first bytes 4. NPY and 5. other HDF5 (HyperSpy, EMD, NeXus, DECTRIS masters);
    6. the rest is RosettaSciIO's, by extension; a ``.series`` file names scans that are seen as one. A calibration
    that the user has entered wins.

    Parameters
    ----------
    dataset
        Which of several arrays, for 5. and 6.; None: the only one of four axes.
    scan_shape
        (scan_y, scan_x) of frames that stand one after the other, for 4. to 6.
    flyback_left
        Of an EMPAD-G2's file with flyback: how many of its frames stand at a line's left; None: as the XML says.

    Raises
    ------
    FileFormatError
        The file is missing, of no known kind, or not what it claims to be; or it holds several scans, or does
        not say the shape of its own.
    SettingsError
        The dataset or the shape that was asked for is not the file's.
    """
    path = Path(path)
    if not path.exists():
        raise FileFormatError(
            f"{path} does not exist. Expected a scan (.raw, .xml, .npy, a recording or other .h5 ...). Check the path."
        )
    if path.is_dir():
        raise FileFormatError(f"{path} is a folder. Expected a scan file. Name the file in it.")
    is_told = dataset is not None or scan_shape is not None
    if path.suffix.lower() == SERIES_SUFFIX:
        if is_told or flyback_left is not None:
            raise SettingsError(
                f"{path} says how each of its scans is opened. Leave --dataset, --scan-shape and --flyback-left "
                "(dataset, scan_shape and flyback_left of open_scan) away."
            )
        return take_side_settings(_open_series(path))
    scan = None if path.suffix.lower() in {".xml", ".raw"} else _open_other(path, dataset, scan_shape)
    if is_told and (scan is None or isinstance(scan, RecordingReader)):
        raise SettingsError(
            f"{path} holds one scan and says its shape. Leave --dataset and --scan-shape (dataset and scan_shape of "
            "open_scan) away."
        )
    if scan is None:
        scan = _open_empad(path, flyback_left)
    elif flyback_left is not None:
        raise SettingsError(
            f"{path} is no RAW file of an EMPAD-G2. Leave --flyback-left (flyback_left) away."
        )
    if is_told or flyback_left is not None:
        said = {
            "dataset": dataset,
            "scan_shape": scan_shape and list(scan_shape),
            "flyback_left": flyback_left,
        }
        scan.info = replace(scan.info, metadata=scan.info.metadata | {OPENED_WITH: said})
    return take_side_settings(scan)


def opened_with(metadata: dict[str, Any]) -> dict[str, Any]:
    """What `open_scan` has to be told to open a scan's file again, by the scan's metadata."""
    said = metadata.get(OPENED_WITH) or {}
    shape = said.get("scan_shape")
    return {
        "dataset": said.get("dataset"),
        "scan_shape": (int(shape[0]), int(shape[1])) if shape else None,
        "flyback_left": said.get("flyback_left"),
    }


def scan_shape_from(text: str | None) -> tuple[int, int] | None:
    """``--scan-shape Y,X`` as numbers; SettingsError where it is none."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*", text)
    sides = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
    if min(sides) < 1:
        raise SettingsError(f"--scan-shape {text} cannot be read. Expected rows and columns Y,X, as 64,128.")
    return sides


def _open_empad(path: Path, flyback_left: int | None) -> ScanFile:
    if path.suffix.lower() == ".raw":  # 2.
        return _open_raw(path, None, flyback_left)
    metadata = read_xml(path)  # 1.
    if metadata.raw_name is None:
        raise FileFormatError(f"{path} names no RAW file. Open the RAW file itself.")
    return _open_raw(path.parent / metadata.raw_name, metadata, flyback_left)


def _open_series(path: Path) -> ScanSeries:
    series = read_series(path)
    members: list[ScanFile] = []
    try:
        for scan in series.scans:
            told = scan.model_dump(include={"dataset", "scan_shape", "flyback_left"})
            members.append(open_scan(path.parent / scan.path, **told))
        return ScanSeries(path, series, members)
    except BaseException:
        for member in members:
            member.close()
        raise


def _open_other(path: Path, dataset: str | None, scan_shape: tuple[int, int] | None) -> ScanFile:
    if is_recording(path):  # 3.
        return RecordingReader(path)
    try:
        with path.open("rb") as file:
            is_npy = file.read(len(npy.MAGIC)) == npy.MAGIC
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    if is_npy:  # 4.
        if dataset is not None:
            raise SettingsError(f"{path} holds one array. Leave --dataset away.")
        return npy.open_npy(path, scan_shape)
    if h5py.is_hdf5(path):  # 5.
        return open_hdf5(path, dataset, scan_shape)
    return open_with_rosettasciio(path, dataset, scan_shape)  # 6.


def _open_raw(path: Path, metadata: EmpadMetadata | None, flyback_left: int | None) -> ScanFile:
    """The generation is that of the words themselves: sizes of both can agree, and the XML is not to be trusted."""
    if path.is_file() and holds_words(path):
        return EmpadG2Raw(path, metadata, flyback_left)
    if flyback_left is not None:
        raise SettingsError(
            f"{path} holds no words of an EMPAD-G2. Leave --flyback-left (flyback_left) away."
        )
    return EmpadRaw(path, metadata)
