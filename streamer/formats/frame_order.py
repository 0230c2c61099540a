"""Which frame of the detector belongs to a scan position."""

import numpy as np
from numpy.typing import NDArray

from streamer.model import ScanInfo, ScanOrder


def frame_indices_of(info: ScanInfo, scan_indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frame index of flat scan indices inside the scan, (n,) int64; see `streamer.receive.scan_map`."""
    scan_x = info.scan_shape[1]
    line, column = np.divmod(scan_indices, scan_x)
    if info.order is ScanOrder.SERPENTINE:
        column = np.where(line % 2 == 1, scan_x - 1 - column, column)
    return (info.skip_first + line * (scan_x + info.skip_per_line) + column).astype(np.int64)
