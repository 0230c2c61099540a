"""What every readable scan offers, whatever file it comes from: the one seam between files and analysis."""

from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamer.model import ScanInfo


@runtime_checkable
class ScanFile(Protocol):
    """A scan on disk, read by blocks of scan positions; nothing of the scan's size is ever in memory.

    Attributes
    ----------
    path
        The file that holds the frames.
    info
        Shapes, dtype, calibration.
    received
        (scan_y, scan_x) uint8: 0 missing, 1 stored, 2 stored with non-finite pixels.
    """

    path: Path
    info: ScanInfo
    received: NDArray[np.uint8]

    def refresh(self) -> None:
        """See what has been stored since the file was opened."""
        ...

    def read_block(self, start: int, stop: int, out: NDArray[Any]) -> NDArray[Any]:
        """Read the patterns of scan positions [start, stop) into the first rows of `out`.

        Parameters
        ----------
        start, stop
            Flat scan indices, C order.
        out
            (>= stop - start, det_y, det_x), the dtype of the scan.

        Returns
        -------
        NDArray
            ``out[: stop - start]``. What missing positions hold is undefined: consult `received`.
        """
        ...

    def read_positions(self, scan_indices: NDArray[np.int64], out: NDArray[Any]) -> NDArray[Any]:
        """Read the patterns of these flat scan indices into the first rows of `out`."""
        ...

    def pattern(self, scan_y: int, scan_x: int) -> NDArray[Any]:
        """One pattern (det_y, det_x), a copy. IndexError outside the scan."""
        ...

    def checksum(self) -> str:
        """Identity of the content, cheap enough to take at every analysis: "<algorithm>:<hex>"."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
