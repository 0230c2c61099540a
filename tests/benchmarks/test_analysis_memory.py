"""Peak memory of `livestem analyze`, and the way from the end of a scan to its result; printed by `make benchmark`."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from simulators.detector import Exposure, PatternMaker, write_raw, write_xml
from simulators.specimens import make_specimen
from tests.simulated import simulate

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1500)]
LIVESTEM = [sys.executable, "-m", "streamer.cli.main"]
GIB = 2**20
SPECIMENS = ("junction", "superlattice", "nanoprism", "cross-section")


def peak_anonymous_kib(process):
    """Largest amount of memory of its own, looked at every 20 ms until it ends."""
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        said = [line.split() for line in status.splitlines() if line.startswith("RssAnon")]
        peak = max([peak, *(int(line[1]) for line in said)])
        time.sleep(0.02)
    return peak


@pytest.mark.parametrize("specimen", SPECIMENS)
@pytest.mark.parametrize("side", [256, 512])
def test_memory_of_an_analysis(tmp_path, specimen, side):
    """512 x 512 positions are a file of 17 GB, made here and removed."""
    raw = tmp_path / f"scan_x{side}_y{side}.raw"
    made = make_specimen(specimen, (side, side))
    write_raw(PatternMaker(made, Exposure(60000.0, 3.0, 0)), raw)
    write_xml(tmp_path / "acquisition_1.xml", raw.name, (side, side), made.electrons.voltage_v)
    out = tmp_path / "memory.result.h5"
    try:
        command = [*LIVESTEM, "analyze", str(raw), "--out", str(out), "--json"]
        begin = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            peak = peak_anonymous_kib(process)
            said = json.loads(process.stdout.read())
        took = time.perf_counter() - begin
    finally:
        raw.unlink()
    print(
        f"\n{specimen} {side} x {side}: peak {peak / GIB:.2f} GiB, {said['n_features']} features, {took:.1f} s"
    )


def test_from_the_end_of_a_scan_to_its_result(tmp_path):
    """256 x 256 through the engine; against one read of the recording from the page cache into a warm buffer.

    The result is there, then the outcome is printed, then the slide is drawn and the engine ends.
    """
    scan = simulate(tmp_path, (256, 256))
    serve = [
        *LIVESTEM,
        "serve",
        "--once",
        "--json",
        "--record",
        str(tmp_path / "recordings"),
        "--sync",
        "kill",
    ]
    serve += [
        part for name in ("listen", "publish", "control") for part in (f"--{name}", "tcp://127.0.0.1:*")
    ]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as engine:
        listen = json.loads(engine.stdout.readline())["listen"]
        replay = [*LIVESTEM, "replay", str(scan.raw), "--to", listen, "--rate", "1100"]
        subprocess.run(replay, capture_output=True, check=True)
        ended = time.perf_counter()
        with ThreadPoolExecutor(1) as beside:
            line = beside.submit(engine.stdout.readline)
            while not line.done() and not list((tmp_path / "recordings").glob("*.result.h5")):
                time.sleep(0.005)
            waited = time.perf_counter() - ended
            outcome = json.loads(line.result())
        told = time.perf_counter() - ended
        engine.wait()
        over = time.perf_counter() - ended
    buffer, reads = np.empty(16 << 20, np.uint8), []
    for _ in range(3):
        begin = time.perf_counter()
        with Path(outcome["recording"]).open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
        reads.append(time.perf_counter() - begin)
    ratio = waited / min(reads)
    print(
        f"\nend of scan to result file: {waited:.2f} s, to the outcome {told:.2f} s, to the end of the engine "
        f"{over:.2f} s; one read {min(reads):.2f} s, ratio {ratio:.1f}"
    )
    print(outcome)
