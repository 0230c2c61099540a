"""Analyses on the workers of a real scheduler, on loopback: the labels of threads, also when a worker is lost."""

import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from streamer import analyze, open_result, open_scan
from tests.simulated import simulate
from tests.system.commands import environment, run

pytest.importorskip("distributed", reason="the extra 'scale' is not installed")
pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

VECTORS_STAY = """
import sys
from streamer.analysis import dask_executor
from streamer.cli.main import main
dask_executor.SENT_ROWS = 0
main(sys.argv[1:])
"""
"""The command, for which this scan is so large that workers keep its feature vectors."""
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("scale"), (48, 64))


@pytest.fixture(scope="module")
def by_threads(scan):
    with open_scan(scan.raw) as opened:
        return analyze(opened)


@contextmanager
def cluster(folder, n_workers=2):
    """A scheduler and its workers, each a process: (address, scheduler, workers)."""
    common = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *common],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    processes = [scheduler]
    try:
        address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, *common]
        worker += ["--no-nanny", "--nthreads", "1", "--local-directory", str(folder)]
        processes += [subprocess.Popen(worker, **QUIET) for _ in range(n_workers)]
        yield address, scheduler, processes[1:]
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()
        scheduler.stderr.close()


@contextmanager
def analysing(raw, out, address):
    """An analysis that runs on a cluster."""
    arguments = ("analyze", raw, "--out", out, "--scheduler", address)
    process = subprocess.Popen(
        [sys.executable, "-c", VECTORS_STAY, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def wait_for(process, text):
    """Read what the analysis says until it says this; all of it."""
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(f"the analysis ended without {text!r}: {said}")


def test_a_worker_that_is_killed_half_way_changes_no_label(scan, by_threads, tmp_path):
    out = tmp_path / "a.result.h5"
    with cluster(tmp_path) as (address, scheduler, workers):
        with analysing(scan.raw, out, address) as analysis:
            wait_for(analysis, "features: 50 %")
            workers[0].kill()
            assert analysis.poll() is None
            assert analysis.wait(100) == 0, analysis.stderr.read()
        assert scheduler.poll() is None
        assert workers[1].poll() is None
    found = open_result(out)
    for name, values in by_threads.arrays.items():
        if not name.startswith("manifold/"):  # through BLAS: to rounding
            np.testing.assert_array_equal(found.arrays[name], values, err_msg=name)
    assert found.nodes == by_threads.nodes
    assert found.attrs["settings_id"] == by_threads.attrs["settings_id"]


def test_a_scheduler_that_is_killed_ends_the_analysis_with_a_sentence(scan, tmp_path):
    out = tmp_path / "a.result.h5"
    with cluster(tmp_path, 1) as (address, scheduler, _), analysing(scan.raw, out, address) as analysis:
        wait_for(analysis, "align: 50 %")
        scheduler.kill()
        assert analysis.wait(100) == 5
        said = analysis.stderr.read()
    assert "Traceback" not in said
    assert f"The scheduler at {address} does not answer any more" in " ".join(said.split())
    assert not out.exists()


def test_nobody_at_the_address_is_said(scan):
    gone = run("analyze", scan.raw, "--scheduler", "tcp://127.0.0.1:9")
    assert gone.returncode == 9
    assert "No dask scheduler answers at tcp://127.0.0.1:9" in gone.stderr
    assert len(gone.stderr.strip().splitlines()) == 1, gone.stderr
