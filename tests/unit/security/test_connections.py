"""Who gets in and who does not, on real sockets: beside each one who is refused, one for whom things flow."""

import contextlib

import pytest
import zmq

from streamer.client import EngineClient
from streamer.errors import EngineUnreachable, LivestemError
from streamer.live.snapshot import LiveSnapshot
from streamer.security.curve import STREAM, protect_client, protect_server
from streamer.security.key_check import MAX_REFUSED_KEYS, KeyCheck
from streamer.serve.control_server import ControlServer
from streamer.serve.publish import Publisher

FREE = "tcp://127.0.0.1:*"
WAIT_MS = 10_000
"""For what must come; the length of a wait for what must not come is the time in which the other one came."""


class Served:
    """An engine that remembers what it was told to do."""

    snapshot = LiveSnapshot()
    scan_file = None

    def __init__(self):
        self.done = []

    def state_object(self):
        return {"state": "IDLE"}

    def set_value(self, name, value):
        self.done.append("set")

    def calibrate(self, measured):
        self.done.append("calibrate")

    def stop_scan(self):
        self.done.append("stop")

    def analyze_again(self, params):
        self.done.append("analyze")

    def edit(self, method, params):
        return (), {}

    def cancel_analysis(self):
        self.done.append("cancel")

    def request_quit(self, when="now"):
        self.done.append("shutdown")


@pytest.fixture
def connect(context):
    """A client socket, closed at the end."""
    with contextlib.ExitStack() as opened:

        def make(kind, endpoint, keys):
            socket = opened.enter_context(contextlib.closing(context.socket(kind)))
            socket.setsockopt(zmq.LINGER, 0)
            if kind == zmq.SUB:
                socket.setsockopt(zmq.SUBSCRIBE, b"")
            protect_client(socket, keys)
            socket.connect(endpoint)
            return socket

        yield make


@pytest.fixture
def check(context, engine_keys):
    with contextlib.closing(KeyCheck(context, engine_keys)) as made:
        yield made


@pytest.fixture
def stream(context, engine_keys, check):
    """A protected socket like that of the receiver."""
    with contextlib.closing(context.socket(zmq.ROUTER)) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        protect_server(socket, engine_keys, STREAM)
        socket.bind(FREE)
        yield socket


def endpoint_of(socket):
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


REFUSED_ON_THE_STREAM = ("keyless", "stranger", "misled", "viewer", "reader")


def test_on_the_stream_only_a_senders_key_brings_anything(stream, connect, client_keys):
    refused = {
        name: connect(zmq.DEALER, endpoint_of(stream), client_keys[name]) for name in REFUSED_ON_THE_STREAM
    }
    for name, socket in refused.items():
        socket.send(name.encode())
    good = connect(zmq.DEALER, endpoint_of(stream), client_keys["sender"])
    for n in range(3):
        good.send(b"good")
        assert stream.poll(WAIT_MS)
        identity, content = stream.recv_multipart()
        assert content == b"good"
        stream.send_multipart([identity, b"%d" % n])
        assert good.poll(WAIT_MS)
        assert good.recv() == b"%d" % n
    assert not stream.poll(200)
    assert not any(socket.poll(0) for socket in refused.values())


def test_states_are_published_to_viewers_and_readers_alone(context, engine_keys, check, connect, client_keys):
    with contextlib.closing(Publisher(FREE, context, engine_keys)) as publisher:
        names = ("keyless", "stranger", "misled", "sender")
        refused = [connect(zmq.SUB, publisher.endpoint, client_keys[name]) for name in names]
        for name in ("viewer", "reader"):
            good = connect(zmq.SUB, publisher.endpoint, client_keys[name])
            for _ in range(WAIT_MS // 20):
                publisher.publish({"state": "IDLE"})
                if good.poll(20):
                    break
            assert b"IDLE" in good.recv(zmq.NOBLOCK)
        assert not any(socket.poll(50) for socket in refused)


def control(context, served, security, read_only=False):
    return contextlib.closing(ControlServer(FREE, context, served, security, read_only))


def ask(server, socket, method, wait_ms=WAIT_MS):
    """One request; the reply, None where none comes."""
    from streamer.wire.control import ControlMessage, decode, encode

    params = {"names": []} if method == "get" else {}
    request = encode(ControlMessage({"type": "request", "id": 7, "method": method, "params": params}))
    try:
        socket.send_multipart(request, zmq.NOBLOCK)
    except zmq.Again:
        return None  # ZeroMQ has given the connection up: its key was refused
    for _ in range(wait_ms // 20):
        server.serve(0.02)
        if socket.poll(0):
            return decode(socket.recv_multipart()).header
    return None


CHANGING = ("stop", "analyze", "cancel", "shutdown")


def test_commands_of_those_without_a_viewers_key_are_never_heard(
    context, engine_keys, check, connect, client_keys
):
    served = Served()
    with control(context, served, engine_keys) as server:
        refused = [
            connect(zmq.DEALER, server.endpoint, client_keys[name])
            for name in ("keyless", "stranger", "misled", "sender")
        ]
        good = connect(zmq.DEALER, server.endpoint, client_keys["viewer"])
        assert ask(server, good, "state")["state"] == {"state": "IDLE"}
        assert [ask(server, socket, "shutdown", wait_ms=100) for socket in refused] == [None] * 4
        assert served.done == []
        assert all(ask(server, good, method)["ok"] for method in CHANGING)
        assert served.done == list(CHANGING)


@pytest.mark.parametrize(
    "method", [*CHANGING, "set", "release", "split", "whatever comes", None, 3, ["state"]]
)
def test_a_reader_is_refused_whatever_is_not_reading(
    context, engine_keys, check, connect, client_keys, method
):
    served = Served()
    with control(context, served, engine_keys) as server:
        reader = connect(zmq.DEALER, server.endpoint, client_keys["reader"])
        reply = ask(server, reader, method)
        assert not reply["ok"]
        assert "key may only read" in reply["error"]
        assert "Nothing was changed" in reply["error"]
        assert served.done == []
        assert ask(server, reader, "state")["ok"]
        assert ask(server, reader, "get")["ok"]


def test_a_key_that_is_both_viewer_and_reader_only_reads(context, folder, connect, client_keys):
    import shutil

    from streamer.security.keys import load_engine_keys

    shutil.copy(folder / "viewer.key", folder / "allowed/readers/same.key")
    keys, served = load_engine_keys(folder), Served()
    with contextlib.closing(KeyCheck(context, keys)), control(context, served, keys) as server:
        viewer = connect(zmq.DEALER, server.endpoint, client_keys["viewer"])
        assert not ask(server, viewer, "stop")["ok"]
        assert ask(server, viewer, "state")["ok"]


@pytest.mark.parametrize("has_keys", [False, True])
def test_a_read_only_engine_changes_nothing_for_anybody(
    context, engine_keys, check, connect, client_keys, has_keys
):
    served = Served()
    with control(context, served, engine_keys if has_keys else None, read_only=True) as server:
        viewer = connect(zmq.DEALER, server.endpoint, client_keys["viewer"] if has_keys else None)
        for method in CHANGING:
            assert "--read-only" in ask(server, viewer, method)["error"]
        assert ask(server, viewer, "state")["ok"]
        assert served.done == []


def test_without_keys_everybody_on_the_computer_may(context, connect):
    served = Served()
    with control(context, served, None) as server:
        assert ask(server, connect(zmq.DEALER, server.endpoint, None), "stop")["ok"]
    assert served.done == ["stop"]


def test_a_client_whose_key_is_refused_never_hangs(context, engine_keys, check, client_keys):
    """Once ZeroMQ has given the connection up, a plain send would wait for ever."""
    with control(context, Served(), engine_keys) as server:
        client = EngineClient("tcp://127.0.0.1:9", server.endpoint, context, client_keys["stranger"])
        with client:
            while client._requests.poll(0, zmq.POLLOUT):
                with pytest.raises(EngineUnreachable, match="endpoint and the keys"):
                    client.request("state", timeout_s=0.05)
            with pytest.raises(EngineUnreachable, match="endpoint and the keys"):
                client.request("state", timeout_s=0.05)


def test_nobody_gets_in_while_nobody_checks(context, engine_keys, connect, client_keys):
    """libzmq would let every key in, also a stranger's, if it were not told to insist."""
    with contextlib.closing(context.socket(zmq.ROUTER)) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        protect_server(socket, engine_keys, STREAM)
        socket.bind(FREE)
        for name in ("sender", "stranger"):
            connect(zmq.DEALER, endpoint_of(socket), client_keys[name]).send(name.encode())
        assert not socket.poll(300)
        with contextlib.closing(KeyCheck(context, engine_keys)):
            assert socket.poll(WAIT_MS)  # the same two, tried again by ZeroMQ
            assert socket.recv_multipart()[1] == b"sender"
            assert not socket.poll(200)


def test_a_refused_key_is_said_once_and_strangers_do_not_fill_the_memory(check):
    strangers = [zmq.curve_keypair()[0] for _ in range(3 * MAX_REFUSED_KEYS)]
    for key in strangers * 2:
        assert not check.callback(STREAM, key)
    said = check.problems()
    assert len(said) == len(set(said)) == MAX_REFUSED_KEYS
    assert strangers[0][:8].decode() in said[0]
    assert "allowed/senders" in said[0]
    assert check.problems() == []


def test_a_check_that_fails_says_so_and_lets_nobody_in(
    context, engine_keys, stream, check, connect, client_keys
):
    check._authenticator.handle_zap_message = None  # a defect of the library
    sender = connect(zmq.DEALER, endpoint_of(stream), client_keys["sender"])
    sender.send(b"?")
    check._thread.join(WAIT_MS / 1000)
    (text,) = check.problems()
    assert "The check of keys stopped" in text
    assert not stream.poll(200)


def test_closing_twice_and_without_keys(context, engine_keys):
    for keys in (engine_keys, None):
        check = KeyCheck(context, keys)
        check.close()
        check.close()
        assert check.problems() == []


def test_what_a_viewer_sends_to_the_published_socket_is_bounded(context, connect):
    """ZeroMQ ends the connection that announces more, before it makes room for it."""
    with contextlib.closing(Publisher(FREE, context)) as publisher:
        greedy, good = (connect(zmq.SUB, publisher.endpoint, None) for _ in range(2))
        with contextlib.closing(greedy.get_monitor_socket(zmq.EVENT_DISCONNECTED)) as events:
            greedy.setsockopt(zmq.SUBSCRIBE, bytes(100_000))
            assert events.poll(WAIT_MS)
            greedy.disable_monitor()
        for _ in range(WAIT_MS // 20):
            publisher.publish({"state": "IDLE"})
            if good.poll(20):
                return
        raise AssertionError("the other viewer received nothing")


def test_errors_of_the_client_are_the_engines_sentences(context, engine_keys, check, client_keys):
    import threading

    served, stop = Served(), threading.Event()
    with control(context, served, engine_keys) as server:

        def serve():
            while not stop.is_set():
                server.serve(0.02)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with EngineClient("tcp://127.0.0.1:9", server.endpoint, context, client_keys["reader"]) as client:
                assert client.state() == {"state": "IDLE"}
                with pytest.raises(LivestemError, match="may only read"):
                    client.stop()
        finally:
            stop.set()
            thread.join()
