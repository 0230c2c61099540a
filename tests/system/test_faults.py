"""The fault matrix: processes killed, stopped and started again while a scan runs; nothing received is lost."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from streamer import open_result
from tests.simulated import simulate
from tests.system.commands import environment, livestem, run_json
from tests.system.stations import (
    N_FRAMES,
    Station,
    assert_recorded,
    make_scan,
    recordings,
    send,
    stopped,
    wait_for,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

N_MOMENTS = 20


@pytest.mark.parametrize(("batch", "shape", "rate_hz"), [(1, (12, 16), 600), (16, (24, 32), 1500)])
def test_the_engine_is_killed_at_twenty_moments_and_every_recording_is_whole(
    context, tmp_path, batch, shape, rate_hz
):
    """Each scan meets one kill; the engine that is started then takes the next scan too."""
    with Station(tmp_path, "--sync", "kill") as station:
        for moment in range(N_MOMENTS):
            scan, killed = make_scan(shape, seed=moment), []
            n_frames = scan.info.n_frames
            # The last one early enough not to come after the end.
            after = (n_frames - 4 * batch) * moment // N_MOMENTS

            def kill_once(n_acknowledged, after=after, killed=killed):
                if not killed and n_acknowledged >= after:
                    station.kill()
                    killed.append(n_acknowledged)
                    station.start()

            sent = send(context, station.listen, scan, kill_once, batch=batch, rate_hz=rate_hz)
            assert killed
            assert sent.frames_acknowledged == n_frames
            station.wait_end(scan.info.scan_id)
            (path,) = recordings(tmp_path, scan.info.scan_id)
            end = assert_recorded(path, scan)
            assert end["counters"]["frames_missing"] == 0


def test_with_sync_power_a_kill_loses_nothing_either(context, tmp_path):
    with Station(tmp_path, "--sync", "power") as station:
        for moment in (1, 2):
            scan, killed = make_scan(seed=moment), []

            def kill_once(n_acknowledged, moment=moment, killed=killed, scan=scan):
                if not killed and n_acknowledged >= N_FRAMES * moment // 4:
                    killed.append(n_acknowledged)
                    station.kill()
                    station.start()

            send(context, station.listen, scan, kill_once, rate_hz=80)
            station.wait_end(scan.info.scan_id)
            (path,) = recordings(tmp_path, scan.info.scan_id)
            assert_recorded(path, scan)


def test_an_engine_killed_after_the_last_frame_completes_the_scan_when_it_comes_back(context, tmp_path):
    scan = make_scan()
    with Station(tmp_path, "--sync", "kill") as station:
        send(context, station.listen, scan)
        station.wait_end(scan.info.scan_id)
        station.kill()
        station.start()
        sent = send(context, station.listen, scan)
        assert (sent.frames_sent, sent.frames_acknowledged) == (0, N_FRAMES)
        station.wait_end(scan.info.scan_id)
        (path,) = recordings(tmp_path, scan.info.scan_id)
        assert_recorded(path, scan)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("scan"), (24, 32))


def replay(station, raw, *options):
    """A sender process of its own."""
    return subprocess.Popen(
        livestem("replay", raw, "--to", station.listen, "--json", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def frames_of(simulated):
    return np.fromfile(simulated.raw, "<f4").reshape(-1, 130, 128)[:, :128]


def test_a_killed_sender_is_reported_in_five_seconds_its_scan_analysed_on_request_and_continued(
    context, simulated, tmp_path
):
    with Station(tmp_path) as station, station.client() as client:
        sender = replay(station, simulated.raw, "--rate", "500")
        state = wait_for(client, lambda state: state["counters"]["frames_received"] > 400)
        sender.kill()
        killed_at = time.monotonic()
        sender.communicate()
        state = wait_for(client, lambda state: state["finish_reason"])
        assert time.monotonic() - killed_at < 5.5  # 5 s, and the next published state on a busy machine
        assert state["finish_reason"] == "STREAM_LOST"
        (problem,) = [problem for problem in state["problems"] if problem["code"] == "stream_lost"]
        n_received, path = state["counters"]["frames_received"], state["recording"]
        assert f"after {n_received} of 768 frames" in problem["text"]
        assert f"kept in {path}" in problem["text"]
        scan_id = state["scan"]["scan_id"]
        station.wait_end(scan_id, "STREAM_LOST")

        client.analyze()
        state = wait_for(client, lambda state: state["shows"] == "final", 120)
        labels = open_result(state["result"]).label_maps
        assert (labels[0] >= 0).sum() == n_received

        rest = run_json("replay", simulated.raw, "--to", station.listen, "--scan-id", scan_id)
        assert rest["frames_sent"] == 768 - n_received
        station.wait_end(scan_id)
        client.shutdown()
    with open_recording(path) as recording:
        stored = recording.read_block(0, 768, np.empty((768, 128, 128), "f4"))
        np.testing.assert_array_equal(stored, frames_of(simulated))


def open_recording(path):
    from pathlib import Path

    from streamer.formats.recording import RecordingReader

    return RecordingReader(Path(path))


def test_a_sender_that_stood_still_until_it_was_called_lost_goes_on(simulated, tmp_path):
    with Station(tmp_path) as station, station.client() as client:
        sender = replay(station, simulated.raw, "--rate", "500")
        wait_for(client, lambda state: state["counters"]["frames_received"] > 300)
        with stopped(sender.pid):
            wait_for(client, lambda state: state["stalled"])
            wait_for(client, lambda state: state["finish_reason"] == "STREAM_LOST")
        _out, err = sender.communicate(timeout=60)
        assert sender.returncode == 0, err
        assert "the others follow" in err
        assert "does not answer" not in err  # it was the sender that was away
        state = client.state()
        station.wait_end(state["scan"]["scan_id"])
    with open_recording(state["recording"]) as recording:
        stored = recording.read_block(0, 768, np.empty((768, 128, 128), "f4"))
        np.testing.assert_array_equal(stored, frames_of(simulated))


def test_an_engine_that_stood_still_calls_nobody_lost(context, tmp_path):
    scan, stopped_at, silent = make_scan(), [], []
    with Station(tmp_path, "--sync", "kill") as station:

        def stop_for_six_seconds(n_acknowledged):
            now = time.monotonic()
            if not stopped_at and n_acknowledged > N_FRAMES // 3:
                station.running.process.send_signal(signal.SIGSTOP)
                stopped_at.append(now)
            if stopped_at and not silent and now - stopped_at[0] > 6:
                station.running.process.send_signal(signal.SIGCONT)
                silent.append(now)

        said = []
        send(context, station.listen, scan, stop_for_six_seconds, rate_hz=100, said=said.append)
        assert silent
        assert "does not answer" in said[0]
        assert "acknowledged and safe" in said[0]
        state = station.wait_end(scan.info.scan_id)
        assert state["problems"] == []
        assert_recorded(state["recording"], scan)


VIEWER = """
import sys
from streamer.client import EngineClient
with EngineClient(*sys.argv[1:]) as client:
    while True:
        state = client.wait_state(60)
        client.get(list(state["array_versions"]))
        print(state["state"], flush=True)
"""


def test_a_viewer_that_is_stopped_or_killed_changes_nothing(context, tmp_path):
    scan = make_scan()
    with Station(tmp_path, "--sync", "kill") as station:
        ends = station.running.endpoints
        viewer = subprocess.Popen(
            [sys.executable, "-c", VIEWER, ends["publish"], ends["control"]],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert viewer.stdout.readline()

            def harm(n_acknowledged):
                if n_acknowledged > N_FRAMES // 3:
                    viewer.send_signal(signal.SIGSTOP)
                if n_acknowledged > 2 * N_FRAMES // 3:
                    viewer.kill()

            sent = send(context, station.listen, scan, harm, rate_hz=400)
        finally:
            viewer.kill()
            viewer.wait()
            viewer.stdout.close()
        assert sent.frames_acknowledged == N_FRAMES
        assert_recorded(station.wait_end(scan.info.scan_id)["recording"], scan)
