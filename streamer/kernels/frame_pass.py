"""The pass over every frame, fused: main memory is read once, everything else happens in the cache.

    bad pixels -> centre of the direct beam -> resampled tiles -> moments, virtual detectors, features, bins

Frames go through in groups of four, in tiles of about a thousand pixels: one tile of the four frames and of
every accumulator stands in the first-level cache at a time, and each accumulator is read and written once
for four frames. Sums of a block of frames are float32, merged into float64 (good to 1e-7, and so fast that
memory is the limit).
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from streamer.kernels.align import find_centre, line_margin, resample_rows, split_shift, windowed_centre
from streamer.kernels.clean import count_bad, max_bad_pixels, mend_frame
from streamer.kernels.flags import FASTMATH
from streamer.kernels.mask import DirectBeam, reference_centre
from streamer.kernels.virtual import VirtualDetectors, add_virtual, virtual_detectors

GROUP_FRAMES = 4
TILE_PIXELS = 1024
BLOCK_FRAMES = 64
"""Most frames whose sums are kept in float32."""


class FramePlan(NamedTuple):
    """How frames are cleaned and aligned.

    Attributes
    ----------
    start_yx, reference_yx
        (2,) float64 px: where the direct beam is looked for, and where it is put.
    window_px, expected_mass, max_iterations
        Of `find_centre`; no iterations: every frame has its centre at `start_yx`.
    max_bad
        Most bad pixels of a usable frame.
    defects
        (m,) int64: flat indices of detector pixels that are always mended.
    measure
        Find centres and add to the moments; otherwise centres are taken as they stand in the outcome.
    """

    start_yx: NDArray[np.float64]
    reference_yx: NDArray[np.float64]
    window_px: float
    expected_mass: float
    max_iterations: int
    max_bad: int
    defects: NDArray[np.int64]
    measure: bool


class Wanted(NamedTuple):
    """What is taken from aligned patterns.

    Attributes
    ----------
    near_mean
        (n_pixels,) float32: moments are taken about it, which takes the cancellation out of the variance.
    detectors
        Virtual detectors.
    pixels
        (n_features,) int64, ascending: flat indices of the feature pixels.
    scale
        (n_features,) float32: what their intensities are multiplied by.
    bins, signs
        (n,) int64 and float32 for the frames of one call: row of `binned` that a pattern is added to, and
        with which sign; a negative row: none.
    """

    near_mean: NDArray[np.float32]
    detectors: VirtualDetectors
    pixels: NDArray[np.int64]
    scale: NDArray[np.float32]
    bins: NDArray[np.int64]
    signs: NDArray[np.float32]


class Measured(NamedTuple):
    """Outcome, frame by frame; rows of frames that are not usable are NaN.

    Attributes
    ----------
    n_bad
        (n,) int64 bad pixels.
    centres_yx
        (n, 2) float64 px.
    residual_yx
        (n, 2) float64 px: direct beam of the aligned pattern from the reference; (0, 2): not asked for.
    virtual
        (n, n_detectors) float32.
    features
        (n, n_features) float32.
    """

    n_bad: NDArray[np.int64]
    centres_yx: NDArray[np.float64]
    residual_yx: NDArray[np.float64]
    virtual: NDArray[np.float32]
    features: NDArray[np.float32]


class FrameRoom(NamedTuple):
    """Scratch of one thread; see `make_room`."""

    mended: NDArray[np.float32]
    tiles: NDArray[np.float32]
    line: NDArray[np.float32]
    whole: NDArray[np.int64]
    weights: NDArray[np.float32]
    frame_of: NDArray[np.int64]
    is_mended: NDArray[np.bool_]
    sums: NDArray[np.float32]
    strip: NDArray[np.float32]
    found: NDArray[np.float64]


def make_room(detector_shape: tuple[int, int]) -> FrameRoom:
    """Scratch for frames of one shape; one for each thread."""
    n_y, n_x = detector_shape
    tile = tile_pixels(detector_shape)
    return FrameRoom(
        aligned_empty((GROUP_FRAMES, n_y, n_x), np.float32),
        aligned_empty((GROUP_FRAMES, tile), np.float32),
        aligned_empty((n_y * n_x + 2 * line_margin(n_x),), np.float32),
        np.empty((GROUP_FRAMES, 2), np.int64),
        np.empty((GROUP_FRAMES, 2, 4), np.float32),
        np.empty(GROUP_FRAMES, np.int64),
        np.empty(GROUP_FRAMES, np.bool_),
        aligned_empty((2, n_y * n_x), np.float32),
        aligned_empty((n_y, n_x), np.float32),
        np.empty(3),
    )


def tile_pixels(detector_shape: tuple[int, int]) -> int:
    """Pixels of a tile: whole rows."""
    return max(1, TILE_PIXELS // detector_shape[1]) * detector_shape[1]


def detectors_of(weights: NDArray[np.float32], detector_shape: tuple[int, int]) -> VirtualDetectors:
    """Virtual detectors of weights (n_detectors, n_pixels), for many passes over frames of this shape."""
    return virtual_detectors(weights, tile_pixels(detector_shape))


def aligned_empty(shape: tuple[int, ...], dtype: type) -> NDArray:
    """Zeros whose first byte begins a cache line: vector loads then never touch two."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(n_bytes + 64, np.uint8)
    first = -memory.ctypes.data % 64
    return memory[first : first + n_bytes].view(dtype).reshape(shape)


def frame_plan(
    beam: DirectBeam,
    detector_shape: tuple[int, int],
    max_iterations: int,
    defects: NDArray[np.int64],
    measure: bool = True,
) -> FramePlan:
    """The plan for a direct beam; one that is not followed puts every frame's centre at its own."""
    return FramePlan(
        np.array(beam.centre_yx, np.float64),
        reference_centre(detector_shape),
        float(beam.window_px),
        float(beam.mass),
        max_iterations if beam.is_followed else 0,
        max_bad_pixels(detector_shape),
        defects,
        measure,
    )


class FramePass:
    """`measure_frames` with its scratch, for one thread.

    Parameters
    ----------
    detector_shape
        Of the frames.
    plan
        How frames are cleaned and aligned.
    near_mean, detectors, pixels
        As in `Wanted`, detectors also as their weights; None: zeros, no virtual detectors, no features.
    room
        Scratch to use again; None: new.
    scale
        As in `Wanted`; None: ones.
    """

    def __init__(
        self,
        detector_shape: tuple[int, int],
        plan: FramePlan,
        near_mean: NDArray[np.floating] | None = None,
        detectors: VirtualDetectors | NDArray[np.float32] | None = None,
        pixels: NDArray[np.int64] | None = None,
        room: FrameRoom | None = None,
        scale: NDArray[np.float32] | None = None,
    ) -> None:
        n_pixels = detector_shape[0] * detector_shape[1]
        self.plan, self.room = plan, room or make_room(detector_shape)
        self._near = np.zeros(n_pixels, np.float32) if near_mean is None else near_mean.astype(np.float32)
        if detectors is None:
            detectors = np.zeros((0, n_pixels), np.float32)
        if isinstance(detectors, np.ndarray):
            detectors = detectors_of(detectors, detector_shape)
        self._detectors = detectors
        self._pixels = np.zeros(0, np.int64) if pixels is None else pixels
        self._scale = np.ones(len(self._pixels), np.float32) if scale is None else scale
        self._no_moments, self._no_bins = np.zeros((2, 0)), np.zeros((0, n_pixels), np.float32)

    def outcome(self, n: int, with_residual: bool = False) -> Measured:
        """Room for the outcome of n frames."""
        return Measured(
            np.zeros(n, np.int64),
            np.full((n, 2), np.nan),
            np.full((n if with_residual else 0, 2), np.nan),
            np.empty((n, len(self._detectors.weights)), np.float32),
            np.empty((n, len(self._pixels)), np.float32),
        )

    def run(
        self,
        frames: NDArray[Any],
        out: Measured,
        moments: NDArray[np.float64] | None = None,
        binned: NDArray[np.float32] | None = None,
        bins: NDArray[np.int64] | None = None,
        signs: NDArray[np.float32] | None = None,
    ) -> Measured:
        """The pass over frames (n, det_y, det_x) into `out`, which is returned; see `measure_frames`."""
        n = len(frames)
        wanted = Wanted(
            self._near,
            self._detectors,
            self._pixels,
            self._scale,
            np.zeros(n, np.int64) if bins is None else bins,
            np.ones(n, np.float32) if signs is None else signs,
        )
        measure_frames(
            np.ascontiguousarray(frames),
            self.plan,
            wanted,
            self._no_moments if moments is None else moments,
            self._no_bins if binned is None else binned,
            self.room,
            out,
        )
        return out


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def measure_frames(frames, plan, wanted, moments, binned, room, out):
    """The whole pass over some frames.

    Parameters
    ----------
    frames
        (n, det_y, det_x), any real dtype, C order.
    plan, wanted
        `FramePlan`, `Wanted`.
    moments
        (2, n_pixels) float64, added to: sums of differences from `near_mean` and of their squares over the
        usable patterns.
    binned
        (n_bins, n_pixels) float32, added to.
    room, out
        `FrameRoom`, `Measured`.
    """
    if plan.measure:
        room.sums[:] = 0.0
    n_summed = 0
    n_group = 0
    for i in range(frames.shape[0]):
        out.n_bad[i] = count_bad(frames[i])
        usable = out.n_bad[i] <= plan.max_bad
        if usable:
            room.is_mended[n_group] = out.n_bad[i] > 0 or plan.defects.shape[0] > 0
            if room.is_mended[n_group]:
                mend_frame(frames[i], plan.defects, room.mended[n_group])
                usable = _locate(room.mended[n_group], i, plan, room, out)
            else:
                usable = _locate(frames[i], i, plan, room, out)
        if usable:
            shift_y = out.centres_yx[i, 0] - plan.reference_yx[0]
            shift_x = out.centres_yx[i, 1] - plan.reference_yx[1]
            split_shift(shift_y, shift_x, room.whole[n_group], room.weights[n_group])
            room.frame_of[n_group] = i
            n_group += 1
        else:
            out.centres_yx[i, :] = np.nan
            out.virtual[i, :] = np.nan
            out.features[i, :] = np.nan
            if out.residual_yx.shape[0]:
                out.residual_yx[i, :] = np.nan
        if n_group == GROUP_FRAMES or (n_group and i == frames.shape[0] - 1):
            _take_group(frames, n_group, plan, wanted, binned, room, out)
            n_summed += n_group
            n_group = 0
        if plan.measure and n_summed >= BLOCK_FRAMES:
            _merge(room.sums, moments)
            n_summed = 0
    if plan.measure and n_summed:
        _merge(room.sums, moments)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _locate(frame, i, plan, room, out):
    """Centre of one frame, where it is to be found; whether there is one."""
    if plan.measure:
        if plan.max_iterations == 0:
            out.centres_yx[i] = plan.start_yx
        else:
            find_centre(
                frame, plan.start_yx, plan.window_px, plan.expected_mass, plan.max_iterations, room.found
            )
            out.centres_yx[i] = room.found[:2]
    return np.isfinite(out.centres_yx[i, 0]) and np.isfinite(out.centres_yx[i, 1])


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _take_group(frames, n_group, plan, wanted, binned, room, out):
    """Everything that is taken from up to four aligned patterns, tile by tile."""
    n_y, n_x = frames.shape[1], frames.shape[2]
    tiles, line, sums = room.tiles, room.line, room.sums
    mended, is_mended, frame_of = room.mended, room.is_mended, room.frame_of
    whole, shift_weights = room.whole, room.weights
    near, pixels, scale = wanted.near_mean, wanted.pixels, wanted.scale
    bins, signs = wanted.bins, wanted.signs
    virtual, features = out.virtual, out.features
    rows = tiles.shape[1] // n_x
    first_feature = 0
    for j in range(n_group):
        virtual[frame_of[j], :] = 0.0
    for top in range(0, n_y, rows):
        bottom = min(top + rows, n_y)
        first, last = top * n_x, bottom * n_x
        size = last - first
        for j in range(n_group):
            tile = tiles[j, :size]
            if is_mended[j]:
                resample_rows(mended[j], whole[j], shift_weights[j], top, bottom, line, tile)
            else:
                resample_rows(frames[frame_of[j]], whole[j], shift_weights[j], top, bottom, line, tile)
        for j in range(n_group, GROUP_FRAMES):
            tiles[j, :size] = near[first:last]  # adds nothing to the moments
        if plan.measure:
            _add_moments(tiles, near[first:last], sums[0, first:last], sums[1, first:last])
        add_virtual(tiles, first, top // rows, wanted.detectors, frame_of[:n_group], virtual)
        last_feature = first_feature
        while last_feature < pixels.shape[0] and pixels[last_feature] < last:
            last_feature += 1
        for j in range(n_group):
            vector, tile = features[frame_of[j]], tiles[j]
            for f in range(first_feature, last_feature):
                # Unsigned: the compiler need not look for indices that count from the end.
                vector[f] = tile[np.uint64(pixels[f] - first)] * scale[f]
        first_feature = last_feature
        if binned.shape[0]:
            for j in range(n_group):
                row = bins[frame_of[j]]
                if row >= 0:
                    sign, tile, total = signs[frame_of[j]], tiles[j], binned[row, first:last]
                    for k in range(size):
                        total[k] += sign * tile[k]
    if out.residual_yx.shape[0]:
        for j in range(n_group):
            _take_residual(frames, j, plan, room, out)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _add_moments(tiles, near, sum_1, sum_2):
    """Sums over four tiles. Two loops: with more arrays in one the compiler gives up on SIMD."""
    n = near.shape[0]
    a, b, c, d = tiles[0, :n], tiles[1, :n], tiles[2, :n], tiles[3, :n]
    for k in range(n):
        m = near[k]
        sum_1[k] += ((a[k] - m) + (b[k] - m)) + ((c[k] - m) + (d[k] - m))
    for k in range(n):
        m = near[k]
        p, q, r, s = a[k] - m, b[k] - m, c[k] - m, d[k] - m
        sum_2[k] += (p * p + q * q) + (r * r + s * s)


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _take_residual(frames, j, plan, room, out):
    """Direct beam of an aligned pattern: only the rows of the window are made."""
    n_y = frames.shape[1]
    centre_y, centre_x = plan.reference_yx[0], plan.reference_yx[1]
    first = max(0, int(centre_y - plan.window_px) - 2)
    last = min(n_y, int(centre_y + plan.window_px) + 4)
    strip = room.strip[first:last]
    if room.is_mended[j]:
        frame = room.mended[j]
        resample_rows(
            frame, room.whole[j], room.weights[j], first, last, room.line, strip.reshape(strip.size)
        )
    else:
        raw = frames[room.frame_of[j]]
        resample_rows(raw, room.whole[j], room.weights[j], first, last, room.line, strip.reshape(strip.size))
    windowed_centre(strip, centre_y - first, centre_x, plan.window_px, room.found)
    out.residual_yx[room.frame_of[j], 0] = room.found[0] + first - centre_y
    out.residual_yx[room.frame_of[j], 1] = room.found[1] - centre_x


@njit(cache=True, nogil=True, fastmath=FASTMATH)
def _merge(sums, moments):
    """Move float32 block sums into the float64 totals."""
    for p in range(moments.shape[1]):
        moments[0, p] += sums[0, p]
        moments[1, p] += sums[1, p]
    sums[:] = 0.0
