"""What a sample of raw frames says before anything is aligned: defects, the direct beam, or that there is none.

Whole-array numpy, once a scan: the same decisions for the live pipeline and the analysis.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.kernels.align import find_centre
from streamer.kernels.clean import clean_frames, max_bad_pixels
from streamer.kernels.frame_pass import FramePass, frame_plan
from streamer.kernels.mask import WINDOW_MARGIN_PX, DirectBeam, find_direct_beam, radius_map

_OUTLIER = 8.0
"""A defect stands out of its eight neighbours by so many times their own differences, and by as much of the noise."""
_MIN_CONTRAST = 2.0
_MAX_WITHOUT_SHARE = 0.2
_ITERATIONS = 8


@dataclass(frozen=True)
class FirstLook:
    """Outcome.

    Attributes
    ----------
    beam
        The direct beam, or the fixed centre where there is none.
    aligned_mean
        (det_y, det_x) float64 of the sample, defects mended, direct beams put at the middle of the detector:
        what moments are best taken about.
    defects
        (m,) int64: flat indices of hot and dead pixels, ascending.
    automatic_radius_px
        Radius of the direct-beam disk as the sample shows it, whatever was given.
    remark
        A sentence where patterns are not centred by their own direct beam; else empty.
    """

    beam: DirectBeam
    aligned_mean: NDArray[np.float64]
    defects: NDArray[np.int64]
    automatic_radius_px: float
    remark: str


def look_at_sample(
    raw: NDArray,
    disk_radius_px: float | None = None,
    centre_yx: tuple[float, float] | None = None,
    follow: bool | None = None,
) -> FirstLook | None:
    """Defects and direct beam of a sample of frames; None where no frame is usable.

    Parameters
    ----------
    raw
        (n, det_y, det_x), any real dtype.
    disk_radius_px
        Known radius of the direct-beam disk; None: from the sample.
    centre_yx
        Known centre of the patterns, px; None: from the sample.
    follow
        Whether every pattern is centred by its own direct beam; None: if the sample shows one.
    """
    shape = (raw.shape[1], raw.shape[2])
    raw = np.ascontiguousarray(raw)
    patterns, n_bad = np.empty(raw.shape, np.float32), np.empty(len(raw), np.int64)
    max_bad = max_bad_pixels(shape)
    clean_frames(raw, max_bad, np.zeros(0, np.int64), patterns, n_bad)
    patterns = patterns[n_bad <= max_bad]
    if not len(patterns):
        return None
    defects = find_defects(patterns)
    if len(defects):
        clean_frames(patterns.copy(), max_bad, defects, patterns, n_bad[: len(patterns)])
    mean = patterns.mean(axis=0, dtype=np.float64)
    beam = find_direct_beam(mean.astype(np.float32))
    automatic_radius_px = beam.radius_px
    if disk_radius_px is not None:
        beam = find_direct_beam(mean.astype(np.float32), disk_radius_px)
    if centre_yx is not None:
        beam = replace(beam, centre_yx=centre_yx, mass=0.0)
    remark = ""
    if follow is False:
        beam = replace(beam, centre_yx=centre_yx or _middle(mean), is_followed=False)
        remark = "The centre of all patterns is fixed, by the settings."
    elif follow is None and centre_yx is None and (reason := _why_no_beam(beam, mean, patterns)):
        beam = replace(beam, centre_yx=_middle(mean), is_followed=False)
        remark = (
            f"No direct beam was found ({reason}): all patterns keep one centre, "
            f"y {beam.centre_yx[0]:.1f}, x {beam.centre_yx[1]:.1f} px. "
            "Where that is wrong, set alignment.centre_yx or alignment.follow."
        )
    return FirstLook(beam, _aligned_mean(patterns, beam), defects, automatic_radius_px, remark)


def find_defects(patterns: NDArray[np.float32]) -> NDArray[np.int64]:
    """Flat indices of hot pixels (mean or STD far beyond the neighbours') and dead ones (never change).

    Parameters
    ----------
    patterns
        (n, det_y, det_x), finite. Fewer than 16 say nothing: no defects.
    """
    if len(patterns) < 16:
        return np.zeros(0, np.int64)
    mean, std = patterns.mean(axis=0, dtype=np.float64), patterns.std(axis=0, dtype=np.float64)
    noise = float(np.median(std))
    is_hot = _stands_out(mean, noise) | _stands_out(std, noise)
    # Dead only where every neighbour changes from frame to frame: in the dark of a counting detector none does.
    changes = (patterns != patterns[:1]).mean(axis=0)
    is_dead = (changes == 0) & (_neighbours(changes).min(axis=0) >= 0.5)
    return np.flatnonzero(is_hot | is_dead)


def _neighbours(image: NDArray[np.floating]) -> NDArray[np.floating]:
    """The eight neighbours of every pixel, (8, y, x); beyond the edge its mirror image."""
    padded = np.pad(image, 1, mode="reflect")
    n_y, n_x = image.shape
    steps = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    return np.stack([padded[y : y + n_y, x : x + n_x] for y, x in steps])


def _stands_out(image: NDArray[np.floating], noise: float) -> NDArray[np.bool_]:
    near = _neighbours(image)
    middle = np.median(near, axis=0)
    contrast = np.abs(near - middle).max(axis=0)
    return image - middle > _OUTLIER * (contrast + noise)


def _aligned_mean(patterns: NDArray[np.float32], beam: DirectBeam) -> NDArray[np.float64]:
    shape = (patterns.shape[1], patterns.shape[2])
    frame_pass = FramePass(shape, frame_plan(beam, shape, _ITERATIONS, np.zeros(0, np.int64)))
    out, moments = frame_pass.outcome(len(patterns)), np.zeros((2, shape[0] * shape[1]))
    frame_pass.run(patterns, out, moments)
    return (moments[0] / max(np.isfinite(out.centres_yx[:, 0]).sum(), 1)).reshape(shape)


def _why_no_beam(beam: DirectBeam, mean: NDArray[np.float64], patterns: NDArray[np.float32]) -> str:
    """Why the brightest spot is no direct beam; empty where it is one."""
    radius = radius_map((mean.shape[0], mean.shape[1]), np.array(beam.centre_yx))
    inside = mean[radius <= beam.radius_px]
    around = mean[(radius > beam.radius_px + WINDOW_MARGIN_PX) & (radius <= 2 * beam.radius_px + 4)]
    if not inside.size or not around.size or beam.mass <= 0:
        return "nothing stands out of the background"
    # A ring around a beam stop, or a halo, goes on beside the spot; a disk does not.
    ratio = float(inside.mean() / max(np.percentile(around, 90), 1e-12))
    if ratio < _MIN_CONTRAST:
        return f"the brightest spot is only {ratio:.1f} times as bright as what lies around it"
    n_without = sum(not _shows(pattern, beam) for pattern in patterns)
    if n_without > _MAX_WITHOUT_SHARE * len(patterns):
        return f"the brightest spot is absent or elsewhere in {n_without} of {len(patterns)} patterns"
    return ""


def _shows(pattern: NDArray[np.float32], beam: DirectBeam) -> bool:
    """Whether a disk stands about where the direct beam is: weak where a thick crystal scatters most of it away."""
    found = np.empty(3)
    find_centre(pattern, np.array(beam.centre_yx), beam.window_px, 0.0, _ITERATIONS, found)
    if found[2] >= 0.5 * beam.mass:
        return True
    radius = radius_map((pattern.shape[0], pattern.shape[1]), found[:2])
    inside = pattern[radius <= beam.radius_px]
    around = pattern[(radius > beam.radius_px + WINDOW_MARGIN_PX) & (radius <= 2 * beam.radius_px + 4)]
    return bool(inside.size and around.size and inside.mean() > _MIN_CONTRAST * max(np.median(around), 1e-12))


def _middle(mean: NDArray[np.float64]) -> tuple[float, float]:
    """Centre of mass of a whole pattern, px: where a symmetric pattern behind a beam stop has its middle."""
    weight = np.maximum(mean - np.median(mean), 0.0)
    if weight.sum() <= 0:
        return (mean.shape[0] - 1) / 2, (mean.shape[1] - 1) / 2
    y, x = np.indices(mean.shape)
    return float((weight * y).sum() / weight.sum()), float((weight * x).sum() / weight.sum())
