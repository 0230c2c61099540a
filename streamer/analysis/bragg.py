"""Bragg disks of a mean pattern: found, indexed, and made ready to be looked for in single patterns."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter, maximum_filter, median_filter

from streamer.analysis.preprocess import Aligned
from streamer.kernels.align import BLUR_PX2, windowed_centre
from streamer.kernels.disks import STEPS_PER_PX, make_patches, place_disks, sum_disks
from streamer.kernels.mask import SPOT_WINDOW_PX, radius_map, reference_centre
from streamer.kernels.spots import SpotPlan
from streamer.settings import AnalysisSettings

WINDOW_MARGIN_PX = 1.0
"""How much larger than the disks the windows are in which disks of a mean pattern are measured."""
REACH_PX = 2.5
"""How far past a disk's rim its pixels are looked at."""
BACKGROUND_SIGMA_PX = 4.0
MIN_EDGE_PX = 0.4
"""No detector shows a sharper rim: a pixel alone is a box with a standard deviation of 0.29 px."""
TOLERANCE_PX = 1.0
"""Most distance of a disk from the lattice that explains it."""
MIN_EXPLAINED = 0.8
"""Share of the disks' intensity that one lattice must explain, else the mean pattern is no single crystal."""
MIN_SPOTS = 4
MIN_SHARE = 0.02
"""Of the strongest disk: weaker ones are left out."""
SIGNIFICANCE = 10.0
_HEXAGONAL_TOLERANCE = 0.03


@dataclass(frozen=True)
class LeafLattice:
    """`basis_yx` (2, 2) px, a reduced basis of the reciprocal lattice, one vector a row; `plan` its disks."""

    basis_yx: NDArray[np.float64]
    plan: SpotPlan


def find_lattice(
    mean: NDArray[np.float64],
    aligned: Aligned,
    n_patterns: int,
    disk: NDArray[np.float64],
    settings: AnalysisSettings,
) -> LeafLattice | None:
    """Bragg disks of a mean pattern and the lattice they lie on; None where no single lattice explains them.

    Parameters
    ----------
    mean
        (det_y, det_x), aligned.
    aligned
        Outcome of the first pass.
    n_patterns
        How many patterns the mean is of.
    disk
        Of `direct_beam_profile`.
    settings
        Of the analysis.
    """
    shape = (mean.shape[0], mean.shape[1])
    radius_px = aligned.beam.radius_px
    window_px = radius_px + WINDOW_MARGIN_PX
    reference = reference_centre(shape)
    places = _disks(mean, aligned, n_patterns, settings)
    if len(places) < MIN_SPOTS:
        return None
    background = smooth_background(mean, places, window_px + 1.0)
    patterns = (mean - background).astype(np.float32)
    spots = np.array([_centre(patterns, place, window_px) for place in places])
    # A weak disk beside a strong one, or on a slope, runs away from where it was seen.
    stays = (spots[:, 2] > 0) & (np.linalg.norm(spots[:, :2] - places, axis=1) < radius_px)
    spots = spots[stays]
    if len(spots) < MIN_SPOTS:
        return None
    basis, explained = index_lattice(spots[:, :2] - reference, spots[:, 2])
    if basis is None:
        return None
    offsets = np.rint((spots[explained, :2] - reference) @ np.linalg.inv(basis)) @ basis
    return LeafLattice(basis, _spot_plan(offsets, spots[explained, 2], background, disk, aligned, settings))


def _disks(
    mean: NDArray[np.float64], aligned: Aligned, n_patterns: int, settings: AnalysisSettings
) -> NDArray[np.int64]:
    """Pixels (m, 2) at which a disk stands above its local background, and beyond the error of the mean."""
    shape = (mean.shape[0], mean.shape[1])
    radius_px = aligned.beam.radius_px
    # Of every second pixel: a background needs no more, and a median of 21 x 21 pixels is dear.
    coarse = median_filter(mean[::2, ::2], SPOT_WINDOW_PX // 2, mode="nearest")
    background = np.maximum(coarse, 0.0).repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]
    disk = np.clip(radius_px + 0.5 - radius_map((33, 33), np.array([16.0, 16.0])), 0.0, 1.0)
    disk = disk[np.ix_(disk.any(axis=1), disk.any(axis=0))]
    rise, under = convolve(mean - background, disk), convolve(background, disk)
    error = np.sqrt(convolve(aligned.variance, disk) / n_patterns)
    y, x = np.indices(shape)
    edge = aligned.largest_shift_px + settings.mask.border_px + radius_px + WINDOW_MARGIN_PX
    inside = (
        (radius_map(shape, reference_centre(shape)) > 2.5 * radius_px)
        & (np.minimum(y, shape[0] - 1 - y) > edge)
        & (np.minimum(x, shape[1] - 1 - x) > edge)
    )
    is_peak = rise == maximum_filter(rise, int(2 * np.ceil(radius_px) + 1))
    good = inside & is_peak & (rise > SIGNIFICANCE * error) & (rise > settings.lattice.min_contrast * under)
    strength = np.where(good, rise, 0.0)
    return np.argwhere(good & (strength >= MIN_SHARE * strength.max()))


def smooth_background(
    mean: NDArray[np.float64], places: NDArray[np.int64], disk_px: float
) -> NDArray[np.float64]:
    """What lies between and under the disks: the rotational mean, and what varies slowly about it.

    Parameters
    ----------
    mean
        (det_y, det_x).
    places
        (m, 2): centres of disks, px.
    disk_px
        Pixels nearer to one take no part.
    """
    shape = (mean.shape[0], mean.shape[1])
    keep = np.ones(shape)
    for place in places:
        keep[radius_map(shape, place) < disk_px] = 0.0
    radius = radius_map(shape, reference_centre(shape))
    nearest = np.rint(radius).astype(np.int64)
    counts = np.bincount(nearest.ravel(), weights=keep.ravel())
    sums = np.bincount(nearest.ravel(), weights=(mean * keep).ravel())
    there = counts > 0
    rings = np.interp(radius, np.flatnonzero(there), sums[there] / counts[there])
    weight = gaussian_filter(keep, BACKGROUND_SIGMA_PX)
    slow = gaussian_filter((mean - rings) * keep, BACKGROUND_SIGMA_PX)
    return rings + slow / np.maximum(weight, 1e-6)


def direct_beam_profile(aligned: Aligned) -> NDArray[np.float64]:
    """Shape of a disk as the detector sees it, from the direct beam of the mean pattern.

    Resampling blurred that one by a known amount, which is taken out: single frames are not resampled.

    Returns
    -------
    Against the distance from the centre in steps of 1 / `STEPS_PER_PX`, sum 1 over the detector's pixels.
    """
    shape = (aligned.mean.shape[0], aligned.mean.shape[1])
    distance = radius_map(shape, reference_centre(shape)).ravel()
    near = distance < aligned.beam.radius_px + REACH_PX
    distance, pattern = distance[near], aligned.mean.ravel()[near]
    candidates = [
        (radius_px, edge_px)
        for radius_px in aligned.beam.radius_px + np.arange(-1.0, 1.01, 0.1)
        for edge_px in np.arange(0.5, 2.01, 0.05)
    ]
    misfits = []
    for candidate in candidates:
        disk = _soft_disk(distance, *candidate)
        # Height and floor follow by linear regression: what they leave is the misfit.
        slope = np.cov(disk, pattern)[0, 1] / disk.var(ddof=1)
        misfits.append((pattern - slope * disk).var())
    radius_px, edge_px = candidates[int(np.argmin(misfits))]
    edge_px = np.sqrt(max(edge_px**2 - BLUR_PX2, MIN_EDGE_PX**2))
    steps = np.arange(int((radius_px + REACH_PX) * STEPS_PER_PX) + 1) / STEPS_PER_PX
    profile = _soft_disk(steps, radius_px, edge_px)
    return profile / _integral(2 * np.pi * steps * profile)


_ERFC_AT = np.linspace(-4.0, 4.0, 801)
_ERFC = np.array([math.erfc(x) for x in _ERFC_AT])


def _soft_disk(distance: NDArray[np.float64], radius_px: float, edge_px: float) -> NDArray[np.float64]:
    return 0.5 * np.interp((distance - radius_px) / (np.sqrt(2.0) * edge_px), _ERFC_AT, _ERFC)


def _integral(values: NDArray[np.float64]) -> float:
    """By the trapezoidal rule, in steps of 1 / `STEPS_PER_PX`."""
    return float(values.sum() - 0.5 * (values[0] + values[-1])) / STEPS_PER_PX


def _spot_plan(
    offsets_yx: NDArray[np.float64],
    masses: NDArray[np.float64],
    background: NDArray[np.float64],
    disk: NDArray[np.float64],
    aligned: Aligned,
    settings: AnalysisSettings,
) -> SpotPlan:
    """Tables of weights for disks of those intensities on that background (Poisson counts, in units of the gain)."""
    steps = np.arange(len(disk)) / STEPS_PER_PX
    slope = np.gradient(disk, steps)
    reference = reference_centre((background.shape[0], background.shape[1]))
    smooth = background.astype(np.float32)
    scores = np.zeros((len(masses), len(disk)), np.float32)
    information = np.empty(len(masses))
    places = reference + offsets_yx
    for s, mass in enumerate(np.maximum(masses, 1e-12)):
        floor = max(float(smooth[tuple(np.rint(places[s]).astype(int))]), 1e-3 * mass * disk[0])
        weight = -mass * slope / (mass * disk + floor)
        information[s] = _integral(np.pi * steps * weight * -mass * slope)
        scores[s, 1:] = weight[1:] / steps[1:]
    under = _sums_of(smooth, places, scores, aligned.beam.radius_px)
    return SpotPlan(
        offsets_yx, scores, under, information, aligned.beam.radius_px, float(settings.mask.border_px)
    )


def _sums_of(
    pattern: NDArray[np.float32], places: NDArray[np.float64], scores: NDArray[np.float32], disk_px: float
) -> NDArray[np.float64]:
    """What `place_disks` and `sum_disks` give for a pattern (m, 3); beyond its edges it goes on as it ends there."""
    margin = scores.shape[1] // STEPS_PER_PX + 2
    wide = np.pad(pattern, margin, mode="edge")
    patches = make_patches(len(scores), scores.shape[1], wide.shape[1])
    sums = np.empty((len(scores), 3))
    place_disks(wide.ravel(), wide.shape[1], places + margin, scores, patches, sums)
    sum_disks(places + margin, disk_px, patches, sums)
    return sums


def _centre(pattern: NDArray[np.float32], place: NDArray[np.int64], window_px: float) -> NDArray[np.float64]:
    found = np.empty(3)
    y, x = float(place[0]), float(place[1])
    for _ in range(4):
        windowed_centre(pattern, y, x, window_px, found)
        y, x = found[0], found[1]
    return found


def index_lattice(
    offsets_yx: NDArray[np.float64], masses: NDArray[np.float64]
) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
    """The coarsest lattice that explains most of the intensity, refined by least squares.

    Parameters
    ----------
    offsets_yx
        (m, 2) px, from the direct beam.
    masses
        (m,): how much each counts.

    Returns
    -------
    basis (2, 2), one vector a row, reduced; which offsets lie on it. None where they are too few.
    """
    order = np.argsort((offsets_yx**2).sum(axis=1), kind="stable")[:16]
    best, best_score = None, (0.0, 0.0)
    for n, i in enumerate(order):
        for j in order[n + 1 :]:
            pair = offsets_yx[[i, j]]
            area = abs(np.linalg.det(pair))
            if area < 0.3 * np.linalg.norm(pair[0]) * np.linalg.norm(pair[1]):
                continue
            off = offsets_yx - np.rint(offsets_yx @ np.linalg.inv(pair)) @ pair
            share = masses[(off**2).sum(axis=1) < TOLERANCE_PX**2].sum() / masses.sum()
            # Finer lattices explain chance positions too: a coarser one wins unless it explains clearly less.
            if (round(share, 1), area) > best_score:
                best, best_score = pair, (round(share, 1), area)
    nothing = np.zeros(len(offsets_yx), np.bool_)
    if best is None:
        return None, nothing
    basis, explained = np.asarray(best, np.float64), nothing
    for _ in range(3):
        indices = np.rint(offsets_yx @ np.linalg.inv(basis))
        off = offsets_yx - indices @ basis
        explained = ((off**2).sum(axis=1) < TOLERANCE_PX**2) & (indices != 0).any(axis=1)
        if explained.sum() < MIN_SPOTS or np.linalg.matrix_rank(indices[explained]) < 2:
            return None, nothing
        root = np.sqrt(masses[explained])[:, None]
        solution = np.linalg.lstsq(indices[explained] * root, offsets_yx[explained] * root, rcond=None)[0]
        basis = solution.astype(np.float64)
    if masses[explained].sum() < MIN_EXPLAINED * masses.sum():
        return None, nothing
    return _reduced(basis), explained


def _reduced(basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shortest two vectors of a lattice, at most 90 degrees apart, turning from x towards y."""
    a, b = basis
    while True:
        if a @ a > b @ b:
            a, b = b, a
        steps = np.rint((a @ b) / (a @ a))
        if steps == 0:
            break
        b = b - steps * a
    if a @ b < 0:
        b = -b
    return np.array([a, b]) if a[1] * b[0] - a[0] * b[1] > 0 else np.array([b, a])


def is_hexagonal(basis_yx: NDArray[np.float64]) -> bool:
    """Whether a reduced basis has equal sides, 60 degrees apart."""
    a, b = np.linalg.norm(basis_yx, axis=1)
    cosine = basis_yx[0] @ basis_yx[1] / (a * b)
    return bool(abs(a / b - 1) < _HEXAGONAL_TOLERANCE and abs(cosine - 0.5) < _HEXAGONAL_TOLERANCE)
