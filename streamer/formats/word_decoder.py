"""Words of an EMPAD-G2 as counts, frame by frame: which parity a frame has, and whether it is the right one.

The first forty frames or so after a start are read with offsets of their own (seen in all real files), so that
nothing is decided from them.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import FileFormatError
from streamer.formats.frame_order import frame_indices_of
from streamer.formats.g2_calibration import IS_WORD, N_PIXELS, G2Calibration
from streamer.kernels.empad_g2 import decode_words
from streamer.model import ScanInfo

SETTLED_AFTER = 64
"""Frames after which the detector's offsets are those of its darks."""
N_PAIRS = 32
_CLIP_ADU = 300.0
_CLEAR = 0.1


class ParityCheck:
    """Compares even with odd frames: their difference must be that of the darks, not its opposite."""

    def __init__(self, dark_mean: NDArray[np.float64]) -> None:
        difference = dark_mean[0] - dark_mean[1]
        self._expected = difference - difference.mean()
        self._slopes: list[float] = []

    @property
    def is_done(self) -> bool:
        """Whether enough pairs were seen."""
        return len(self._slopes) >= N_PAIRS

    @property
    def slope(self) -> float:
        """About 1 where parity is right, -1 where it is not; smaller where much signal lies over the darks."""
        return float(np.mean(self._slopes)) if self._slopes else 0.0

    def take(self, words: NDArray[np.uint32], frame_indices: NDArray[np.int64]) -> None:
        """Look at the pairs of an even frame and the next among these, until enough were seen."""
        first = (frame_indices[:-1] % 2 == 0) & (np.diff(frame_indices) == 1)
        for row in np.flatnonzero(first & (frame_indices[:-1] >= SETTLED_AFTER)):
            if self.is_done:
                return
            self._slopes.append(self._slope_of(words[row], words[row + 1]))

    def _slope_of(self, even: NDArray[np.uint32], odd: NDArray[np.uint32]) -> float:
        is_high = ((even | odd) >> np.uint32(31)) == 0
        found = (even & 0x3FFF).astype(np.float64)[is_high] - (odd & 0x3FFF)[is_high]
        if found.size < N_PIXELS // 4:
            return 0.0
        # Electrons stand far above what darks differ by.
        found = np.clip(found - np.median(found), -_CLIP_ADU, _CLIP_ADU)
        expected = self._expected[is_high]
        return float(found @ expected / max(expected @ expected, 1.0))


class WordDecoder:
    """Decodes frames of one scan; any thread.

    Parameters
    ----------
    info
        The scan, as its words come.
    calibration
        Of this detector.
    swap
        Whether even and odd frames change places; None: they do not, and `remark` says where they should.
    """

    def __init__(self, info: ScanInfo, calibration: G2Calibration, swap: bool | None) -> None:
        self._info, self.calibration = info, calibration
        self.swap = bool(swap)
        self.check = ParityCheck(calibration.dark_mean)
        self._is_asked = swap is not None
        self._own = threading.local()
        self._lock = threading.Lock()

    @property
    def remark(self) -> str:
        """What the operator should know; empty: all well."""
        sign = -1.0 if self.swap else 1.0
        if not self.check.is_done or self.check.slope * sign > -_CLEAR:
            return ""
        return (
            "Even and odd frames seem to have changed places: the counts have stripes. "
            f"Set detector.g2_swap_parity to {str(not self.swap).lower()}."
        )

    def frame_indices(self, scan_indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index at the detector of every frame, flyback counted, (n,)."""
        counted = self._info.metadata.get("g2_frames")
        if counted is None:
            return frame_indices_of(self._info, scan_indices)
        line, column = np.divmod(scan_indices, self._info.scan_shape[1])
        return int(counted[0]) + line * int(counted[1]) + column

    def decide_parity(self, words: NDArray[np.uint32], frame_indices: NDArray[np.int64]) -> None:
        """Choose the parity by a sample of the scan, where nobody has said it."""
        self.check.take(words.reshape(-1, N_PIXELS), frame_indices)
        if not self._is_asked and self.check.slope < -_CLEAR:
            self.swap = True

    def decode(self, words: NDArray[Any], scan_indices: NDArray[np.int64], out: NDArray[np.float32]) -> None:
        """Counts (n, det_y, det_x) of the words of these scan positions.

        Raises
        ------
        FileFormatError
            They are no words of an EMPAD-G2.
        """
        flat = np.ascontiguousarray(words).reshape(-1, N_PIXELS)
        if not self.check.is_done:
            self._look_at(flat, scan_indices)
        if not hasattr(self._own, "pairs"):
            self._own.pairs = np.empty(N_PIXELS // 2, np.uint16)
        parity = (self.frame_indices(scan_indices) + self.swap) % 2
        decode_words(flat, parity, self.calibration.maps, True, self._own.pairs, out.reshape(-1, N_PIXELS))

    def _look_at(self, words: NDArray[np.uint32], scan_indices: NDArray[np.int64]) -> None:
        if not (words & IS_WORD).all():
            raise FileFormatError(
                "The frames are no EMPAD-G2 words: bit 30 is not set everywhere. Expected words as the detector sends "
                "them. Leave the G2 calibration away for frames that are counts already."
            )
        with self._lock:
            self.check.take(words, self.frame_indices(scan_indices))
