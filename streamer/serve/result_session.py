"""A finished result in the hands of an operator: edits of its hierarchy, values set by hand, what is stale, undo.

Reads: the result and its source. Writes: nothing but what "save" is asked for. Threads: requests that compute come
one at a time; values are set, and progress is read, from another thread meanwhile.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamer.analysis.editing import EditSession, EditStep
from streamer.analysis.passes import Cancel
from streamer.analysis.result_file import AnalysisResult, write_result
from streamer.analysis.run import analyze
from streamer.errors import LivestemError
from streamer.formats.scan_file import ScanFile
from streamer.live.overrides import OverrideRecord, Overrides, overrides_of, overrides_with, settings_with
from streamer.live.snapshot import LiveSnapshot
from streamer.serve.boards import snapshot_of_edits, snapshot_of_result
from streamer.serve.free_names import free_result_name
from streamer.serve.job_progress import JobProgress
from streamer.serve.stale import kept_edits, stale_stages
from streamer.settings import AnalysisSettings, TreeEdit, analysis_settings, tree_edit
from streamer.wire.control import NamedArray

Answer = tuple[tuple[NamedArray, ...], dict[str, Any]]
MAX_UNDO = 50
MAX_RESULTS = 4
"""Analyses that undo can go back over: each keeps its arrays in memory."""
SAME_GESTURE_S = 1.5
"""A value set again within this time, by a key held down, is one step of undo."""


@dataclass
class _Base:
    """One analysis, and what its edits compute with."""

    result: AnalysisResult
    settings: AnalysisSettings
    first: LiveSnapshot
    edits: EditSession | None = None


@dataclass(frozen=True)
class _Moment:
    """Everything that undo brings back; `text` says what led here."""

    base: _Base
    overrides: Overrides
    step: EditStep | None = None
    edit_records: tuple[OverrideRecord, ...] = ()
    text: str = ""
    gesture: str = ""
    at_s: float = 0.0


class ResultSession:
    """One result that is open.

    Parameters
    ----------
    result
        The result.
    scan
        Its source; None where it is not to be found: then nothing can be computed.
    first_version
        Versions of arrays count up from here.
    overrides
        Values set by hand; None: those of the result's settings.
    clock, now
        Seconds that only go forward, and the time of day for records.
    """

    def __init__(
        self,
        result: AnalysisResult,
        scan: ScanFile | None,
        first_version: int = 1,
        overrides: Overrides | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.scan = scan
        self.path: Path | None = result.path
        self._clock, self._now_utc = clock, now
        self._lock = threading.Lock()
        self._version = first_version - 1
        self._progress: JobProgress | None = None
        self._cancel = Cancel()
        base = self._base(result)
        self._moments = [_Moment(base, overrides or self._manual_of(result, base))]
        self._at = 0
        self.snapshot = base.first

    # What is shown.

    @property
    def overrides(self) -> Overrides:
        """Values set by hand."""
        return self._moment.overrides

    @property
    def result(self) -> AnalysisResult:
        """The analysis that is shown, without the edits."""
        return self._moment.base.result

    @property
    def settings(self) -> AnalysisSettings:
        """With these, `analyze` gives what is shown."""
        moment = self._moment
        return moment.base.settings.model_copy(update={"edits": self._edits_of(moment)})

    @property
    def progress(self) -> JobProgress | None:
        """Of what is being computed."""
        return self._progress

    def wanted(self, settings: AnalysisSettings | None = None) -> AnalysisSettings:
        """What an analysis with the values set by hand would use; `settings`: as somebody else knows them."""
        return settings or settings_with(self._moment.base.settings, self.overrides, releases=True)

    def fields(self, wanted: AnalysisSettings | None = None) -> dict[str, Any]:
        """What the published state says of edits, records and stale stages."""
        with self._lock:
            moments, at = self._moments, self._at
        moment = moments[at]
        records = (*moment.overrides.records, *moment.edit_records)
        return {
            "edits": {
                "n_undo": at,
                "n_redo": len(moments) - 1 - at,
                "undo_text": moment.text if at else "",
                "redo_text": moments[at + 1].text if at + 1 < len(moments) else "",
            },
            "stale": list(stale_stages(moment.base.settings, self.wanted(wanted))),
            "overrides": [record.to_json() for record in records],
        }

    def manual(self) -> dict[str, Any]:
        """The ``manual`` part of the published settings."""
        return self.overrides.to_json()

    # What is asked.

    def set_value(self, name: str, value: Any) -> Overrides:
        """Set a value by hand, or give it back (None). Nothing is computed; what is stale is said."""
        settings = self.snapshot.settings
        changed = overrides_with(self.overrides, name, value, settings, self._time())
        text = f"{name} {'automatic' if value is None else _short(value)}"
        with self._lock:
            last, now = self._moments[self._at], self._clock()
            is_same = self._at > 0 and last.gesture == name and now - last.at_s < SAME_GESTURE_S
            moment = replace(last, overrides=changed, text=text, gesture=name, at_s=now)
            self._put(moment, instead=is_same)
        return changed

    def answer(self, method: str, params: dict[str, Any]) -> Answer:
        """Preview, edit, undo, redo or save.

        Raises
        ------
        LivestemError
            It cannot be done, or was cancelled; nothing was changed.
        """
        if method == "undo":
            self._go(-1)
            return (), {}
        if method == "redo":
            self._go(+1)
            return (), {}
        with self._computing():
            if method == "preview":
                labels = self._begun().preview(str(params["node"]), int(params["k"]))
                return (NamedArray("labels", labels),), {}
            if method == "save":
                return (), {"result": str(self._save())}
            self._apply(tree_edit({"edit": method, **params}))
        return (), {}

    def analyze(
        self, roi: tuple[int, int, int, int] | str | None = "same", settings: AnalysisSettings | None = None
    ) -> int:
        """Analyse again from the first stale stage on and show it; returns how many edits were not repeated.

        `roi`: a region of the scan alone, None: all of it, "same": as what is shown.
        """
        moment = self._moment
        before = moment.base.settings
        wanted = self.wanted(settings)
        if roi != "same":
            wanted = wanted.model_copy(update={"roi": roi})
        edits = self._edits_of(moment)
        kept = kept_edits(before, wanted, edits)
        wanted = analysis_settings(
            {**wanted.model_dump(mode="json"), "edits": [e.model_dump() for e in kept]}
        )
        begun = moment.base.edits
        same_first_pass = begun is not None and (before.alignment, before.roi) == (
            wanted.alignment,
            wanted.roi,
        )
        aligned = begun.aligned if begun is not None and same_first_pass else None
        with self._computing(moment.base.result.seconds) as progress:
            result = analyze(self._source(), wanted, progress.told, self._cancel, aligned=aligned)
        result.attrs["overrides"] = [record.to_json() for record in moment.overrides.records]
        self.adopt(result, "region" if roi not in ("same", None) else "analysis", len(kept) == len(edits))
        return len(edits) - len(kept)

    def adopt(self, result: AnalysisResult, text: str = "analysis", keeps_records: bool = True) -> None:
        """Show another analysis of the same scan; undo brings the one before back."""
        base = self._base(result)
        self.path = result.path or self.path
        with self._lock:
            last = self._moments[self._at]
            records = last.edit_records if keeps_records else ()
            self._put(_Moment(base, last.overrides, None, records, text, "", self._clock()))
            self._drop_old_results()
        self.snapshot = base.first

    def cancel(self) -> None:
        """End what is being computed, from any thread; what is shown stays."""
        self._cancel.request()

    # How it is done.

    @property
    def _moment(self) -> _Moment:
        with self._lock:
            return self._moments[self._at]

    def _base(self, result: AnalysisResult) -> _Base:
        self._version += 1
        received = self.scan.received if self.scan else None
        return _Base(
            result,
            analysis_settings(result.attrs["settings"]),
            snapshot_of_result(result, self._version, received),
        )

    @staticmethod
    def _manual_of(result: AnalysisResult, base: _Base) -> Overrides:
        known = result.attrs.get("overrides") or []
        records = tuple(OverrideRecord(**entry) for entry in known if isinstance(entry, dict))
        return replace(overrides_of(base.settings), records=records)

    def _edits_of(self, moment: _Moment) -> tuple[TreeEdit, ...]:
        return moment.step.edits if moment.step else moment.base.settings.edits

    def _put(self, moment: _Moment, instead: bool = False) -> None:
        """Go on from here with another moment; what was undone is forgotten."""
        self._moments = [*self._moments[: self._at + (0 if instead else 1)], moment][-MAX_UNDO - 1 :]
        self._at = len(self._moments) - 1

    def _drop_old_results(self) -> None:
        seen: list[_Base] = []
        for place in range(len(self._moments) - 1, -1, -1):
            base = self._moments[place].base
            if base not in seen:
                seen.append(base)
            if len(seen) > MAX_RESULTS:
                self._moments = self._moments[place + 1 :]
                break
        self._at = len(self._moments) - 1
        for base in seen[1:]:
            if base.edits is not None:
                base.edits.let_go()

    def _go(self, by: int) -> None:
        with self._lock:
            if not 0 <= self._at + by < len(self._moments):
                raise LivestemError(f"There is nothing to {'undo' if by < 0 else 'redo'}.")
            before, moment = self._moments[self._at], self._moments[self._at + by]
        if moment.base is not before.base or moment.step is not before.step:
            with self._computing():
                self._show(moment)
        with self._lock:
            self._at += by

    def _show(self, moment: _Moment) -> None:
        """Make the snapshot of a moment; what an edit has changed since gets new versions."""
        if moment.step is None or moment.base.edits is None:
            self.snapshot = moment.base.first
            return
        self._version += 1
        moment.base.edits.restore(moment.step)
        whole = self.snapshot if self._moment.base is moment.base else moment.base.first
        self.snapshot = snapshot_of_edits(whole, moment.base.edits, self._version)

    def _apply(self, edit: TreeEdit) -> None:
        moment = self._moment
        session = self._begun()
        session.restore(moment.step or session.step)
        session.apply(edit)
        self._version += 1
        after = snapshot_of_edits(self.snapshot, session, self._version)
        records = (*moment.edit_records, self._record(edit, session))
        with self._lock:
            last = self._moments[self._at]
            self._put(
                _Moment(
                    moment.base, last.overrides, session.step, records, edit_text(edit), "", self._clock()
                )
            )
        self.snapshot = after

    def _record(self, edit: TreeEdit, session: EditSession) -> OverrideRecord:
        values = edit.model_dump(mode="json")
        automatic = None
        if edit.edit == "split":
            nodes = session.hierarchy.tree.nodes
            automatic = next((node.k_auto for node in nodes if node.name == edit.node), None)
        return OverrideRecord(edit_text(edit), automatic, values, self._time())

    def _begun(self) -> EditSession:
        base = self._moment.base
        if base.edits is None:
            base.edits = EditSession(self._source(), base.result)
            first = base.edits.step
            with self._lock:
                self._moments = [
                    replace(moment, step=first) if moment.base is base and moment.step is None else moment
                    for moment in self._moments
                ]
        base.edits.cancel = self._cancel
        progress = self._progress
        if progress is not None:
            base.edits.progress = progress.told
        return base.edits

    def _source(self) -> ScanFile:
        if self.scan is None:
            raise LivestemError(
                f"The source {self.result.attrs['source']} is not where it was, and without it nothing can be "
                "computed. Put the file back, or say where it is now (Locate file). The result is as it was."
            )
        return self.scan

    def _save(self) -> Path:
        """Analyse with the edits; the outcome lies beside the result, which stays as it is."""
        moment = self._moment
        path = self.path or self._source().path
        session = moment.base.edits
        result = analyze(
            self._source(),
            self.settings,
            self._progress.told if self._progress else lambda name, fraction: None,
            self._cancel,
            aligned=session.aligned if session else None,
        )
        applied = overrides_of(moment.base.settings)
        known = {record.parameter: record for record in moment.overrides.records}
        in_force = [
            known[name].to_json()
            for name, value in applied.flat().items()
            if name in known and known[name].manual == value
        ]
        result.attrs["overrides"] = in_force + [record.to_json() for record in moment.edit_records]
        kind = "edited" if moment.base.settings.roi is None else "region"
        return write_result(result, free_result_name(path, kind))

    def _computing(self, seconds: dict[str, float] | None = None) -> "_Computing":
        return _Computing(self, JobProgress(seconds, clock=self._clock))

    def begin_job(self, progress: JobProgress) -> None:
        """Called by `_Computing` alone."""
        with self._lock:
            if self._progress is not None:
                raise LivestemError(
                    "Something is being computed already. Expected one thing at a time. Wait for it, or cancel it. "
                    "Nothing was changed."
                )
            self._cancel, self._progress = Cancel(), progress

    def end_job(self) -> None:
        """Called by `_Computing` alone."""
        self._progress = None

    def _time(self) -> str:
        return self._now_utc().isoformat(timespec="seconds")


class _Computing:
    """The time in which a session computes: it has a progress and can be cancelled."""

    def __init__(self, session: ResultSession, progress: JobProgress) -> None:
        self._session, self._progress = session, progress

    def __enter__(self) -> JobProgress:
        self._session.begin_job(self._progress)
        return self._progress

    def __exit__(self, *_: object) -> None:
        self._session.end_job()


def edit_text(edit: TreeEdit) -> str:
    """Such as "merge 2.1 + 2.2"."""
    match edit.edit:
        case "split":
            return f"split {edit.node}" + (f" into {edit.k}" if edit.k else "")
        case "merge":
            return f"merge {' + '.join(edit.nodes)}"
        case "rename":
            return f"rename {edit.node}"
        case "hide":
            return f"{'hide' if edit.hidden else 'show'} {', '.join(edit.nodes)}"
        case _:
            return f"move {edit.node} onto {edit.onto}"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{name}" if isinstance(entry, dict) else f"{name} {entry}" for name, entry in value.items()
        )
    if isinstance(value, list | tuple):
        return "–".join(f"{entry:.3g}" for entry in value)
    return f"{value:.3g}"
