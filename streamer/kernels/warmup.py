"""Compile (or load from the cache) every kernel once, so that the first frame of a scan does not wait."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.kernels.align import align_frames, find_centre, windowed_centre
from streamer.kernels.clean import clean_frames, find_nonfinite
from streamer.kernels.disks import make_patches, place_disks, sum_disks
from streamer.kernels.distance import (
    accumulate_groups,
    assign_nearest,
    assign_two_levels,
    inner_products,
    lloyd_step,
)
from streamer.kernels.frame_pass import FramePass, frame_plan
from streamer.kernels.mask import find_direct_beam
from streamer.kernels.neighbours import average_rows
from streamer.kernels.points import lloyd_points, nearest_points, seed_points
from streamer.kernels.spots import Lattices, SpotPlan, fit_lattices
from streamer.kernels.stats import accumulate_by_label


def warm_kernels(dtype: str = "float32", progress: Callable[[float], None] = lambda share: None) -> None:
    """Call every kernel on a few pixels, with the argument types that the engine and the analysis use.

    Parameters
    ----------
    dtype
        Of the frames.
    progress
        Called with the share of kernels that are ready.
    """
    calls = [*_calls_on_frames(dtype), *_calls_on_features(dtype)]
    for n_ready, call in enumerate(calls, 1):
        call()
        progress(n_ready / len(calls))


def warm_clustering_kernels(dtype: str) -> None:
    """Those alone that the analysis calls once it has features of frames of that dtype."""
    for call in _calls_on_features(dtype):
        call()


def _calls_on_frames(dtype: str) -> list[Callable[[], object]]:
    raw = np.ones((2, 16, 16), dtype)
    patterns, flat = np.ones((2, 16, 16), np.float32), np.ones((2, 256), np.float32)
    centres, no_defects, n_bad = np.full((2, 2), 7.5), np.zeros(0, np.int64), np.empty(2, np.int64)
    found = np.empty(3)

    def frame_pass(frames: NDArray[Any]) -> None:
        clean_frames(frames, 4, no_defects, patterns, n_bad)
        plan = frame_plan(find_direct_beam(patterns[0]), (16, 16), 2, no_defects)
        passing = FramePass((16, 16), plan, np.zeros(256), flat, np.arange(4))
        passing.run(frames, passing.outcome(2), np.zeros((2, 256)))

    return [
        lambda: windowed_centre(patterns[0], 7.5, 7.5, 3.0, found),
        lambda: find_centre(patterns[0], centres[0], 3.0, 1.0, 2, found),
        lambda: frame_pass(raw),
        lambda: frame_pass(_read_only(raw)),
        lambda: find_nonfinite(patterns.reshape(2, 256).view(np.uint32), np.empty(2, np.bool_)),
        lambda: align_frames(patterns, centres, np.array([7.5, 7.5]), np.empty_like(patterns)),
        lambda: accumulate_by_label(flat, np.zeros(2, np.int32), np.zeros((1, 256))),
    ]


def _calls_on_features(dtype: str) -> list[Callable[[], object]]:
    raw, mended, flat = (
        np.ones((2, 16, 16), dtype),
        np.ones((16, 16), np.float32),
        np.ones((2, 256), np.float32),
    )
    labels, near = np.zeros(2, np.int32), np.empty(2, np.float32)
    points, distances, no_bad = np.ones((2, 3)), np.empty(2), np.zeros(2, np.int64)

    def lattices(frames: NDArray[Any]) -> None:
        scores, places, sums = np.ones((2, 9), np.float32), np.full((2, 2), 7.5), np.empty((2, 3))
        patches = make_patches(2, 9, 16)
        place_disks(mended.ravel(), 16, places, scores, patches, sums)
        sum_disks(places, 1.0, patches, sums)
        plan = SpotPlan(np.eye(2), scores, np.zeros((2, 3)), np.ones(2), 1.0, 0.0)
        out = Lattices(np.empty((2, 2, 2)), np.empty(2), np.empty(2), np.empty(2))
        fit_lattices(frames, np.arange(2), places, no_bad, np.zeros(0, np.int64), plan, 2, mended, out)

    def neighbours() -> None:
        row_of = np.array([[-1, -1, -1, -1], [-1, 0, 1, -1], [-1, -1, -1, -1]], np.int32)
        places, weights = np.array([[0, 0], [0, 1]]), np.ones((3, 3), np.float32)
        average_rows(flat, labels, row_of, places, weights, np.empty_like(flat), near)

    return [
        lambda: lattices(raw),
        lambda: assign_nearest(flat, flat[:1], labels, near),
        lambda: lloyd_step(
            flat, np.arange(2), flat[:1], 1.0, labels, near, np.zeros((1, 256)), np.zeros(1, np.int64)
        ),
        lambda: inner_products(flat, np.arange(2), flat, np.empty((2, 2), np.float32)),
        lambda: assign_two_levels(
            flat, np.ones((2, 256), np.float32), np.array([1, 2]), np.empty((2, 2), np.int32)
        ),
        lambda: accumulate_groups(flat, labels, 1.0, np.zeros((1, 256)), np.zeros(1, np.int64)),
        neighbours,
        lambda: nearest_points(points, points[:1], labels, distances),
        lambda: lloyd_points(
            points, points[:1].copy(), np.empty((1, 3)), np.empty(1, np.int64), labels, distances, 1
        ),
        lambda: seed_points(
            points, 0, np.zeros((1, 4)), distances, np.empty(2), np.empty(2), np.empty((2, 3))
        ),
    ]


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array[:]
    view.flags.writeable = False
    return view
