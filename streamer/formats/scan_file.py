"""What every readable scan offers, whatever file it comes from: the one seam between files and analysis."""

from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamer.errors import SettingsError
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


class RegionOfScan:
    """A scan of which only a rectangle counts: other positions are as if they had never been stored."""

    def __init__(self, scan: ScanFile, roi: tuple[int, int, int, int]) -> None:
        """`roi`: first row, row after the last, first column, column after the last.

        Raises
        ------
        SettingsError
            The rectangle is empty or does not lie within the scan.
        """
        first_y, last_y, first_x, last_x = roi
        n_y, n_x = scan.info.scan_shape
        if not (0 <= first_y < last_y <= n_y and 0 <= first_x < last_x <= n_x):
            raise SettingsError(
                f"Region {first_y}:{last_y},{first_x}:{last_x} does not lie within the scan. Expected rows 0:{n_y} and "
                f"columns 0:{n_x} or a part of them. Choose another region."
            )
        self._scan = scan
        self.path, self.info = scan.path, scan.info
        self.received = np.zeros_like(scan.received)
        inside = np.s_[first_y:last_y, first_x:last_x]
        self.received[inside] = scan.received[inside]

    def refresh(self) -> None:
        """Positions stored since are not added: the region is that of the moment it was chosen."""

    def read_block(self, start: int, stop: int, out: NDArray[Any]) -> NDArray[Any]:
        """As the scan's."""
        return self._scan.read_block(start, stop, out)

    def read_positions(self, scan_indices: NDArray[np.int64], out: NDArray[Any]) -> NDArray[Any]:
        """As the scan's."""
        return self._scan.read_positions(scan_indices, out)

    def pattern(self, scan_y: int, scan_x: int) -> NDArray[Any]:
        """As the scan's."""
        return self._scan.pattern(scan_y, scan_x)

    def checksum(self) -> str:
        """Of the whole scan."""
        return self._scan.checksum()

    def close(self) -> None:
        """Nothing: the scan belongs to whoever opened it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
