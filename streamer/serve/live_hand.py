"""What an operator does to an engine's scan: values by hand while it runs, edits of its result afterwards, undo.

Values set by hand stay from scan to scan. Threads: the engine's; `answer` comes from the control socket's other one.
"""

from datetime import UTC, datetime
from typing import Any

from streamer.analysis.result_file import AnalysisResult
from streamer.errors import LivestemError
from streamer.formats.scan_file import ScanFile
from streamer.live.overrides import OverrideRecord, Overrides, overrides_with, settings_with
from streamer.live.snapshot import LiveSnapshot
from streamer.model import EngineState
from streamer.serve.mask_preview import WantedMask, preview_mask
from streamer.serve.moments import MAX_UNDO
from streamer.serve.result_session import Answer, ResultSession
from streamer.settings import AnalysisSettings, TreeEdit

WHEN: dict[EngineState, str] = {
    EngineState.RUNNING: (
        "The hierarchy is changed when the scan has ended and its result is there. Until then the ring, the threshold "
        "and K can be set. Nothing was changed."
    ),
    EngineState.DRAINING: (
        "The last patterns are being written. The hierarchy is changed when the result is there. Nothing was changed."
    ),
    EngineState.ANALYSING: (
        "The analysis is running. The hierarchy is changed when its result is there. Nothing was changed."
    ),
}
NO_RESULT = "There is no result yet. Scan and analyse first. Nothing was changed."


class LiveHand:
    """Values set by hand, and the session of the result that is shown.

    Parameters
    ----------
    settings
        That the engine was started with; values by hand win over them.
    """

    def __init__(self, settings: AnalysisSettings) -> None:
        self._settings = settings
        self._history = [Overrides()]
        self._at = 0
        self.session: ResultSession | None = None

    @property
    def overrides(self) -> Overrides:
        """Values set by hand."""
        return self._history[self._at]

    @property
    def settings(self) -> AnalysisSettings:
        """What the engine was started with, with the values set by hand since."""
        return settings_with(self._settings, self.overrides, releases=False)

    def new_scan(self) -> None:
        """The result that was shown makes room."""
        if self.session is not None:
            self.session.cancel()
        self.session = None

    def take_result(self, result: AnalysisResult, scan: ScanFile | None, first_version: int) -> None:
        """Show a result; one of the same scan follows the one before, which undo brings back."""
        if self.session is None:
            self.session = ResultSession(result, scan, first_version, self.overrides)
        else:
            self.session.adopt(result)

    def analysis_settings(
        self, roi: tuple[int, int, int, int] | None
    ) -> tuple[AnalysisSettings, tuple[OverrideRecord, ...], tuple[TreeEdit, ...]]:
        """What the next analysis of the scan is made with, the records that belong to it, and edits left out."""
        wanted = self.settings.model_copy(update={"roi": roi or self.settings.roi})
        if self.session is None:
            return wanted, self.overrides.records, ()
        wanted, dropped = self.session.with_edits(wanted)
        return wanted, self.session.records_of(wanted), dropped

    def set_value(self, name: str, value: Any, shown: LiveSnapshot) -> Overrides:
        """A value set by hand, or given back (None)."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        changed = overrides_with(self.overrides, name, value, shown.settings, now)
        if self.session is not None:
            changed = self.session.set_value(name, value)
        self._remember(changed)
        return changed

    def answer(
        self,
        method: str,
        params: dict[str, Any],
        state: EngineState,
        shown: LiveSnapshot,
        scan: ScanFile | None,
    ) -> tuple[Answer, Overrides | None]:
        """Do what is asked; the values set by hand where they are others afterwards."""
        if method == "preview_mask":
            return preview_mask(shown, scan, WantedMask.of(params), self.settings.mask), None
        if state in WHEN:
            if method in ("undo", "redo"):
                return ((), {}), self._go(-1 if method == "undo" else 1)
            raise LivestemError(WHEN[state])
        if self.session is None:
            raise LivestemError(NO_RESULT)
        answer = self.session.answer(method, params)
        if method not in ("undo", "redo") or self.session.overrides == self.overrides:
            return answer, None
        self._remember(self.session.overrides)
        return answer, self.overrides

    def fields(self, state: EngineState) -> dict[str, Any]:
        """What the published state says."""
        if self.session is not None and state not in (EngineState.RUNNING, EngineState.DRAINING):
            return self.session.fields(self.settings)
        return {
            "edits": {
                "n_undo": self._at,
                "n_redo": len(self._history) - 1 - self._at,
                "undo_text": "the value set last" if self._at else "",
                "redo_text": "the value taken back" if self._at + 1 < len(self._history) else "",
            },
            "stale": [],
            "overrides": [record.to_json() for record in self.overrides.records],
        }

    def _remember(self, overrides: Overrides) -> None:
        self._history = [*self._history[: self._at + 1], overrides][-MAX_UNDO - 1 :]
        self._at = len(self._history) - 1

    def _go(self, by: int) -> Overrides:
        if not 0 <= self._at + by < len(self._history):
            raise LivestemError(f"There is nothing to {'undo' if by < 0 else 'redo'}.")
        self._at += by
        return self.overrides
