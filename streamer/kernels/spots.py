"""The lattice of every pattern: Bragg disks are placed by maximum likelihood, all of them at once.

Frames are taken as recorded, not resampled: the disks are looked for relative to the direct beam instead, and
nothing is blurred. One matrix deforms the lattice of a mean pattern into that of the frame; a single noisy disk
cannot wander off. For Poisson counts the derivative of the likelihood with respect to a disk's place is a sum of
intensities with weights that depend on the distance from its centre alone; those weights come as a table.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streamer.kernels.clean import mend_frame
from streamer.kernels.disks import STEPS_PER_PX, make_patches, place_disks, sum_disks
from streamer.kernels.flags import FASTMATH


class SpotPlan(NamedTuple):
    """Bragg disks of a mean pattern, and how they are looked for in the single ones.

    Attributes
    ----------
    offsets_yx
        (m, 2) float64 px, from the direct beam.
    scores
        (m, n_steps) float32: weight of a pixel by its distance from the disk's centre, in steps of
        1 / `STEPS_PER_PX`, divided by that distance; see `place_disks`.
    background
        (m, 3) float64: what `place_disks` and `sum_disks` give for the background alone.
    information
        (m,) float64: of a disk's place along an axis, 1 / px²; its inverse is the variance that shot noise allows.
    disk_px
        Radius within which a disk's intensity is summed.
    border_px
        Disks are left out where their table reaches nearer to the detector's edge.
    """

    offsets_yx: NDArray[np.float64]
    scores: NDArray[np.float32]
    background: NDArray[np.float64]
    information: NDArray[np.float64]
    disk_px: float
    border_px: float


class Lattices(NamedTuple):
    """Outcome, frame by frame; NaN where it was not measured.

    Attributes
    ----------
    matrix
        (n, 2, 2) float64: what turns the plan's offsets (y, x) into those of the frame.
    residual
        (n,) float64 px²: weighted mean square distance, along an axis, of the disks from the fitted lattice.
    mass
        (n,) float64: intensity of the disks without background.
    noise
        (n,) float64: intensity in the same places, background included.
    """

    matrix: NDArray[np.float64]
    residual: NDArray[np.float64]
    mass: NDArray[np.float64]
    noise: NDArray[np.float64]


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def fit_lattices(frames, rows, centres_yx, n_bad, defects, plan, rounds, mended, out):
    """Fit the plan's lattice, deformed, to frames.

    Parameters
    ----------
    frames
        (n, det_y, det_x) as recorded.
    rows
        (k,) int64: which of them.
    centres_yx
        (n, 2) float64 px: the direct beam of each; NaN: not usable.
    n_bad
        (n,) int64: bad pixels of each.
    defects
        (d,) int64: flat indices of pixels that are always mended.
    plan
        SpotPlan.
    rounds
        How often the windows are moved to where the fit says.
    mended
        (det_y, det_x) float32, scratch.
    out
        Lattices of n frames; only `rows` are written.
    """
    n_disks, n_steps = plan.scores.shape
    patches = make_patches(n_disks, n_steps, frames.shape[2])
    places_yx, found = np.full((n_disks, 2), np.nan), np.empty((n_disks, 3))
    matrix = np.empty((2, 2))
    for i in range(rows.shape[0]):
        row = rows[i]
        out.matrix[row] = np.nan
        out.residual[row] = np.nan
        out.mass[row] = np.nan
        out.noise[row] = np.nan
        if np.isnan(centres_yx[row, 0]):
            continue
        if n_bad[row] or defects.shape[0]:
            mend_frame(frames[row], defects, mended)
            ok, residual = _fit(mended, centres_yx[row], plan, rounds, patches, places_yx, found, matrix)
        else:
            ok, residual = _fit(frames[row], centres_yx[row], plan, rounds, patches, places_yx, found, matrix)
        if ok:
            out.matrix[row] = matrix
            out.residual[row] = residual
            sum_disks(places_yx, plan.disk_px, patches, found)
            out.mass[row], out.noise[row] = _intensity(places_yx, plan, found)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _fit(frame, centre_yx, plan, rounds, patches, places_yx, found, matrix):
    """The matrix of one frame, beginning with that of the plan; False where too few disks lie on the detector."""
    flat, n_y, n_x = frame.reshape(frame.size), frame.shape[0], frame.shape[1]
    patches.nearest[:] = -1
    matrix[0, 0] = matrix[1, 1] = 1.0
    matrix[0, 1] = matrix[1, 0] = 0.0
    ok, residual = True, 0.0
    for _ in range(rounds):
        _predict(n_y, n_x, centre_yx, plan, matrix, places_yx)
        place_disks(flat, n_x, places_yx, plan.scores, patches, found)
        ok, residual = _solve(centre_yx, plan, places_yx, found, matrix)
        if not ok:
            break
    return ok, residual


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _predict(n_y, n_x, centre_yx, plan, matrix, places_yx):
    """Where the disks of a deformed lattice are; NaN where that is too near to the detector's edge."""
    offsets_yx = plan.offsets_yx
    least = plan.border_px + (plan.scores.shape[1] - 1) / STEPS_PER_PX
    centre_y, centre_x = centre_yx[0], centre_yx[1]
    for s in range(offsets_yx.shape[0]):
        offset_y, offset_x = offsets_yx[s, 0], offsets_yx[s, 1]
        y = centre_y + (matrix[0, 0] * offset_y + matrix[0, 1] * offset_x)
        x = centre_x + (matrix[1, 0] * offset_y + matrix[1, 1] * offset_x)
        is_inside = least <= y <= n_y - 1 - least and least <= x <= n_x - 1 - least
        places_yx[s, 0] = y if is_inside else np.nan
        places_yx[s, 1] = x


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _solve(centre_yx, plan, places_yx, found, matrix):
    """Fit again to what `place_disks` found; False where that says nothing."""
    offsets_yx, background, information = plan.offsets_yx, plan.background, plan.information
    oyy = oyx = oxx = 0.0
    pyy = pyx = pxy = pxx = 0.0
    n_used = 0
    weight_sum = square_sum = 0.0
    for s in range(offsets_yx.shape[0]):
        if np.isnan(places_yx[s, 0]):
            continue
        offset_y, offset_x = offsets_yx[s, 0], offsets_yx[s, 1]
        w = information[s]
        place_y = places_yx[s, 0] - centre_yx[0] + (found[s, 0] - background[s, 0]) / w
        place_x = places_yx[s, 1] - centre_yx[1] + (found[s, 1] - background[s, 1]) / w
        oyy += w * offset_y * offset_y
        oyx += w * offset_y * offset_x
        oxx += w * offset_x * offset_x
        pyy += w * place_y * offset_y
        pyx += w * place_y * offset_x
        pxy += w * place_x * offset_y
        pxx += w * place_x * offset_x
        weight_sum += w
        square_sum += w * (place_y * place_y + place_x * place_x)
        n_used += 1
    determinant = oyy * oxx - oyx * oyx
    # Disks on one line, or two of them, fit any lattice.
    if n_used < 3 or not determinant > 1e-3 * oyy * oxx:
        return False, 0.0
    matrix[0, 0] = (pyy * oxx - pyx * oyx) / determinant
    matrix[0, 1] = (pyx * oyy - pyy * oyx) / determinant
    matrix[1, 0] = (pxy * oxx - pxx * oyx) / determinant
    matrix[1, 1] = (pxx * oyy - pxy * oyx) / determinant
    explained = matrix[0, 0] * pyy + matrix[0, 1] * pyx + matrix[1, 0] * pxy + matrix[1, 1] * pxx
    # Four numbers were fitted to two for each disk.
    residual = max(square_sum - explained, 0.0) / weight_sum * n_used / (2 * n_used - 4)
    return True, residual


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _intensity(places_yx, plan, found):
    """Of all disks that were looked at, without and with background."""
    background = plan.background
    mass = noise = 0.0
    for s in range(places_yx.shape[0]):
        if not np.isnan(places_yx[s, 0]):
            mass += found[s, 2] - background[s, 2]
            noise += found[s, 2]
    return mass, noise
