"""What the recorder takes frames from: the part of a ring's reader that it uses.

`receive` and `record` are siblings and do not import each other; the engine joins them.
"""

from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


class FrameBatch(Protocol):
    """Frames that are lent until they are released; see `streamer.receive.ring.FrameBatch`."""

    @property
    def frames(self) -> NDArray[Any]:
        """(n, det_y, det_x)."""
        ...

    @property
    def frame_indices(self) -> NDArray[np.int64]:
        """(n,) order at the detector."""
        ...

    @property
    def scan_indices(self) -> NDArray[np.int64]:
        """(n,) flat scan position, -1 for none."""
        ...


Batch = TypeVar("Batch", bound=FrameBatch)


class FrameReader(Protocol[Batch]):
    """A lossless reader; see `streamer.receive.ring.RingReader`."""

    def borrow(self, max_frames: int, timeout_s: float) -> Batch | None:
        """The oldest frames not read yet, or None."""
        ...

    def release(self, batch: Batch) -> None:
        """Give a batch back."""
        ...

    def detach(self) -> None:
        """Hold nobody back any more."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether nothing will come any more."""
        ...
