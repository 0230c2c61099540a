"""The scan shape of an EMPAD RAW file: who says what, with the file's size as the judge.

Order of those who say: the file's name, pix_x and pix_y, the XML's acquire entry, its search entry (the
acquisition can save what was searched with), G2's scan entry. A name must be confirmed by one of the others,
where there are any. A file with fewer frames than said is that of an aborted scan: what is missing stays
missing, no other shape is made up for it.
"""

import re
from pathlib import Path

from streamer.errors import FileFormatError
from streamer.formats.empad_xml import MAX_SIDE, EmpadMetadata

FILE_NAME = "file name"
MAX_POSITIONS = 1 << 26
_SCAN_NAME = re.compile(r"x(\d{1,9})_y(\d{1,9})(?=\.raw$)", re.IGNORECASE)
_SERIES_NAME = re.compile(r"series_x(\d{1,9})(?=\.raw$)", re.IGNORECASE)
_ORDER = (FILE_NAME, "pix", "acquire", "search", "scan", "series")


def shapes_said(path: Path, metadata: EmpadMetadata | None) -> dict[str, tuple[int, int]]:
    """Scan shapes (scan_y, scan_x) by who says so, in the order of their weight."""
    found: dict[str, tuple[int, int]] = {}
    if match := _SCAN_NAME.search(path.name):
        found[FILE_NAME] = (int(match.group(2)), int(match.group(1)))
    elif match := _SERIES_NAME.search(path.name):
        found[FILE_NAME] = (1, int(match.group(1)))
    if metadata is not None:
        found |= metadata.shapes
        if metadata.scan_type == "series" and metadata.series_count:
            found["series"] = (1, metadata.series_count)
    return {
        source: found[source]
        for source in _ORDER
        if source in found and 0 < min(found[source]) and _is_bearable(found[source])
    }


def decide_shape(
    path: Path, metadata: EmpadMetadata | None, n_records: int, flyback: int = 0
) -> tuple[tuple[int, int], bool]:
    """The scan shape, and whether the file holds the flyback frames of every line.

    Raises
    ------
    FileFormatError
        Nobody says a shape, those who do disagree, or the size belongs to none of them.
    """
    found = shapes_said(path, metadata)
    xml = metadata.path.name if metadata else "XML"
    names = {source: source if source == FILE_NAME else f"{source} entry of {xml}" for source in found}
    said = ", ".join(f"{shape[1]} x {shape[0]} (x, y) by the {names[who]}" for who, shape in found.items())
    if not found:
        raise FileFormatError(
            f"{path} has {n_records} records and neither its name nor an XML says the scan's shape. "
            "Name it like scan_x64_y128.raw, or put its XML beside it."
        )
    fitting = {who: shape for who, shape in found.items() if _fits(shape, n_records, flyback)}
    named = found.get(FILE_NAME)
    is_alone = (
        named is not None
        and len(found) > 1
        and named not in [found[who] for who in found if who != FILE_NAME]
    )
    is_denied = bool(fitting) and named is not None and named not in fitting.values()
    if len(set(fitting.values())) > 1 or is_alone or is_denied:
        raise FileFormatError(
            f"{path} has {n_records} records; {said}: name and XML disagree. "
            "Expected the same shape from both. Correct the file's name, or move the XML of another scan away."
        )
    shape = next(iter(fitting.values()), None) or _of_aborted(found, n_records)
    if shape is None:
        raise FileFormatError(
            f"{path} has {n_records} records; expected {said}. The file is incomplete, or its name or XML "
            "belongs to another scan. Copy the file again, or correct the name."
        )
    return shape, bool(flyback) and n_records == shape[0] * (shape[1] + flyback)


def _of_aborted(found: dict[str, tuple[int, int]], n_records: int) -> tuple[int, int] | None:
    """The weightiest shape of which the file can be the beginning: of a map, at least the first line."""
    for n_y, n_x in found.values():
        if n_records < n_y * n_x and (n_y == 1 or n_records >= n_x):
            return n_y, n_x
    return None


def _fits(shape: tuple[int, int], n_records: int, flyback: int) -> bool:
    return n_records in {shape[0] * shape[1], shape[0] * (shape[1] + flyback)}


def _is_bearable(shape: tuple[int, int]) -> bool:
    return max(shape) <= MAX_SIDE and shape[0] * shape[1] <= MAX_POSITIONS
