"""Speed as ratios within one run: `make benchmark`. Figures with machine and date: docs/performance.md."""

import statistics
import time

import numpy as np
import pytest
from sklearn.cluster import KMeans

from streamer import open_scan
from streamer.analysis.run import analyze
from streamer.cluster.lloyd import kmeans
from streamer.kernels.align import align_frames, find_centres
from streamer.kernels.clean import clean_frames
from streamer.kernels.stats import accumulate_moments, gather_features, weighted_sums
from tests.simulated import simulate

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]


def seconds(work, repeats=7):
    """Median time of a call, after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def report(name, ours, theirs, unit=""):
    print(f"\n{name}: {ours:.4g} against {theirs:.4g} {unit}, ratio {ours / theirs:.2f}")


def test_whole_pass_against_a_plain_sum():
    n = 512
    frames = np.random.default_rng(0).poisson(4, (n, 128, 128)).astype(np.float32)
    frames[:, 61:67, 61:67] += 1000
    clean, aligned, n_bad = np.empty_like(frames), np.empty_like(frames), np.empty(n, np.int64)
    centres, usable = np.empty((n, 2)), np.ones(n, bool)
    reference, sums = np.zeros(16384), np.zeros((2, 16384))
    pixels, features = np.arange(5000, 5700), np.empty((n, 700), np.float32)
    weights, values = np.ones((2, 16384), np.float32), np.empty((n, 2), np.float32)

    def ours():
        for start in range(0, n, 64):
            rows = slice(start, start + 64)
            clean_frames(frames[rows], 100, clean[rows], n_bad[rows])
            find_centres(clean[rows], np.array([63.5, 63.5]), 5.0, 1.0, 12, usable[rows], centres[rows])
            align_frames(clean[rows], centres[rows], np.array([63.5, 63.5]), aligned[rows])
            flat = aligned[rows].reshape(64, -1)
            accumulate_moments(flat, usable[rows], reference, sums[0], sums[1])
            weighted_sums(flat, weights, values[rows])
            gather_features(flat, pixels, features[rows])

    report("clean, centre, align, statistics, 2 detectors, 700 features", seconds(ours) / n * 1e6,
           seconds(lambda: frames.sum()) / n * 1e6, "us a frame (numpy sum)")  # fmt: skip


@pytest.mark.parametrize("k", [3, 4, 6])
def test_kmeans_against_scikit_learn_with_ten_starts(k):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, k, 16384)
    features = (rng.standard_normal((k, 700))[truth] + 3 * rng.standard_normal((16384, 700))).astype(
        np.float32
    )
    ours = seconds(lambda: kmeans(features, k, np.random.default_rng(0)), repeats=3)
    theirs = seconds(lambda: KMeans(k, n_init=10, random_state=0).fit(features), repeats=1)
    report(f"K-means, K = {k}, 16,384 x 700", ours, theirs, "s (scikit-learn, 10 starts)")


def test_analysis_of_a_scan_and_the_bound_of_shot_noise(tmp_path):
    scan = simulate(tmp_path, (128, 128))
    with open_scan(scan.raw) as opened:
        result = analyze(opened)
        begin = time.perf_counter()
        result = analyze(opened)
        took = time.perf_counter() - begin
    begin = time.perf_counter()
    np.fromfile(scan.raw, "<f4").sum()
    report("analysis of 128 x 128", took, time.perf_counter() - begin, "s (reading and summing the file)")
    print(result.seconds)
    error = (result.arrays["alignment/com_yx"].reshape(-1, 2) - scan.maker.centres_yx).std(axis=0)
    electrons = 60000 * scan.maker.direct_share(np.arange(scan.maker.n_positions)).mean()
    second_moment = 3.077**2 / 4 + 0.577**2
    print(f"drift error {error} px, bound {np.sqrt(second_moment / electrons):.5f} px")
