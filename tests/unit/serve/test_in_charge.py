"""One viewer changes things, the right goes from one to the other, and nobody who vanishes keeps it."""

import json

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import LivestemError
from streamer.live.snapshot import LiveSnapshot
from streamer.serve.control_server import ControlServer
from streamer.serve.in_charge import ANSWER_S, ASK_AGAIN_S, MAX_VIEWERS, VANISHED_S, InCharge
from streamer.serve.publish import Publisher
from streamer.wire.control import VERSION, ControlVersionError, decode
from tests.fakes import Clock

ANNA, BOB, CARL = b"a", b"b", b"c"
FREE = "tcp://127.0.0.1:*"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def room(clock):
    """Anna (1) and Bob (2) watch; nobody is in charge."""
    made = InCharge(clock)
    for connection, name in ((ANNA, "anna"), (BOB, "bob")):
        made.hello(connection, name, None, True)
    return made


def pass_time(room, clock, seconds, *here):
    """Time passes, while those who are here keep saying hello."""
    tokens = {known.connection: known.token for known in room._viewers.values()}
    for _ in range(int(seconds)):
        clock.now += 1.0
        for connection in here:
            room.hello(connection, "x", tokens[connection], True)


def in_charge(room):
    return room.fields()["in_charge"]


def test_the_first_change_takes_charge_and_others_are_refused_by_name(room):
    assert in_charge(room)["viewer"] is None
    room.check_change(ANNA, "set")
    assert (in_charge(room)["viewer"], in_charge(room)["name"]) == (1, "anna")
    room.check_change(ANNA, "split")
    for stranger in (BOB, CARL):
        with pytest.raises(
            LivestemError, match=r"'stop' was refused: anna is in charge\..*Nothing was changed"
        ):
            room.check_change(stranger, "stop")


def test_who_never_said_hello_changes_things_while_nobody_is_in_charge_and_takes_no_charge(room):
    room.check_change(CARL, "set")
    assert in_charge(room)["viewer"] is None
    with pytest.raises(LivestemError, match="Expected 'hello' first"):
        room.answer(CARL, "take_charge", {})


def test_a_window_of_monitor_is_in_charge_where_nobody_is_and_takes_it_from_nobody(clock):
    room = InCharge(clock)
    room.hello(ANNA, "anna", None, True, takes_free=True)
    room.hello(BOB, "bob", None, True, takes_free=True)
    assert in_charge(room)["viewer"] == 1
    room.hello(CARL, "reader", None, False, takes_free=True)
    assert in_charge(room)["viewer"] == 1


def test_the_right_is_handed_over_by_request(room):
    room.answer(ANNA, "take_charge", {})
    room.answer(BOB, "take_charge", {})
    assert in_charge(room)["asked_by"] == {"viewer": 2, "name": "bob", "left_s": ANSWER_S}
    assert in_charge(room)["viewer"] == 1
    with pytest.raises(LivestemError, match="only who is in charge answers"):
        room.answer(BOB, "hand_over", {})
    room.answer(ANNA, "hand_over", {})
    assert in_charge(room) == {"viewer": 2, "name": "bob", "asked_by": None, "refused": []}
    with pytest.raises(LivestemError, match="bob is in charge"):
        room.check_change(ANNA, "set")


def test_it_is_handed_to_a_viewer_by_number_and_to_nobody_who_only_reads(room):
    room.answer(ANNA, "take_charge", {})
    room.hello(CARL, "carl", None, False)
    for number in (3, 9, "2", None):
        with pytest.raises(LivestemError, match="You stay in charge"):
            room.answer(ANNA, "hand_over", {"to": number})
    room.answer(ANNA, "hand_over", {"to": 2})
    assert in_charge(room)["viewer"] == 2


def test_a_refused_request_is_said_and_not_asked_again_at_once(room, clock):
    room.answer(ANNA, "take_charge", {})
    room.answer(BOB, "take_charge", {})
    room.answer(ANNA, "keep_charge", {})
    assert in_charge(room) == {"viewer": 1, "name": "anna", "asked_by": None, "refused": [2]}
    with pytest.raises(LivestemError, match=r"anna stays in charge\. Ask again in 10 s"):
        room.answer(BOB, "take_charge", {})
    pass_time(room, clock, ASK_AGAIN_S, ANNA, BOB)
    assert in_charge(room)["refused"] == []
    room.answer(BOB, "take_charge", {})
    assert in_charge(room)["asked_by"]["viewer"] == 2


def test_one_asks_at_a_time_and_a_request_is_withdrawn(room):
    room.hello(CARL, "carl", None, True)
    room.answer(ANNA, "take_charge", {})
    room.answer(BOB, "take_charge", {})
    with pytest.raises(LivestemError, match="bob has asked anna already"):
        room.answer(CARL, "take_charge", {})
    room.answer(BOB, "leave_charge", {})
    assert in_charge(room)["asked_by"] is None
    assert in_charge(room)["viewer"] == 1


def test_a_request_that_nobody_answers_is_granted(room, clock):
    room.answer(ANNA, "take_charge", {})
    room.answer(BOB, "take_charge", {})
    pass_time(room, clock, ANSWER_S - 1, ANNA, BOB)
    assert in_charge(room)["viewer"] == 1
    assert in_charge(room)["asked_by"]["left_s"] == 1.0
    pass_time(room, clock, 1, ANNA, BOB)
    assert (in_charge(room)["viewer"], in_charge(room)["asked_by"]) == (2, None)


@pytest.mark.parametrize("is_asked", [False, True])
def test_who_vanishes_leaves_the_right_to_nobody_or_to_who_asked(room, clock, is_asked):
    room.answer(ANNA, "take_charge", {})
    if is_asked:
        room.answer(BOB, "take_charge", {})
    pass_time(room, clock, VANISHED_S, BOB)
    assert in_charge(room)["viewer"] == 1, "a short silence takes nothing away"
    pass_time(room, clock, 1, BOB)
    assert in_charge(room)["viewer"] == (2 if is_asked else None)
    assert [viewer["name"] for viewer in room.fields()["viewers"]] == ["x"]


def test_a_broken_connection_comes_back_as_the_same_viewer_by_its_token_alone(room):
    room.answer(ANNA, "take_charge", {})
    token = room.hello(ANNA, "anna", room._viewers[1].token, True)["token"]
    assert room.hello(b"new", "anna", token, True)["viewer"] == 1
    room.check_change(b"new", "set")
    with pytest.raises(LivestemError):
        room.check_change(ANNA, "set")
    assert room.hello(b"liar", "anna", "no token", True)["viewer"] == 3
    assert token not in json.dumps(room.fields()), "it is nobody else's business"


def test_more_viewers_than_are_listed_may_only_watch(room):
    for number in range(MAX_VIEWERS - 2):
        room.hello(b"%d" % number, "more", None, True)
    with pytest.raises(LivestemError, match=f"{MAX_VIEWERS} viewers are known here already"):
        room.hello(b"last", "last", None, True)
    assert len(room.fields()["viewers"]) == MAX_VIEWERS


@pytest.mark.parametrize(
    ("said", "shown"), [("a\nb\x1b[31m", "ab[31m"), ("", "somebody"), (7, "7"), ("x" * 200, "x" * 64)]
)
def test_a_name_is_short_and_can_be_shown(room, said, shown):
    room.hello(CARL, said, None, True)
    assert room.fields()["viewers"][-1]["name"] == shown


STEPS = st.sampled_from(
    ["take_charge", "hand_over", "keep_charge", "leave_charge", "set", "hello", "silence"]
)


@given(st.lists(st.tuples(st.sampled_from([ANNA, BOB, CARL]), STEPS), max_size=40))
def test_whatever_happens_at_most_one_is_in_charge_and_it_is_one_who_is_here(steps):
    clock = Clock()
    room = InCharge(clock)
    tokens: dict[bytes, str] = {}
    for who, step in steps:
        clock.now += 1.0
        holder = in_charge(room)["viewer"]
        me = next((known.number for known in room._viewers.values() if known.connection == who), None)
        try:
            if step == "hello":
                tokens[who] = room.hello(who, "x", tokens.get(who), True)["token"]
            elif step == "silence":
                clock.now += VANISHED_S
            elif step == "set":
                room.check_change(who, "set")
                assert holder is None or holder == me
            else:
                room.answer(who, step, {})
        except LivestemError:
            pass
        fields = room.fields()
        here = [viewer["viewer"] for viewer in fields["viewers"]]
        asked = fields["in_charge"]["asked_by"]
        assert fields["in_charge"]["viewer"] in (None, *here)
        assert asked is None or (asked["viewer"] in here and asked["viewer"] != fields["in_charge"]["viewer"])


class Served:
    """Something to ask, on a real socket."""

    snapshot = LiveSnapshot()

    def state_object(self):
        return {"state": "IDLE"}


def dealer(context, endpoint):
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(endpoint)
    return socket


def ask(server, socket, header):
    socket.send(json.dumps({"type": "request", "arrays": [], **header}).encode())
    while not socket.poll(0):
        server.serve(0.02)
    return json.loads(socket.recv())


def test_another_version_is_answered_with_both_in_one_sentence_and_the_next_one_is_served(context):
    server = ControlServer(FREE, context, Served())
    old, good = dealer(context, server.endpoint), dealer(context, server.endpoint)
    try:
        reply = ask(server, old, {"version": 0, "id": 7, "method": "state"})
        assert (reply["ok"], reply["id"], reply["versions"]) == (False, 7, [VERSION])
        assert "version 0" in reply["error"]
        assert f"version {VERSION}" in reply["error"]
        assert ask(server, good, {"version": VERSION, "id": 1, "method": "state"})["ok"]
    finally:
        for socket in (old, good):
            socket.close()
        server.close()


@pytest.mark.parametrize("header", ['{"version": 2, "id": true}', "[1]", '{"version": 0, "id": "x"}'])
def test_a_message_without_a_usable_number_is_refused_all_the_same(context, header):
    server = ControlServer(FREE, context, Served())
    socket = dealer(context, server.endpoint)
    try:
        socket.send(header.encode())
        while not socket.poll(0):
            server.serve(0.02)
        reply = json.loads(socket.recv())
        assert (reply["ok"], reply["id"]) == (False, 0)
    finally:
        socket.close()
        server.close()


def test_who_floods_the_engine_with_requests_holds_it_up_for_no_longer_than_a_few(context):
    server = ControlServer(FREE, context, Served())
    socket = dealer(context, server.endpoint)
    try:
        for number in range(500):
            header = {"type": "request", "version": VERSION, "id": number, "method": "state", "arrays": []}
            socket.send(json.dumps(header).encode())
        assert socket.poll(0) == 0
        server.serve(5.0)
        n_answered = 0
        while socket.poll(200):
            socket.recv()
            n_answered += 1
        assert 1 <= n_answered <= 64
    finally:
        socket.close()
        server.close()


def test_a_viewer_that_does_not_read_finds_the_newest_state_and_no_pile_of_old_ones(context):
    publisher = Publisher(FREE, context)
    slow = context.socket(zmq.SUB)
    slow.setsockopt(zmq.SUBSCRIBE, b"")
    slow.setsockopt(zmq.RCVHWM, 4)
    slow.setsockopt(zmq.RCVBUF, 65536)
    slow.connect(publisher.endpoint)
    try:
        publisher.publish({"n": -1})
        while not slow.poll(20):
            publisher.publish({"n": -1})
        for number in range(2000):
            publisher.publish({"n": number, "text": "x" * 50_000})
        seen = []
        while not seen or seen[-1] != 1999:
            assert slow.poll(5000), f"the newest never came, the last was {seen[-1]}"
            seen.append(decode(slow.recv_multipart()).header["n"])
        assert len(seen) < 400, "what was old was dropped"
    finally:
        slow.close(0)
        publisher.close()


def test_versions_that_differ_are_an_error_of_their_own():
    with pytest.raises(ControlVersionError, match="same version of livestem on both sides"):
        decode([b'{"type": "state", "version": 2, "arrays": []}'])
