"""The whole way of a scan: simulator -> engine -> recording -> analysis -> result, each a process of its own.

Reads like the story of a scan; every step is a command that a user could type.
"""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.image import imread

from simulators.specimen import Phase
from simulators.truth import many_to_one_accuracy, read_truth
from streamer import open_result, open_scan
from streamer.client import EngineClient
from streamer.formats.recording import RecordingReader
from tests.system.commands import engine, livestem, run, run_json

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

SIZE = "32x48"
SHAPE = (32, 48)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A junction of 32 x 48 positions; its truth lies where neither engine nor sender is told of it."""
    folder = tmp_path_factory.mktemp("simulated")
    return run_json(
        "simulate", "junction", "--size", SIZE, "--out", folder / "scan", "--truth-out", folder / "truth"
    )


@pytest.fixture(scope="module")
def finished(simulated, tmp_path_factory):
    """The scan, sent to an engine that records it, clusters it live, and analyses it when it ends."""
    recordings = tmp_path_factory.mktemp("recordings")
    with engine(recordings, "--once") as running:
        sent = run_json("replay", simulated["raw"], "--to", running.listen, "--rate", "1500")
        outcome = running.outcome()
        assert running.process.returncode == 0  # and the slide is drawn
    return sent, outcome


def test_every_frame_sent_is_acknowledged_and_stored(finished):
    sent, outcome = finished
    assert sent["frames_sent"] == sent["frames_acknowledged"] == SHAPE[0] * SHAPE[1]
    assert outcome["finish_reason"] == "COMPLETED"
    assert outcome["counters"]["frames_stored"] == sent["frames_sent"]
    assert outcome["counters"]["frames_missing"] == 0


def test_the_recording_equals_the_file_bit_for_bit(simulated, finished):
    frames = np.fromfile(simulated["raw"], "<f4").reshape(*SHAPE, 130, 128)[..., :128, :]
    with h5py.File(finished[1]["recording"], "r") as recording:
        np.testing.assert_array_equal(recording["/datacube_root/datacube/data"][()], frames)
        assert (recording["/livestem/received"][()] == 1).all()


def test_the_last_live_labels_in_the_recording_agree_with_the_truth_on_the_phases(simulated, finished):
    truth = read_truth(simulated["truth"]).specimen
    with RecordingReader(finished[1]["recording"]) as recording:
        live = recording.live_label_maps()
    assert many_to_one_accuracy(live[-1], truth.phase) >= 0.97


def test_the_result_finds_phases_rotation_and_ripples(simulated, finished):
    truth = read_truth(simulated["truth"]).specimen
    result = open_result(finished[1]["result"])
    leaves = result.label_maps[-1]
    assert many_to_one_accuracy(leaves, truth.phase) >= 0.99
    assert many_to_one_accuracy(leaves, truth.ripple_region, truth.phase == Phase.WSE2) >= 0.8


def test_a_slide_lies_beside_the_result(finished):
    result = Path(finished[1]["result"])
    slide = result.with_name(result.name.replace(".result.h5", ".slide.png"))
    assert imread(slide).shape[:2] == (1080, 1920)


def test_analysing_the_file_by_hand_gives_the_labels_that_the_engine_found(simulated, finished, tmp_path):
    by_hand = run_json("analyze", simulated["raw"], "--out", tmp_path / "by_hand.result.h5")
    np.testing.assert_array_equal(
        open_result(by_hand["result"]).label_maps, open_result(finished[1]["result"]).label_maps
    )


def test_analysing_the_closed_recording_gives_the_result_that_was_begun_before_it_was_closed(
    finished, tmp_path
):
    recording = finished[1]["recording"]
    again = open_result(run_json("analyze", recording, "--out", tmp_path / "again.result.h5")["result"])
    result = open_result(finished[1]["result"])
    for name in result.attrs.keys() - {"created", "seconds", "overrides"}:
        assert result.attrs[name] == again.attrs[name], name
    assert result.arrays.keys() == again.arrays.keys()
    for name, values in result.arrays.items():
        np.testing.assert_array_equal(values, again.arrays[name], name)


def test_the_window_renders_the_result_and_the_recording_to_pictures(finished, tmp_path):
    for target in (finished[1]["result"], finished[1]["recording"]):
        picture = tmp_path / "window.png"
        done = run("view", target, "--snapshot", picture)
        assert done.returncode == 0, done.stderr
        assert picture.stat().st_size > 20_000
        picture.unlink()


def test_inspect_says_what_the_files_hold(finished):
    facts = run_json("inspect", finished[1]["recording"])
    assert facts["scan_shape"] == list(SHAPE)
    assert facts["frames_missing"] == 0
    assert facts["end"]["finish_reason"] == "COMPLETED"
    assert run_json("inspect", finished[1]["result"])["kind"] == "result"


def test_while_the_scan_runs_the_recording_opens_and_viewers_see_it_grow(simulated, tmp_path):
    import subprocess

    from tests.system.commands import environment

    with engine(tmp_path, "--no-analyze") as running:
        sender = subprocess.Popen(
            livestem("replay", simulated["raw"], "--to", running.listen, "--rate", "400"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        try:
            with EngineClient(running.endpoints["publish"], running.endpoints["control"]) as client:
                state = wait_for(client, lambda state: state["counters"]["frames_stored"] > 200)
                assert state["state"] == "RUNNING"
                assert state["shows"] == "live"
                with h5py.File(state["recording"], "r", locking=False) as recording:
                    marks = recording["/livestem/received"][()] & 0x7F
                    assert 0 < (marks == 1).sum() < marks.size
                shown = {
                    "label_maps",
                    "cluster_patterns",
                }  # a state that is the newest may have the first alone
                state = wait_for(client, lambda state: shown <= set(state["array_versions"]))
                arrays = client.get(["label_maps", "bright_field"])
                assert arrays["label_maps"].values.shape == (2, *SHAPE)
                assert client.get(["cluster_patterns"], {"cluster_patterns": -1})
                y, x = np.argwhere(np.isfinite(arrays["bright_field"].values))[0].tolist()
                np.testing.assert_array_equal(client.pattern(y, x), open_scan(simulated["raw"]).pattern(y, x))
                whole = wait_for(
                    client, lambda state: state["state"] == "LISTENING" and state["finish_reason"]
                )
                assert whole["finish_reason"] == "COMPLETED"
                seen = np.ones(SHAPE, bool)
                assert client.mean_pattern(seen).shape == (128, 128)
                client.shutdown()
            assert running.process.wait(30) == 0
        finally:
            sender.kill()
            sender.wait()


def test_a_result_is_the_model_of_the_next_scan(finished, tmp_path_factory):
    again = run_json(
        "simulate", "junction", "--size", SIZE, "--seed", "7", "--out", tmp_path_factory.mktemp("again")
    )
    recordings = tmp_path_factory.mktemp("labelled")
    with engine(recordings, "--once", "--no-analyze", "--model", finished[1]["result"]) as running:
        run_json("replay", again["raw"], "--to", running.listen)
        outcome = running.outcome()
    truth = read_truth(again["truth"]).specimen
    model = open_result(finished[1]["result"])
    with RecordingReader(outcome["recording"]) as recording:
        labels = recording.live_label_maps()[0]
    # The same junction: what the model calls a phase is that phase here too.
    known = [np.bincount(model.label_maps[0][truth.phase == phase]).argmax() for phase in Phase]
    names = {node.id: node.name for node in model.nodes}
    live_ids = [np.bincount(labels[truth.phase == phase]).argmax() for phase in Phase]
    assert len(set(live_ids)) == 3
    # Ids of live clusters of level 1 are their names.
    assert [names[node_id] for node_id in known] == [str(node_id) for node_id in live_ids]


def wait_for(client, condition, timeout_s=60):
    """The first state that fulfils a condition; states arrive by themselves, nothing sleeps."""
    import time

    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        state = client.wait_state(timeout_s=10)
        if condition(state):
            return state
    raise AssertionError(f"the engine never came so far: {json.dumps(state)[:500]}")
