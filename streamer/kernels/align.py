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
    mass = 0.0
    moment_y = 0.0
    moment_x = 0.0
    for y in range(first_y, last_y + 1):
        dy = y - centre_y
        for x in range(first_x, last_x + 1):
            dx = x - centre_x
            weight = radius_px + 0.5 - math.sqrt(dy * dy + dx * dx)
            if weight <= 0.0:
                continue
            value = min(weight, 1.0) * frame[y, x]
            mass += value
            moment_y += value * dy
            moment_x += value * dx
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
def find_centres(frames, start_yx, radius_px, expected_mass, max_iterations, usable, out):
    """Sub-pixel centre of the direct beam of every frame.

    Parameters
    ----------
    frames
        (n, det_y, det_x), finite.
    start_yx
        (2,) float64: where to begin, px.
    radius_px
        Radius of the window, a little larger than the disk.
    expected_mass
        Usual intensity in the window; a frame that shows less than half of it there is searched.
    max_iterations
        Most steps; steps end when they are shorter than 1e-4 px.
    usable
        (n,) bool; other frames get NaN.
    out
        (n, 2) float64, px.
    """
    found = np.empty(3)
    for i in range(frames.shape[0]):
        if not usable[i]:
            out[i, 0] = np.nan
            out[i, 1] = np.nan
            continue
        frame = frames[i]
        y, x = start_yx[0], start_yx[1]
        windowed_centre(frame, y, x, radius_px, found)
        if found[2] < 0.5 * expected_mass:
            brightest_block(frame, found)
            y, x = found[0], found[1]
        for _ in range(max_iterations):
            windowed_centre(frame, y, x, radius_px, found)
            step = abs(found[0] - y) + abs(found[1] - x)
            y, x = found[0], found[1]
            if step < 1e-4:
                break
        out[i, 0] = y
        out[i, 1] = x


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def resample(frame, shift_y, shift_x, row, weights, out):
    """``out[y, x] = frame(y + shift_y, x + shift_x)``; zero where that lies outside the frame.

    Parameters
    ----------
    frame
        (det_y, det_x), finite.
    shift_y, shift_x
        px.
    row
        (det_x + 3,) float32, scratch.
    weights
        (2, 4) float32, scratch.
    out
        (det_y, det_x) float32.
    """
    n_y, n_x = frame.shape
    whole_y = math.floor(shift_y)
    whole_x = math.floor(shift_x)
    shift_weights(shift_y - whole_y, weights[0])
    shift_weights(shift_x - whole_x, weights[1])
    v0, v1, v2, v3 = weights[0, 0], weights[0, 1], weights[0, 2], weights[0, 3]
    h0, h1, h2, h3 = weights[1, 0], weights[1, 1], weights[1, 2], weights[1, 3]
    # Column c of `row` is input column c + whole_x - 1; only those inside the frame are filled.
    first = max(0, 1 - whole_x)
    last = min(n_x + 3, n_x + 1 - whole_x)
    for y in range(n_y):
        top = y + whole_y - 1
        if top < 0 or top + 3 >= n_y or last <= first:
            out[y, :] = 0.0
            continue
        row[:] = 0.0
        # Slices of equal length: the compiler then sees plain unit-stride loops and uses SIMD.
        line = row[first:last]
        from_x = first + whole_x - 1
        to_x = last + whole_x - 1
        a, b = frame[top, from_x:to_x], frame[top + 1, from_x:to_x]
        c, d = frame[top + 2, from_x:to_x], frame[top + 3, from_x:to_x]
        for x in range(line.shape[0]):
            line[x] = v0 * a[x] + v1 * b[x] + v2 * c[x] + v3 * d[x]
        a, b, c, d = row[:n_x], row[1 : n_x + 1], row[2 : n_x + 2], row[3 : n_x + 3]
        target = out[y]
        for x in range(n_x):
            target[x] = h0 * a[x] + h1 * b[x] + h2 * c[x] + h3 * d[x]


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
    row = np.empty(frames.shape[2] + 3, np.float32)
    weights = np.empty((2, 4), np.float32)
    for i in range(frames.shape[0]):
        if np.isfinite(centres_yx[i, 0]) and np.isfinite(centres_yx[i, 1]):
            shift_y = centres_yx[i, 0] - reference_yx[0]
            shift_x = centres_yx[i, 1] - reference_yx[1]
            resample(frames[i], shift_y, shift_x, row, weights, out[i])
        else:
            out[i] = 0.0
