"""Which detector pixels take part: the direct-beam disk, the ring, the feature pixels (method, part 2).

Whole-pattern numpy, a few calls a scan: the same decisions for the live pipeline and the analysis.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from streamer.kernels.align import brightest_block, windowed_centre

PUBLISHED_THRESHOLD = 0.30
"""Share of the largest STD in the ring above which a pixel is a feature (Shi et al. 2022)."""
WINDOW_MARGIN_PX = 2.0
"""How much larger the centre-of-mass window is than the disk."""
MIN_FEATURES = 16
FEATURES_OF_NOTHING = 512
NOISE_SHARE = 0.1
"""Largest share of the largest STD that shot noise may have for the published rule: a third of its threshold."""
SPOT_WINDOW_PX = 21
"""Side of the window whose median is a pixel's local background: several times a Bragg disk."""
SPOT_CONTRAST = 0.4
"""How far, in shares of the local background, the mean pattern rises where a Bragg disk is."""
RULES = ("auto", "std", "spots", "excess")
_SIGNIFICANCE = 5.0
_LEAST_NOISE_SHARE = 0.01
"""Of the brightest feature pixel's mean: below, read-out noise decides."""


@dataclass(frozen=True)
class DirectBeam:
    """The direct beam of a mean pattern.

    Attributes
    ----------
    centre_yx, radius_px
        Centre and disk radius, px.
    mass
        Intensity in the window.
    is_followed
        Whether every pattern is centred by its own direct beam; otherwise all have this centre.
    """

    centre_yx: tuple[float, float]
    radius_px: float
    mass: float
    is_followed: bool = True

    @property
    def window_px(self) -> float:
        """Radius of the centre-of-mass window."""
        return self.radius_px + WINDOW_MARGIN_PX


@dataclass(frozen=True)
class FeatureMask:
    """Ring and feature pixels, and how they were chosen.

    Attributes
    ----------
    ring, features
        (det_y, det_x) bool, True = use.
    rule
        "std" (the published rule); where shot noise comes near its threshold "spots" (pixels where the mean
        pattern stands above its local background, and those of "excess") or, without spots, "excess" (STD
        beyond shot noise); "brightest" (nothing stands out of the noise).
    scale
        (n_features,) float32: what intensities are multiplied by to make features, in the order of `pixels`.
    weighting
        "none" or "noise": what `scale` follows.
    """

    ring: NDArray[np.bool_]
    features: NDArray[np.bool_]
    inner_px: float
    outer_px: float
    threshold: float
    rule: str
    scale: NDArray[np.float32]
    weighting: str = "none"

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Flat indices of the feature pixels."""
        return np.flatnonzero(self.features)


def reference_centre(detector_shape: tuple[int, int]) -> NDArray[np.float64]:
    """Where the direct beam is put: the middle of the detector, (2,) px."""
    return (np.array(detector_shape, np.float64) - 1.0) / 2.0


def radius_map(detector_shape: tuple[int, int], centre_yx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of every detector pixel from a centre, (det_y, det_x) px."""
    y, x = np.indices(detector_shape)
    return np.hypot(y - centre_yx[0], x - centre_yx[1])


def radial_mean(pattern: NDArray[np.floating], centre_yx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotational (azimuthal) mean against radius; index = radius in whole px, up to the nearest edge."""
    radius = np.rint(radius_map((pattern.shape[0], pattern.shape[1]), centre_yx)).astype(np.int64).ravel()
    counts = np.bincount(radius)
    sums = np.bincount(radius, weights=pattern.ravel())
    edge = int(min(pattern.shape) // 2)
    return (sums / np.maximum(counts, 1))[:edge]


def find_direct_beam(mean_pattern: NDArray[np.float32], radius_px: float | None = None) -> DirectBeam:
    """Centre and disk radius of the direct beam of a mean pattern.

    The radius is where the radial profile falls to half of its plateau, unless given.
    """
    found = np.empty(3)
    brightest_block(mean_pattern, found)
    window = radius_px + WINDOW_MARGIN_PX if radius_px else min(mean_pattern.shape) / 8
    for attempt in range(2):
        for _ in range(20):
            windowed_centre(mean_pattern, found[0], found[1], window, found)
        if attempt == 0:
            radius_px = radius_px or _half_plateau(mean_pattern, found[:2])
            window = radius_px + WINDOW_MARGIN_PX
    return DirectBeam((float(found[0]), float(found[1])), float(radius_px or window), float(found[2]))


def _half_plateau(pattern: NDArray[np.float32], centre_yx: NDArray[np.float64]) -> float:
    radius = radius_map((pattern.shape[0], pattern.shape[1]), centre_yx)
    near = radius < min(pattern.shape) / 6
    order = np.argsort(radius[near], kind="stable")
    distance, value = radius[near][order], pattern[near][order]
    plateau = float(np.median(value[: max(5, int((distance < 1.5).sum()))]))
    below = np.flatnonzero(value < 0.5 * plateau)
    above = np.flatnonzero(value >= 0.5 * plateau)
    if not len(below) or not len(above):
        return 3.0
    # Pixels around the rim lie on both sides of the half; the area of those above is the steadiest measure.
    return float(max(1.5, np.sqrt(len(above) / np.pi)))


def usable_radius(detector_shape: tuple[int, int], largest_shift_px: float, border_px: int) -> float:
    """Largest radius around the reference centre that neither border nor padding nor weights reach, px."""
    return (min(detector_shape) - 1) / 2 - border_px - float(np.ceil(largest_shift_px)) - 2.0


def choose_ring(
    radial_std: NDArray[np.float64], disk_radius_px: float, limit_px: float
) -> tuple[float, float]:
    """Inner and outer radius, px: past the direct beam's own fluctuation, before border and padding.

    Inner: where the smoothed curve first stops falling beyond the disk.
    """
    smooth = np.convolve(np.pad(radial_std, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    first = int(np.ceil(disk_radius_px + WINDOW_MARGIN_PX))
    last = max(first + 1, int(min(limit_px, len(smooth) - 1) * 0.5))
    inner = last
    for radius in range(first, min(last, len(smooth) - 1)):
        if smooth[radius + 1] >= smooth[radius]:
            inner = radius
            break
    return float(inner), float(max(limit_px, inner + 1))


def choose_features(
    mean_pattern: NDArray[np.float64],
    variance: NDArray[np.float64],
    n_patterns: int,
    ring: NDArray[np.bool_],
    max_features: int,
    threshold: float | None,
    rule: str = "auto",
) -> tuple[NDArray[np.bool_], float, str]:
    """Feature pixels inside the ring.

    Order of "auto": 1. the published rule, STD above a share of the largest, where shot noise stays well below
    and not more than `max_features` pixels pass; 2. Bragg disks in the mean pattern with whatever varies beyond
    shot noise; 3. the same share of the STD in excess of shot noise, of pixels where the excess is significant;
    4., where nothing stands out, the brightest. A rule that finds too few pixels gives way to the next. The
    strongest are kept where there are too many.

    Parameters
    ----------
    mean_pattern, variance
        (det_y, det_x), over the aligned patterns.
    n_patterns
        How many those are.
    ring
        (det_y, det_x) bool.
    max_features
        Cap.
    threshold
        Share of the largest STD; None: 0.30. Given by hand, "auto" means "std".
    rule
        One of `RULES`.

    Returns
    -------
    mask (det_y, det_x) bool, threshold, rule
    """
    share = PUBLISHED_THRESHOLD if threshold is None else threshold
    std = np.where(ring, np.sqrt(np.maximum(variance, 0.0)), 0.0)
    published = std > share * std.max()  # 1.
    inside = ring & (mean_pattern > 0) & (variance > 0)
    if rule == "std" or (rule == "auto" and threshold is not None):
        return _strongest(published, std, max_features), share, "std"
    is_quiet = inside.any() and np.median(std[inside]) < NOISE_SHARE * std.max()
    if rule == "auto" and is_quiet and MIN_FEATURES <= published.sum() <= max_features:
        return published, share, "std"
    excess, significant = _beyond_shot_noise(mean_pattern, variance, inside)
    varying = significant & (excess > share**2 * excess.max(initial=0.0))
    if rule in ("auto", "spots"):  # 2.
        spots = _bragg_disks(mean_pattern, variance, n_patterns, inside)
        if spots.sum() >= MIN_FEATURES:
            return _strongest(spots | varying, std, max_features), share, "spots"
    if varying.sum() >= MIN_FEATURES:  # 3.
        return _strongest(varying, excess, max_features), share, "excess"
    # 4. Nothing stands out. Not chosen by variance: that would pick the pixels that fluctuated most by chance.
    return _strongest(inside, mean_pattern, min(max_features, FEATURES_OF_NOTHING)), share, "brightest"


def _bragg_disks(
    mean_pattern: NDArray[np.float64],
    variance: NDArray[np.float64],
    n_patterns: int,
    inside: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Pixels where the mean pattern stands above its local background, and beyond the error of the mean."""
    background = np.maximum(median_filter(mean_pattern, SPOT_WINDOW_PX, mode="nearest"), 0.0)
    rise = mean_pattern - background
    error = np.sqrt(np.maximum(variance, 0.0) / max(n_patterns, 1))
    return inside & (rise > SPOT_CONTRAST * background) & (rise > _SIGNIFICANCE * error)


def _beyond_shot_noise(
    mean_pattern: NDArray[np.float64], variance: NDArray[np.float64], inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Variance in excess of shot noise (proportional to the mean), and where it stands out of the ring's scatter.

    Most pixels of the ring show shot noise alone, so medians give its level and its scatter.
    """
    excess = np.zeros_like(variance)
    if not inside.any():
        return excess, inside
    excess[inside] = (
        variance[inside] - np.median(variance[inside] / mean_pattern[inside]) * mean_pattern[inside]
    )
    relative = np.zeros_like(variance)
    relative[inside] = excess[inside] / variance[inside]
    scatter = 1.4826 * np.median(np.abs(relative[inside] - np.median(relative[inside])))
    return excess, inside & (relative > _SIGNIFICANCE * scatter)


def _strongest(
    mask: NDArray[np.bool_], strength: NDArray[np.float64], max_features: int
) -> NDArray[np.bool_]:
    if mask.sum() <= max_features:
        return mask
    order = np.argsort(np.where(mask, -strength, np.inf).ravel(), kind="stable")
    kept = np.zeros(mask.size, np.bool_)
    kept[order[:max_features]] = True
    return kept.reshape(mask.shape)


def decide_mask(
    mean_pattern: NDArray[np.float64],
    variance: NDArray[np.float64],
    n_patterns: int,
    disk_radius_px: float,
    limit_px: float,
    inner_px: float | None,
    outer_px: float | None,
    threshold: float | None,
    max_features: int,
    rule: str = "auto",
    weighting: str = "auto",
) -> FeatureMask:
    """Ring and feature pixels from running statistics; values given by hand win over the automatic ones."""
    shape = (mean_pattern.shape[0], mean_pattern.shape[1])
    reference = reference_centre(shape)
    std = np.sqrt(np.maximum(variance, 0.0))
    auto_inner, auto_outer = choose_ring(radial_mean(std, reference), disk_radius_px, limit_px)
    inner = auto_inner if inner_px is None else inner_px
    outer = auto_outer if outer_px is None else outer_px
    radius = radius_map(shape, reference)
    ring = (radius >= inner) & (radius < outer)
    features, used, chosen = choose_features(
        mean_pattern, variance, n_patterns, ring, max_features, threshold, rule
    )
    by_noise = weighting == "noise" or (weighting == "auto" and chosen != "std")
    scale = noise_scale(mean_pattern[features]) if by_noise else np.ones(int(features.sum()), np.float32)
    return FeatureMask(ring, features, inner, outer, used, chosen, scale, "noise" if by_noise else "none")


def noise_scale(means: NDArray[np.float64]) -> NDArray[np.float32]:
    """What makes shot noise equal in all feature pixels, (n_features,) with median 1.

    K-means weighs every direction alike. Where noise decides, a bright pixel then counts for more than it tells;
    divided by the root of its mean, differences count by their significance, as for a linear discriminant.
    """
    if means.size == 0 or means.max() <= 0:
        return np.ones(means.size, np.float32)
    noise = np.sqrt(np.maximum(means, _LEAST_NOISE_SHARE * means.max()))
    return (np.median(noise) / noise).astype(np.float32)


def detector_weights(
    shape: tuple[int, int], bright_px: float, ring: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Weights (2, det_y * det_x) of the virtual bright field (disk) and annular dark field (ring)."""
    disk = radius_map(shape, reference_centre(shape)) <= bright_px
    return np.stack([disk.ravel(), ring.ravel()]).astype(np.float32)
