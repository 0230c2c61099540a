"""The whole pass over every frame, against numpy's sum of the same frames in the same run."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from streamer.kernels.distance import assign_nearest
from streamer.kernels.frame_pass import FramePass, aligned_empty, frame_plan
from streamer.kernels.mask import find_direct_beam, radius_map
from tests.benchmarks.measure import interleaved

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

N_FRAMES = 4096
SHAPE = (128, 128)
BLOCK = 128
N_FEATURES, N_CENTROIDS, N_BINS = 700, 8, 256
NO_DEFECTS = np.zeros(0, np.int64)


def frames_of(dtype):
    rng = np.random.default_rng(0)
    some = rng.poisson(4, (256, *SHAPE)) + 1000 * (radius_map(SHAPE, np.array([63.2, 63.9])) < 3.1)
    frames = aligned_empty((N_FRAMES, *SHAPE), dtype)
    for start in range(0, N_FRAMES, len(some)):
        frames[start : start + len(some)] = some
    return frames


class Pass:
    """Align, statistics, two virtual detectors, 700 features, 8 centroids; one thread's share of the frames."""

    def __init__(self, frames, with_sketch=False):
        self.frames = frames
        mean = frames[:256].mean(axis=0, dtype=np.float64)
        radius = radius_map(SHAPE, np.array([63.5, 63.5])).ravel()
        weights = np.stack([radius < 4, radius < 50]).astype(np.float32)
        within = np.flatnonzero(radius < 50)
        pixels = np.sort(np.random.default_rng(1).choice(within, N_FEATURES, replace=False))
        plan = frame_plan(find_direct_beam(mean.astype(np.float32)), SHAPE, 12, NO_DEFECTS)
        self.frame_pass = FramePass(SHAPE, plan, mean.ravel(), weights, pixels)
        self.out = self.frame_pass.outcome(len(frames))
        self.moments = np.zeros((2, SHAPE[0] * SHAPE[1]))
        self.bins = np.arange(len(frames)) // 4 * 7919 % N_BINS
        self.signs = np.ones(len(frames), np.float32)
        self.sketch = np.zeros((N_BINS, SHAPE[0] * SHAPE[1]), np.float32) if with_sketch else None
        self.centroids = np.random.default_rng(2).random((N_CENTROIDS, N_FEATURES), np.float32)
        self.labels, self.distances = np.empty(len(frames), np.int32), np.empty(len(frames), np.float32)

    def __call__(self):
        for start in range(0, len(self.frames), BLOCK):
            rows = slice(start, start + BLOCK)
            out = self.out._replace(
                n_bad=self.out.n_bad[rows],
                centres_yx=self.out.centres_yx[rows],
                virtual=self.out.virtual[rows],
                features=self.out.features[rows],
            )
            self.frame_pass.run(
                self.frames[rows], out, self.moments, self.sketch, self.bins[rows], self.signs[rows]
            )
            assign_nearest(out.features, self.centroids, self.labels[rows], self.distances[rows])


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_whole_pass_against_a_plain_sum(dtype):
    frames = frames_of(dtype)
    took = interleaved(
        {
            "numpy sum": frames.sum,
            "whole pass": Pass(frames),
            "whole pass and momentum sketch": Pass(frames, with_sketch=True),
        }
    )
    print(f"\n{dtype}: " + ", ".join(
        f"{name} {seconds / N_FRAMES * 1e6:.2f} us a frame ({seconds / took['numpy sum']:.2f})"
        for name, seconds in took.items()
    ))  # fmt: skip


def test_two_threads_against_one():
    frames = frames_of("float32")
    half = N_FRAMES // 2
    one, two = Pass(frames), (Pass(frames[:half]), Pass(frames[half:]))
    halves = (frames[:half], frames[half:])
    with ThreadPoolExecutor(2) as pool:
        took = interleaved(
            {
                "one": one,
                "two": lambda: list(pool.map(lambda work: work(), two)),
                "sum by one": frames.sum,
                "sum by two": lambda: list(pool.map(np.sum, halves)),
            }
        )
    print(
        f"\ntwo threads: {took['one'] / took['two']:.2f} times one "
        f"(numpy sum: {took['sum by one'] / took['sum by two']:.2f})"
    )
