"""NPY: an array of four axes, or of frames one after the other, read by position and never as a whole."""

from pathlib import Path

import numpy as np

from streamer.errors import FileFormatError
from streamer.formats.frame_stack import describe_stack, one_line
from streamer.formats.record_scan import RecordLayout, RecordScan

MAGIC = b"\x93NUMPY"


def open_npy(path: Path, scan_shape: tuple[int, int] | None) -> RecordScan:
    """A scan in an .npy file; see `streamer.formats.open_scan`.

    Raises
    ------
    FileFormatError
        Its head cannot be read, its axes are none of a scan, or it is cut short.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            reads = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, is_fortran, dtype = reads(file)
            offset = file.tell()
    except Exception as error:  # the head is a Python literal: whatever its parsing led to
        raise FileFormatError(f"{path} cannot be read as NPY: {one_line(error)}. Copy it again.") from None
    if len(shape) not in (3, 4) or is_fortran:
        order = "in Fortran order" if is_fortran else f"of {len(shape)} axes"
        raise FileFormatError(
            f"{path} holds an array {order}. Expected scan_y x scan_x x det_y x det_x in C order. "
            "Save numpy.ascontiguousarray of it anew."
        )
    info, n_frames = describe_stack(path, shape, dtype, scan_shape, {"format": "NPY"})
    record_bytes = dtype.itemsize * info.detector_shape[0] * info.detector_shape[1]
    n_there = (path.stat().st_size - offset) // record_bytes
    if n_there < n_frames:
        raise FileFormatError(
            f"{path} ends after {n_there} of {n_frames} frames. It was cut short: copy it again."
        )
    return RecordScan(path, info, RecordLayout(record_bytes, n_frames, offset=offset, dtype=dtype))
