"""The lattice of every pattern: Bragg disks are placed by maximum likelihood, all of them at once.

Frames are taken as recorded, not resampled: the disks are looked for relative to the direct beam instead, and
nothing is blurred. One matrix deforms the lattice of a mean pattern into that of the frame; a single noisy disk
cannot wander off. For Poisson counts the derivative of the likelihood with respect to a disk's place is a sum of
intensities with weights that depend on the distance from its centre alone; those weights come as a table.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streamer.kernels.clean import count_bad, mend_frame
from streamer.kernels.flags import FASTMATH

STEPS_PER_PX = 32
"""Of the tables of weights."""


class SpotPlan(NamedTuple):
    """Bragg disks of a mean pattern, and how they are looked for in the single ones.

    Attributes
    ----------
    offsets_yx
        (m, 2) float64 px, from the direct beam.
    scores
        (m, n_steps) float32: weight of a pixel by its distance from the disk's centre, in steps of
        1 / `STEPS_PER_PX`, divided by that distance; see `place_disk`.
    background
        (m, 3) float64: what `place_disk` gives for the background alone.
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
def fit_lattices(frames, rows, centres_yx, defects, max_bad, plan, rounds, mended, out):
    """Fit the plan's lattice, deformed, to frames.

    Parameters
    ----------
    frames
        (n, det_y, det_x) as recorded.
    rows
        (k,) int64: which of them.
    centres_yx
        (n, 2) float64 px: the direct beam of each; NaN: not usable.
    defects
        (d,) int64: flat indices of pixels that are always mended.
    max_bad
        Most bad pixels of a usable frame.
    plan
        SpotPlan.
    rounds
        How often the windows are moved to where the fit says.
    mended
        (det_y, det_x) float32, scratch.
    out
        Lattices of n frames; only `rows` are written.
    """
    found = np.empty(3)
    matrix = np.empty((2, 2))
    for i in range(rows.shape[0]):
        row = rows[i]
        out.matrix[row] = np.nan
        out.residual[row] = np.nan
        out.mass[row] = np.nan
        out.noise[row] = np.nan
        n_bad = count_bad(frames[row])
        if np.isnan(centres_yx[row, 0]) or n_bad > max_bad:
            continue
        if n_bad or defects.shape[0]:
            mend_frame(frames[row], defects, mended)
            ok, residual, mass, noise = _fit(mended, centres_yx[row], plan, rounds, matrix, found)
        else:
            ok, residual, mass, noise = _fit(frames[row], centres_yx[row], plan, rounds, matrix, found)
        if ok:
            out.matrix[row] = matrix
            out.residual[row] = residual
            out.mass[row] = mass
            out.noise[row] = noise


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def place_disk(frame, centre_y, centre_x, table, disk_px, out):
    """Weighted sums about the place where a disk is expected.

    Parameters
    ----------
    frame
        (det_y, det_x), finite.
    centre_y, centre_x
        px; the table's reach must lie on the detector.
    table
        (n_steps,) float32.
    disk_px
        Radius of the disk, with a rim that falls off over one pixel.
    out
        (3,) float64: sums of intensity times weight times distance along y and x; intensity in the disk.
    """
    reach = (table.shape[0] - 1) / STEPS_PER_PX
    total_y = 0.0
    total_x = 0.0
    mass = 0.0
    for y in range(math.ceil(centre_y - reach), math.floor(centre_y + reach) + 1):
        dy = y - centre_y
        # Only the pixels within reach of this row: a circle, not its square.
        half = math.sqrt(max(reach * reach - dy * dy, 0.0))
        first, last = math.ceil(centre_x - half), math.floor(centre_x + half)
        row = frame[y, first : last + 1]
        row_sum = np.float32(0.0)
        for i in range(row.shape[0]):
            dx = np.float32(first + i - centre_x)
            distance = math.sqrt(np.float32(dy * dy) + dx * dx)
            step = min(int(distance * np.float32(STEPS_PER_PX) + np.float32(0.5)), table.shape[0] - 1)
            value = np.float32(row[i]) * table[step]
            row_sum += value
            total_x += value * dx
            mass += row[i] * min(max(np.float32(disk_px + 0.5) - distance, np.float32(0.0)), np.float32(1.0))
        total_y += row_sum * dy
    out[0] = total_y
    out[1] = total_x
    out[2] = mass


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _fit(frame, centre_yx, plan, rounds, matrix, found):
    """The matrix of one frame, beginning with that of the plan."""
    matrix[0, 0] = matrix[1, 1] = 1.0
    matrix[0, 1] = matrix[1, 0] = 0.0
    ok = True
    residual = mass = noise = 0.0
    for _ in range(rounds):
        ok, residual, mass, noise = _one_round(frame, centre_yx[0], centre_yx[1], plan, matrix, found)
        if not ok:
            break
    return ok, residual, mass, noise


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _one_round(frame, centre_y, centre_x, plan, matrix, found):
    """Look about every disk's predicted place, fit again; False where too few lie on the detector."""
    n_y, n_x = frame.shape
    least = plan.border_px + (plan.scores.shape[1] - 1) / STEPS_PER_PX
    oyy = oyx = oxx = 0.0
    pyy = pyx = pxy = pxx = 0.0
    n_used = 0
    weight_sum = square_sum = mass_sum = noise_sum = 0.0
    for s in range(plan.offsets_yx.shape[0]):
        offset_y, offset_x = plan.offsets_yx[s, 0], plan.offsets_yx[s, 1]
        place_y = matrix[0, 0] * offset_y + matrix[0, 1] * offset_x
        place_x = matrix[1, 0] * offset_y + matrix[1, 1] * offset_x
        y, x = centre_y + place_y, centre_x + place_x
        if not (least <= y <= n_y - 1 - least and least <= x <= n_x - 1 - least):
            continue
        place_disk(frame, y, x, plan.scores[s], plan.disk_px, found)
        w = plan.information[s]
        place_y += (found[0] - plan.background[s, 0]) / w
        place_x += (found[1] - plan.background[s, 1]) / w
        oyy += w * offset_y * offset_y
        oyx += w * offset_y * offset_x
        oxx += w * offset_x * offset_x
        pyy += w * place_y * offset_y
        pyx += w * place_y * offset_x
        pxy += w * place_x * offset_y
        pxx += w * place_x * offset_x
        weight_sum += w
        square_sum += w * (place_y * place_y + place_x * place_x)
        mass_sum += found[2] - plan.background[s, 2]
        noise_sum += found[2]
        n_used += 1
    determinant = oyy * oxx - oyx * oyx
    # Disks on one line, or two of them, fit any lattice.
    if n_used < 3 or not determinant > 1e-3 * oyy * oxx:
        return False, 0.0, 0.0, 0.0
    matrix[0, 0] = (pyy * oxx - pyx * oyx) / determinant
    matrix[0, 1] = (pyx * oyy - pyy * oyx) / determinant
    matrix[1, 0] = (pxy * oxx - pxx * oyx) / determinant
    matrix[1, 1] = (pxx * oyy - pxy * oyx) / determinant
    explained = matrix[0, 0] * pyy + matrix[0, 1] * pyx + matrix[1, 0] * pxy + matrix[1, 1] * pxx
    # Four numbers were fitted to two for each disk.
    residual = max(square_sum - explained, 0.0) / weight_sum * n_used / (2 * n_used - 4)
    return True, residual, mass_sum, noise_sum
