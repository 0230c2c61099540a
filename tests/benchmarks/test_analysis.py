"""Speed as ratios within one run: `make benchmark`. Figures with machine and date: docs/performance.md."""

import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.manifold import trustworthiness

from streamer import open_scan
from streamer.analysis.manifold import embed
from streamer.analysis.passes import Cancel
from streamer.analysis.preprocess import align_scan, choose_mask, extract
from streamer.analysis.run import analyze
from streamer.cluster.lloyd import kmeans
from streamer.settings import AnalysisSettings, ManifoldSettings
from tests.benchmarks.measure import interleaved
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


def test_manifold_against_umap_with_its_defaults(tmp_path):
    """65,536 patterns of a junction; structure kept: trustworthiness of 3,000 of them."""
    umap = pytest.importorskip("umap")
    scan = simulate(tmp_path, (256, 256))
    settings = AnalysisSettings()
    with open_scan(scan.raw) as opened, ThreadPoolExecutor(2) as executor:
        aligned = align_scan(opened, settings, executor, lambda fraction: None, Cancel())
        mask = choose_mask(aligned, settings)
        features = extract(
            opened, aligned, mask, settings, executor, lambda fraction: None, Cancel()
        ).features
    sample = np.sort(np.random.default_rng(0).choice(len(features), 3000, replace=False))
    made = {}

    def kept(name):
        return trustworthiness(features[sample], made[name][sample], n_neighbors=15)

    def ours(seeded):
        made["ours"] = embed(features, ManifoldSettings(method="umap", seeded=seeded), 0)

    def theirs():
        made["umap-learn"] = umap.UMAP(n_components=3).fit_transform(features)

    umap.UMAP(n_components=3).fit_transform(features[:5000])  # compiles
    times = interleaved(
        {"seeded": lambda: ours(True), "free": lambda: ours(False), "theirs": theirs}, rounds=1
    )
    report(
        "UMAP of 65,536 patterns, seeded", times["seeded"], times["theirs"], "s (umap-learn, its defaults)"
    )
    report(
        "UMAP of 65,536 patterns, not seeded", times["free"], times["theirs"], "s (umap-learn, its defaults)"
    )
    report("trustworthiness", kept("ours"), kept("umap-learn"))


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
