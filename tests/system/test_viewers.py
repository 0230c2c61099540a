"""One engine with keys and several viewers: two with a key, one without, one that sleeps, one of another version."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import zmq

from streamer.client import EngineClient
from streamer.errors import LivestemError
from streamer.security.curve import protect_client
from streamer.security.keys import load_client_keys, make_keys
from tests.simulated import simulate
from tests.system.commands import engine, environment, livestem, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
OPEN = "tcp://0.0.0.0:*"

# A viewer of its own process: asks for the right, sets a value once it has it, and stays until it is killed.
ASKS = """
import sys, time
from pathlib import Path
from streamer.client import EngineClient
from streamer.security.keys import load_viewer_keys
publish, control, keys = sys.argv[1:]
with EngineClient(publish, control, keys=load_viewer_keys(Path(keys))) as client:
    me = client.hello("carl")
    client.take_charge()
    print(me["viewer"], flush=True)
    while client.state()["in_charge"]["viewer"] != me["viewer"]:
        client.hello("carl", me["token"])
        time.sleep(0.05)
    client.set("threshold", 0.4)
    print("done", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def process(command, **options):
    """A process that is killed at the end, whatever happens."""
    made = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), **options
    )
    try:
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(made.pid, signal.SIGCONT)
        made.kill()
        made.communicate()


class Anna:
    """A viewer in this process that says hello whenever it looks."""

    def __init__(self, client):
        self.client = client
        self.me = client.hello("anna", takes_free=True)

    def wait(self, condition, timeout_s=30.0):
        deadline = time.monotonic() + timeout_s
        while not condition(state := self.client.wait_state(10)):
            self.client.hello("anna", self.me["token"])
            assert time.monotonic() < deadline, (state["in_charge"], state["viewers"], state["counters"])
        return state


def names(state):
    return [viewer["name"] for viewer in state["viewers"]]


def test_several_viewers_on_one_engine(tmp_path):
    keys = tmp_path / "keys"
    make_keys(keys)
    scan = simulate(tmp_path, (12, 16))
    options = ("--keys", keys, "--no-analyze", "--listen", OPEN, "--publish", OPEN, "--control", OPEN)
    with engine(tmp_path / "recordings", *options) as running:
        publish, control, listen = (
            running.endpoints[name].replace("0.0.0.0", "127.0.0.1")
            for name in ("publish", "control", "listen")
        )
        viewer_keys = load_client_keys(keys, "viewer")
        with (
            EngineClient(publish, control, keys=viewer_keys) as client,
            process(livestem("view", publish, "--keys", keys)) as window,
        ):
            anna = Anna(client)
            state = anna.wait(lambda state: len(state["viewers"]) == 2)
            assert state["in_charge"]["name"] == "anna"

            # Without a key: told what is the matter, at once, and never listed.
            begun = time.monotonic()
            keyless = run("view", publish, "--snapshot", tmp_path / "never.png")
            assert keyless.returncode == 9
            assert "wants a key and none was given" in keyless.stderr
            assert keyless.stderr.count("\n") == 1
            assert time.monotonic() - begun < 9.0, "it did not wait for what cannot come"

            # Of another version: one sentence with both versions.
            socket = zmq.Context.instance().socket(zmq.DEALER)
            with contextlib.closing(socket):
                socket.setsockopt(zmq.LINGER, 0)
                protect_client(socket, viewer_keys)
                socket.connect(control)
                socket.send(json.dumps({"type": "request", "version": 0, "id": 5, "method": "stop"}).encode())
                assert socket.poll(10_000)
                reply = json.loads(socket.recv())
            assert (reply["id"], reply["ok"], reply["versions"]) == (5, False, [1])

            # The window sleeps through a scan, and is listed no more; the scan is whole all the same.
            os.kill(window.pid, signal.SIGSTOP)
            sent = run("replay", scan.raw, "--to", listen, "--keys", keys, "--json")
            assert sent.returncode == 0, sent.stderr
            assert json.loads(sent.stdout)["frames_acknowledged"] == 192
            anna.wait(lambda state: state["state"] == "LISTENING" and state["finish_reason"] == "COMPLETED")
            anna.wait(lambda state: names(state) == ["anna"])
            os.kill(window.pid, signal.SIGCONT)
            state = anna.wait(lambda state: len(state["viewers"]) == 2)
            assert state["in_charge"]["name"] == "anna"
            assert window.poll() is None

            # A third comes late, finds everything, asks, is refused a change, is granted the right, and is killed.
            arguments = [sys.executable, "-c", ASKS, publish, control, str(keys)]
            with process(arguments) as carl:
                number = int(carl.stdout.readline())
                state = anna.wait(lambda state: state["in_charge"]["asked_by"] is not None)
                assert state["in_charge"]["asked_by"]["viewer"] == number
                assert "threshold" not in state["settings"]["manual"]
                client.hand_over()
                assert carl.stdout.readline() == "done\n"
                with pytest.raises(LivestemError, match="carl is in charge"):
                    client.set("threshold", 0.5)
                carl.kill()
                state = anna.wait(lambda state: state["in_charge"]["viewer"] is None)
            assert state["settings"]["manual"]["threshold"] == 0.4
            client.set("threshold", 0.5)
            state = anna.wait(lambda state: state["settings"]["manual"]["threshold"] == 0.5)
            assert state["in_charge"]["name"] == "anna", "the first change took charge"
            late = client.get(["label_maps", "received"])
            assert late["received"].values.all()
            assert late["label_maps"].values.shape[1:] == (12, 16)
            assert [problem["code"] for problem in state["problems"]] == []
