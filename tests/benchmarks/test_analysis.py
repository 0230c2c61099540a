"""Speed as ratios within one run: `make benchmark`. Figures with machine and date: docs/performance.md."""

import json
import statistics
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.cluster import KMeans

from streamer import open_scan
from streamer.analysis.run import analyze
from streamer.cluster.lloyd import kmeans
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


def test_analysis_of_256_x_256_against_the_straightforward_version(tmp_path):
    """Processes from start to end, the file in the page cache, kernels compiled; about four minutes."""
    scan = simulate(tmp_path, (256, 256))
    np.fromfile(scan.raw, "<f4").sum()

    def run(*arguments):
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=True)
        return time.perf_counter() - begin, done.stdout

    ours = []
    for repeat in range(4):
        result = tmp_path / f"{repeat}.h5"
        took, said = run("streamer.cli.main", "analyze", str(scan.raw), "--out", str(result), "--json")
        ours.append(took)
    theirs, stages = run("tests.benchmarks.straightforward", str(scan.raw), str(256 * 256))
    report("analysis of 256 x 256, process start to result", statistics.median(ours[1:]), theirs, "s")
    print("ours", json.loads(said)["seconds"], "straightforward: leaves, alignment, hierarchy", stages)
