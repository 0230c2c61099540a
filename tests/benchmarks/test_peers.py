"""Our pass over a file against LiberTEM's on the same file in the same run: `make bench-peers`."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest

from streamer import open_scan
from streamer.analysis.passes import Cancel, PassJob, run_job
from streamer.analysis.preprocess import align_scan, choose_mask, extract, look_at_scan
from streamer.kernels.distance import assign_nearest
from streamer.kernels.frame_pass import FramePass, FramePlan, frame_plan
from streamer.kernels.mask import radius_map
from streamer.settings import AnalysisSettings
from tests.benchmarks.measure import interleaved
from tests.simulated import simulate

libertem = pytest.importorskip("libertem.api", reason="LiberTEM is not installed: `make bench-peers`")
from libertem.executor.inline import InlineJobExecutor  # noqa: E402
from libertem.udf.com import CoMUDF  # noqa: E402
from libertem.udf.masks import ApplyMasksUDF  # noqa: E402
from libertem.udf.stddev import StdDevUDF  # noqa: E402
from libertem.udf.sum import SumUDF  # noqa: E402

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

SCAN_SHAPE = (96, 128)
DETECTOR = (128, 128)
RADIUS = radius_map(DETECTOR, np.array([63.5, 63.5]))
BRIGHT, DARK = RADIUS < 4, (RADIUS > 20) & (RADIUS < 57)
ROUNDS = 5


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    with open_scan(simulate(tmp_path_factory.mktemp("peers"), SCAN_SHAPE).raw) as opened:
        yield opened


def our_whole_pass(scan):
    """One pass over the file: align, mean and STD, two virtual detectors, 700 features, 8 centroids."""
    look = look_at_scan(scan, AnalysisSettings())
    plan = frame_plan(look.beam, DETECTOR, 12, look.defects)
    weights = np.stack([BRIGHT, DARK]).reshape(2, -1).astype(np.float32)
    pixels = np.flatnonzero(DARK)[:: np.count_nonzero(DARK) // 700][:700]
    centroids = np.random.default_rng(0).random((8, len(pixels)), np.float32)

    job = WholePass(scan.info.n_positions, plan, look.aligned_mean.ravel(), weights, pixels, centroids)

    def run():
        with ThreadPoolExecutor(1) as one:
            run_job(scan, job, one, lambda _: None, Cancel())

    return run


@dataclass(frozen=True)
class WholePass(PassJob):
    n_positions: int
    plan: FramePlan
    near_mean: np.ndarray
    weights: np.ndarray
    pixels: np.ndarray
    centroids: np.ndarray

    @property
    def n(self):
        return self.n_positions

    def rooms(self, with_kept=True):
        return {"labels": np.empty(self.n, np.int32), "distances": np.empty(self.n, np.float32)}

    def part(self, start, stop):
        return replace(self, n_positions=stop - start)

    def sums(self):
        return {"moments": np.zeros((2, DETECTOR[0] * DETECTOR[1]))}

    def step(self, block, out, sums):
        frame_pass = FramePass(DETECTOR, self.plan, self.near_mean, self.weights, self.pixels, block.room)
        found = frame_pass.run(block.frames, frame_pass.outcome(len(block.positions)), sums["moments"])
        labels, distances = out["labels"][block.positions], out["distances"][block.positions]
        assign_nearest(found.features, self.centroids, labels, distances)


def our_two_passes(scan):
    """As the analysis has them: residuals too, and real-space patches for momentum space."""
    settings = AnalysisSettings()

    def run():
        with ThreadPoolExecutor(1) as one:
            aligned = align_scan(scan, settings, one, lambda _: None, Cancel())
            mask = choose_mask(aligned, settings)
            extract(scan, aligned, mask, settings, one, lambda _: None, Cancel())

    return run


def test_whole_pass_against_libertem(scan):
    com = CoMUDF.with_params(cy=63.5, cx=63.5, r=6)
    with libertem.Context(executor=InlineJobExecutor()) as context:
        theirs = context.load(
            "raw",
            path=str(scan.path),
            dtype="float32",
            nav_shape=SCAN_SHAPE,
            sig_shape=(130, 128),
        )

        def mask(chosen):
            return lambda: np.pad(chosen, ((0, 2), (0, 0))).astype(np.float32)

        simple = [ApplyMasksUDF([mask(BRIGHT), mask(DARK)]), com, SumUDF()]
        took = interleaved(
            {
                "livestem, whole pass": our_whole_pass(scan),
                "livestem, both passes of the analysis": our_two_passes(scan),
                "LiberTEM STD + CoM": lambda: context.run_udf(theirs, udf=[StdDevUDF(), com]),
                "LiberTEM BF + DF + CoM + sum": lambda: context.run_udf(theirs, udf=simple),
            },
            ROUNDS,
        )
    n = scan.info.n_positions
    print()
    for name, seconds in took.items():
        print(f"{name}: {n / seconds:,.0f} frames/s, one thread")
