"""A finished result in the hands of an operator: edits of its hierarchy, values set by hand, what is stale, undo.

Reads: the result and its source. Writes: nothing but what "save" is asked for. Threads: requests that compute come
one at a time; values are set, and progress is read, from another thread meanwhile.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamer.analysis.editing import EditSession
from streamer.analysis.passes import Cancel
from streamer.analysis.result_file import AnalysisResult, write_result
from streamer.analysis.run import analyze
from streamer.errors import LivestemError
from streamer.formats.scan_file import ScanFile
from streamer.live.overrides import OverrideRecord, Overrides, overrides_of, overrides_with, settings_with
from streamer.serve.boards import snapshot_of_edits, snapshot_of_result
from streamer.serve.change_texts import edit_text, value_text
from streamer.serve.free_names import free_result_name
from streamer.serve.job_progress import JobProgress
from streamer.serve.moments import Base, Moment, Moments
from streamer.serve.stale import kept_edits, stale_stages
from streamer.settings import AnalysisSettings, TreeEdit, analysis_settings, tree_edit
from streamer.wire.control import NamedArray

Answer = tuple[tuple[NamedArray, ...], dict[str, Any]]
SAME_GESTURE_S = 1.5
"""A value set again within this time, by a key held down, is one step of undo."""


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
        manual, edit_records = _by_hand(result, base.settings)
        self._moments = Moments(Moment(base, overrides or manual, edit_records=edit_records))
        self.snapshot = base.first

    # What is shown.

    @property
    def overrides(self) -> Overrides:
        """Values set by hand."""
        return self._moments.now.overrides

    @property
    def result(self) -> AnalysisResult:
        """The analysis that is shown, without the edits."""
        return self._moments.now.base.result

    @property
    def settings(self) -> AnalysisSettings:
        """With these, `analyze` gives what is shown."""
        moment = self._moments.now
        return moment.base.settings.model_copy(update={"edits": moment.tree_edits})

    @property
    def progress(self) -> JobProgress | None:
        """Of what is being computed."""
        return self._progress

    def wanted(self, settings: AnalysisSettings | None = None) -> AnalysisSettings:
        """What an analysis with the values set by hand would use; `settings`: as somebody else knows them."""
        return settings or settings_with(self._moments.now.base.settings, self.overrides, releases=True)

    def fields(self, wanted: AnalysisSettings | None = None) -> dict[str, Any]:
        """What the published state says of edits, records and stale stages."""
        moment = self._moments.now
        records = (*moment.overrides.records, *moment.edit_records)
        return {
            "edits": self._moments.to_json(),
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
        self._moments.add(
            over_s=SAME_GESTURE_S,
            overrides=changed,
            text=value_text(name, value),
            gesture=name,
            at_s=self._clock(),
        )
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
    ) -> tuple[TreeEdit, ...]:
        """Analyse again from the first stale stage on and show it; returns the edits that were not repeated.

        `roi`: a region of the scan alone, None: all of it, "same": as what is shown.
        """
        moment = self._moments.now
        before = moment.base.settings
        wanted = self.wanted(settings)
        if roi != "same":
            wanted = wanted.model_copy(update={"roi": roi})
        wanted, dropped = self.with_edits(wanted)
        begun = moment.base.edits
        same_first_pass = begun is not None and (before.alignment, before.roi) == (
            wanted.alignment,
            wanted.roi,
        )
        aligned = begun.aligned if begun is not None and same_first_pass else None
        with self._computing(moment.base.result.seconds) as progress:
            result = analyze(self._source(), wanted, progress.told, self._cancel, aligned=aligned)
        result.attrs["overrides"] = [record.to_json() for record in self.records_of(wanted)]
        self.adopt(result, "region" if roi not in ("same", None) else "analysis")
        return dropped

    def with_edits(self, wanted: AnalysisSettings) -> tuple[AnalysisSettings, tuple[TreeEdit, ...]]:
        """Settings of another analysis with the edits that it can repeat; and those that it cannot."""
        moment = self._moments.now
        kept = kept_edits(moment.base.settings, wanted, moment.tree_edits)
        dropped = tuple(edit for edit in moment.tree_edits if edit not in kept)
        return wanted.model_copy(update={"edits": kept}), dropped

    def records_of(self, wanted: AnalysisSettings) -> tuple[OverrideRecord, ...]:
        """Records of the values set by hand, and of those edits that the settings have."""
        moment = self._moments.now
        return (*moment.overrides.records, *_records_of_edits(moment.edit_records, wanted.edits))

    def adopt(self, result: AnalysisResult, text: str = "analysis") -> None:
        """Show another analysis of the same scan; undo brings the one before back."""
        base = self._base(result)
        self.path = result.path or self.path
        records = _records_of_edits(self._moments.now.edit_records, base.settings.edits)
        self._moments.add(
            base=base, step=None, edit_records=records, text=text, gesture="", at_s=self._clock()
        )
        self._moments.drop_old_results()
        self.snapshot = base.first

    def cancel(self) -> None:
        """End what is being computed, from any thread; what is shown stays."""
        self._cancel.request()

    # How it is done.

    def _base(self, result: AnalysisResult) -> Base:
        self._version += 1
        received = self.scan.received if self.scan else None
        return Base(
            result,
            analysis_settings(result.attrs["settings"]),
            snapshot_of_result(result, self._version, received),
        )

    def _go(self, by: int) -> None:
        before, moment = self._moments.now, self._moments.beside(by)
        if moment.base is not before.base or moment.step is not before.step:
            with self._computing():
                self._show(moment)
        self._moments.go(by)

    def _show(self, moment: Moment) -> None:
        """Make the snapshot of a moment; what an edit has changed since gets new versions."""
        if moment.step is None or moment.base.edits is None:
            self.snapshot = moment.base.first
            return
        self._version += 1
        moment.base.edits.restore(moment.step)
        whole = self.snapshot if self._moments.now.base is moment.base else moment.base.first
        self.snapshot = snapshot_of_edits(whole, moment.base.edits, self._version)

    def _apply(self, edit: TreeEdit) -> None:
        moment = self._moments.now
        session = self._begun()
        session.restore(moment.step or session.step)
        session.apply(edit)
        self._version += 1
        after = snapshot_of_edits(self.snapshot, session, self._version)
        records = (*moment.edit_records, self._record(edit, session))
        self._moments.add(
            step=session.step, edit_records=records, text=edit_text(edit), gesture="", at_s=self._clock()
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
        base = self._moments.now.base
        if base.edits is None:
            base.edits = EditSession(self._source(), base.result)
            self._moments.begin_edits(base, base.edits.step)
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
        moment = self._moments.now
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


def _records_of_edits(
    records: tuple[OverrideRecord, ...], edits: tuple[TreeEdit, ...]
) -> tuple[OverrideRecord, ...]:
    said = [edit.model_dump(mode="json") for edit in edits]
    return tuple(record for record in records if record.manual in said)


def _by_hand(
    result: AnalysisResult, settings: AnalysisSettings
) -> tuple[Overrides, tuple[OverrideRecord, ...]]:
    """Values set by hand in a result, with their records; and the records of its edits."""
    manual = overrides_of(settings)
    known = [
        OverrideRecord(**entry) for entry in result.attrs.get("overrides") or () if isinstance(entry, dict)
    ]
    values = manual.flat()
    of_values = tuple(record for record in known if record.parameter in values)
    return replace(manual, records=of_values), tuple(r for r in known if r.parameter not in values)
