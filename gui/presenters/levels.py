"""Brightness: percentile levels and linear, square-root or logarithmic scale, down to bytes to paint."""

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOW_PERCENT = 1.0
HIGH_PERCENT = 99.8
PATTERN_PERCENT = 99.7
"""Of diffraction patterns: few pixels are the direct beam, and the spots around it are what one looks at."""
MAX_SAMPLES = 4096
KNEE_SHARE = 1e-3
"""The logarithm is straightened below this share of the upper level, so that read-out noise stays dark."""


class Scale(StrEnum):
    """How intensity becomes brightness."""

    LINEAR = "linear"
    SQRT = "sqrt"
    LOG = "log"


def percentile_levels(
    values: NDArray[Any], low: float = LOW_PERCENT, high: float = HIGH_PERCENT
) -> tuple[float, float]:
    """Levels between which the image is spread, from at most about `MAX_SAMPLES` of the finite values.

    (0, 1) where nothing is finite; the upper level is always above the lower one.
    """
    flat = np.asarray(values).ravel()
    # An odd step: an even one would see only some columns of an image whose width is a power of two.
    flat = flat[:: max(1, flat.size // MAX_SAMPLES) | 1]
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 1.0
    ranks = [round((flat.size - 1) * percent / 100) for percent in (low, high)]
    lower, upper = (float(level) for level in np.partition(flat, ranks)[ranks])
    return lower, upper if upper > lower else lower + max(abs(lower) * 1e-6, 1e-6)


def pattern_levels(values: NDArray[Any]) -> tuple[float, float]:
    """Levels of a diffraction pattern: the direct beam may be over-exposed."""
    return percentile_levels(values, high=PATTERN_PERCENT)


def pattern_bytes(values: NDArray[Any], scale: Scale) -> NDArray[np.uint8]:
    """A diffraction pattern on the given scale, between its levels."""
    return image_bytes(values, scale, pattern_levels(values))


def to_bytes(values: NDArray[Any], lower: float, upper: float) -> NDArray[np.uint8]:
    """Values spread over 1..255; 0 is kept for "no value" (NaN), which is painted in the neutral colour."""
    spread = np.subtract(values, np.float32(lower), dtype=np.float32)
    spread *= np.float32(254.0 / (upper - lower))
    empty = np.isnan(spread)
    np.clip(spread, 0.0, 254.0, out=spread)
    spread[empty] = -1.0
    spread += 1.0
    return spread.astype(np.uint8)


def symmetric_levels(values: NDArray[Any]) -> tuple[float, float]:
    """Levels as far below zero as above it, so that the middle of a diverging colour map is zero."""
    lower, upper = percentile_levels(values, 100 - HIGH_PERCENT, HIGH_PERCENT)
    reach = max(abs(lower), abs(upper))
    return -reach, reach


def image_bytes(
    values: NDArray[Any], scale: Scale = Scale.LINEAR, levels: tuple[float, float] | None = None
) -> NDArray[np.uint8]:
    """An intensity image on the given scale, spread between `levels`, or its percentiles where none are given.

    On the other scales what lies below zero (read-out noise) counts as zero. Every scale is monotonic, so
    its levels are those of the intensity, scaled.
    """
    lower, upper = levels or percentile_levels(values)
    if scale is Scale.LINEAR:
        return to_bytes(values, lower, upper)
    positive = np.maximum(np.asarray(values, dtype=np.float32), np.float32(0.0))
    bounds = np.array([max(lower, 0.0), max(upper, 1e-12)], dtype=np.float32)
    if scale is Scale.LOG:
        knee = bounds[1] * np.float32(KNEE_SHARE)
        scaled, ends = np.log1p(positive / knee), np.log1p(bounds / knee)
    else:
        scaled, ends = np.sqrt(positive), np.sqrt(bounds)
    return to_bytes(scaled, float(ends[0]), float(max(ends[1], ends[0] + 1e-6)))
