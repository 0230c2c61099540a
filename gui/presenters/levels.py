"""Brightness: percentile levels and linear, square-root or logarithmic scale, down to bytes to paint."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

LOW_PERCENT = 1.0
HIGH_PERCENT = 99.8
MAX_SAMPLES = 16384
KNEE_SHARE = 1e-3
"""The logarithm is straightened below this share of the upper level, so that read-out noise stays dark."""


class Scale(StrEnum):
    """How intensity becomes brightness."""

    LINEAR = "linear"
    SQRT = "sqrt"
    LOG = "log"


def percentile_levels(
    values: NDArray[np.floating], low: float = LOW_PERCENT, high: float = HIGH_PERCENT
) -> tuple[float, float]:
    """Levels between which the image is spread, from at most `MAX_SAMPLES` finite values.

    (0, 1) where nothing is finite; the upper level is always above the lower one.
    """
    flat = np.asarray(values).ravel()
    flat = flat[:: max(1, flat.size // MAX_SAMPLES)]
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 1.0
    lower, upper = (float(level) for level in np.percentile(flat, (low, high)))
    return lower, upper if upper > lower else lower + max(abs(lower) * 1e-6, 1e-6)


def to_bytes(values: NDArray[np.floating], lower: float, upper: float) -> NDArray[np.uint8]:
    """Values spread over 1..255; 0 is kept for "no value" (NaN), which is painted in the neutral colour."""
    spread = (np.asarray(values, dtype=np.float32) - np.float32(lower)) * np.float32(254.0 / (upper - lower))
    empty = np.isnan(spread)
    np.clip(spread, 0.0, 254.0, out=spread)
    spread[empty] = -1.0
    return (spread + 1.0).astype(np.uint8)


def image_bytes(values: NDArray[np.floating], scale: Scale = Scale.LINEAR) -> NDArray[np.uint8]:
    """An intensity image on the given scale, spread between its percentiles."""
    scaled = scaled_intensity(values, scale)
    return to_bytes(scaled, *percentile_levels(scaled))


def scaled_intensity(values: NDArray[np.floating], scale: Scale) -> NDArray[np.floating]:
    """Intensity on the scale that is shown; below zero (read-out noise) counts as zero, NaN stays."""
    if scale is Scale.LINEAR:
        return values
    positive = np.maximum(np.asarray(values, dtype=np.float32), np.float32(0.0))
    if scale is Scale.SQRT:
        return np.sqrt(positive)
    knee = np.float32(max(percentile_levels(positive)[1] * KNEE_SHARE, 1e-12))
    return np.log1p(positive / knee)
