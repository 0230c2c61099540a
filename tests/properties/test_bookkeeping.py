"""Sets of ranges, places on the map and the ring, against obvious twins, for any order and size."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import RingOverrun
from streamer.model import ScanOrder
from streamer.receive.ring import FrameRing, ReaderPolicy
from streamer.receive.scan_map import (
    frame_indices_of,
    frames_held,
    n_frames_of_scan,
    n_mapped,
    scan_indices_of,
)
from streamer.wire.sequence import FrameSequence, IntervalSet, runs
from tests.fakes import scan_info

RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)), max_size=12)


@given(RANGES, st.integers(0, 50), st.integers(0, 50))
def test_interval_sets_equal_python_sets(pairs, low, high):
    grown, plain = IntervalSet(), set()
    for start, length in pairs:
        grown = grown.add(start, start + length)
        plain |= set(range(start, start + length))
    assert {index for start, stop in grown for index in range(start, stop)} == plain
    assert grown.total == len(plain)
    assert grown == IntervalSet([(start, start + length) for start, length in pairs])
    assert grown.below == next(index for index in range(100) if index not in plain)
    missing = {index for start, stop in grown.gaps(low, high) for index in range(start, stop)}
    assert missing == set(range(low, high)) - plain
    assert grown.overlaps(low, high) == bool(plain & set(range(low, high)))
    assert [index in grown for index in range(50)] == [index in plain for index in range(50)]


@given(st.lists(st.integers(0, 30), max_size=30))
def test_runs_hold_the_indices_in_order(indices):
    stretches = runs(np.array(indices, np.int64))
    assert [index for start, stop in stretches for index in range(start, stop)] == indices


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)), max_size=15))
def test_late_and_repeated_frames_are_counted_as_a_list_would(batches):
    sequence, seen, highest = FrameSequence(), set(), -1
    for first, count in batches:
        arrival = sequence.take(first, count)
        new = [index not in seen for index in range(first, first + count)]
        late = sum(
            is_new and index < highest for is_new, index in zip(new, range(first, first + count), strict=True)
        )
        assert arrival.is_new.tolist() == new
        assert (arrival.n_late, arrival.n_repeated) == (late, new.count(False))
        seen |= set(range(first, first + count))
        highest = max(highest, first + count - 1)


SKIPS = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2))


@given(st.integers(1, 5), st.integers(1, 6), SKIPS, st.sampled_from(ScanOrder))
def test_places_equal_those_of_a_walk_over_the_scan(n_y, n_x, skips, order):
    info = scan_info(
        scan_shape=(n_y, n_x),
        skip_first=skips[0],
        skip_per_line=skips[1],
        skip_per_scan=skips[2],
        order=order,
    )
    walk = [-1] * skips[0]
    for y in range(n_y):
        line = [y * n_x + x for x in range(n_x)]
        walk += line[::-1] if order is ScanOrder.SERPENTINE and y % 2 else line
        walk += [-1] * skips[1]
    walk += [-1] * skips[2]
    assert n_frames_of_scan(info) == len(walk)
    assert scan_indices_of(info, np.arange(len(walk))).tolist() == walk
    assert [n_mapped(info, n) for n in range(len(walk) + 1)] == [
        sum(place >= 0 for place in walk[:n]) for n in range(len(walk) + 1)
    ]
    places = np.arange(n_y * n_x)
    assert scan_indices_of(info, frame_indices_of(info, places)).tolist() == places.tolist()


@given(st.integers(1, 5), st.integers(1, 6), SKIPS, st.sampled_from(ScanOrder), st.integers(0, 2**30))
def test_of_frames_with_a_place_exactly_those_stored_are_held(n_y, n_x, skips, order, stored_bits):
    info = scan_info(
        scan_shape=(n_y, n_x),
        skip_first=skips[0],
        skip_per_line=skips[1],
        skip_per_scan=skips[2],
        order=order,
    )
    info = replace(info, n_frames=n_frames_of_scan(info))
    received = np.array([stored_bits >> place & 1 for place in range(n_y * n_x)], np.uint8)
    held = frames_held(info, received.reshape(n_y, n_x))
    places = scan_indices_of(info, np.arange(info.n_frames))
    for frame, place in enumerate(places.tolist()):
        if place >= 0:
            assert (frame in held) == bool(received[place])
    assert max((stop for _, stop in held), default=0) <= info.n_frames
    if received.all():
        assert info.n_frames - held.total <= skips[2]


def numbered(first, count):
    frames = np.arange(first, first + count, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    return frames, np.arange(first, first + count), np.arange(first, first + count)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=40))
def test_a_lossless_reader_gets_every_frame_in_order_and_a_skipping_one_never_a_torn_one(steps):
    ring = FrameRing(8, (2, 3), "float32")
    lossless = ring.add_reader("all", ReaderPolicy.LOSSLESS)
    skipping = ring.add_reader("some", ReaderPolicy.SKIP)
    written, read, shown = 0, [], []
    for is_write, count in steps:
        if is_write:
            if count > ring.free_slots():
                with pytest.raises(RingOverrun):
                    ring.write(*numbered(written, count), 0.0)
            else:
                ring.write(*numbered(written, count), 0.0)
                written += count
            continue
        for reader, taken in ((lossless, read), (skipping, shown)):
            batch = reader.borrow(count, 0.0)
            if batch is not None:
                assert (batch.frames[:, 0, 0] == batch.frame_indices).all()
                taken.extend(batch.frame_indices.tolist())
                reader.release(batch)
    assert read == list(range(len(read)))
    assert shown == sorted(set(shown))
    assert lossless.n_waiting == written - len(read)
    assert skipping.n_skipped + skipping.n_waiting + len(shown) == written
