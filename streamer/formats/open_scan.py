"""What is this file? The one place that decides which reader opens a path."""

from pathlib import Path

from streamer.errors import FileFormatError
from streamer.formats.empad import EmpadRaw, read_xml
from streamer.formats.empad_g2 import EmpadG2Raw, holds_words
from streamer.formats.empad_xml import EmpadMetadata
from streamer.formats.recording import RecordingReader, is_recording
from streamer.formats.scan_file import ScanFile
from streamer.formats.side_settings import take_side_settings


def open_scan(path: str | Path) -> ScanFile:
    """Open a scan of any known kind; nothing is read but its description.

    Order: 1. an EMPAD XML opens the RAW file that it names, 2. a ``.raw`` file is first-generation EMPAD,
    3. an HDF5 file with our schema is a recording. A calibration that the user has entered wins.

    Raises
    ------
    FileFormatError
        The file is missing, of no known kind, or not what it claims to be.
    """
    path = Path(path)
    if not path.exists():
        raise FileFormatError(
            f"{path} does not exist. Expected a scan (.raw, .xml or a recording .h5). Check the path."
        )
    if path.is_dir():
        raise FileFormatError(
            f"{path} is a folder. Expected a scan file (.raw, .xml or .h5). Name the file in it."
        )
    suffix = path.suffix.lower()
    if suffix == ".xml":  # 1.
        metadata = read_xml(path)
        if metadata.raw_name is None:
            raise FileFormatError(f"{path} names no RAW file. Open the RAW file itself.")
        return _open_raw(path.parent / metadata.raw_name, metadata)
    if suffix == ".raw":  # 2.
        return _open_raw(path, None)
    if is_recording(path):  # 3.
        return take_side_settings(RecordingReader(path))
    raise FileFormatError(
        f"{path} is neither an EMPAD RAW file nor a livestem recording. Expected .raw, .xml or a recording .h5."
    )


def _open_raw(path: Path, metadata: EmpadMetadata | None) -> ScanFile:
    """The generation is that of the words themselves: sizes of both can agree, and the XML is not to be trusted."""
    if path.is_file() and holds_words(path):
        return take_side_settings(EmpadG2Raw(path, metadata))
    return take_side_settings(EmpadRaw(path, metadata))
