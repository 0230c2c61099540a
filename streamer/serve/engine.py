"""The engine: wires receiver, recorder, live analysis and full analysis, and publishes what they find.

Thread: the one that calls `Engine.run` (control, publishing, hand-over from scan to analysis). The receiver's
thread calls `open_scan` and `scan_ended`; recorder and live session have threads of their own.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import zmq
from numpy.typing import NDArray

from streamer.analysis.result_file import open_result
from streamer.errors import LivestemError
from streamer.formats.side_settings import write_side
from streamer.live.overrides import Overrides
from streamer.live.snapshot import LiveSnapshot
from streamer.live.start_model import StartModel
from streamer.live.state import Event, next_state
from streamer.model import EngineState, FinishReason, FrameCounters, Problem, ProblemCode, ScanInfo
from streamer.receive.receiver import Receiver
from streamer.receive.scan_session import HostBusy
from streamer.record.recorder import SyncMode
from streamer.security.key_check import KeyCheck
from streamer.security.keys import EngineKeys
from streamer.serve.analysis_jobs import AnalysisJob, AnalysisJobs, Order
from streamer.serve.calibrating import measured_calibration, take_calibration
from streamer.serve.change_texts import not_repeated_text
from streamer.serve.control_server import Answer, ControlServer
from streamer.serve.hand_work import region_of
from streamer.serve.health import health_of
from streamer.serve.job_progress import JobProgress
from streamer.serve.live_hand import LiveHand
from streamer.serve.memory import give_memory_back
from streamer.serve.night import Night
from streamer.serve.publish import Publisher, Rates, state_fields
from streamer.serve.scan_run import ScanEnd, ScanRun
from streamer.settings import AnalysisSettings

TICK_S = 0.01
PUBLISH_PERIOD_S = 0.2
"""Without a new snapshot; one is published at once, and they come at most 10 times a second."""
IDLE_PERIOD_S = 0.5
FREE_TIMEOUT_S = 0.5
"""How long the receiver waits for the end of the scan before, its closing pass for one, until it asks the sender
to come again: no longer, because it hears nobody meanwhile."""
ENDINGS = {"failed": ProblemCode.ANALYSIS_FAILED, "cancelled": ProblemCode.ANALYSIS_CANCELLED}
"""Of an analysis that gave no result."""
VERSIONS_PER_SCAN = 100_000_000
"""Array versions of one scan begin at a multiple of this, those of its results half way to the next: a viewer
never takes an array of one for that of another."""


@dataclass(frozen=True)
class EngineOptions:
    """What `livestem serve` was asked for."""

    listen: str
    publish: str
    control: str
    record_dir: Path | None = None
    sync: SyncMode = SyncMode.POWER
    analyze: bool = True
    once: bool = False
    settings: AnalysisSettings = field(default_factory=AnalysisSettings)
    security: EngineKeys | None = None
    read_only: bool = False
    start_model: StartModel | None = None
    disk_budget_bytes: int | None = None


class Engine:
    """One engine; `run` until `shutdown`, a closed stdin, or the first scan with ``once``."""

    def __init__(
        self,
        options: EngineOptions,
        context: zmq.Context[zmq.Socket[bytes]],
        told: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options
        self.started_s = clock()
        self._clock, self._told = clock, told
        self._lock = threading.Lock()
        self._new_run: ScanRun | None = None
        self._is_free = threading.Event()  # no scan runs or drains: a new one may begin
        self._is_free.set()
        self._quit: str | None = None
        self._last_published_s = -1.0
        self._shown_version = 0
        self.state = EngineState.IDLE
        self.run_in_hand: ScanRun | None = None
        self.finish_reason: FinishReason | None = None
        self.hand = LiveHand(options.settings)
        self.problems: list[Problem] = []
        self.result_path: Path | None = None
        self.progress: dict[str, Any] | None = None
        self.seconds: dict[str, float] = {}
        self.analysis_failed = False
        self._jobs = AnalysisJobs()
        self._early_job: AnalysisJob | None = None  # while DRAINING: the recording is still to be closed
        self._job_in_hand: AnalysisJob | None = None  # while ANALYSING
        self.n_scans = 0
        self.night = Night(options.record_dir, options.disk_budget_bytes)
        self.kernels_share = 1.0  # whoever compiles them says how far it is
        self._ring_memory: NDArray[Any] | None = (
            None  # used again: new memory is dear, and comes with the beam on
        )
        self._job_progress = JobProgress(clock=clock)
        self._n_published = 0
        self.last_state: dict[str, Any] = {}
        self.rates = Rates()
        with contextlib.ExitStack() as opened:
            security = options.security
            self._key_check = opened.enter_context(contextlib.closing(KeyCheck(context, security)))
            self._publisher = opened.enter_context(
                contextlib.closing(Publisher(options.publish, context, security))
            )
            self._control = opened.enter_context(
                contextlib.closing(ControlServer(options.control, context, self, security, options.read_only))
            )
            self._receiver = Receiver(options.listen, self, context, security=security, clock=clock)
            opened.pop_all()
        self.endpoints = {
            "listen": self._receiver.endpoint,
            "publish": self._publisher.endpoint,
            "control": self._control.endpoint,
        }

    def run(self, on_end: Callable[[dict[str, Any]], None] = lambda state: None) -> FinishReason | None:
        """Serve until asked to end; returns how the last scan ended.

        `on_end` is told the last state when all is closed but the analysis process, which draws the last slide.
        """
        self._receiver.start()
        self.state = next_state(self.state, Event.ARM)
        try:
            while not self._is_done():
                self.step()
            self._publish()
            self._close_station()
            on_end(self.last_state)
        finally:
            self.close()
        return self.finish_reason

    def step(self) -> None:
        """Answer, follow scan and analysis, publish what is due: one turn of `run`."""
        self._control.serve(TICK_S)
        self._receiver.raise_if_failed()
        self._follow_scan()
        self._follow_analysis()
        for text in self._key_check.problems():
            self._say(ProblemCode.KEY_REFUSED, text)
        self._publish_if_due()

    def close(self) -> None:
        """Stop everything in order: no more frames, recording closed, sockets closed, analysis ended."""
        self._close_station()
        self._jobs.close()
        for _, event in self._jobs.events():
            self._tell_of_slide(event)

    def _close_station(self) -> None:
        self._quit = "now"
        self._is_free.set()  # whoever waits to begin a scan is refused at once
        self._receiver.close()
        self._adopt_new_run()
        if self.run_in_hand is not None:
            if self.run_in_hand.end is None or not self.run_in_hand.is_over:
                self.run_in_hand.abandon()
            self.run_in_hand.finish()
            self.run_in_hand.close()
        self._control.close()
        self._publisher.close()
        self._key_check.close()

    def request_quit(self, when: str = "now") -> None:
        """End "now", or when "idle": no scan, no analysis. From any thread."""
        self._quit = when if self._quit != "now" else "now"

    # The receiver's host: called in the receiver's thread.

    def open_scan(self, info: ScanInfo) -> ScanRun:
        """Make the session of a new scan; LivestemError refuses it."""
        if not self._is_free.wait(FREE_TIMEOUT_S) or self._quit == "now":
            raise HostBusy(
                "The engine still finishes the scan before, or is about to end. Expected it to be free. "
                "Send start again in a moment."
            )
        settings, options = self.hand.settings, self.options
        self.n_scans += 1
        first_version = self.n_scans * VERSIONS_PER_SCAN
        run = ScanRun(
            info,
            settings,
            options.record_dir,
            options.sync,
            self.hand.overrides,
            first_version,
            self._clock,
            self._ring_memory,
            options.start_model,
            is_analysed=options.analyze and options.record_dir is not None,
        )
        self._ring_memory = run.ring.memory
        with self._lock:
            self._new_run = run
        self._is_free.clear()
        return run

    def scan_ended(self, reason: FinishReason, counters: FrameCounters) -> None:
        """Remember how the stream ended; the engine's own thread does the rest."""
        with self._lock:
            run = self._new_run or self.run_in_hand
        if run is not None:
            run.end = ScanEnd(reason, counters)

    # What viewers may ask for: called in the engine's thread.

    @property
    def snapshot(self) -> LiveSnapshot:
        """What is shown: the final result where there is one, else the live snapshot."""
        if self.hand.session is not None:
            return self.hand.session.snapshot
        return self.run_in_hand.board.newest if self.run_in_hand else LiveSnapshot()

    @property
    def reading_progress(self) -> JobProgress | None:
        """Of what a viewer has asked for that reads the scan."""
        return self._control.reading_progress

    @property
    def scan_file(self) -> Any:
        """The recording of the scan in hand, as it is seen; None without one."""
        return self.run_in_hand.view if self.run_in_hand else None

    def set_value(self, name: str, value: Any) -> None:
        """Follow another value set by hand; None: automatic."""
        self._follow_hand(self.hand.set_value(name, value, self.snapshot))

    def calibrate(self, measured: dict[str, Any]) -> None:
        """Sizes that the user has measured: they count for the scan in hand, and are kept beside its recording."""
        run = self.run_in_hand
        if run is None:
            raise LivestemError("There is no scan to calibrate. Wait for one. Nothing was changed.")
        sizes = measured_calibration(measured)
        run.take_calibration(sizes)
        paths = [path for path in (run.path, self.result_path) if path is not None]
        take_calibration(run.info, sizes, paths)

    def _follow_hand(self, overrides: Overrides) -> None:
        run = self.run_in_hand
        if run is not None:
            run.live.override(overrides)
            if run.path is not None and self.state is EngineState.RUNNING:
                records = [record.to_json() for record in overrides.records]
                try:
                    write_side(run.path, {"overrides": records or None})
                except LivestemError as error:
                    self._say(ProblemCode.SIDE_SETTINGS, str(error))

    def stop_scan(self) -> None:
        """End the scan that runs as STOPPED."""
        if self.state is not EngineState.RUNNING:
            raise LivestemError("No scan is running. There is nothing to stop.")
        self._receiver.stop_scan(FinishReason.STOPPED)

    def analyze_again(self, params: dict[str, Any]) -> None:
        """Analyse the last recording, with the values set by hand; ``roi``: a region of it alone."""
        roi = region_of(params)
        run = self.run_in_hand
        if run is None or run.path is None or self.state not in (EngineState.IDLE, EngineState.LISTENING):
            raise LivestemError(
                "There is no finished recording to analyse. Wait for the end of a recorded scan."
            )
        self._begin_analysis(run, run.path, None if roi == "same" else roi)

    def edit(self, method: str, params: dict[str, Any]) -> Answer:
        """Change the result that is shown; while there is none, refused with a sentence that says when."""
        answer, overrides = self.hand.answer(method, params, self.state, self.snapshot, self.scan_file)
        if overrides is not None:
            self._follow_hand(overrides)
        return answer

    def cancel_analysis(self) -> None:
        """Cancel the analysis that runs, or what is being computed on its result."""
        session = self.hand.session
        if self.state is not EngineState.ANALYSING and session is not None and session.progress is not None:
            session.cancel()
            return
        if self.state is not EngineState.ANALYSING or self._job_in_hand is None:
            raise LivestemError("No analysis is running. There is nothing to cancel.")
        self._jobs.cancel(self._job_in_hand)

    def state_object(self) -> dict[str, Any]:
        """The published state (docs/protocol.md, part 2)."""
        fields = state_fields(self, self._receiver.status, self._clock())
        return {**fields, **self._control.in_charge.fields()}

    def health(self) -> dict[str, Any]:
        """Whether all is well (docs/protocol.md, part 2)."""
        return health_of(self, self._clock())

    def next_snapshot_number(self) -> int:
        """Number of the state that is about to be published."""
        self._n_published += 1
        return self._n_published

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the engine's children."""
        return self._jobs.pids

    def _adopt_new_run(self) -> bool:
        with self._lock:
            run, self._new_run = self._new_run, None
            if run is None:
                return False
            before, self.run_in_hand = self.run_in_hand, run
        if before is not None:
            before.close()
        return True

    def _follow_scan(self) -> None:
        if self._adopt_new_run():
            self.state = next_state(self.state, Event.START)
            self.hand.new_scan()
            self.result_path, self.finish_reason, self.progress = None, None, None
            self._job_in_hand = None
            self.problems, self.seconds = [], {}
            self._warn_of_disk()
            if self.run_in_hand:
                self._told(self.run_in_hand.beginning_text())
            if self.options.analyze and self.options.record_dir:
                self._jobs.warm()  # by the time the scan ends
        run = self.run_in_hand
        if run is None or self.state not in (EngineState.RUNNING, EngineState.DRAINING):
            return
        try:
            run.live.raise_if_failed()
        except LivestemError as error:
            self._say(ProblemCode.LIVE_FAILED, str(error))
        if remark := run.board.newest.remark:
            self._say(ProblemCode.LIVE_REMARK, remark)
        if self.state is EngineState.RUNNING and run.end is not None:
            self.state = next_state(self.state, Event.STREAM_ENDED)
            self.finish_reason = run.end.reason
            if run.end.reason is FinishReason.STREAM_LOST:
                self._say(ProblemCode.STREAM_LOST, run.lost_text())
            self._publish()
        if self.state is EngineState.DRAINING:
            self._begin_early(run)
            if run.is_over:
                self._finish(run)

    def _begin_early(self, run: ScanRun) -> None:
        """Analyse as soon as every frame is in the recording, beside the closing pass and the recording's end."""
        if self._early_job is None and self.options.analyze and run.path is not None and run.is_whole:
            self._early_job = self._jobs.ask(run, run.path, self._order(run), is_closed=False)
            self._job_progress = JobProgress(clock=self._clock)

    def _finish(self, run: ScanRun) -> None:
        try:
            run.finish()
        except LivestemError as error:
            self._say(ProblemCode.RECORDING_FAILED, str(error))
            self.finish_reason = FinishReason.FAILED
        failure = run.failure()
        if failure is not None:
            self._say(ProblemCode.RECORDING_FAILED, str(failure))
        self.state = next_state(self.state, Event.DRAINED)
        self._told(f"Scan {run.info.scan_id[:8]} ended: {self.finish_reason}.")
        self.night.ended(run, self.finish_reason, datetime.now().astimezone())
        self._warn_of_disk()
        early, self._early_job = self._early_job, None
        is_wanted = self.options.analyze and self.finish_reason is FinishReason.COMPLETED
        if early is not None and not (is_wanted and early.order == self._order(run)):
            self._jobs.drop(early)  # the recording could not be closed, or a value was set by hand meanwhile
            early = None
        if early is not None:
            self._jobs.closed(early)
            self._analysis_began(early)
        elif is_wanted and run.path is not None:
            self._begin_analysis(run, run.path)
        else:
            self.state = next_state(self.state, Event.ARM)
        self._is_free.set()
        give_memory_back()

    def _order(self, run: ScanRun, roi: tuple[int, int, int, int] | None = None) -> Order:
        """What an analysis that is asked for now is made with."""
        return Order(*self.hand.analysis_settings(roi), run.info.calibration)

    def _begin_analysis(self, run: ScanRun, path: Path, roi: tuple[int, int, int, int] | None = None) -> None:
        job = self._jobs.ask(run, path, self._order(run, roi), "region" if roi else "")
        self._job_progress = JobProgress(self.seconds, clock=self._clock)
        self._analysis_began(job)

    def _analysis_began(self, job: AnalysisJob) -> None:
        self._job_in_hand = job
        self.analysis_failed = False
        self.state = next_state(self.state, Event.ANALYSIS_BEGAN)
        self.progress = {"step": 0, "n_steps": 5, "name": "starting", "fraction": 0.0, "left_s": None}
        self._publish()  # it may have come to its end already

    def _follow_analysis(self) -> None:
        if self._early_job is not None:
            return  # what is said of it is taken in order, when its recording is closed
        for job, event in self._jobs.events():
            kind = event["event"]
            if job is None:
                self._tell_of_slide(event)
            elif kind != "progress":
                self._analysis_ended(job, kind, event)
            elif job is self._job_in_hand:
                self._job_progress.told(event["name"], event["fraction"])
                self.progress = self._job_progress.to_json()

    def _analysis_ended(self, job: AnalysisJob, kind: str, event: dict[str, Any]) -> None:
        run, is_present = job.run, job is self._job_in_hand
        if kind == "done":
            self._told(f"Result: {event['result']}")
            result = open_result(event["result"])
            self.night.analysed(run, result)
            if is_present:
                self.result_path, self.seconds = Path(event["result"]), event["seconds"]
                version = self.n_scans * VERSIONS_PER_SCAN + VERSIONS_PER_SCAN // 2
                self.hand.take_result(result, run.view, version)
                if job.order.not_repeated:
                    self._say(ProblemCode.EDITS_NOT_REPEATED, not_repeated_text(job.order.not_repeated))
        else:
            self.analysis_failed = kind == "failed"
            self.night.failed(run, event["error"])
            self._say(ENDINGS[kind], event["error"])
        if is_present:
            self._job_in_hand = self.progress = None
            self.state = next_state(self.state, Event.ANALYSIS_ENDED)
            self.state = next_state(self.state, Event.ARM)

    def _tell_of_slide(self, event: dict[str, Any]) -> None:
        if event["event"] == "slide":
            self._told(f"Slide: {event['path']}")
        elif event["event"] == "slide_failed":
            self._say(ProblemCode.SLIDE_FAILED, event["error"])

    def _warn_of_disk(self) -> None:
        if warning := self.night.warning():
            self._say(ProblemCode.DISK_BUDGET, warning)

    def _say(self, code: ProblemCode, text: str) -> None:
        if not any(problem.code == code and problem.text == text for problem in self.problems):
            self.problems.append(Problem(code, text))
            self._told(text)

    def _is_done(self) -> bool:
        idle = self.state in (EngineState.IDLE, EngineState.LISTENING) and self._new_run is None
        if self._quit == "now" or (self._quit == "idle" and idle):
            return True
        return self.options.once and idle and self.finish_reason is not None

    def _publish_if_due(self) -> None:
        period = (
            IDLE_PERIOD_S if self.state in (EngineState.IDLE, EngineState.LISTENING) else PUBLISH_PERIOD_S
        )
        run = self.run_in_hand if self.state is EngineState.RUNNING else None
        is_new = run is not None and run.board.newest.version != self._shown_version
        if is_new or self._clock() - self._last_published_s >= period:
            self._shown_version = run.board.newest.version if run else 0
            self._publish()

    def _publish(self) -> None:
        self._last_published_s = self._clock()
        self.last_state = self.state_object()
        self._publisher.publish(self.last_state)
