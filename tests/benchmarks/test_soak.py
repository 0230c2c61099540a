"""A million frames through one engine with recording and live analysis: its memory must not grow."""

import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.stream_sender import BATCH, FramesInMemory
from tests.system.stations import Station, recordings, send

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

SCAN_FRAMES = 1 << 16
N_SCANS = 16


def resident_bytes(pid):
    """Memory of the process that is its own: recordings in the page cache are not."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the system does not tell")


def test_a_million_frames(context, tmp_path):
    scan = FramesInMemory(SCAN_FRAMES, seed=0)
    scan.frames[:, 60:68, 60:68] += 500  # a direct beam
    sizes = []
    with Station(tmp_path, "--sync", "kill") as station:
        for number in range(N_SCANS):
            scan.info = replace(scan.info, scan_id=str(uuid.uuid4()))
            sent = send(context, station.listen, scan, batch=BATCH)
            state = station.wait_end(scan.info.scan_id, timeout_s=300)
            assert state["counters"]["frames_stored"] == SCAN_FRAMES
            sizes.append(resident_bytes(station.pid))
            print(
                f"\nscan {number + 1}: {sent.frames_sent / sent.seconds:,.0f} frames/s, "
                f"{sizes[-1] / 2**20:.1f} MiB",
                end="",
                flush=True,
            )
            for path in recordings(tmp_path, scan.info.scan_id):
                path.unlink()
    frames = SCAN_FRAMES * np.arange(1, N_SCANS + 1)
    later = frames > 100_000
    slope = np.polyfit(frames[later], np.array(sizes)[later], 1)[0]
    print(f"\ngrowth after the first 100,000 frames: {slope * 1e5 / 2**20:+.2f} MiB per 100,000 frames")
    assert slope * 1e5 < 1 << 20
