"""A scan in the engine: continued with the right counters, and nothing left behind where it cannot begin."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from streamer.client import EngineClient
from streamer.errors import RecordingError
from streamer.formats.positional_file import PositionalFile
from streamer.live.overrides import Overrides
from streamer.live.pipeline import LivePipeline
from streamer.model import FinishReason
from streamer.receive.scan_map import n_frames_of_scan, scan_indices_of
from streamer.receive.stream import ScanStream
from streamer.record.recorder import SyncMode
from streamer.serve.control_server import ControlServer
from streamer.serve.scan_run import ScanEnd, ScanRun
from streamer.settings import AnalysisSettings
from streamer.wire.codec import make_frames as pack
from streamer.wire.messages import FrameFlag
from tests.fakes import make_frames, scan_info
from tests.unit.record.test_recorder import wait_until

SKIPPING = {"scan_shape": (4, 4), "skip_first": 4, "skip_per_line": 2, "skip_per_scan": 3}


def begin(folder, info, sync=SyncMode.KILL):
    run = ScanRun(info, AnalysisSettings(), folder, sync, Overrides())
    return run, ScanStream(info, run, now=0.0)


def send(stream, first, last, flags=()):
    message = pack(stream.info.scan_id, 1, first, make_frames(last)[first:last])
    stream.take_frames(message.model_copy(update={"flags": flags}), 0.1)


def end(run, stream, reason=FinishReason.COMPLETED):
    stream.end(reason)
    wait_until(lambda: run.recorder.drained and run.live.is_finished)
    run.end = ScanEnd(reason, stream.counted())
    run.finish()
    counters = run.stored.end()["counters"]
    run.close()
    return counters


def test_a_continued_scan_is_counted_as_one_that_was_never_interrupted(tmp_path):
    info = scan_info(**SKIPPING)
    n = n_frames_of_scan(info)
    info = scan_info(**SKIPPING, n_frames=n)
    whole, stream = begin(tmp_path / "whole", info)
    send(stream, 0, 13)
    send(stream, 13, 14, (FrameFlag.DISCARD,))
    send(stream, 14, n)
    expected = end(whole, stream)

    first, stream = begin(tmp_path / "parts", info)
    send(stream, 0, 13)
    send(stream, 13, 14, (FrameFlag.DISCARD,))
    send(stream, 14, 18)
    end(first, stream, FinishReason.STREAM_LOST)
    second, stream = begin(tmp_path / "parts", info)
    held = second.earlier.frames
    for frame in range(n):  # what `stored` does not name comes again
        if frame not in held:
            send(stream, frame, frame + 1, (FrameFlag.DISCARD,) if frame == 13 else ())
    counted = end(second, stream)
    ours = {name: counted[name] for name in expected if name not in ("frames_late",)}
    assert ours == {name: expected[name] for name in ours}
    assert (scan_indices_of(info, np.arange(n)) >= 0).sum() == 16


def test_counters_of_all_parts_are_kept_also_where_one_was_killed(tmp_path):
    info = scan_info()
    first, stream = begin(tmp_path, info)
    send(stream, 0, 10)
    send(stream, 0, 4)
    end(first, stream, FinishReason.STREAM_LOST)
    killed, _ = begin(tmp_path, info)
    killed.ring.close()
    wait_until(lambda: killed.recorder.drained and killed.live.is_finished)
    killed.recorder.discard()  # no end is written
    killed.close()
    third, stream = begin(tmp_path, info)
    assert (third.earlier.counters.frames_repeated, third.earlier.counters.frames_received) == (4, 10)
    send(stream, 10, 35)
    assert end(third, stream)["frames_repeated"] == 4


def test_a_pattern_is_shown_as_soon_as_it_is_recorded_and_refused_before(tmp_path, context):
    """The marks that the engine has read before are old: it looks again."""
    run, stream = begin(tmp_path, scan_info())
    send(stream, 0, 10)
    wait_until(lambda: run.recorder.status.n_stored == 10)
    run.view.received = np.zeros_like(run.view.received)
    served = SimpleNamespace(scan_file=run.view, snapshot=run.board.newest)
    with (
        contextlib.closing(ControlServer("tcp://127.0.0.1:*", context, served)) as server,
        EngineClient("tcp://127.0.0.1:9", server.endpoint, context) as client,
        ThreadPoolExecutor(1) as beside,
    ):
        for position, expected in (((1, 2), make_frames(10)[9]), ((1, 3), None)):
            asked = beside.submit(client.pattern, *position)
            wait_until(lambda asked=asked, server=server: server.serve(0) or asked.done())
            if expected is None:
                assert "No pattern at y 1, x 3" in str(asked.exception())
            else:
                np.testing.assert_array_equal(asked.result(), expected)
    end(run, stream)


def open_files():
    return sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if fd.isdigit()
                  and Path(f"/proc/self/fd/{fd}").exists())  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list open files")
@pytest.mark.parametrize("fails", ["sync", "pipeline"])
def test_a_scan_that_cannot_go_on_leaves_no_file_open_and_no_lock(tmp_path, monkeypatch, fails):
    info = scan_info()
    run, stream = begin(tmp_path, info)
    send(stream, 0, 10)
    end(run, stream, FinishReason.STREAM_LOST)
    before = open_files()

    def broken(*_, **__):
        raise OSError(5, "Input/output error") if fails == "sync" else MemoryError("too large")

    with monkeypatch.context() as patch:
        if fails == "sync":
            patch.setattr(PositionalFile, "sync", broken)
        else:
            patch.setattr(LivePipeline, "__init__", broken)
        with pytest.raises(RecordingError if fails == "sync" else MemoryError):
            begin(tmp_path, info)
    assert open_files() == before
    run, stream = begin(tmp_path, info)
    assert run.earlier.frames.total == 10
    end(run, stream)


def test_what_kill_mode_acknowledged_is_on_the_disk_before_power_mode_says_so(tmp_path, monkeypatch):
    info = scan_info()
    run, stream = begin(tmp_path, info, SyncMode.KILL)
    send(stream, 0, 8)
    end(run, stream, FinishReason.STREAM_LOST)
    synced = []
    sync_data = PositionalFile.sync_data
    monkeypatch.setattr(PositionalFile, "sync_data", lambda self: (synced.append(1), sync_data(self))[1])
    run, stream = begin(tmp_path, info, SyncMode.POWER)
    assert run.durable().total == 8
    assert synced
    end(run, stream)
