"""Mutated messages into the codec: whatever comes, the answer is a message or one WireError, at little cost."""

import json
import tracemalloc

import numpy as np

from streamer.errors import WireError
from streamer.wire.codec import decode, encode, unpack_frames
from streamer.wire.codec import make_frames as pack
from streamer.wire.messages import End, EndReason, Frames, Heartbeat, Start
from tests.fakes import make_frames, scan_info

N_MESSAGES = 100_000
INFO = scan_info()
SCAN = INFO.scan_id
NASTY = (
    None,
    True,
    -1,
    0,
    1 << 63,
    10**400,
    1e308,
    float("nan"),
    float("-inf"),
    "",
    "\x00",
    "../../etc/passwd",
    "9" * 5000,
    [],
    [[]] * 100,
    [1 << 40, 1 << 40],
    {},
    {"a": {"b": {"c": []}}},
    [[0, 1 << 62]] * 2000,
)
RAW = (
    b"",
    b"\xff" * 40,
    b"[" * 60_000,
    b'{"type":' * 8_000,
    b"null",
    b"3",
    b'"start"',
    b"{" + b" " * 70_000 + b"}",
)


def valid_messages():
    return [
        Start.of_scan(INFO),
        Start.of_scan(scan_info(metadata={"operator": "ä" * 50, "nested": {"values": [1, 2.5, None]}})),
        pack(SCAN, 3, 4, make_frames(3)),
        pack(SCAN, 4, 0, make_frames(1)),
        Heartbeat(scan_id=SCAN, seq=9),
        End(scan_id=SCAN, seq=10, reason=EndReason.COMPLETE, frames_sent=35),
    ]


def mutated(rng, parts):
    """One to three things go wrong with a message."""
    parts = [bytes(part) for part in parts]
    for _ in range(int(rng.integers(1, 4))):
        kind, which = int(rng.integers(9)), int(rng.integers(len(parts)))
        part = bytearray(parts[which])
        at = int(rng.integers(len(part) + 1))
        if kind == 0 and part:
            part[at % len(part)] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del part[at : at + int(rng.integers(1, 40))]
        elif kind == 2:
            part[at:at] = rng.integers(0, 256, int(rng.integers(1, 40)), np.uint8).tobytes()
        elif kind == 3:
            part = bytearray(RAW[int(rng.integers(len(RAW)))])
        elif kind == 4:
            parts.append(bytes(part[:100]))
        elif kind == 5 and len(parts) > 1:
            parts.pop()
            continue
        elif kind >= 6:
            part = bytearray(with_a_nasty_value(rng, parts[0]))
            which = 0
        parts[which] = bytes(part)
    return parts


def with_a_nasty_value(rng, header):
    try:
        values = json.loads(header)
        name = list(values)[int(rng.integers(len(values)))]
        if rng.random() < 0.2:
            del values[name]
        else:
            values[name] = NASTY[int(rng.integers(len(NASTY)))]
        return json.dumps(values).encode()
    except (ValueError, TypeError, IndexError, RecursionError):
        return header


def take(parts):
    """Whether the codec accepted it; anything but a WireError ends the test."""
    said = ""
    try:
        message = decode(list(parts))
        if isinstance(message, Frames):
            unpack_frames(message, INFO)
    except WireError as error:
        said = str(error)
    assert len(said) < 1000
    return not said


def test_a_hundred_thousand_mutated_messages_are_taken_or_refused():
    rng = np.random.default_rng(0)
    valid = [encode(message) for message in valid_messages()]
    n_taken = sum(take(mutated(rng, valid[index % len(valid)])) for index in range(N_MESSAGES))
    assert 0.001 * N_MESSAGES < n_taken < 0.5 * N_MESSAGES  # the mutations are neither void nor all fatal


def test_what_a_message_claims_costs_no_memory():
    rng = np.random.default_rng(1)
    valid = [encode(message) for message in valid_messages()]
    messages = [mutated(rng, valid[index % len(valid)]) for index in range(2000)]
    tracemalloc.start()
    try:
        for parts in messages:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            take(parts)
            _, peak = tracemalloc.get_traced_memory()
            # Values as Python objects are larger than their text; a header has at most 64 KiB of it.
            assert peak - before < 8 << 20
    finally:
        tracemalloc.stop()
