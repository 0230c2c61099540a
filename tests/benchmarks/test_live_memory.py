"""What the live analysis of a 512 x 512 scan holds in memory beyond its source, fed from a pool of patterns."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

WORK = """
import resource, numpy as np
from simulators.detector import Exposure, PatternMaker
from simulators.specimens import make_specimen
from streamer.kernels.warmup import warm_kernels
from streamer.live.pipeline import LivePipeline
from streamer.model import ScanInfo
from streamer.serve.memory import keep_memory_bounded
from streamer.settings import AnalysisSettings

keep_memory_bounded()
SIDE, COARSE = 512, 64
maker = PatternMaker(make_specimen("junction", (COARSE, COARSE)), Exposure(60000.0, 3.0, 0))
pool = maker.frames(0, COARSE * COARSE)
warm_kernels()

class Source:
    received = np.zeros((SIDE, SIDE), np.uint8)
    def refresh(self): pass
    def read_positions(self, positions, out):
        y, x = np.divmod(positions, SIDE)
        out[: len(positions)] = pool[y // 8 * COARSE + x // 8]
        return out[: len(positions)]

source, before = Source(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
pipeline = LivePipeline(ScanInfo("s", (SIDE, SIDE), (128, 128), "float32", SIDE * SIDE), AnalysisSettings(), source)
room = np.empty((128, 128, 128), np.float32)
for start in range(0, SIDE * SIDE, 128):
    positions = np.arange(start, start + 128)
    source.received.ravel()[positions] = 1
    pipeline.add(source.read_positions(positions, room), positions)
    pipeline.maintain()
pipeline.close()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{(peak - before) / 2**20:.2f} GiB beyond the source, {pipeline.features.shape[1]} features,"
      f" {pipeline.clusters.n_clusters} clusters")
"""


def test_memory_of_a_large_scan():
    done = subprocess.run(
        [sys.executable, "-c", WORK], capture_output=True, text=True, timeout=800, check=True
    )
    print("\n" + done.stdout)
