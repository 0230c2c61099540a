"""Faults on demand: seeded, bounded, and exactly what was asked for."""

import numpy as np
import pytest

from simulators.faults import Faults, FaultyLink, parse_faults
from streamer.errors import SettingsError

HEADER = b"header of message"


def messages(n):
    return [[HEADER, bytes([index])] for index in range(n)]


def passed(faults, sent):
    link = FaultyLink(faults)
    return [parts for message in sent for parts in link.pass_on(message)] + link.flush()


def test_without_faults_a_message_passes_untouched():
    sent = messages(5)
    assert passed(Faults(), sent) == sent


def test_the_same_seed_drops_the_same_frames():
    dropped = Faults(drop=0.1, seed=3).dropped(10_000)
    assert dropped == Faults(drop=0.1, seed=3).dropped(10_000)
    assert dropped != Faults(drop=0.1, seed=4).dropped(10_000)
    assert 900 < dropped.total < 1100


def test_shuffled_messages_leave_once_each_within_the_window():
    out = [parts[1][0] for parts in passed(Faults(shuffle=16), messages(200))]
    assert sorted(out) == list(range(200))
    assert out != sorted(out)
    assert all(index <= place + 15 for place, index in enumerate(out))  # none leaves before it came


def test_repeated_messages_leave_twice():
    out = [parts[1][0] for parts in passed(Faults(duplicate=0.5), messages(200))]
    assert sorted(set(out)) == list(range(200))
    assert 250 < len(out) < 350


def test_one_bit_is_turned_over_in_header_or_payload():
    out = passed(Faults(corrupt=1.0), messages(100))
    where = set()
    for before, after in zip(messages(100), out, strict=True):
        bits = [
            np.unpackbits(np.bitwise_xor(np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8))).sum()
            for a, b in zip(before, after, strict=True)
        ]
        assert sum(bits) == 1
        where.add(bits.index(1))
    assert where == {0, 1}


def test_messages_without_frames_are_never_harmed():
    assert passed(Faults(corrupt=1.0, duplicate=1.0, shuffle=16), [[HEADER]]) == [[HEADER]]


def test_all_specs_together():
    specs = ("drop:0.01", "duplicate:0.02", "shuffle:16", "corrupt:1e-3", "stall:5s", "stop:0.5", "restart")
    assert parse_faults(specs, 7) == Faults(0.01, 0.02, 16, 0.001, 5.0, 0.5, 0.5, 7)


@pytest.mark.parametrize("spec", ["drop", "drop:2", "shuffle:1", "shuffle:2.5", "stall:nan", "burn:1", ""])
def test_what_cannot_be_understood_is_named(spec):
    with pytest.raises(SettingsError, match="--fault"):
        parse_faults((spec,))
