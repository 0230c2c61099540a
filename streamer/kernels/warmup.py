"""Compile (or load from the cache) every kernel once, so that the first frame of a scan does not wait."""

import numpy as np

from streamer.kernels.align import align_frames, find_centre, windowed_centre
from streamer.kernels.clean import clean_frames, find_nonfinite
from streamer.kernels.distance import accumulate_groups, assign_nearest, assign_two_levels
from streamer.kernels.frame_pass import FramePass, frame_plan
from streamer.kernels.mask import find_direct_beam
from streamer.kernels.points import lloyd_points, nearest_points, seed_points
from streamer.kernels.stats import accumulate_by_label


def warm_kernels(dtype: str = "float32") -> None:
    """Call every kernel on a few pixels, with the argument types that the engine and the analysis use."""
    raw = np.ones((2, 16, 16), dtype)
    patterns, flat = np.ones((2, 16, 16), np.float32), np.ones((2, 256), np.float32)
    centres, no_defects = np.full((2, 2), 7.5), np.zeros(0, np.int64)
    beam = find_direct_beam(patterns[0])
    plan = frame_plan(beam, (16, 16), 2, no_defects)
    frame_pass = FramePass((16, 16), plan, np.zeros(256), flat, np.arange(4))
    for frames in (raw, _read_only(raw)):
        clean_frames(frames, 4, no_defects, patterns, np.empty(2, np.int64))
        frame_pass.run(frames, frame_pass.outcome(2), np.zeros((2, 256)))
    find_nonfinite(patterns.reshape(2, 256).view(np.uint32), np.empty(2, np.bool_))
    windowed_centre(patterns[0], 7.5, 7.5, 3.0, np.empty(3))
    find_centre(patterns[0], centres[0], 3.0, 1.0, 2, np.empty(3))
    align_frames(patterns, centres, np.array([7.5, 7.5]), np.empty_like(patterns))
    labels = np.zeros(2, np.int32)
    accumulate_by_label(flat, labels, np.zeros((1, 256)))
    assign_nearest(flat, flat[:1], labels, np.empty(2, np.float32))
    assign_two_levels(flat, np.ones((2, 256), np.float32), np.array([1, 2]), np.empty((2, 2), np.int32))
    accumulate_groups(flat, labels, np.zeros((1, 256)), np.zeros(1, np.int64))
    points, distances = np.ones((2, 3)), np.empty(2)
    nearest_points(points, points[:1], labels, distances)
    lloyd_points(points, points[:1].copy(), np.empty((1, 3)), np.empty(1, np.int64), labels, distances, 1)
    seed_points(points, 0, np.zeros((1, 4)), distances, np.empty(2), np.empty(2), np.empty((2, 3)))


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array[:]
    view.flags.writeable = False
    return view
