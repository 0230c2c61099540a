"""Bad input at every command: one clear sentence, the exit code of the contract, no traceback."""

import contextlib
import io
import json
import re
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest

from streamer.cli import main
from streamer.client import EngineClient
from streamer.formats.recording import RecordingReader
from tests.simulated import simulate
from tests.system.commands import FREE, engine, environment, livestem, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("scan"), (12, 16))


def refused(code, sentence, *arguments):
    """In this process, where everything is imported; `main` does nothing but end with what `run` returns."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        returned = main.run([str(argument) for argument in arguments])
    assert_refused(code, sentence, returned, said.getvalue())


def process_refused(code, sentence, *arguments):
    done = run(*arguments)
    assert_refused(code, sentence, done.returncode, done.stderr)


def assert_refused(code, sentence, returned, said):
    assert returned == code, said
    assert "Traceback" not in said
    assert re.search(sentence, " ".join(said.split())), said


def test_a_missing_file(tmp_path):
    for command in (("analyze",), ("inspect",), ("replay", "--to", FREE)):
        refused(6, "missing.raw does not exist", command[0], tmp_path / "missing.raw", *command[1:])
    process_refused(6, "missing.raw does not exist", "analyze", tmp_path / "missing.raw")


def test_empty_truncated_and_contradictory_raw_files(tmp_path):
    (tmp_path / "scan_x4_y3.raw").write_bytes(b"")
    refused(6, "is empty", "analyze", tmp_path / "scan_x4_y3.raw")
    (tmp_path / "scan_x4_y3.raw").write_bytes(bytes(66560 - 5))
    refused(6, "truncated or not an EMPAD RAW file", "analyze", tmp_path / "scan_x4_y3.raw")
    (tmp_path / "scan_x4_y3.raw").write_bytes(bytes(66560 * 12))
    refused(6, "12 records of zeros alone", "analyze", tmp_path / "scan_x4_y3.raw")
    (tmp_path / "scan_x4_y3.raw").write_bytes(bytes(66560 * 3))
    refused(6, r"has 3 records; expected 4 x 3", "analyze", tmp_path / "scan_x4_y3.raw")


def test_an_existing_result_is_not_replaced(scan, tmp_path):
    (tmp_path / "kept.h5").write_text("mine")
    refused(2, "exists and is not replaced", "analyze", scan.raw, "--out", tmp_path / "kept.h5")
    assert (tmp_path / "kept.h5").read_text() == "mine"


def test_unknown_options_settings_and_specimens(scan, tmp_path):
    (tmp_path / "s.toml").write_text("[mask]\ntresh = 1\n")
    refused(2, r"Setting 'mask\.tresh' is unknown", "analyze", scan.raw, "--settings", tmp_path / "s.toml")
    refused(2, "--k all cannot be read", "analyze", scan.raw, "--k", "all")
    refused(2, "--roi 3 cannot be read", "analyze", scan.raw, "--roi", "3")
    refused(2, "does not lie within the scan", "analyze", scan.raw, "--roi", "0:99,0:3")
    refused(2, "No file is given", "analyze")
    refused(6, "missing.h5 does not exist", "analyze", "--from", tmp_path / "missing.h5")
    refused(2, "Specimen 'gold' is unknown", "simulate", "gold", "--out", tmp_path)
    refused(2, "No such option", "analyze", scan.raw, "--fast")
    refused(2, "No such command", "analyse")


def test_exports_of_no_result_and_over_existing_files(scan, tmp_path):
    refused(6, "missing.h5 does not exist", "export", tmp_path / "missing.h5", "--to", "png")
    refused(6, "cannot be read as HDF5", "export", scan.raw, "--to", "png")
    refused(2, "Missing option '--to'", "export", scan.raw)


def test_nobody_listens(scan):
    process_refused(
        9, "No engine|no engine|nobody", "replay", scan.raw, "--to", "tcp://127.0.0.1:9", "--wait", "1"
    )
    process_refused(9, "No engine|no engine", "view", "tcp://127.0.0.1:9", "--snapshot", "never.png")


def test_an_address_that_others_can_reach_is_refused():
    process_refused(2, "reachable from other computers", "serve", "--listen", "tcp://0.0.0.0:9999")


def test_a_port_in_use(tmp_path):
    with engine(tmp_path) as running:
        process_refused(
            2,
            "cannot be bound",
            "serve",
            "--listen",
            FREE,
            "--publish",
            FREE,
            "--control",
            running.endpoints["control"],
        )


def test_nan_frames_are_stored_counted_and_left_out(tmp_path):
    scan = simulate(tmp_path, (12, 16))
    records = np.memmap(scan.raw, "<f4", "r+", shape=(192, 130, 128))
    records[7] = np.nan
    records.flush()
    with engine(tmp_path / "r", "--once") as running:
        assert run("replay", scan.raw, "--to", running.listen).returncode == 0
        outcome = running.outcome()
    assert outcome["counters"]["frames_stored"] == 192
    assert outcome["counters"]["frames_nonfinite"] == 1
    with h5py.File(outcome["recording"]) as recording:
        assert recording["/livestem/received"][()].ravel()[7] & 0x7F == 2
    with h5py.File(outcome["result"]) as result:
        assert (result["hierarchy/labels"][()].reshape(3, -1)[:, 7] == -1).all()


def test_a_stream_that_stops_half_way_leaves_a_valid_recording_and_says_so(scan, tmp_path):
    with engine(tmp_path, "--once") as running:
        sender = subprocess.Popen(
            livestem("replay", scan.raw, "--to", running.listen, "--rate", "60"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        wait_for_frames(running, 20)
        sender.kill()
        sender.wait()
        outcome = running.outcome()
        assert running.process.returncode == 3
    assert outcome["finish_reason"] == "STREAM_LOST"
    with RecordingReader(outcome["recording"]) as recording:
        stored = recording.received.ravel() > 0
        assert stored.sum() == outcome["counters"]["frames_stored"] >= 20
        assert recording.end()["finish_reason"] == "STREAM_LOST"
        for index in np.flatnonzero(stored):
            np.testing.assert_array_equal(recording.pattern(*divmod(int(index), 16)), scan.frames[index])


def wait_for_frames(running, n):
    from streamer.client import EngineClient

    with EngineClient(running.endpoints["publish"], running.endpoints["control"]) as client:
        while client.wait_state(30)["counters"]["frames_stored"] < n:
            continue


def test_a_disk_too_small_is_said_before_the_scan(scan, tmp_path):
    """The engine is started where free space is reported as nothing."""
    code = (
        "import shutil, sys, collections\n"
        "usage = collections.namedtuple('usage', 'total used free')\n"
        "shutil.disk_usage = lambda path: usage(1, 1, 0)\n"
        "from streamer.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    with engine(tmp_path, code=code) as running:
        done = run("replay", scan.raw, "--to", running.listen, "--wait", "5")
        assert done.returncode != 0
        assert re.search(r"needs \d+ bytes.*has 0 bytes free", " ".join(done.stderr.split())), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_serve_receives_records_and_analyses_where_pyqt5_cannot_be_imported(scan, tmp_path):
    code = "import sys\nsys.modules['PyQt5'] = None\nfrom streamer.cli.main import main\nmain(sys.argv[1:])\n"
    with engine(tmp_path, "--once", code=code) as running:
        sent = run("replay", scan.raw, "--to", running.listen, "--json")
        assert json.loads(sent.stdout)["frames_acknowledged"] == 192
        assert running.outcome()["result"] is not None


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 0)])
def test_an_engine_that_is_told_to_end_closes_the_recording_in_order(scan, tmp_path, name, code):
    with engine(tmp_path) as running:
        sender = subprocess.Popen(
            livestem("replay", scan.raw, "--to", running.listen, "--rate", "60"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        wait_for_frames(running, 20)
        running.process.send_signal(getattr(signal, name))
        assert running.process.wait(60) == code
        sender.kill()
        sender.communicate()
    (path,) = tmp_path.glob("*.h5")
    with RecordingReader(path) as recording:
        assert recording.end()["finish_reason"] == "STOPPED"
        assert (recording.received > 0).sum() == recording.end()["n_frames"] >= 20


def test_scans_follow_each_other_without_a_pause(scan, tmp_path):
    with engine(tmp_path, "--disk-budget", "0.03") as running:
        for _ in range(3):
            done = run("replay", scan.raw, "--to", running.listen)
            assert done.returncode == 0, done.stderr
        with EngineClient(running.endpoints["publish"], running.endpoints["control"]) as client:
            deadline, state = time.monotonic() + 60, client.state()
            while sum(bool(one["result"]) for one in state["history"]) < 3:
                assert time.monotonic() < deadline
                state = client.wait_state()
    assert [one["finish_reason"] for one in state["history"]] == ["COMPLETED"] * 3
    assert len({one["result"] for one in state["history"]}) == 3, "one result for each scan"
    assert all(one["map"]["shape"] == [12, 16] for one in state["history"])
    assert [problem["code"] for problem in state["problems"]] == ["disk_budget"]
    finished = [path for path in tmp_path.glob("*.h5") if "result" not in path.name]
    assert len(finished) == 3
    for path in finished:
        with RecordingReader(path) as recording:
            assert (recording.received == 1).all()
