"""Passes over the scan that a viewer asks for: how far they are, and that they can be cancelled."""

import threading
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest
import zmq

from streamer.client import EngineClient
from streamer.errors import LivestemError
from streamer.formats.recording import RecordingReader, create_recording
from streamer.formats.recording_schema import NOT_SYNCED, STORED
from streamer.live.snapshot import LiveSnapshot
from streamer.serve import control_server
from streamer.serve.control_server import ControlServer
from streamer.serve.on_demand import virtual_image
from streamer.serve.reading import Reading
from streamer.wire.control import NamedArray
from tests.fakes import make_frames, scan_info
from tests.simulated import simulate

SCAN, DETECTOR = (6, 8), (10, 12)


class Served:
    """A scan that nothing runs on."""

    def __init__(self):
        com = NamedArray("com_yx", np.zeros((*SCAN, 2), np.float32), 1)
        self.snapshot = LiveSnapshot(arrays={"com_yx": com})
        self.scan_file = SimpleNamespace(info=SimpleNamespace(scan_shape=SCAN, detector_shape=DETECTOR))

    def cancel_analysis(self):
        raise LivestemError("Nothing is being computed. There is nothing to cancel.")


@pytest.fixture
def slow(monkeypatch):
    """Passes over the scan stand still at one half until they are let go."""
    slow = SimpleNamespace(begun=threading.Event(), go=threading.Event())

    def stand_still(scan, com_yx, mask, told):
        told(0.5)
        slow.begun.set()
        assert slow.go.wait(20)
        told(0.6)
        return np.zeros(mask.shape, np.float32)

    for name in ("virtual_image", "mean_pattern"):
        monkeypatch.setattr(control_server, name, stand_still)
    return slow


@pytest.fixture
def server():
    context = zmq.Context()
    server = ControlServer("tcp://127.0.0.1:*", context, Served())
    stopping = threading.Event()

    def serve():
        while not stopping.is_set():
            server.serve(0.01)

    thread = threading.Thread(target=serve, name="control")
    thread.start()
    yield server
    stopping.set()
    thread.join()
    server.close()
    context.term()


@pytest.fixture
def client(server):
    with EngineClient("tcp://127.0.0.1:1", server.endpoint) as client:
        yield client


def replies_of(client, numbers):
    found = {}
    while not set(numbers) <= set(found):
        found |= client.replies()
    return [found[number] for number in numbers]


def ask(client, method, shape):
    return client.submit(method, (NamedArray("mask", np.ones(shape, np.bool_)),))


def test_what_runs_and_what_waits_is_cancelled_and_the_next_one_is_computed(server, client, slow):
    first = ask(client, "virtual_image", DETECTOR)
    second = ask(client, "mean_pattern", SCAN)
    assert slow.begun.wait(20)
    progress = server.reading_progress.to_json()
    assert (progress["step"], progress["n_steps"], progress["name"]) == (1, 1, "virtual image")
    assert progress["fraction"] == 0.5
    assert progress["left_s"] is not None
    client.cancel()
    slow.go.set()
    image, mean = replies_of(client, [first, second])
    assert str(image).startswith("The virtual image was cancelled. Nothing was changed")
    assert str(mean).startswith("The mean pattern was cancelled.")
    assert client.virtual_image(np.ones(DETECTOR, np.bool_)).shape == DETECTOR
    assert server.reading_progress is None
    with pytest.raises(LivestemError, match="nothing to cancel"):
        client.cancel()


def test_a_reading_tells_its_share_and_ends_at_the_next_block(tmp_path):
    from streamer import open_scan

    with open_scan(simulate(tmp_path, (20, 22)).raw) as scan:
        com_yx = np.full((*scan.info.scan_shape, 2), 63.5, np.float32)
        mask = np.ones(scan.info.detector_shape, np.bool_)
        told = []
        virtual_image(scan, com_yx, mask, told.append)
        assert told == [pytest.approx(first / 440) for first in range(0, 440, 128)]
        reading = Reading("virtual image")
        reading.cancel()
        with pytest.raises(LivestemError, match="was cancelled"):
            virtual_image(scan, com_yx, mask, reading.told)


def test_a_pattern_that_the_live_view_has_seen_is_given_only_once_it_is_stored(server, client, tmp_path):
    layout = create_recording(tmp_path, scan_info(), {}, datetime(2026, 3, 4))
    with RecordingReader(layout.path) as reader:
        served = server._served
        served.scan_file = reader
        seen = NamedArray("received", np.ones(layout.info.scan_shape, np.uint8), 1)
        served.snapshot = LiveSnapshot(arrays={"received": seen})
        with pytest.raises(LivestemError, match="No pattern at y 1, x 2 yet"):
            client.pattern(1, 2)
        frame = make_frames(1)[0]
        place = layout.info.scan_shape[1] + 2
        with layout.path.open("r+b") as file:
            file.seek(layout.data_offset + place * layout.frame_bytes)
            file.write(frame.tobytes())
            file.seek(layout.received_offset + place)
            file.write(bytes([STORED + NOT_SYNCED]))
        assert np.array_equal(client.pattern(1, 2), frame)
