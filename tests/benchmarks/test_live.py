"""A junction of 256 x 256 at a first-generation detector's fastest: how late, how right, how steady the live map is.

Sender, engine and viewer share the machine, as `livestem monitor` and a detector's bridge would.
"""

import itertools
import threading
import time

import numpy as np
import pytest
import zmq

from simulators.sender import Sender
from simulators.truth import many_to_one_accuracy, read_truth
from streamer import analyze, open_scan
from streamer.client import EngineClient
from streamer.cluster.agreement import adjusted_rand
from tests.system.commands import engine, run_json

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

SIDE = 256
RATE_HZ = 1100


class Timed:
    """A scan that notes when each of its frames was taken to be sent."""

    def __init__(self, scan):
        self._scan = scan
        self.taken_s = np.full(scan.info.n_frames, np.nan)

    def __getattr__(self, name):
        return getattr(self._scan, name)

    def read_block(self, start, stop, out):
        self.taken_s[start:stop] = time.monotonic()
        return self._scan.read_block(start, stop, out)


class Watched:
    """What a viewer saw: (seconds, frames in the live result) of every state, and the label maps that came with it."""

    def __init__(self):
        self.states, self.labels, self.first_line_at, self.settled_share = [], [], None, None

    def follow(self, client, n_frames):
        held = {}
        while True:
            state = client.wait_state(20)
            came = time.monotonic()
            n = state["counters"]["frames_analysed"]
            self.states.append((came, n))
            if state["state"] != "RUNNING":
                if n == n_frames:
                    return state
                continue
            self.settled_share = state["settled_share"] or self.settled_share
            arrays = client.get(["label_maps", "bright_field"], held)
            if "label_maps" in arrays:
                held["label_maps"] = arrays["label_maps"].version
                self.labels.append((n, arrays["label_maps"].values.reshape(2, -1).copy()))
            if self.first_line_at is None and "bright_field" in arrays:
                if np.isfinite(arrays["bright_field"].values[0]).all():
                    self.first_line_at = n


def shares_changed(labels, n_frames):
    """Share of positions whose identity changes between two snapshots, after a fifth of the scan, per level."""
    changes = []
    for (n, before), (_, after) in itertools.pairwise(labels):
        both = (before[1] >= 0) & (after[1] >= 0)
        if n > n_frames / 5 and both.any():
            changes.append([(before[level] != after[level])[both].mean() for level in range(2)])
    return np.array(changes)


def test_live_map_of_a_junction(tmp_path):
    made = run_json("simulate", "junction", "--size", SIDE, "--seed", 1, "--out", tmp_path / "scan")
    phase = read_truth(made["truth"]).specimen.phase
    seen = Watched()
    with open_scan(made["raw"]) as scan, engine(tmp_path, "--no-analyze", "--sync", "kill") as running:
        timed, n = Timed(scan), scan.info.n_frames
        with zmq.Context() as context:
            sender = Sender(timed, running.listen, context, RATE_HZ)
            sending = threading.Thread(target=sender.run)
            with EngineClient(running.endpoints["publish"], running.endpoints["control"], context) as client:
                sending.start()
                seen.follow(client, n)
                sending.join()
            sender.close()
        final = analyze(scan).label_maps
    came_s, n_in = np.array(seen.states).T
    first_state_with = np.searchsorted(np.maximum.accumulate(n_in), np.arange(n), side="right")
    known = first_state_with < len(came_s)
    late_ms = 1e3 * (came_s[first_state_with[known]] - timed.taken_s[known])
    print(f"\nfrom sender to published state: median {np.median(late_ms):.0f} ms, "
          f"p95 {np.percentile(late_ms, 95):.0f} ms")  # fmt: skip
    print(f"bright field of the first line after {seen.first_line_at} frames")
    first_labels = next(count for count, maps in seen.labels if (maps >= 0).any())
    print(f"clusters after {first_labels / n:.1%} of the scan; settled at {seen.settled_share}")
    count, last = seen.labels[-1]
    print(f"last map before the closing pass holds {count} of {n} frames")
    for level in range(2):
        there = last[level] >= 0
        agreement = adjusted_rand(last[level][there], final[level].ravel()[there])
        truth = [
            many_to_one_accuracy(maps.reshape(phase.shape), phase) for maps in (last[level], final[level])
        ]
        print(f"level {level + 1}: adjusted Rand to the analysis {agreement:.3f}, "
              f"phases live {truth[0]:.4f}, final {truth[1]:.4f}")  # fmt: skip
    changes = shares_changed(seen.labels, n)
    print(f"identities changed between snapshots after a fifth: median {np.median(changes, axis=0)}, "
          f"mean {changes.mean(axis=0)}, p95 {np.percentile(changes, 95, axis=0)}")  # fmt: skip
