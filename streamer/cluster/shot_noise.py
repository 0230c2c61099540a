"""Shot noise of aligned patterns, and of what is made of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

from streamer.kernels.align import BLUR_PX2
from streamer.kernels.mask import FeatureMask

RESAMPLED_NOISE = ((1.0 - BLUR_PX2) ** 2 + 0.5 * BLUR_PX2**2) ** 2
"""Share of a pixel's variance that is left after resampling; see `shift_weights`."""
_RESAMPLING = (BLUR_PX2 / 2, 1.0 - BLUR_PX2, BLUR_PX2 / 2)
"""Weights along an axis with the blur and the noise of `shift_weights`, whatever the shift."""


def electron_gain(mean: NDArray[np.float64], variance: NDArray[np.float64]) -> float:
    """Detector units per electron, from mean and variance of aligned patterns where the specimen varies least."""
    there = (mean > 0) & (variance > 0)
    if not there.any():
        return 1.0
    return float(np.quantile(variance[there] / mean[there], 0.1)) / RESAMPLED_NOISE


@dataclass(frozen=True)
class FeatureNoise:
    """Shot noise of feature vectors, which neighbouring pixels share since they were resampled together.

    Attributes
    ----------
    mean, variance
        (det_y, det_x) of the aligned patterns.
    mask
        What makes features of them.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    mask: FeatureMask

    def __call__(
        self, directions: NDArray[np.float64], mean_features: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Variance (d,) along directions (d, n_features), for patterns with these mean features (n_features,)."""
        mean, pixels = self.mean.ravel().copy(), self.mask.pixels
        mean[pixels] = np.maximum(mean_features / self.mask.scale, 0.0)
        spread = np.zeros((len(directions), mean.size))
        spread[:, pixels] = directions * self.mask.scale
        spread = spread.reshape(-1, *self.mean.shape)
        for axis in (1, 2):
            spread = convolve1d(spread, _RESAMPLING, axis=axis, mode="constant")
        return electron_gain(self.mean, self.variance) * (spread.reshape(len(directions), -1) ** 2) @ mean
