"""The analysis begins when every frame is recorded, while the live view is closed; nobody sees more of it for that."""

import contextlib
import errno
import itertools
import threading
from types import SimpleNamespace

import pytest

from streamer.errors import LivestemError
from streamer.formats.recording import RecordingReader
from streamer.live.pipeline import LivePipeline
from streamer.live.state import Event, next_state
from streamer.model import EngineState, FinishReason
from streamer.receive.scan_session import HostBusy
from streamer.receive.stream import ScanStream
from streamer.record.end_state import EndState
from streamer.record.recorder import Recorder, SyncMode
from streamer.serve import analysis_jobs, engine
from streamer.serve.engine import Engine, EngineOptions
from streamer.serve.publish import Publisher
from streamer.wire.codec import make_frames as pack
from tests.fakes import make_frames, scan_info
from tests.unit.record.test_recorder import wait_until

FREE = "tcp://127.0.0.1:*"
IDS = [f"{number}2345678-1234-1234-1234-123456789abc" for number in range(1, 4)]


class FakeProcess:
    """An analysis process that says what the test says, and keeps what it is told."""

    def __init__(self):
        self.pid, self.is_alive, self.is_closed = 4711, True, False
        self.told, self.said, self.last_words, self.asked = [], [], [], {}

    def submit(self, number, source, out, settings, overrides, scales=None):
        self.told.append(("submit", number))
        self.asked[number] = SimpleNamespace(
            source=source, out=out, settings=settings, overrides=overrides, scales=scales
        )

    def source_is_closed(self, number):
        with RecordingReader(self.asked[number].source) as recording:
            assert recording.end() is not None
        self.told.append(("closed", number))

    def cancel(self, number):
        self.told.append(("cancel", number))

    def events(self):
        said, self.said = self.said, []
        return said

    def close(self):
        self.said, self.is_closed = [*self.said, *self.last_words], True


@pytest.fixture
def processes(monkeypatch):
    """The analysis processes that were started."""
    started = []

    def start():
        started.append(FakeProcess())
        return started[-1]

    monkeypatch.setattr(analysis_jobs, "AnalysisProcess", start)
    return started


@pytest.fixture
def shown(monkeypatch):
    """The states that viewers have seen, each once."""
    states = []
    publish = Publisher.publish

    def note(self, fields):
        states.append(fields)
        publish(self, fields)

    monkeypatch.setattr(Publisher, "publish", note)
    return lambda: [name for name, _ in itertools.groupby(state["state"] for state in states)]


@pytest.fixture
def closing_pass(monkeypatch):
    """Set: closing passes may go on."""
    may_end = threading.Event()

    def close(self, read_again=True):
        assert may_end.wait(30)

    monkeypatch.setattr(LivePipeline, "close", close)
    yield may_end
    may_end.set()


@pytest.fixture
def station(context, tmp_path, processes, shown, closing_pass):
    """Make engines that the test turns by hand; all are closed in the end."""
    with contextlib.ExitStack() as made:

        def make(record=True, told=lambda text: None, **options):
            folder = tmp_path / "r" if record else None
            it = Engine(EngineOptions(FREE, FREE, FREE, folder, SyncMode.KILL, **options), context, told)
            made.callback(it.close)
            made.callback(closing_pass.set)
            it.state = next_state(it.state, Event.ARM)
            return it

        yield make


def turn_until(it, condition):
    wait_until(lambda: it.step() or condition())


def scan(it, scan_id=IDS[0], reason=FinishReason.COMPLETED, scales=None, **changes):
    """A whole scan, as the receiver's thread brings it; its stream ends, and everything is recorded."""
    info = scan_info(scan_id=scan_id, **changes)
    run = it.open_scan(info)
    stream = ScanStream(info, run, now=0.0)
    stream.take_frames(pack(info.scan_id, 1, 0, make_frames(35)), 0.1)
    it.step()
    if scales:
        run.learn(scales)
    stream.end(reason)
    it.scan_ended(reason, stream.counted())
    wait_until(lambda: run.recorder is None or run.recorder.drained)
    it.step()
    it.step()
    return run


def said(number, event, **fields):
    return {"event": event, "job": number, **fields}


def progress(number, name, fraction):
    return said(number, "progress", name=name, fraction=fraction)


def texts(it):
    """Problems, but for what the live view says of frames that are noise."""
    return {problem.code: problem.text for problem in it.problems if problem.code != "live_remark"}


def test_it_is_asked_for_while_the_live_view_is_closed_and_written_when_the_recording_is(
    station, processes, shown, closing_pass, written_result
):
    it = station()
    run = scan(it, scales={"dwell_s": 0.5})
    (process,) = processes
    assert process.told == [("submit", 1)]
    asked = process.asked[1]
    assert (asked.source, asked.scales) == (run.path, {"dwell_s": 0.5})
    # What comes of it meanwhile is seen by nobody.
    process.said = [progress(1, "align", 1.0), progress(1, "features", 0.5)]
    it.step()
    assert (it.state, it.progress, texts(it)) == (EngineState.DRAINING, None, {})
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.ANALYSING)
    assert process.told == [("submit", 1), ("closed", 1)]
    it.step()
    assert it.progress["name"] == "features"
    process.said = [said(1, "done", result=str(written_result.path), seconds={"align": 1.0})]
    turn_until(it, lambda: it.state is EngineState.LISTENING)
    assert (it.result_path, it.seconds, it.progress) == (written_result.path, {"align": 1.0}, None)
    assert it.night.to_json()[0]["result"] == str(written_result.path)
    assert shown() == ["RUNNING", "DRAINING", "ANALYSING"]


def test_one_that_fails_before_the_recording_is_closed_is_said_afterwards(
    station, processes, shown, closing_pass
):
    it = station()
    scan(it)
    processes[0].said = [progress(1, "align", 0.0), said(1, "failed", error="No usable pattern.")]
    it.step()
    assert (it.state, texts(it)) == (EngineState.DRAINING, {})
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.LISTENING)
    assert texts(it) == {"analysis_failed": "No usable pattern."}
    assert it.analysis_failed
    assert it.finish_reason is FinishReason.COMPLETED
    assert it.night.to_json()[0]["error"] == "No usable pattern."
    assert shown() == ["RUNNING", "DRAINING", "ANALYSING"]


def test_a_process_that_dies_meanwhile_fails_it_and_the_next_scan_has_another(
    station, processes, closing_pass
):
    it = station()
    scan(it)
    processes[0].is_alive, processes[0].said = False, [{"event": "died", "error": "It died."}]
    it.step()
    assert (it.state, texts(it)) == (EngineState.DRAINING, {})
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.LISTENING)
    assert texts(it) == {"analysis_failed": "It died."}
    closing_pass.clear()
    scan(it, IDS[1])
    assert processes[0].is_closed
    assert processes[1].told == [("submit", 2)]


def test_where_the_recording_cannot_be_closed_there_is_no_result(
    station, processes, shown, closing_pass, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    it = station()
    run = scan(it)
    process = processes[0]
    with monkeypatch.context() as patch:
        patch.setattr(EndState, "write", full)
        closing_pass.set()
        turn_until(it, lambda: it.state is EngineState.LISTENING)
    assert process.told == [("submit", 1), ("cancel", 1)]
    assert it.finish_reason is FinishReason.FAILED
    assert set(texts(it)) == {"recording_failed"}
    assert "ANALYSING" not in shown()
    # What the process still says of it is of no interest, also when the recording is analysed on request.
    it.analyze_again({})
    assert process.told[-1] == ("submit", 2)
    assert process.asked[2].out == process.asked[1].out == run.path.with_suffix(".result.h5")
    process.said = [progress(1, "align", 0.9), said(1, "cancelled", error="Cancelled.")]
    it.step()
    assert (it.state, it.progress["name"]) == (EngineState.ANALYSING, "starting")
    assert set(texts(it)) == {"recording_failed"}


def test_values_set_while_the_live_view_is_closed_are_followed(station, processes, closing_pass):
    it = station()
    scan(it)
    it.set_value("threshold", 0.5)
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.ANALYSING)
    process = processes[0]
    assert process.told == [("submit", 1), ("cancel", 1), ("submit", 2)]
    first, second = process.asked[1], process.asked[2]
    assert (first.settings.mask.threshold, second.settings.mask.threshold) == (None, 0.5)
    assert [record["parameter"] for record in second.overrides] == ["threshold"]
    assert (second.scales, second.out) == (None, first.out)


def test_a_value_that_was_taken_back_changes_nothing_and_a_calibration_does(station, processes, closing_pass):
    it = station()
    scan(it)
    it.set_value("threshold", 0.5)
    it.set_value("threshold", None)
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.ANALYSING)
    assert processes[0].told == [("submit", 1), ("closed", 1)]
    closing_pass.clear()
    scan(it, IDS[1])
    it.calibrate({"q_measured_inv_nm": 0.25})
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.ANALYSING)
    assert processes[0].told[2:] == [("submit", 2), ("cancel", 2), ("submit", 3)]


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({}, {"reason": FinishReason.STOPPED}),
        ({"analyze": False}, {}),
        ({"record": False}, {}),
        ({}, {"open_ended": True}),
    ],
)
def test_other_scans_end_as_ever(station, processes, closing_pass, options, changes):
    it = station(**options)
    scan(it, **changes)
    assert it.state is EngineState.DRAINING
    assert not any(process.told for process in processes)
    closing_pass.set()
    turn_until(it, lambda: it.state is not EngineState.DRAINING)
    if "open_ended" in changes:
        assert processes[0].told == [("submit", 1)]
        assert processes[0].asked[1].scales is None
    else:
        assert it.state is EngineState.LISTENING
        assert not any(process.told for process in processes)


def test_frames_that_could_not_be_written_are_not_analysed(station, processes, closing_pass, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Recorder, "_store", broken)
    it = station()
    scan(it)
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.LISTENING)
    assert processes[0].told == []
    assert it.finish_reason is FinishReason.FAILED


def test_cancelling_is_refused_as_long_as_the_scan_is_being_saved(station, processes, closing_pass):
    it = station()
    scan(it)
    with pytest.raises(LivestemError, match="No analysis is running"):
        it.cancel_analysis()
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.ANALYSING)
    it.cancel_analysis()
    assert processes[0].told[-1] == ("cancel", 1)
    processes[0].said = [said(1, "cancelled", error="Cancelled.")]
    turn_until(it, lambda: it.state is EngineState.LISTENING)
    assert texts(it) == {"analysis_cancelled": "Cancelled."}
    assert not it.analysis_failed


def test_an_engine_that_ends_meanwhile_closes_the_recording_and_writes_no_result(
    station, processes, closing_pass
):
    it = station()
    run = scan(it)
    closing_pass.set()
    it.close()
    assert processes[0].told == [("submit", 1)]
    assert processes[0].is_closed
    with RecordingReader(run.path) as recording:
        assert recording.end()["finish_reason"] == "COMPLETED"


def test_the_next_scan_begins_when_the_one_before_is_saved(station, closing_pass, monkeypatch):
    monkeypatch.setattr(engine, "FREE_TIMEOUT_S", 0.0)
    it = station()
    scan(it)
    with pytest.raises(HostBusy):
        it.open_scan(scan_info(scan_id=IDS[1]))
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.ANALYSING)
    scan(it, IDS[1])
    assert it.run_in_hand.info.scan_id == IDS[1]


def test_what_the_scan_before_still_has_analysed_is_not_taken_for_this_ones(
    station, processes, closing_pass, written_result
):
    it = station()
    closing_pass.set()
    scan(it)
    turn_until(it, lambda: it.state is EngineState.ANALYSING)
    closing_pass.clear()
    scan(it, IDS[1])
    process = processes[0]
    process.said = [
        progress(1, "patterns", 0.5),
        said(1, "done", result=str(written_result.path), seconds={}),
        progress(2, "align", 1.0),
    ]
    it.step()
    assert it.state is EngineState.DRAINING
    closing_pass.set()
    turn_until(it, lambda: it.state is EngineState.ANALYSING and it.progress["name"] == "align")
    one, other = it.night.to_json()
    assert (one["result"], other["result"], it.result_path) == (str(written_result.path), None, None)
    process.said = [said(2, "failed", error="Too few.")]
    turn_until(it, lambda: it.state is EngineState.LISTENING)
    assert it.night.to_json()[1]["error"] == "Too few."


def test_the_outcome_is_told_before_the_slide_is_drawn(station, processes, closing_pass):
    words, ends = [], []
    it = station(told=words.append, once=True)
    closing_pass.set()
    scan(it)
    turn_until(it, lambda: it.state is EngineState.ANALYSING)
    (process,) = processes
    process.said, process.last_words = (
        [said(1, "failed", error="Too few.")],
        [{"event": "slide", "path": "s.png"}],
    )
    turn_until(it, lambda: it.state is EngineState.LISTENING)
    it.state = EngineState.IDLE
    assert it.run(lambda state: ends.append((state["finish_reason"], process.is_closed, *words[-1:])))
    assert ends == [("COMPLETED", False, "Too few.")]
    assert process.is_closed
    assert words[-1] == "Slide: s.png"
