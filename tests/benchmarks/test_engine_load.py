"""What an engine takes of a core at a first-generation detector's fastest: CURVE, recording and live analysis on."""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.stream_sender import BATCH
from tests.system.commands import engine, livestem, run_json

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

SIDE = 256
RATE_HZ = 1100
FRAME = np.zeros((128, 128), np.float32)


def processor_seconds(stat):
    """Name in a /proc stat file, and processor seconds so far."""
    text = stat.read_text()
    name, fields = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
    return name, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def look_at_threads(pid, seconds):
    """Note every thread's seconds; those that end keep what was noted last."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            name, used = processor_seconds(task / "stat")
            seconds[f"{name} {task.name}"] = used


def plain_write_seconds(folder):
    """Processor seconds that plain positional writes of as many bytes take."""
    frames = np.random.default_rng(0).random((BATCH, *FRAME.shape), np.float32)
    used = time.thread_time()
    file = os.open(folder / "plain", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(file, 0, SIDE * SIDE * FRAME.nbytes)
    for start in range(0, SIDE * SIDE, BATCH):
        os.pwrite(file, frames, start * FRAME.nbytes)
    used = time.thread_time() - used
    os.close(file)
    (folder / "plain").unlink()
    return used


def test_share_of_a_core(tmp_path):
    made = run_json("simulate", "junction", "--size", SIDE, "--seed", 1, "--out", tmp_path / "scan")
    run_json("keys", "--out", tmp_path / "keys")
    keys = f"--keys={tmp_path / 'keys'}"
    at_start, threads = {}, {}
    with engine(tmp_path, "--no-analyze", "--sync", "kill", keys) as running:
        pid, process = running.process.pid, Path(f"/proc/{running.process.pid}/stat")
        look_at_threads(pid, at_start)
        begin, before = time.monotonic(), processor_seconds(process)[1]
        replay = livestem("replay", made["raw"], "--to", running.listen, "--rate", RATE_HZ, "--json", keys)
        with subprocess.Popen(replay, stdout=subprocess.PIPE) as sending:
            while sending.poll() is None:
                look_at_threads(pid, threads)
                time.sleep(0.2)
            sent = json.loads(sending.stdout.read())
        took, used = time.monotonic() - begin, processor_seconds(process)[1] - before
    assert sent["frames_sent"] == SIDE * SIDE
    print(f"\n{used / took:.0%} of a core over {took:.0f} s at {sent['rate_hz']:.0f} frames/s")
    for name, seconds in sorted(threads.items(), key=lambda item: -item[1]):
        if (since := seconds - at_start.get(name, 0.0)) > 0.1:
            print(f"  {name}: {since:.1f} s")
    print(f"  plain pwrite of the same bytes: {plain_write_seconds(tmp_path):.1f} s")
