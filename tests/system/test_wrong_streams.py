"""Streams that go wrong, as a real engine meets them: counted, said, and the engine takes the next scan."""

import contextlib
import dataclasses
import re
import resource
import subprocess
import uuid

import numpy as np
import pytest
import zmq

from streamer.errors import RecordingError, ScanStopped
from streamer.wire.codec import decode, encode
from streamer.wire.codec import make_frames as pack
from streamer.wire.messages import End, EndReason, Heartbeat, RefusalCode, Start
from tests.properties.test_fuzzed_messages import mutated
from tests.simulated import simulate
from tests.system.commands import run, run_json
from tests.system.stations import DETECTOR, N_FRAMES, Station, assert_recorded, make_scan, send

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """One engine for all: whatever a scan did, the next one must be taken."""
    with Station(tmp_path_factory.mktemp("recordings"), "--sync", "kill") as running:
        yield running


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("scan"), (24, 32)).raw


def replayed(station, raw, *options):
    """Replay with faults; what the sender said, the counters, the frames that are missing."""
    sent = run_json("replay", raw, "--to", station.listen, "--seed", "3", *options)
    state = station.wait_end(sent["scan_id"])
    frames = np.fromfile(raw, "<f4").reshape(-1, 130, 128)[:, :128]
    return sent, state["counters"], assert_same(state["recording"], frames)


def assert_same(path, frames):
    """What is stored equals the source; how many frames are not."""
    from pathlib import Path

    from streamer.formats.recording import RecordingReader

    with RecordingReader(Path(path)) as recording:
        there = recording.received.ravel() > 0
        stored = recording.read_block(0, len(frames), np.empty_like(frames))
        assert stored[there].tobytes() == frames[there].tobytes()
        counters = recording.end()["counters"]
        assert counters["frames_missing"] == (~there).sum()
        return int((~there).sum())


def test_dropped_frames_stay_gaps_and_have_their_own_counter(station, raw):
    sent, counters, n_missing = replayed(station, raw, "--fault", "drop:0.01")
    assert 0 < n_missing < 30
    assert sent["frames_dropped"] == counters["frames_dropped_by_sender"] == n_missing
    assert sent["frames_sent"] == 768 - n_missing


def test_repeated_frames_are_counted_and_stored_once(station, raw):
    _sent, counters, n_missing = replayed(station, raw, "--fault", "duplicate:0.05", "--batch", "2")
    assert n_missing == 0
    assert counters["frames_repeated"] > 0
    assert counters["frames_received"] == 768


def test_shuffled_frames_find_their_place(station, raw):
    _sent, counters, n_missing = replayed(station, raw, "--fault", "shuffle:16", "--batch", "1")
    assert n_missing == counters["frames_repeated"] == 0
    assert counters["frames_late"] > 100


def test_damaged_headers_and_payloads_are_counted_and_come_again(station, raw):
    sent, counters, n_missing = replayed(station, raw, "--fault", "corrupt:0.05", "--batch", "1")
    assert n_missing == 0
    assert counters["frames_invalid"] > 5
    assert counters["messages_invalid"] + counters["messages_stale"] > 5
    assert sent["frames_resent"] > 0


def test_a_stall_and_a_new_connection_lose_nothing(station, raw):
    _sent, counters, n_missing = replayed(
        station, raw, "--fault", "stall:3s", "--fault", "restart:0.3", "--fault", "drop:0.01"
    )
    assert n_missing == counters["frames_dropped_by_sender"] > 0


def test_all_faults_together(station, raw):
    faults = ("drop:0.01", "duplicate:0.01", "shuffle:16", "corrupt:0.01", "restart")
    options = [word for fault in faults for word in ("--fault", fault)]
    _sent, counters, n_missing = replayed(station, raw, *options, "--batch", "4")
    assert n_missing == counters["frames_dropped_by_sender"] > 0


def test_a_sender_that_stops_as_asked_says_so_and_is_lost(station, raw):
    done = run("replay", raw, "--to", station.listen, "--fault", "stop:0.5")
    assert done.returncode == 7
    said = re.search(r"silent after (\d+) frames.* (\d+) frames are acknowledged and safe", done.stderr)
    assert said is not None
    n_sent, n_acknowledged = map(int, said.groups())
    state = station.wait_for(lambda state: state["finish_reason"] == "STREAM_LOST")
    # What was on its way is gone with the sender, as if it had been killed; what was acknowledged never is.
    assert 384 <= n_sent < 450
    assert n_acknowledged <= state["counters"]["frames_received"] <= n_sent


@pytest.mark.parametrize(
    "spec", ["drop", "drop:2", "drop:x", "shuffle:1", "stall:-1", "burn:0.5", "stop:nan"]
)
def test_a_fault_that_cannot_be_is_refused(station, raw, spec):
    done = run("replay", raw, "--to", station.listen, "--fault", spec)
    assert done.returncode == 2
    assert f"--fault {spec}" in done.stderr


class ByHand:
    """A sender that says what the test wants."""

    def __init__(self, socket, info, station):
        self.socket, self.info, self.seq = socket, info, 0
        socket.connect(station.listen)

    def say(self, message):
        self.seq += 1
        self.socket.send_multipart(encode(message.model_copy(update={"seq": self.seq})))

    def start(self, info=None):
        self.say(Start.of_scan(info or self.info))

    def frames(self, frames, first):
        self.seq += 1
        self.socket.send_multipart(encode(pack(self.info.scan_id, self.seq, first, frames)))

    def end(self, n_sent, reason=EndReason.COMPLETE):
        self.say(End(scan_id=self.info.scan_id, reason=reason, frames_sent=n_sent))

    def hear(self, kind, **fields):
        """The next message of this kind with these values; others are passed over."""
        while self.socket.poll(10_000):
            message = decode(list(self.socket.recv_multipart()))
            if message.type == kind and all(
                getattr(message, name) == value for name, value in fields.items()
            ):
                return message
        raise AssertionError(f"no {kind} with {fields} came")


@pytest.fixture
def by_hand(context, station):
    with contextlib.ExitStack() as stack:

        def make(scan):
            socket = stack.enter_context(contextlib.closing(context.socket(zmq.DEALER)))
            socket.setsockopt(zmq.LINGER, 0)
            return ByHand(socket, scan.info, station)

        yield make


def assert_next_scan_works(context, station):
    scan = make_scan()
    send(context, station.listen, scan)
    assert_recorded(station.wait_end(scan.info.scan_id)["recording"], scan)


def test_aborted_before_the_first_frame(context, station, by_hand):
    sender = by_hand(make_scan())
    sender.start()
    sender.hear("ready")
    sender.end(0, EndReason.ABORTED)
    assert sender.hear("ack", end=True).finish_reason == "STOPPED"
    state = station.wait_end(sender.info.scan_id, "STOPPED")
    assert state["counters"]["frames_received"] == 0
    assert_next_scan_works(context, station)


def test_started_twice_and_then_another_scan(context, station, by_hand):
    scan = make_scan()
    sender = by_hand(scan)
    for _ in range(2):
        sender.start()
        assert sender.hear("ready").stored == ()
    sender.frames(scan.frames[:5], 0)
    sender.hear("ack", below=5)
    sender.start()
    assert sender.hear("ready").stored == ((0, 5),)
    other = dataclasses.replace(scan.info, scan_id=str(uuid.uuid4()))
    while True:
        sender.start(other)
        answer = decode(list(sender.socket.recv_multipart()))
        if answer.scan_id == other.scan_id and answer.type == "ready":
            break
    assert station.wait_for(lambda state: (state["scan"] or {}).get("scan_id") == other.scan_id)
    sender.info = other
    sender.end(0, EndReason.ABORTED)
    station.wait_end(other.scan_id, "STOPPED")
    assert_next_scan_works(context, station)


def test_a_short_scan_has_gaps_and_a_long_one_is_cut(context, station, by_hand):
    scan = make_scan()
    short = by_hand(scan)
    short.start()
    short.hear("ready")
    short.frames(scan.frames[:50], 0)
    short.end(50)
    short.hear("ack", end=True)
    state = station.wait_end(scan.info.scan_id)
    assert state["counters"]["frames_missing"] == N_FRAMES - 50
    assert_recorded(state["recording"], scan, missing=range(50, N_FRAMES))

    scan = make_scan()
    long = by_hand(scan)
    long.start()
    long.hear("ready")
    for first in range(0, N_FRAMES, 64):
        long.frames(scan.frames[first : first + 64], first)
    long.frames(scan.frames[:10], N_FRAMES)
    assert "announced 192 frames" in long.hear("refused", final=False).reason
    long.end(N_FRAMES + 10)
    long.hear("ack", end=True)
    state = station.wait_end(scan.info.scan_id)
    assert state["counters"]["frames_invalid"] == 10
    assert_recorded(state["recording"], scan)


def test_a_sender_that_lies_about_its_shape(context, station, by_hand):
    scan = make_scan()
    liar = by_hand(scan)
    liar.start()
    liar.hear("ready")
    liar.frames(scan.frames[:8], 0)
    liar.frames(np.ascontiguousarray(scan.frames[8:16, :, :-1]), 8)
    assert "announced 48x40 float32" in liar.hear("refused", final=True).reason
    state = station.wait_end(scan.info.scan_id, "FAILED")
    assert_recorded(state["recording"], scan, missing=range(8, N_FRAMES))
    assert_next_scan_works(context, station)


def test_a_second_sender_and_messages_of_an_old_scan_leave_the_scan_alone(context, station, by_hand):
    scan, other, old = make_scan(), make_scan(), make_scan()
    first, second, stale = by_hand(scan), by_hand(other), by_hand(old)
    first.start()
    first.hear("ready")
    first.frames(scan.frames[:64], 0)
    second.start()
    assert second.hear("refused").code is RefusalCode.BUSY
    stale.frames(old.frames[:4], 0)
    assert stale.hear("refused").code is RefusalCode.UNKNOWN_SCAN
    stale.say(Heartbeat(scan_id=old.info.scan_id))
    assert stale.hear("refused").code is RefusalCode.UNKNOWN_SCAN
    first.frames(scan.frames[64:128], 64)
    first.frames(scan.frames[128:], 128)
    first.end(N_FRAMES)
    first.hear("ack", end=True)
    state = station.wait_end(scan.info.scan_id)
    assert state["counters"]["messages_stale"] == 2
    assert_recorded(state["recording"], scan)


def test_nan_infinite_and_saturated_frames_are_kept_as_they_came_and_spoil_nothing(context, station):
    scan = make_scan()
    scan.frames[3, 4, 5], scan.frames[4, 7, 7] = np.nan, np.inf
    scan.frames[5], scan.frames[6], scan.frames[7] = np.nan, np.finfo("f4").max, -np.inf
    send(context, station.listen, scan)
    state = station.wait_end(scan.info.scan_id)
    assert state["counters"]["frames_nonfinite"] == 4
    assert not [problem for problem in state["problems"] if "failed" in problem["code"]]
    assert_recorded(state["recording"], scan)
    with station.client() as client:
        bright = client.get(["bright_field"])["bright_field"].values.ravel()
    assert np.isfinite(bright[8:]).all()


def test_a_scan_of_unknown_length_ends_with_the_lines_that_came(context, station, by_hand):
    scan = make_scan(open_ended=True)
    sender = by_hand(scan)
    sender.start()
    sender.hear("ready")
    for first in range(0, 128, 32):
        sender.frames(scan.frames[first : first + 32], first)
    sender.end(128)
    sender.hear("ack", end=True)
    state = station.wait_end(scan.info.scan_id)
    assert state["scan"]["scan_shape"] == [8, 16]
    assert state["counters"]["frames_missing"] == 0
    with station.client() as client:
        arrays = client.get(["label_maps", "bright_field"])
        assert arrays["label_maps"].values.shape == (2, 8, 16)
        assert client.mean_pattern(np.ones((8, 16), bool)).shape == DETECTOR
    facts = run_json("inspect", state["recording"])
    assert (facts["scan_shape"], facts["frames_missing"]) == ([8, 16], 0)


def test_stopped_by_the_operator(context, station):
    scan = make_scan()
    with station.client() as client:

        def stop(n_acknowledged):
            if n_acknowledged > 40:
                with contextlib.suppress(Exception):
                    client.stop()

        with pytest.raises(ScanStopped, match="stopped at the engine"):
            send(context, station.listen, scan, stop, rate_hz=200)
    station.wait_end(scan.info.scan_id, "STOPPED")
    assert_next_scan_works(context, station)


SLOW_DISK = """
import sys, time
from streamer.formats.positional_file import PositionalFile
write = PositionalFile.write
def slowly(self, values, offset):
    time.sleep(0.02)
    write(self, values, offset)
PositionalFile.write = slowly
from streamer.cli.main import main
main(sys.argv[1:])
"""


def test_a_slow_disk_holds_the_sender_back_in_bounded_memory(context, tmp_path):
    scan = make_scan((40, 100), (128, 128))
    station = Station(tmp_path, "--sync", "kill")
    station.start(code=SLOW_DISK)
    with contextlib.closing(station._stack):
        peaks = {}

        def watch(n_acknowledged):
            for share in (1, 3):
                if share not in peaks and n_acknowledged > share * 1000:
                    peaks[share] = station.peak_bytes()

        send(context, station.listen, scan, watch)
        assert peaks[3] - peaks[1] < 40 << 20  # 131 MB came meanwhile
        state = station.wait_end(scan.info.scan_id)
        assert state["counters"]["frames_missing"] == 0
        assert_recorded(state["recording"], scan)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (root and CAP_SYS_ADMIN are needed)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_too_small_is_said_before_the_beam_is_on(context, small_disk):
    with Station(small_disk) as station:
        with pytest.raises(RecordingError, match=r"needs \d+ bytes, .* has \d+ bytes free"):
            send(context, station.listen, make_scan((40, 100), (128, 128)))
        assert list(small_disk.iterdir()) == []
        scan = make_scan()
        send(context, station.listen, scan)
        assert_recorded(station.wait_end(scan.info.scan_id)["recording"], scan)


NO_RESERVATION = """
import shutil, sys
from streamer.formats.positional_file import PositionalFile
PositionalFile.reserve = lambda self, n_bytes: None
usage = shutil.disk_usage
shutil.disk_usage = lambda path: usage(path)._replace(free=1 << 40)
from streamer.cli.main import main
main(sys.argv[1:])
"""


def test_a_disk_that_fills_up_in_the_scan_stops_it_with_a_valid_file(context, small_disk):
    """As on a file system that cannot reserve space."""
    scan = make_scan((30, 20), (128, 128))  # 39 MB
    station = Station(small_disk, "--sync", "kill")
    station.start(code=NO_RESERVATION)
    with contextlib.closing(station._stack):
        with pytest.raises(RecordingError, match="No space left on device"):
            send(context, station.listen, scan)
        state = station.wait_end(scan.info.scan_id, "FAILED")
        (problem,) = [problem for problem in state["problems"] if problem["code"] == "recording_failed"]
        assert "Free some space or record to another disk" in problem["text"]
        n_stored = state["counters"]["frames_stored"]
        assert 200 < n_stored < 600
        assert_recorded(state["recording"], scan, missing=range(n_stored, 600))


def test_a_disk_that_fails_in_the_scan(context, tmp_path):
    scan = make_scan()
    with Station(tmp_path, "--sync", "kill") as station:

        def fail(n_acknowledged):
            if n_acknowledged > N_FRAMES // 2:
                resource.prlimit(station.pid, resource.RLIMIT_FSIZE, (1 << 19, resource.RLIM_INFINITY))

        with pytest.raises(RecordingError, match="cannot be continued"):
            send(context, station.listen, scan, fail, rate_hz=300)
        state = station.wait_for(lambda state: state["finish_reason"] == "FAILED")
        n_stored = state["counters"]["frames_stored"]
        assert N_FRAMES // 2 < n_stored < N_FRAMES
        resource.prlimit(station.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        # Once the disk is well again, the same scan goes on.
        sent = send(context, station.listen, scan)
        assert sent.frames_sent == N_FRAMES - n_stored
        assert_recorded(station.wait_end(scan.info.scan_id)["recording"], scan)


def test_ten_thousand_mutated_messages_harm_neither_the_engine_nor_the_scan_beside_them(
    context, station, by_hand
):
    scan = make_scan((40, 60))
    fuzz, rng = by_hand(make_scan()), np.random.default_rng(2)
    # Of a scan of its own, and of the one that runs.
    valid = [
        encode(message) for info in (fuzz.info, scan.info) for message in some_messages(info, scan.frames)
    ]
    n_sent, before = [0], station.peak_bytes()

    def hear_all_out():
        """Nothing of it may come to the engine after the end of the scan, and begin another."""
        last = make_scan().info.scan_id
        fuzz.say(Heartbeat(scan_id=last))
        fuzz.hear("refused", scan_id=last)

    def send_nonsense(n_acknowledged):
        for _ in range(200):
            if n_sent[0] < 10_000 and n_acknowledged > 100:
                fuzz.socket.send_multipart(mutated(rng, valid[n_sent[0] % len(valid)]))
                n_sent[0] += 1
                if n_sent[0] == 10_000:
                    hear_all_out()
        while fuzz.socket.poll(0):
            decode(list(fuzz.socket.recv_multipart()))

    sent = send(context, station.listen, scan, send_nonsense, rate_hz=1000)
    assert n_sent[0] == 10_000
    assert sent.frames_acknowledged == 2400
    state = station.wait_end(scan.info.scan_id)
    assert state["counters"]["messages_invalid"] > 1000
    assert state["counters"]["frames_missing"] == 0
    assert_recorded(state["recording"], scan)
    assert station.peak_bytes() - before < 200 << 20
    assert_next_scan_works(context, station)


def some_messages(info, frames):
    return [
        Start.of_scan(info),
        pack(info.scan_id, 3, 4, frames[:3]),
        Heartbeat(scan_id=info.scan_id, seq=9),
        End(scan_id=info.scan_id, seq=10, reason=EndReason.COMPLETE, frames_sent=35),
    ]
