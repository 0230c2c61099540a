"""The scripts of docs/reproduce run on a small scan, and find what is there."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reproduce"


def reproduce(script, out, *arguments):
    """Rows of the script's CSV; its figure must hold the text, and its table must be printed."""
    command = [sys.executable, str(FOLDER / f"{script}.py"), "--size", "24x32", "--out", str(out), *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    with (out / f"{script}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert done.stdout.splitlines()[0].split() == list(rows[0])
    assert len(done.stdout.splitlines()) == len(rows) + 1
    assert "accuracy" in (out / f"{script}.svg").read_text()
    return rows


def test_reductions_times_clusterings(tmp_path):
    rows = reproduce(
        "feature_and_clustering",
        tmp_path,
        *("--reductions", "std30,pca-once,pca-again", "--clusterings", "k-means,spectral", "--sample", "256"),
    )
    assert [(row["reduction"], row["clustering"]) for row in rows] == [
        (reduction, clustering)
        for reduction in ("std30", "pca-once", "pca-again")
        for clustering in ("k-means", "spectral")
    ]
    for row in rows:
        assert int(row["patterns"]) == (256 if row["clustering"] == "spectral" else 768)
        assert float(row["phases"]) > 0.99
        assert 0.85 < float(row["rotation_sign"]) < 1.0
        assert float(row["ripple_regions"]) > 0.9
        assert float(row["cluster_s"]) > 0
    assert int(rows[0]["dimensions"]) > 200
    assert int(rows[2]["dimensions"]) == 12


def test_random_starts(tmp_path):
    rows = reproduce("random_starts", tmp_path, "--starts", "4", "--clusters", "2,4")
    assert [(row["k"], row["start"]) for row in rows] == [
        (k, start) for k in "24" for start in ("random", "k-means++", "livestem")
    ]
    for row in rows:
        assert int(row["above_75"]) <= int(row["runs"]) == 4
        assert 0.85 < float(row["lowest"]) <= float(row["median"]) < 1.0
        assert float(row["worst_wss_over_best"]) >= 1.0
    assert all(float(row["worst_wss_over_best"]) < 1.005 for row in rows if row["start"] == "livestem")


def test_thickness_of_the_nanoprism(tmp_path):
    rows = reproduce("thickness_series", tmp_path, "--thicknesses", "50,100")
    assert [row["thickness_a"] for row in rows] == ["50", "100"]
    for row in rows:
        assert float(row["prism_film_k4"]) > 0.95
        assert float(row["sides"]) > 0.9
    # The swings of the disks differ: a thickness that did not reach the patterns would give equal rows.
    assert rows[0]["n_features"] != rows[1]["n_features"]
