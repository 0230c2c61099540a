"""A file that a separate process writes is fed to an engine while it grows."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from gui.feed_process import FeedProcess
from simulators.detector import write_xml
from streamer import open_result, open_scan
from streamer.client import EngineClient
from streamer.formats.recording import RecordingReader
from tests.simulated import simulate
from tests.system.commands import engine, environment, livestem
from tests.writer import record

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

N_X, N_Y = 32, 20
N = N_X * N_Y
NAME = f"scan_x{N_X}_y{N_Y}.raw"
WRITER = Path(__file__).parents[1] / "writer.py"


@contextmanager
def process(command, **more):
    started = subprocess.Popen(
        [*map(str, command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        **more,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def writer(path, rate, *wishes):
    return process([sys.executable, WRITER, path, N, rate, *wishes], cwd=Path(__file__).parents[2])


def feed(path, listen, *more):
    return process(livestem("feed", path, "--to", listen, "--json", *more), stderr=subprocess.PIPE)


def go_on(writing):
    writing.stdin.write("\n")
    writing.stdin.flush()


def check_recording(path, n):
    with RecordingReader(Path(path)) as recording:
        received = recording.received.ravel()
        assert (received[:n] > 0).all()
        assert not received[n:].any()
        for index in range(0, n, 37):
            expected = np.frombuffer(record(index), "<f4").reshape(130, 128)[:128]
            np.testing.assert_array_equal(recording.pattern(*divmod(index, N_X)), expected)
        return recording.end()["finish_reason"]


def wait_for(running, ready):
    with EngineClient(running.endpoints["publish"], running.endpoints["control"]) as client:
        while not ready(client.wait_state(30)):
            continue


def test_a_file_at_538_frames_a_second_with_a_pause_is_recorded_whole_while_it_grows(tmp_path):
    with (
        engine(tmp_path / "r", "--once", "--no-analyze") as running,
        feed(tmp_path / NAME, running.listen) as feeding,
        writer(tmp_path / NAME, 538, "hold:300") as writing,
    ):
        # The writer pauses: what it has written is received meanwhile, its last frame too, and not afterwards.
        wait_for(running, lambda state: state["counters"]["frames_stored"] == 300)
        go_on(writing)
        assert feeding.wait(60) == 0
        sent = json.loads(feeding.stdout.readline())
        outcome = running.outcome()
    assert (sent["frames_sent"], sent["frames_acknowledged"], sent["finish_reason"]) == (N, N, "COMPLETED")
    assert check_recording(outcome["recording"], N) == "COMPLETED"


def test_a_writer_that_is_killed_in_half_a_record_leaves_what_came(tmp_path):
    with (
        engine(tmp_path / "r", "--once", "--no-analyze") as running,
        feed(tmp_path / NAME, running.listen, "--silence", "1") as feeding,
        writer(tmp_path / NAME, 2000, "prealloc", "half:333") as writing,
    ):
        assert writing.stdout.readline() == "half\n"
        writing.kill()
        assert feeding.wait(60) == 7
        said = feeding.stderr.read()
        outcome = running.outcome()
    assert f"has not grown any more at 333 of {N} frames" in said
    assert "Traceback" not in said
    assert outcome["counters"]["frames_dropped_by_sender"] == N - 333
    assert check_recording(outcome["recording"], 333) == "STOPPED"


def test_scales_that_come_last_are_those_of_the_result(tmp_path):
    """The analysis begins before the recording says them."""
    acquired = tmp_path / "acquired"
    acquired.mkdir()
    scan = simulate(acquired, (20, 32))
    xml = scan.xml.rename(tmp_path / "later.xml")
    with (
        engine(tmp_path / "r", "--once") as running,
        feed(scan.raw, running.listen) as feeding,
    ):
        wait_for(running, lambda state: state["counters"]["frames_received"] == 20 * 32)
        xml.rename(scan.xml)
        assert feeding.wait(60) == 0
        outcome = running.outcome()
    result = open_result(outcome["result"])
    with open_scan(outcome["recording"]) as recording:
        assert result.attrs["calibration"] == recording.info.calibration.to_json()
        assert result.attrs["calibration"]["voltage_v"] == 80e3
        assert result.attrs["scan"] == recording.info.to_json()
        assert result.attrs["source_checksum"] == recording.checksum()


def test_the_monitors_feed_ends_with_its_window_once_the_scan_is_whole(tmp_path):
    folder = tmp_path / "acquired"
    folder.mkdir()
    with engine(tmp_path / "r", "--once", "--no-analyze") as running:
        feeding = FeedProcess(folder, running.listen)
        with writer(folder / NAME, 2000, "hold:100") as writing:
            wait_for(running, lambda state: state["counters"]["frames_stored"] == 100)
            assert not feeding.release(wait_s=0.0)  # the window is closed; the scan goes on
            go_on(writing)
            assert writing.wait(60) == 0
        outcome = running.outcome()
        assert feeding.release(wait_s=30.0)
    assert check_recording(outcome["recording"], N) == "COMPLETED"


def test_the_next_files_of_a_folder_are_scans_of_their_own_and_there_within_a_second(tmp_path):
    folder = tmp_path / "acquired"
    (folder / "1").mkdir(parents=True)
    (folder / "2").mkdir()
    (folder / NAME).write_bytes(record(0) * 3)
    os.utime(folder / NAME, (1, 1))  # an old one: left out
    seen_after_s, scans = [], set()
    with (
        engine(tmp_path / "r", "--no-analyze") as running,
        feed(folder, running.listen, "--until-stdin-closes") as feeding,
        EngineClient(running.endpoints["publish"], running.endpoints["control"]) as client,
    ):
        assert "is followed" in feeding.stderr.readline()
        client.state(30)
        for name in ("1", "2"):
            with writer(folder / name / NAME, 538, "clock", "hold:400") as writing:
                begun_s = float(writing.stdout.readline())
                state = client.wait_state(30)
                while not state["counters"]["frames_received"] or state["scan"]["scan_id"] in scans:
                    state = client.wait_state(30)
                seen_after_s.append(time.time() - begun_s)
                scans.add(state["scan"]["scan_id"])
                go_on(writing)
                assert writing.wait(60) == 0
            write_xml(
                folder / name / "acquisition.xml", NAME, (N_Y, N_X), 80e3
            )  # last, as the detector's software
            assert json.loads(feeding.stdout.readline())["frames_acknowledged"] == N
        feeding.stdin.close()
        assert feeding.wait(30) == 0
        feeding.stdin = None
        wait_for(running, lambda state: state["state"] == "LISTENING" and state["finish_reason"])
    # Whatever else the computer does only adds to it.
    assert min(seen_after_s) < 1.0
    recordings = sorted((tmp_path / "r").glob("*.h5"))
    assert len(recordings) == 2
    for path in recordings:
        assert check_recording(path, N) == "COMPLETED"
        with RecordingReader(path) as recording:
            assert (recording.info.calibration.voltage_v, recording.info.calibration.q_source) == (
                80e3,
                "nominal",
            )
