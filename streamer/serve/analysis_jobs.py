"""The analyses that an engine has asked for: of which scan, made with what, and where their results go."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.live.overrides import OverrideRecord
from streamer.model import Calibration
from streamer.serve.analysis_process import AnalysisProcess
from streamer.serve.free_names import free_result_name
from streamer.serve.scan_run import ScanRun
from streamer.settings import AnalysisSettings, TreeEdit

LAST_EVENTS = ("done", "failed", "cancelled")
"""Events after which nothing more is said of a job, but of its slide."""


@dataclass(frozen=True)
class Order:
    """What an analysis is made with: settings, the records of values set by hand, edits left out, and the scales."""

    settings: AnalysisSettings
    records: tuple[OverrideRecord, ...]
    not_repeated: tuple[TreeEdit, ...]
    calibration: Calibration


@dataclass(frozen=True)
class AnalysisJob:
    """One analysis that was asked for."""

    number: int
    run: ScanRun
    order: Order
    out: Path


class AnalysisJobs:
    """The analysis process and its jobs, which it takes in the order in which they were asked for. Engine thread."""

    def __init__(self) -> None:
        self._process: AnalysisProcess | None = None
        self._asked: dict[int, AnalysisJob] = {}
        self._n_asked = 0
        self._results_to_come: set[Path] = set()
        self._left_over: list[tuple[AnalysisJob | None, dict[str, Any]]] = []

    @property
    def pids(self) -> list[int]:
        """Process ids of those that live."""
        return [self._process.pid] if self._process is not None and self._process.is_alive else []

    def warm(self) -> AnalysisProcess:
        """Start the process where there is none, so that it has loaded everything when it is needed."""
        if self._process is None:
            self._process = AnalysisProcess()
        return self._process

    def ask(
        self, run: ScanRun, source: Path, order: Order, kind: str = "", *, is_closed: bool = True
    ) -> AnalysisJob:
        """Ask for an analysis of a recording; the result of one that is not closed yet waits for `closed`.

        Parameters
        ----------
        run, source
            The scan and its recording, which holds every frame.
        order
            What the analysis is made with.
        kind
            Stands in the result's name.
        is_closed
            Whether the recording has its end.
        """
        process = self._living()
        out = free_result_name(source, kind, frozenset(self._results_to_come))
        self._results_to_come.add(out)
        self._n_asked += 1
        job = self._asked[self._n_asked] = AnalysisJob(self._n_asked, run, order, out)
        records = [record.to_json() for record in order.records]
        scales = None if is_closed else run.late_scales
        process.submit(job.number, source, out, order.settings, records, scales)
        return job

    def closed(self, job: AnalysisJob) -> None:
        """The recording is closed: the result may be written."""
        if self._process is not None:
            self._process.source_is_closed(job.number)

    def cancel(self, job: AnalysisJob) -> None:
        """Ask a job to end; it says that it did."""
        if self._process is not None:
            self._process.cancel(job.number)

    def drop(self, job: AnalysisJob) -> None:
        """End a job whose recording is not closed, as if it had never been asked for: nothing of it is written."""
        self.cancel(job)
        self._asked.pop(job.number, None)
        self._results_to_come.discard(job.out)

    def events(self) -> list[tuple[AnalysisJob | None, dict[str, Any]]]:
        """What was said since the last call, with the job that it is about; slides are said of no job."""
        said, self._left_over = self._left_over, []
        if self._process is not None:
            said.extend(self._with_jobs(self._process.events()))
        return said

    def close(self) -> None:
        """End the process in order: what it still analyses is cancelled, slides are drawn."""
        if self._process is not None:
            self._process.close()

    def _living(self) -> AnalysisProcess:
        if self._process is not None and not self._process.is_alive:
            self._process.close()
            self._left_over.extend(self._with_jobs(self._process.events()))
            self._process = None
        return self.warm()

    def _with_jobs(
        self, events: Iterable[dict[str, Any]]
    ) -> Iterator[tuple[AnalysisJob | None, dict[str, Any]]]:
        for event in events:
            number = event.get("job")
            if event["event"] == "died":
                lost, self._asked = self._asked, {}
                yield from ((job, {**event, "event": "failed"}) for job in lost.values())
            elif number is None:
                yield None, event
            elif number in self._asked:  # else it was dropped
                yield self._asked[number], event
                if event["event"] in LAST_EVENTS:
                    del self._asked[number]
