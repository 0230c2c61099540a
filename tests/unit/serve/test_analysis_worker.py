"""The analysis process: a recording that is still to be closed gives the result that it gives afterwards."""

import io
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from streamer.analysis.result_file import write_result
from streamer.analysis.run import analyze
from streamer.errors import ScanStopped
from streamer.formats.open_scan import open_scan
from streamer.formats.side_settings import write_side
from streamer.live.overrides import Overrides
from streamer.model import FinishReason
from streamer.receive.stream import ScanStream
from streamer.record.recorder import SyncMode
from streamer.serve import analysis_worker
from streamer.serve.analysis_worker import Job, run_job
from streamer.serve.scan_run import ScanEnd, ScanRun
from streamer.settings import AnalysisSettings
from streamer.wire.codec import make_frames as pack
from tests.system.stations import make_scan
from tests.unit.record.test_recorder import wait_until

SCALES = {"dwell_s": 1e-3, "voltage_v": 80e3, "angle_per_px_mrad": 0.4, "q_source": "nominal"}


def asked(source, out, **changes):
    settings = AnalysisSettings().model_dump(mode="json")
    job = {"job": 3, "source": str(source), "out": str(out), "settings": settings, "overrides": []}
    return {**job, "scales": None, **changes}


@pytest.fixture
def said(monkeypatch):
    """What the process says, but for its progress."""
    events = []

    def say(event, **fields):
        if event != "progress":
            events.append((event, fields))

    monkeypatch.setattr(analysis_worker, "say", say)
    return events


class Recorded:
    """A scan that was received and recorded to the last frame; the live view may go on, nothing is closed."""

    def __init__(self, folder, scan, sync, scales):
        self.run = ScanRun(scan.info, AnalysisSettings(), folder, sync, Overrides(), is_analysed=True)
        self.stream = ScanStream(scan.info, self.run, now=0.0)
        for first in range(0, len(scan.frames), 16):
            wait_until(lambda: self.run.ring.free_slots() >= 16)
            frames = scan.frames[first : first + 16]
            self.stream.take_frames(pack(scan.info.scan_id, 1, first, frames), 0.1)
        if scales:
            self.run.learn(scales)

    def end(self, reason=FinishReason.COMPLETED):
        self.stream.end(reason)
        self.run.end = ScanEnd(reason, self.stream.counted())
        wait_until(lambda: self.run.recorder.drained)

    def close(self):
        wait_until(lambda: self.run.live.is_finished)
        self.run.finish()
        self.run.close()


@pytest.fixture(autouse=True)
def _one_blas_thread():
    """A limit is a whole process': the live session, elsewhere in its own, would end that of the analysis."""
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize("sync", SyncMode)
@pytest.mark.parametrize("scales", [{}, SCALES])
def test_the_result_is_that_of_the_closed_recording_in_everything_but_time(tmp_path, said, sync, scales):
    recorded = Recorded(tmp_path, make_scan(), sync, scales)
    write_side(recorded.run.path, {"calibration": {"q_measured_inv_nm": 0.11}})
    recorded.end()
    job = Job(asked(recorded.run.path, tmp_path / "early.result.h5", scales=recorded.run.late_scales))
    assert recorded.run.is_whole
    assert recorded.run.stored.end() is None
    with ThreadPoolExecutor(1) as beside:
        early = beside.submit(run_job, job)
        recorded.close()
        job.source_is_closed()
        result = early.result()
    assert result is not None, said
    with open_scan(recorded.run.path) as scan:
        later = analyze(scan)
    assert result.attrs.keys() == later.attrs.keys() | {"overrides"}
    for name in later.attrs.keys() - {"created", "seconds"}:
        assert result.attrs[name] == later.attrs[name], name
    assert result.attrs["calibration"]["q_measured_inv_nm"] == 0.11
    assert result.attrs["calibration"]["voltage_v"] == scales.get("voltage_v")
    assert result.attrs["scan"]["dwell_s"] == scales.get("dwell_s")
    assert result.array_attrs == later.array_attrs
    assert result.arrays.keys() == later.arrays.keys()
    for name, values in later.arrays.items():
        np.testing.assert_array_equal(result.arrays[name], values, name)


def test_scales_of_the_part_before_count_where_a_continued_scan_brings_none(tmp_path):
    scan = make_scan()
    first = Recorded(tmp_path, scan, SyncMode.KILL, SCALES)
    first.end(FinishReason.STREAM_LOST)
    first.close()
    for scales, dwell_s in (({}, 1e-3), ({"dwell_s": 2e-3}, 2e-3)):
        again = Recorded(tmp_path, scan, SyncMode.KILL, scales)
        again.end()
        job = Job(asked(again.run.path, "out", scales=again.run.late_scales))
        with job.opened() as early:
            before = early.info
            early.refresh()
            assert early.info == before
        again.close()
        with open_scan(again.run.path) as closed:
            assert closed.info == before
        assert before.dwell_s == dwell_s


@pytest.fixture
def analysed(monkeypatch, written_result):
    """Stands for the analysis; set when it has come to its end."""
    done = threading.Event()

    def analyze(*_):
        done.set()
        return written_result

    monkeypatch.setattr(analysis_worker, "analyze", analyze)
    monkeypatch.setattr(Job, "opened", lambda self: open_scan(written_result.attrs["source"]))
    return done


def test_nothing_is_written_before_the_recording_is_closed(tmp_path, said, analysed, monkeypatch):
    job, told_closed = Job(asked("scan.h5", tmp_path / "a.result.h5", scales={})), []

    def write(result, path):
        assert told_closed
        return write_result(result, path)

    monkeypatch.setattr(analysis_worker, "write_result", write)
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(run_job, job)
        assert analysed.wait(30)
        told_closed.append(True)
        job.source_is_closed()
        assert running.result().path == tmp_path / "a.result.h5"
    ((event, fields),) = said
    assert (event, fields["job"], fields["result"]) == ("done", 3, str(tmp_path / "a.result.h5"))


@pytest.mark.parametrize("is_closed", [False, True])
def test_nothing_is_written_of_a_job_that_was_cancelled(tmp_path, said, analysed, is_closed):
    job = Job(asked("scan.h5", tmp_path / "a.result.h5", scales=None if is_closed else {}))
    job.end_soon()
    assert run_job(job) is None
    assert [event for event, _ in said] == ["cancelled"]
    assert list(tmp_path.iterdir()) == []


def lines(*said):
    return io.StringIO("".join(json.dumps(line) + "\n" for line in said))


def serve(monkeypatch, text, run_job):
    monkeypatch.setattr(sys, "stdin", text)
    monkeypatch.setattr(analysis_worker, "warm_kernels", lambda: None)
    monkeypatch.setattr(analysis_worker, "run_job", run_job)
    monkeypatch.setattr(analysis_worker, "draw_slide", lambda result: None)
    analysis_worker.main()


def test_what_waits_for_a_recording_to_be_closed_ends_with_the_engine(monkeypatch, said):
    ends = []

    def wait(job):
        try:
            job.wait_until_closed()
        except ScanStopped:
            ends.append(job.asked["job"])

    waiting = [asked("scan.h5", "out", job=number, scales={}) for number in (1, 2)]
    serve(monkeypatch, lines(*waiting), wait)
    assert ends == [1, 2]


def test_cancel_and_closed_are_for_the_job_with_that_number(monkeypatch, said):
    states, all_read = [], threading.Event()

    class Text:
        """A stdin that stays open until the jobs have been looked at."""

        def __iter__(self):
            jobs = [asked("scan.h5", "out", job=number, scales={}) for number in (1, 2, 3)]
            yield from lines(*jobs, {"cancel": 1}, {"closed": 2}, {"cancel": 9}, {"closed": 9})
            all_read.set()
            assert looked_at.acquire(timeout=30)

    looked_at = threading.Semaphore(0)

    def look(job):
        assert all_read.wait(30)
        states.append((job.cancel.is_requested, job._is_closed.is_set()))
        if len(states) == 3:
            looked_at.release()
        return SimpleNamespace()

    serve(monkeypatch, Text(), look)
    assert states == [(True, True), (False, True), (False, False)]
