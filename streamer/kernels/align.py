"""Centre of mass of the direct beam, iterated on its small disk, and one resampling of the frame.

The shift estimate is iterated, not the frame: nothing is blurred twice (method, part 1). The resampling
weights are those of `shift_weights`: their noise gain and their blur do not depend on the sub-pixel shift,
so that drift leaves no trace in variances, labels or virtual images (decision 0007).
"""

import math

import numpy as np
from numba import njit

from streamer.kernels.flags import FASTMATH

BLUR_PX2 = 0.428
"""Second moment of the resampling weights in px², the same for every shift; see `shift_weights`."""
LOST_SHARE, FOUND_SHARE = 0.1, 0.5
"""Of the direct beam's usual intensity: below the first it is looked for, from the second it was found."""
WIDER, DISK_CONTRAST = 1.6, 2.0
"""A weak direct beam is there where the window is so many times as bright as the ring up to a wider one."""


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def shift_weights(fraction, out):
    """Four interpolation weights for a shift of `fraction` of a pixel, on neighbours -1, 0, 1, 2.

    Bilinear weights lower the noise variance by an amount that depends on the fraction (from 1 to 1/2 on
    each axis), which shows up as false clusters on featureless film. These four weights are chosen so that
    four sums are the same as for a fraction of 0 or reproduce polynomials: sum(w) = 1, sum(i w) = fraction,
    sum(i² w) = fraction² + `BLUR_PX2` and sum(w²) = constant.

    Parameters
    ----------
    fraction
        In [0, 1].
    out
        (4,) float32.
    """
    mirrored = fraction > 0.5
    f = 1.0 - fraction if mirrored else fraction
    s = BLUR_PX2
    noise_gain = (1.0 - s) * (1.0 - s) + 0.5 * s * s
    # Weights on -1, 0, 1 with the three moments, then t times (1, -3, 3, -1), which changes none of them.
    w0 = 0.5 * (f * f + s - f)
    w1 = 1.0 - f * f - s
    w2 = 0.5 * (f * f + s + f)
    a = 20.0
    b = 2.0 * (w0 - 3.0 * w1 + 3.0 * w2)
    c = w0 * w0 + w1 * w1 + w2 * w2 - noise_gain
    discriminant = max(b * b - 4.0 * a * c, 0.0)
    # The root that vanishes at f = 0; b is negative for every f in [0, 0.5].
    t = (-b - math.sqrt(discriminant)) / (2.0 * a)
    w0, w1, w2, w3 = w0 + t, w1 - 3.0 * t, w2 + 3.0 * t, -t
    if mirrored:
        w0, w1, w2, w3 = w3, w2, w1, w0
    out[0] = w0
    out[1] = w1
    out[2] = w2
    out[3] = w3


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def windowed_centre(frame, centre_y, centre_x, radius_px, out):
    """One centre-of-mass step on a disk whose rim falls off over one pixel.

    Parameters
    ----------
    frame
        (det_y, det_x).
    centre_y, centre_x
        Centre of the disk in px.
    radius_px
        Where the weight has fallen to a half.
    out
        (3,) float64: y, x, weighted intensity. The centre is unchanged where the intensity is not positive.
    """
    n_y, n_x = frame.shape
    first_y = max(0, math.floor(centre_y - radius_px - 1.0))
    last_y = min(n_y - 1, math.ceil(centre_y + radius_px + 1.0))
    first_x = max(0, math.floor(centre_x - radius_px - 1.0))
    last_x = min(n_x - 1, math.ceil(centre_x + radius_px + 1.0))
    rim = np.float32(radius_px + 0.5)
    nearest_dx = np.float32(first_x - centre_x)
    mass = 0.0
    moment_y = 0.0
    moment_x = 0.0
    for y in range(first_y, last_y + 1):
        dy = np.float32(y - centre_y)
        row = frame[y, first_x : last_x + 1]
        row_mass = np.float32(0.0)
        row_moment = np.float32(0.0)
        # Without a branch and in float32, so that the compiler uses SIMD.
        for i in range(row.shape[0]):
            dx = nearest_dx + np.float32(i)
            weight = rim - np.sqrt(dy * dy + dx * dx)
            value = min(max(weight, np.float32(0.0)), np.float32(1.0)) * np.float32(row[i])
            row_mass += value
            row_moment += value * dx
        mass += row_mass
        moment_y += row_mass * dy
        moment_x += row_moment
    out[2] = mass
    if mass > 0.0:
        out[0] = centre_y + moment_y / mass
        out[1] = centre_x + moment_x / mass
    else:
        out[0] = centre_y
        out[1] = centre_x


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def brightest_block(frame, out):
    """Centre of the brightest 4 x 4 block: where to start when the direct beam is not where it was expected.

    Parameters
    ----------
    frame
        (det_y, det_x).
    out
        (2,) float64: y, x.
    """
    n_y, n_x = frame.shape
    best = -np.inf
    out[0] = 0.5 * (n_y - 1)
    out[1] = 0.5 * (n_x - 1)
    for y in range(0, n_y - 3, 2):
        for x in range(0, n_x - 3, 2):
            total = 0.0
            for i in range(4):
                for j in range(4):
                    total += frame[y + i, x + j]
            if total > best:
                best = total
                out[0] = y + 1.5
                out[1] = x + 1.5


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def find_centre(frame, start_yx, radius_px, expected_mass, max_iterations, out):
    """Sub-pixel centre of the direct beam of one frame.

    Parameters
    ----------
    frame
        (det_y, det_x), finite.
    start_yx
        (2,) float64: where to begin, px.
    radius_px
        Radius of the window, a little larger than the disk.
    expected_mass
        Usual intensity in the window. A frame that shows less than a tenth of it there, and no disk either, is
        searched for a place that shows at least a half: a thick crystal may leave little in the direct beam,
        and a Bragg disk is not to be taken for it.
    max_iterations
        Most steps; steps end when they are shorter than 1e-4 px.
    out
        (3,) float64: y, x in px, weighted intensity.
    """
    y, x = start_yx[0], start_yx[1]
    windowed_centre(frame, y, x, radius_px, out)
    inside = out[2]
    if inside < LOST_SHARE * expected_mass:
        windowed_centre(frame, y, x, WIDER * radius_px, out)
        around = (out[2] - inside) / (WIDER * WIDER - 1.0)
        if inside < DISK_CONTRAST * around:
            brightest_block(frame, out)
            y, x = out[0], out[1]
            windowed_centre(frame, y, x, radius_px, out)
            if out[2] < FOUND_SHARE * expected_mass:
                y, x = start_yx[0], start_yx[1]
        windowed_centre(frame, y, x, radius_px, out)
    for _ in range(max_iterations - 1):
        step = abs(out[0] - y) + abs(out[1] - x)
        if step < 1e-4:
            break
        y, x = out[0], out[1]
        windowed_centre(frame, y, x, radius_px, out)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def split_shift(shift_y, shift_x, whole, weights):
    """A shift as whole pixels and interpolation weights.

    Parameters
    ----------
    shift_y, shift_x
        px.
    whole
        (2,) int64.
    weights
        (2, 4) float32, of `shift_weights`.
    """
    whole[0] = math.floor(shift_y)
    whole[1] = math.floor(shift_x)
    shift_weights(shift_y - whole[0], weights[0])
    shift_weights(shift_x - whole[1], weights[1])


@njit(cache=True, nogil=True)
def line_margin(n_x):
    """Room on either side of the scratch line of `resample_rows`; keeps its rows on cache lines."""
    return (n_x // 16 + 2) * 16


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def resample_rows(frame, whole, weights, first_row, last_row, line, out):
    """``out[y - first_row, x] = frame(y + shift_y, x + shift_x)`` for rows [first_row, last_row).

    Zero wherever one of the four by four pixels that would contribute lies outside the frame. Rows are
    taken as one flat loop: long loops of unit stride are what SIMD is good at; what was interpolated across
    the edge of two rows is set to zero afterwards.

    Parameters
    ----------
    frame
        (det_y, det_x), finite, any real dtype.
    whole, weights
        (2,) int64 and (2, 4) float32 of `split_shift`.
    first_row, last_row
        Rows of the outcome.
    line
        (n_rows * det_x + 2 * line_margin(det_x),) float32, scratch.
    out
        (n_rows * det_x,) float32.
    """
    n_y, n_x = frame.shape
    flat = frame.reshape(n_y * n_x)
    first = min(max(first_row, 1 - whole[0]), last_row)
    last = max(min(last_row, n_y - 2 - whole[0]), first)
    left = min(max(0, 1 - whole[1]), n_x)
    right = max(min(n_x, n_x - 2 - whole[1]), left)
    if first > first_row:
        out[: (first - first_row) * n_x] = 0.0
    if last < last_row:
        out[(last - first_row) * n_x :] = 0.0
    target = out[(first - first_row) * n_x : (last - first_row) * n_x]
    if left == right:
        target[:] = 0.0
        return
    n = target.shape[0]
    v0, v1, v2, v3 = weights[0, 0], weights[0, 1], weights[0, 2], weights[0, 3]
    top = (first + whole[0] - 1) * n_x
    a, b = flat[top : top + n], flat[top + n_x : top + n_x + n]
    c, d = flat[top + 2 * n_x : top + 2 * n_x + n], flat[top + 3 * n_x : top + 3 * n_x + n]
    # The margin before it takes the whole shift to the left, the one behind it that to the right.
    margin = line_margin(n_x)
    column = line[margin : margin + n]
    for k in range(n):
        column[k] = (
            v0 * np.float32(a[k]) + v1 * np.float32(b[k]) + v2 * np.float32(c[k]) + v3 * np.float32(d[k])
        )
    h0, h1, h2, h3 = weights[1, 0], weights[1, 1], weights[1, 2], weights[1, 3]
    at = margin + whole[1] - 1
    p, q, r, s = (
        line[at : at + n],
        line[at + 1 : at + 1 + n],
        line[at + 2 : at + 2 + n],
        line[at + 3 : at + 3 + n],
    )
    for k in range(n):
        target[k] = h0 * p[k] + h1 * q[k] + h2 * r[k] + h3 * s[k]
    for y in range(last - first):
        for x in range(left):
            target[y * n_x + x] = 0.0
        for x in range(right, n_x):
            target[y * n_x + x] = 0.0


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def align_frames(frames, centres_yx, reference_yx, out):
    """Move every frame so that its direct beam lies at the reference centre.

    Parameters
    ----------
    frames
        (n, det_y, det_x), finite.
    centres_yx
        (n, 2) float64, px; a frame whose centre is NaN comes out as zeros.
    reference_yx
        (2,) float64, px.
    out
        (n, det_y, det_x) float32.
    """
    n, n_y, n_x = frames.shape
    line = np.zeros(n_y * n_x + 2 * line_margin(n_x), np.float32)
    weights = np.empty((2, 4), np.float32)
    whole = np.empty(2, np.int64)
    for i in range(n):
        if np.isfinite(centres_yx[i, 0]) and np.isfinite(centres_yx[i, 1]):
            shift_y = centres_yx[i, 0] - reference_yx[0]
            shift_x = centres_yx[i, 1] - reference_yx[1]
            split_shift(shift_y, shift_x, whole, weights)
            resample_rows(frames[i], whole, weights, 0, n_y, line, out[i].reshape(n_y * n_x))
        else:
            out[i] = 0.0
