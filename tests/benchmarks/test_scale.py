"""Threads against two dask workers on this computer, by the size of the scan; printed by `make benchmark`.

Time of the analysis alone (kernels loaded, workers started), bytes over loopback, largest memory of a worker. Sizes
from LIVESTEM_SCALE_SIZES, "64,128,256" unless said; 512 makes a file of 17 GB, removed again.
"""

import os
import statistics
import time
from multiprocessing import resource_tracker
from pathlib import Path

import numpy as np
import pytest

from simulators.detector import Exposure, PatternMaker, write_raw
from simulators.specimens import make_specimen
from streamer import analyze, open_scan

pytest.importorskip("distributed", reason="the extra 'scale' is not installed")
from streamer.analysis.dask_executor import dask_executor

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3000)]
SIZES = [int(size) for size in os.environ.get("LIVESTEM_SCALE_SIZES", "64,128,256").split(",")]
ROUNDS = {64: 5, 128: 5, 256: 3, 512: 1}
AIM_OVERHEAD = 0.30


def sent_on_loopback():
    """Bytes since the computer was started."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[8])
    raise AssertionError("there is no loopback")


def peak_mib(pid, reset=False):
    """Largest resident memory of a process in MiB, since the last reset."""
    if reset:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def timed(scan, executor=None):
    begin = time.perf_counter()
    result = analyze(scan, executor=executor)
    return time.perf_counter() - begin, result


def test_two_workers_against_threads(tmp_path):
    with dask_executor(None, 2) as executor:
        pids = list(executor._client.run(os.getpid).values())
        for size in (32, *SIZES):
            raw = tmp_path / f"scan_x{size}_y{size}.raw"
            write_raw(PatternMaker(make_specimen("junction", (size, size)), Exposure(60000.0, 3.0, 0)), raw)
            with open_scan(raw) as scan:
                if size == 32:  # loads kernels everywhere
                    timed(scan, executor)
                    timed(scan)
                else:
                    measure(scan, size, executor, pids)
            raw.unlink()
    resource_tracker._resource_tracker._stop()  # multiprocessing keeps it until the interpreter ends


def measure(scan, size, executor, pids):
    threads, workers, moved = [], [], []
    base = [peak_mib(pid, reset=True) for pid in pids]
    for _ in range(ROUNDS.get(size, 1)):
        seconds, here = timed(scan)
        threads.append(seconds)
        before = sent_on_loopback()
        seconds, there = timed(scan, executor)
        workers.append(seconds)
        moved.append(sent_on_loopback() - before)
    for name, values in here.arrays.items():
        if not name.startswith("manifold/"):
            np.testing.assert_array_equal(there.arrays[name], values, err_msg=name)
    own, other = statistics.median(threads), statistics.median(workers)
    print(
        f"\n{size} x {size}: threads {own:.2f} s, two workers {other:.2f} s ({other / own - 1:+.0%}, aim at 256 "
        f"at most {AIM_OVERHEAD:+.0%}), moved {statistics.median(moved) / 1e6:.0f} MB, largest worker "
        f"{max(peak_mib(pid) for pid in pids):.0f} MiB (idle {max(base):.0f})\n"
        f"  threads {here.seconds}\n  workers {there.seconds}"
    )
