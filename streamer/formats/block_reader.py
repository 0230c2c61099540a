"""Scattered positions and single patterns, for every file that is read by blocks of neighbouring positions."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.model import ScanInfo
from streamer.wire.sequence import runs


class BlockReader(ABC):
    """Half of a `streamer.formats.scan_file.ScanFile`: what follows from its `read_block`."""

    info: ScanInfo

    @abstractmethod
    def read_block(self, start: int, stop: int, out: NDArray[Any]) -> NDArray[Any]:
        """See `ScanFile.read_block`."""

    def read_positions(self, scan_indices: NDArray[np.int64], out: NDArray[Any]) -> NDArray[Any]:
        """As `ScanFile.read_positions`; neighbours are read together."""
        done = 0
        for start, stop in runs(scan_indices):
            self.read_block(start, stop, out[done:])
            done += stop - start
        return out[:done]

    def pattern(self, scan_y: int, scan_x: int) -> NDArray[Any]:
        """One pattern (det_y, det_x), a copy. IndexError outside the scan."""
        n_y, n_x = self.info.scan_shape
        if not (0 <= scan_y < n_y and 0 <= scan_x < n_x):
            raise IndexError(f"Scan position ({scan_y}, {scan_x}) lies outside the scan of {n_y} x {n_x}.")
        out = np.empty((1, *self.info.detector_shape), self.info.dtype)
        return self.read_block(scan_y * n_x + scan_x, scan_y * n_x + scan_x + 1, out)[0]
