"""A RAW file while it is written, on a clock of the test's own."""

import os

import numpy as np
import pytest

from simulators.detector import write_xml
from streamer.formats.empad import EmpadRaw
from streamer.formats.growing_raw import HOLE_S, SETTLED_S, XML_PERIOD_S, XML_WAIT_S, Ending, open_growing
from tests.writer import record

RECORD = 66560
N = 12


class Clock:
    now = 100.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan_x4_y3.raw"


@pytest.fixture
def opened(clock):
    """Opens files, and closes them after the test."""
    sources = []

    def open_it(path, silence_s=30.0):
        source = open_growing(path, silence_s, clock)
        if source is not None:
            sources.append(source)
        return source

    yield open_it
    for source in sources:
        source.close()


def append(path, *indices, part=None):
    with path.open("ab") as file:
        for index in indices:
            file.write(record(index)[:part])


def put(path, index, data):
    with path.open("r+b") as file:
        file.seek(index * RECORD)
        file.write(data)


def polled(source, clock, seconds=0.0):
    clock.wait(seconds)
    source.poll()
    return list(source.frames)


def test_too_early_is_none(path, opened):
    assert opened(path) is None
    append(path, 0, part=30000)
    assert opened(path) is None


def test_a_file_without_a_shape_waits_for_its_xml(tmp_path, opened):
    path = tmp_path / "acquired.raw"
    append(path, 0, 1)
    assert opened(path) is None
    (tmp_path / "a.xml").write_text(
        '<root><raw_file filename="acquired.raw"/><pix_x>4</pix_x><pix_y>3</pix_y></root>'
    )
    assert opened(path).info.scan_shape == (3, 4)


def test_frames_are_whole_before_they_count(path, opened, clock):
    append(path, 0)
    source = opened(path)
    assert polled(source, clock) == []  # the next one has not begun, and this one may still change
    append(path, 1, part=20)
    assert polled(source, clock, 0.01) == [(0, 1)]
    assert polled(source, clock, 5.0) == [(0, 1)]  # half a record never counts
    with path.open("ab") as file:
        file.write(record(1)[20:])
    assert polled(source, clock, 0.01) == [(0, 1)]
    assert polled(source, clock, SETTLED_S) == [(0, 2)]
    np.testing.assert_array_equal(
        source.pattern(0, 1), np.frombuffer(record(1), "<f4").reshape(130, 128)[:128]
    )


def test_a_whole_file_ends_by_its_size(path, opened, clock):
    append(path, *range(N))
    source = opened(path)
    polled(source, clock)
    assert polled(source, clock, SETTLED_S) == [(0, N)]
    assert source.ending is None  # its XML may still come
    polled(source, clock, XML_WAIT_S)
    assert source.ending is Ending.WHOLE


def test_scales_of_an_xml_that_comes_last_are_learnt(path, opened, clock):
    append(path, *range(N))
    source = opened(path)
    polled(source, clock)
    polled(source, clock, SETTLED_S)
    assert source.info.scales == {}
    xml = path.parent / "map.xml"
    write_xml(xml, path.name, (3, 4), 80e3)
    whole = xml.read_text()
    xml.write_text(whole[: len(whole) // 2])
    polled(source, clock, XML_PERIOD_S)
    assert source.ending is None
    xml.write_text(whole)
    polled(source, clock, XML_PERIOD_S)
    assert source.ending is Ending.WHOLE
    with EmpadRaw(path) as finished:
        assert source.info.scales == finished.info.scales
    assert (source.info.calibration.q_source, source.info.calibration.voltage_v) == ("nominal", 80e3)


def test_room_that_was_made_before_is_no_frame(path, opened, clock):
    path.touch()
    os.truncate(path, N * RECORD)
    assert opened(path) is None
    put(path, 0, record(0))
    source = opened(path)
    polled(source, clock)
    put(path, 1, record(1)[:30000])
    assert polled(source, clock, 0.01) == [(0, 1)]
    # Half a record with nothing after it does not reach to its frame's end.
    assert polled(source, clock, SETTLED_S) == polled(source, clock, SETTLED_S) == [(0, 1)]
    put(path, 1, record(1))
    polled(source, clock, 0.01)
    assert polled(source, clock, SETTLED_S) == [(0, 2)]
    for index in range(2, N):
        put(path, index, record(index))
    polled(source, clock, 0.01)
    assert polled(source, clock, SETTLED_S) == [(0, N)]


def test_a_hole_is_waited_for_and_then_missing(path, opened, clock):
    path.touch()
    os.truncate(path, N * RECORD)
    for index in (0, 1, 4, 5, 6):
        put(path, index, record(index))
    source = opened(path)
    assert polled(source, clock) == [(0, 2)]
    put(path, 2, record(2))  # the network drive was late
    assert polled(source, clock, 0.1) == [(0, 3)]
    polled(source, clock, 0.1)
    assert polled(source, clock, HOLE_S) == [(0, 3), (4, 6)]


def test_a_pause_is_borne_and_silence_is_not(path, opened, clock):
    append(path, 0, 1, 2)
    source = opened(path, silence_s=60.0)
    polled(source, clock)
    polled(source, clock, SETTLED_S)
    assert polled(source, clock, 30.0) == [(0, 3)]
    assert source.ending is None
    append(path, 3, 4)
    assert polled(source, clock, 0.1) == [(0, 4)]
    polled(source, clock, 59.0)
    assert source.ending is None
    polled(source, clock, 61.0)
    assert (source.ending, list(source.frames)) == (Ending.SILENCE, [(0, 5)])


def test_the_xml_ends_an_aborted_acquisition(path, opened, clock):
    append(path, 0, 1, 2, 3, 4)
    source = opened(path)
    polled(source, clock)
    polled(source, clock, SETTLED_S)
    (path.parent / "a.xml").write_text(f'<root><raw_file filename="{path.name}"/></root>')
    polled(source, clock, 0.5)
    assert source.ending is None  # the last frames may still be on their way
    polled(source, clock, 1.0)
    assert (source.ending, list(source.frames)) == (Ending.XML, [(0, 5)])


def test_an_xml_that_was_there_before_ends_nothing(path, opened, clock):
    (path.parent / "a.xml").write_text(f'<root><raw_file filename="{path.name}"/></root>')
    os.utime(path.parent / "a.xml", (1, 1))
    append(path, 0, 1)
    source = opened(path)
    for _ in range(4):
        polled(source, clock, 2.0)
    assert source.ending is None


@pytest.mark.parametrize("how", ["another file of its name", "begun anew"])
def test_a_file_that_is_replaced_is_over(path, opened, clock, how):
    append(path, 0, 1, 2)
    source = opened(path)
    polled(source, clock)
    if how == "begun anew":
        path.write_bytes(record(0))
    else:
        (path.parent / "new").write_bytes(record(0) * 5)
        (path.parent / "new").replace(path)
    polled(source, clock, 0.1)
    assert source.ending is Ending.REPLACED


def test_words_are_told_by_the_first_frame(tmp_path, opened, clock):
    path = tmp_path / "scan_x4_y3.raw"
    words = np.random.default_rng(0).integers(7800, 7900, (3, 128, 128)).astype("<u4") | np.uint32(1 << 30)
    words.tofile(path)
    source = opened(path)
    assert (source.info.dtype, source.info.metadata["format"]) == ("uint32", "EMPAD-G2 RAW")
    assert polled(source, clock) == [(0, 2)]
    np.testing.assert_array_equal(source.pattern(0, 1), words[1])


def test_whatever_the_pieces_only_whole_frames_are_shown(path, opened, clock):
    rng = np.random.default_rng(7)
    whole = b"".join(record(index) for index in range(N))
    at, source = 0, None
    while at < len(whole):
        step = int(rng.integers(1, 100_000))
        with path.open("ab") as file:
            file.write(whole[at : at + step])
        at += step
        source = source or opened(path)
        if source is None:
            continue
        for start, stop in polled(source, clock, 0.002):
            assert stop * RECORD <= at
            for index in range(start, stop):
                assert source.pattern(*divmod(index, 4))[0, 0] == index + 1
    polled(source, clock)
    assert polled(source, clock, SETTLED_S) == [(0, N)]
