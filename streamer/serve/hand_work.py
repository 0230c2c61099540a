"""What an operator does to a file that is open: values by hand, edits, another analysis in a thread beside.

Threads: the server's thread calls everything but `answer`, which the control socket calls beside.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from streamer.analysis.passes import Cancel
from streamer.analysis.run import analyze
from streamer.errors import LivestemError, ScanStopped
from streamer.formats.scan_file import ScanFile
from streamer.live.overrides import Overrides, overrides_with, settings_with
from streamer.model import EngineState, Problem, ProblemCode
from streamer.serve.change_texts import not_repeated_text
from streamer.serve.job_progress import SHOWN_AFTER_S, JobProgress
from streamer.serve.mask_preview import WantedMask, preview_mask
from streamer.serve.result_session import Answer, ResultSession
from streamer.settings import AnalysisSettings, TreeEdit


class HandWork:
    """A result that is open, or a recording without one until it is analysed.

    Parameters
    ----------
    session
        The result; None for a recording.
    scan
        The recording.
    """

    def __init__(self, session: ResultSession | None, scan: ScanFile | None) -> None:
        self.session = session
        self.problems: list[Problem] = []
        self._scan = scan
        self._overrides = Overrides()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="livestem-analysis")
        self._analysis: Future[tuple[TreeEdit, ...]] | None = None
        self._progress: JobProgress | None = None
        self._cancel = Cancel()

    def close(self) -> None:
        """End what is being computed."""
        self.cancel_all()
        self._beside.shutdown()

    @property
    def seconds(self) -> dict[str, float]:
        """Of the stages of the analysis that is shown."""
        return self.session.result.seconds if self.session else {}

    def set_value(self, name: str, value: Any) -> None:
        """A value set by hand, or given back."""
        if self.session is not None:
            self.session.set_value(name, value)
        else:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self._overrides = overrides_with(self._overrides, name, value, now=now)

    def answer(self, method: str, params: dict[str, Any]) -> Answer:
        """Previews and edits of the result."""
        if self.session is None:
            raise LivestemError(
                "A recording without a result has no hierarchy to change. Analyse it first. Nothing was changed."
            )
        if method == "preview_mask":
            session = self.session
            return preview_mask(session.snapshot, session.scan, WantedMask.of(params), session.settings.mask)
        if self._analysis is not None:
            raise LivestemError(
                "An analysis is running. Wait for its end, or cancel it; then change the hierarchy. "
                "Nothing was changed."
            )
        return self.session.answer(method, params)

    def begin_analysis(self, params: dict[str, Any]) -> None:
        """Analyse in the thread beside; `follow` says how it ended."""
        if self._analysis is not None:
            raise LivestemError("An analysis is running already. Wait for its end, or cancel it.")
        roi = region_of(params)
        self.problems = []
        if self.session is not None:
            self._analysis = self._beside.submit(self.session.analyze, roi)
        else:
            self._cancel, self._progress = Cancel(), JobProgress()
            self._analysis = self._beside.submit(self._first_analysis, None if roi == "same" else roi)

    def cancel(self) -> None:
        """End what is being computed; what is shown stays."""
        if self._analysis is None and (self.session is None or self.session.progress is None):
            raise LivestemError("Nothing is being computed. There is nothing to cancel.")
        self.cancel_all()

    def cancel_all(self) -> None:
        """The same, without complaint."""
        self._cancel.request()
        if self.session is not None:
            self.session.cancel()

    def follow(self) -> None:
        """Say how an analysis ended, once it has."""
        if self._analysis is None or not self._analysis.done():
            return
        done, self._analysis, self._progress = self._analysis, None, None
        error = done.exception()
        if isinstance(error, ScanStopped):
            self.problems = [
                Problem(ProblemCode.ANALYSIS_CANCELLED, f"{error} What was shown before is still shown.")
            ]
        elif isinstance(error, LivestemError):
            self.problems = [
                Problem(ProblemCode.ANALYSIS_FAILED, f"{error} What was shown before is still shown.")
            ]
        elif error is not None:
            text = (
                f"The analysis failed: {type(error).__name__}: {error}. What was shown before is still shown."
            )
            self.problems = [Problem(ProblemCode.ANALYSIS_FAILED, text)]
        elif dropped := done.result():
            self.problems = [Problem(ProblemCode.EDITS_NOT_REPEATED, not_repeated_text(dropped))]

    def fields(self, reading: JobProgress | None = None) -> dict[str, Any]:
        """What the published state says; `reading`: of what a viewer has asked for that reads the scan."""
        session = self.session
        progress = self._progress or (session.progress if session else None) or reading
        is_long = progress is not None and progress.age_s > SHOWN_AFTER_S
        is_shown = self._analysis is not None or is_long
        fields: dict[str, Any] = {
            "state": (EngineState.ANALYSING if is_shown else EngineState.IDLE).value,
            "progress": progress.to_json() if progress is not None and is_shown else None,
            "edits": None,
            "stale": [],
            "overrides": [record.to_json() for record in self._overrides.records],
            "settings": {"in_force": {}, "auto": {}, "manual": self._overrides.to_json()},
        }
        if session is not None:
            fields |= session.fields()
            fields["settings"] = {**session.snapshot.settings, "manual": session.manual()}
        return fields

    def _first_analysis(self, roi: tuple[int, int, int, int] | None) -> tuple[TreeEdit, ...]:
        """Of a recording that has no result yet."""
        if self._scan is None or self._progress is None:
            raise LivestemError("There is no scan to analyse.")
        settings = settings_with(AnalysisSettings(roi=roi), self._overrides, releases=False)
        result = analyze(self._scan, settings, self._progress.told, self._cancel)
        self.session = ResultSession(result, self._scan, 2, self._overrides)
        return ()


def region_of(params: dict[str, Any]) -> Any:
    """The region that a request asks for: (y0, y1, x0, x1), None: all of the scan, "same" where it says nothing.

    Raises
    ------
    LivestemError
        It is none.
    """
    if "roi" not in params:
        return "same"
    roi = params["roi"]
    if roi is None:
        return None
    is_good = isinstance(roi, list | tuple) and len(roi) == 4
    if not is_good or not all(isinstance(edge, int) and not isinstance(edge, bool) for edge in roi):
        raise LivestemError(
            f"The region {roi!r} cannot be used. Expected first row, row after the last, first column, column after "
            "the last. Nothing was changed."
        )
    return tuple(roi)
