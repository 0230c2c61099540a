"""Keys from the making of them to the last frame, as a user types it; and what is refused on the way."""

import json
import os
import shutil
import subprocess

import pytest

from streamer.client import EngineClient
from streamer.errors import LivestemError
from streamer.security.keys import load_client_keys, make_keys
from tests.simulated import simulate
from tests.system.commands import engine, environment, livestem, run, run_json

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

OPEN = "tcp://0.0.0.0:*"
ALL_OPEN = ("--listen", OPEN, "--publish", OPEN, "--control", OPEN)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("scan"), (12, 16))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The folder as it is made; and one for each computer, with no more than the files it is told to get."""
    folder = tmp_path_factory.mktemp("keys")
    said = run_json("keys", "--out", folder / "made")
    for name, files in said["files"].items():
        (folder / name).mkdir()
        for file in files:
            copy = shutil.copytree if (folder / "made" / file).is_dir() else shutil.copy
            copy(folder / "made" / file, folder / name / file)
    make_keys(folder / "stranger")
    (folder / "stranger/engine.key").unlink()
    shutil.copy(folder / "made/engine.key", folder / "stranger/engine.key")
    return folder


def here(endpoint):
    return endpoint.replace("0.0.0.0", "127.0.0.1")


def refused(code, sentence, *arguments):
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert sentence in " ".join(done.stderr.split()), done.stderr


def test_keys_says_which_file_goes_where_and_replaces_nothing(tmp_path):
    done = run("keys", "--out", tmp_path / "k")
    assert done.returncode == 0, done.stderr
    assert "the detector's computer: engine.key, sender.key_secret" in " ".join(done.stdout.split())
    refused(2, "is not replaced", "keys", "--out", tmp_path / "k")


@pytest.mark.parametrize("option", ["--listen", "--publish", "--control"])
def test_an_open_socket_without_keys_is_refused_and_the_way_out_said(option):
    refused(2, "reachable from other computers", "serve", option, OPEN)
    done = run("serve", option, "tcp://127.0.0.1:1;0.0.0.0:2")
    assert done.returncode == 2
    for advice in ("livestem keys", "--keys DIR", "--insecure"):
        assert advice in done.stderr


def test_a_scan_goes_to_an_open_engine_with_keys_and_those_without_get_nothing(scan, keys, tmp_path):
    with engine(tmp_path, "--once", "--no-analyze", "--keys", keys / "engine", *ALL_OPEN) as running:
        to = ("--to", here(running.listen))
        for wrong in ((), ("--keys", keys / "stranger")):
            refused(9, "No engine", "replay", scan.raw, *to, "--wait", "1", *wrong)
        publish, control = here(running.endpoints["publish"]), here(running.endpoints["control"])
        reader = load_client_keys(keys / "reader", "reader")
        with EngineClient(publish, control, keys=reader) as client:
            assert client.wait_state(30)["state"] == "LISTENING"
            (problem,) = client.state()["problems"]
            assert problem["code"] == "key_refused"
            assert "asked to send and was refused" in problem["text"]
            for forbidden in (client.stop, client.shutdown, lambda: client.release("disk")):
                with pytest.raises(LivestemError, match="may only read"):
                    forbidden()
        done = run("replay", scan.raw, *to, "--keys", keys / "sender", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["frames_acknowledged"] == 192
        assert running.outcome()["counters"]["frames_stored"] == 192


def test_the_window_opens_with_keys_and_not_without(keys, tmp_path):
    with engine(None, "--keys", keys / "engine", *ALL_OPEN) as running:
        target = here(running.endpoints["publish"])
        for who in ("viewer", "reader"):
            picture = tmp_path / f"{who}.png"
            done = run("view", target, "--keys", keys / who, "--snapshot", picture)
            assert done.returncode == 0, done.stderr
            assert picture.stat().st_size > 10_000
        refused(9, "wants a key and none was given", "view", target, "--snapshot", tmp_path / "never.png")
        stranger = ("--keys", keys / "stranger", "--snapshot", tmp_path / "never.png")
        refused(9, "does not know this key", "view", target, *stranger)
    assert not (tmp_path / "never.png").exists()


def test_a_finished_file_is_served_with_keys_too(scan, keys, tmp_path):
    result = run_json("analyze", scan.raw, "--out", tmp_path / "x.result.h5")["result"]
    with engine(None, "--keys", keys / "engine", "--result", result, *ALL_OPEN) as running:
        endpoints = here(running.endpoints["publish"]), here(running.endpoints["control"])
        with EngineClient(*endpoints, keys=load_client_keys(keys / "reader", "reader")) as client:
            assert client.get(["label_maps"])["label_maps"].values.shape[1:] == (12, 16)
            with pytest.raises(LivestemError, match="may only read"):
                client.shutdown()
        with EngineClient(*endpoints, keys=load_client_keys(keys / "viewer", "viewer")) as client:
            client.shutdown()
        assert running.process.wait(30) == 0


def test_insecure_is_said_aloud_and_opens(scan, tmp_path):
    process = subprocess.Popen(
        livestem("serve", "--insecure", *ALL_OPEN, "--no-analyze", "--once", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        endpoints = json.loads(process.stdout.readline())
        assert run("replay", scan.raw, "--to", here(endpoints["listen"])).returncode == 0
        _, said = process.communicate(timeout=60)
        assert said.count("is open: whoever reaches this computer") == 3
    finally:
        process.kill()
        process.communicate()


def test_a_read_only_engine_tells_its_viewers(tmp_path):
    with (
        engine(None, "--read-only") as running,
        EngineClient(running.endpoints["publish"], running.endpoints["control"]) as client,
    ):
        assert client.state()["state"] == "LISTENING"
        with pytest.raises(LivestemError, match="--read-only"):
            client.shutdown()


def test_keys_that_cannot_be_used_are_refused_at_once(scan, keys, tmp_path):
    to = ("replay", scan.raw, "--to", "tcp://127.0.0.1:9")
    refused(2, "sender.key_secret does not exist", *to, "--keys", keys / "viewer")
    refused(2, "engine.key_secret does not exist", "serve", "--keys", keys / "viewer")
    refused(2, "contradict each other", "serve", "--keys", keys / "engine", "--insecure")
    refused(
        2,
        "reader.key_secret does not exist",
        "view",
        "tcp://127.0.0.1:9",
        "--keys",
        keys / "sender",
        "--snapshot",
        tmp_path / "never.png",
    )
    refused(2, "is a file", "view", scan.raw, "--keys", keys / "viewer", "--snapshot", tmp_path / "never.png")


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_secrets_that_others_can_read_are_refused_everywhere(scan, keys, tmp_path):
    shutil.copytree(keys / "made", tmp_path / "k")
    for path in (tmp_path / "k").glob("*.key_secret"):
        path.chmod(0o644)
    picture = tmp_path / "never.png"
    for command in (
        ("serve",),
        ("replay", scan.raw, "--to", "tcp://127.0.0.1:9"),
        ("view", "tcp://127.0.0.1:9", "--snapshot", picture),
    ):
        refused(2, "Run `chmod 600", *command, "--keys", tmp_path / "k")
