"""Each way of not being let in has its sentence, and who is let in or finds nobody has none."""

import time

import pytest
import zmq

from streamer.security.curve import VIEW, protect_client, protect_server
from streamer.security.handshake import HandshakeWatch
from streamer.security.key_check import KeyCheck


@pytest.mark.parametrize(
    ("who", "engine_has_keys", "sentence"),
    [
        ("viewer", True, ""),
        ("keyless", False, ""),
        ("keyless", True, "wants a key and none was given"),
        ("stranger", True, "does not know this key"),
        ("misled", True, "is not the engine whose engine.key is here"),
        ("viewer", False, "or it uses no keys"),
    ],
)
def test_who_is_refused_learns_why(context, engine_keys, client_keys, who, engine_has_keys, sentence):
    keys = engine_keys if engine_has_keys else None
    check = KeyCheck(context, keys)
    server, client = context.socket(zmq.PUB), context.socket(zmq.SUB)
    client.setsockopt(zmq.SUBSCRIBE, b"")
    try:
        protect_server(server, keys, VIEW)
        server.bind("tcp://127.0.0.1:*")
        endpoint = server.getsockopt_string(zmq.LAST_ENDPOINT)
        protect_client(client, client_keys[who])
        with HandshakeWatch(client, endpoint, client_keys[who] is not None) as watch:
            client.connect(endpoint)
            said, deadline = "", time.monotonic() + 10
            while not said and not client.poll(20):
                assert time.monotonic() < deadline
                server.send(b"state")
                said = watch.refusal()
        assert sentence in said
        assert bool(said) == bool(sentence)
        assert not said or endpoint in said
    finally:
        for socket in (client, server):
            socket.close(0)
        check.close()
