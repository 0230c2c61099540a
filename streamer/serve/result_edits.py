"""Edits of a finished result, asked for over the control socket; one thread at a time."""

import itertools
from pathlib import Path
from typing import Any

from streamer.analysis.editing import EditSession
from streamer.analysis.passes import Cancel
from streamer.analysis.result_file import AnalysisResult, write_result
from streamer.analysis.run import analyze
from streamer.errors import LivestemError
from streamer.formats.scan_file import ScanFile
from streamer.live.snapshot import LiveSnapshot
from streamer.serve.boards import snapshot_of_edits
from streamer.serve.control_server import Answer
from streamer.settings import tree_edit
from streamer.wire.control import NamedArray


class ResultEdits:
    """The edits of one result, and what is shown after them.

    Parameters
    ----------
    path, result
        The result file and its content.
    scan
        Its source; None where it is not to be found: then nothing can be edited.
    snapshot
        What was shown before.
    """

    def __init__(
        self, path: Path, result: AnalysisResult, scan: ScanFile | None, snapshot: LiveSnapshot
    ) -> None:
        self._path, self._result, self._scan = path, result, scan
        self._session: EditSession | None = None
        self._cancel = Cancel()
        self.snapshot = snapshot

    def to_json(self) -> dict[str, int]:
        """How many edits can be undone and redone."""
        session = self._session
        return {
            "n_undo": session.n_undo if session else 0,
            "n_redo": session.n_redo if session else 0,
        }

    def close(self) -> None:
        """End what is being computed, from any thread."""
        self._cancel.request()

    def answer(self, method: str, params: dict[str, Any]) -> Answer:
        """Do what a request asks for.

        Raises
        ------
        LivestemError
            It cannot be done; nothing was changed.
        """
        session = self._begun()
        if method == "preview":
            labels = session.preview(str(params["node"]), int(params["k"]))
            return (NamedArray("labels", labels),), {}
        if method == "save":
            return (), {"result": str(self._save(session))}
        if method == "undo":
            session.undo()
        elif method == "redo":
            session.redo()
        else:
            session.apply(tree_edit({"edit": method, **params}))
        self.snapshot = snapshot_of_edits(self.snapshot, session)
        return (), {}

    def _begun(self) -> EditSession:
        if self._session is None:
            self._session = EditSession(self._source(), self._result, cancel=self._cancel)
        return self._session

    def _source(self) -> ScanFile:
        if self._scan is None:
            raise LivestemError(
                f"The hierarchy cannot be changed: its source {self._result.attrs['source']} is not where it was. "
                "Put the file back, or beside the result, and open it again."
            )
        return self._scan

    def _save(self, session: EditSession) -> Path:
        """Analyse with the edits; the outcome lies beside the result, which stays as it is."""
        stem = self._path.name.removesuffix(".h5").removesuffix(".result")
        names = (f"{stem}.edited{'' if n == 1 else f'-{n}'}.result.h5" for n in itertools.count(1))
        target = next(path for path in (self._path.with_name(name) for name in names) if not path.exists())
        return write_result(analyze(self._source(), session.settings, cancel=self._cancel), target)
