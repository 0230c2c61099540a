"""A simulated EMPAD-G2: a calibration folder with darks, and counts as the words that decode to them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

N_PIXELS = 128 * 128
ALWAYS_SET = np.uint32(1 << 30)
LOW_GAIN = np.uint32(1 << 31)


@dataclass(frozen=True)
class G2Detector:
    """Gains of two parities (2, n_pixels), and the folder that says them."""

    folder: Path
    dark: np.ndarray
    g1: np.ndarray
    g2: np.ndarray
    b2: np.ndarray

    def words(self, counts, first_frame=0, swap=False):
        """Words (n, 128, 128) of counts (n, 128, 128), to the nearest that there is."""
        flat = counts.reshape(len(counts), -1)
        out = np.empty(flat.shape, np.uint32)
        for i, values in enumerate(flat.astype(np.float64)):
            p = (first_frame + i + swap) % 2
            raw = values + self.dark[p]
            is_low = raw > 14000
            removals = np.where(is_low, np.floor(np.maximum(raw, 0) / self.g2[p]), 0.0)
            analog = np.where(is_low, self.b2[p] + (raw - removals * self.g2[p]) / self.g1[p], raw)
            out[i] = (
                np.clip(np.rint(analog), 0, 16383).astype(np.uint32)
                | removals.astype(np.uint32) << np.uint32(14)
                | ALWAYS_SET
                | np.where(is_low, LOW_GAIN, np.uint32(0))
            )
        return out.reshape(counts.shape)


def make_detector(folder: Path, seed=0, n_dark=32) -> G2Detector:
    rng = np.random.default_rng(seed)

    def maps(mean, spread):
        return rng.normal(mean, spread, (2, N_PIXELS)).astype(np.float32)

    dark = np.rint(np.array([[7844.0], [7878.0]]) + rng.normal(0, 21, (2, N_PIXELS)))
    detector = G2Detector(folder, dark, maps(18.5, 0.3), maps(1.05e5, 3e3), maps(7840, 200))
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in (("G1", detector.g1), ("G2", detector.g2), ("B2", detector.b2)):
        for half, letter in zip(values, "AB", strict=True):
            half.astype("<f4").tofile(folder / f"{name}{letter}_prelim.r32")
    detector.words(np.zeros((n_dark, 128, 128))).astype("<u4").tofile(folder / "dark_bkg.raw")
    return detector
