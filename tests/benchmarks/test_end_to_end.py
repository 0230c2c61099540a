"""Sender, engine and live analysis without a recording, against bare transport in the same run."""

import statistics

import numpy as np
import pytest
import zmq

from streamer.client import EngineClient
from tests.benchmarks.stream_sender import DETECTOR
from tests.benchmarks.test_stream_ratios import N_FRAMES, N_SLOTS, bare
from tests.system.commands import engine, run_json

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

N_RUNS = 3


def test_live_without_recording_against_bare_transport(tmp_path):
    made = run_json("simulate", "junction", "--size", 256, "--out", tmp_path)
    ring = np.zeros((N_SLOTS, *DETECTOR), np.float32)
    bare_hz, ours_hz, analysed = [], [], []
    with engine(None) as running, zmq.Context() as context:
        endpoints = running.endpoints
        with EngineClient(endpoints["publish"], endpoints["control"], context) as client:
            for _ in range(N_RUNS + 1):
                bare_hz.append(N_FRAMES / bare(context, ring))
                sent = run_json("replay", made["raw"], "--to", running.listen)
                ours_hz.append(sent["frames_acknowledged"] / sent["seconds"])
                while (state := client.state())["state"] != "LISTENING":
                    client.wait_state(30)
                analysed.append(state["counters"]["frames_analysed"])
    bare_rate, ours_rate = statistics.median(bare_hz[1:]), statistics.median(ours_hz[1:])
    print(f"\nbare {bare_rate:,.0f} frames/s, live {ours_rate:,.0f} frames/s ({ours_rate / bare_rate:.2f}); "
          f"in the live result {analysed} of {sent['frames_sent']}")  # fmt: skip
