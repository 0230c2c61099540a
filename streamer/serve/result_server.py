"""``livestem serve --result FILE``: a finished result, or a recording, behind the same sockets as an engine."""

import contextlib
import time
from pathlib import Path
from typing import Any

import zmq

from streamer.analysis.result_file import is_result, open_result
from streamer.errors import FileFormatError, LivestemError, ResultError
from streamer.formats.open_scan import open_scan
from streamer.formats.recording import RecordingReader, is_recording
from streamer.formats.scan_file import ScanFile
from streamer.live.overrides import Overrides
from streamer.live.snapshot import LiveSnapshot
from streamer.model import EngineState, FinishReason, FrameCounters, Problem, ScanInfo
from streamer.security.key_check import KeyCheck
from streamer.security.keys import EngineKeys
from streamer.serve.boards import snapshot_of_recording, snapshot_of_result
from streamer.serve.control_server import Answer, ControlServer
from streamer.serve.publish import Publisher, constant_fields, snapshot_fields
from streamer.serve.result_edits import ResultEdits

PUBLISH_PERIOD_S = 0.5
TICK_S = 0.02


class ResultServer:
    """Serves one file until asked to end.

    Parameters
    ----------
    path
        A result or a recording.
    publish, control, context
        Of the sockets.
    security
        Keys that may connect; None: whoever reaches the endpoints may.
    read_only
        Nobody may end it through the control socket.

    Raises
    ------
    ResultError
        The file is neither a result nor a recording.
    """

    def __init__(
        self,
        path: Path,
        publish: str,
        control: str,
        context: zmq.Context[zmq.Socket[bytes]],
        security: EngineKeys | None = None,
        read_only: bool = False,
    ) -> None:
        self.overrides = Overrides()
        self._quit = False
        self._n_published = 0
        self._problems: list[Problem] = []
        self._scan: ScanFile | None = None
        self._edits: ResultEdits | None = None
        self._seconds: dict[str, float] = {}
        self._recording: str | None = None
        self._result: str | None = None
        self._finish_reason: str | None = None
        self._counters = FrameCounters().to_json()
        self._load(path)
        with contextlib.ExitStack() as opened:
            self._key_check = opened.enter_context(contextlib.closing(KeyCheck(context, security)))
            self._publisher = opened.enter_context(contextlib.closing(Publisher(publish, context, security)))
            self._control = opened.enter_context(
                contextlib.closing(ControlServer(control, context, self, security, read_only))
            )
            opened.pop_all()
        self.endpoints = {
            "listen": None,
            "publish": self._publisher.endpoint,
            "control": self._control.endpoint,
        }

    def run(self) -> None:
        """Serve until `request_quit`."""
        last_s = -PUBLISH_PERIOD_S
        try:
            while not self._quit:
                self._control.serve(TICK_S)
                self._problems += [Problem("key_refused", text) for text in self._key_check.problems()]
                if time.monotonic() - last_s >= PUBLISH_PERIOD_S:
                    last_s = time.monotonic()
                    self._publisher.publish(self.state_object())
        finally:
            if self._edits is not None:
                self._edits.close()
            self._control.close()
            self._publisher.close()
            self._key_check.close()
            if self._scan is not None:
                self._scan.close()

    @property
    def snapshot(self) -> LiveSnapshot:
        """What the file holds, and what edits have made of it."""
        return self._edits.snapshot if self._edits else self._snapshot

    @property
    def scan_file(self) -> ScanFile | None:
        """The result's source, where it still is."""
        return self._scan

    def health(self) -> dict[str, Any]:
        """A file that is open is well."""
        return {**constant_fields(), "ok": True, "why": [], "state": "IDLE", "endpoints": self.endpoints}

    def request_quit(self, when: str = "now") -> None:
        """End; from any thread."""
        self._quit = True

    def set_overrides(self, overrides: Overrides) -> None:
        """Refused: mask and alignment of a finished result do not change."""
        raise LivestemError(
            "Mask and numbers of clusters of a finished result are not set here. Split a node, or run "
            "`livestem analyze` with other settings."
        )

    def stop_scan(self) -> None:
        """Refused: nothing runs."""
        raise LivestemError("No scan is running: this is a finished file.")

    def analyze_again(self) -> None:
        """Refused: analysis of a file is a command of its own."""
        raise LivestemError("Run `livestem analyze` on the source to analyse it again.")

    def cancel_analysis(self) -> None:
        """Refused: nothing runs."""
        raise LivestemError("No analysis is running.")

    def edit(self, method: str, params: dict[str, Any]) -> Answer:
        """Preview or change the hierarchy; the file stays as it is until "save" writes another one."""
        if self._edits is None:
            raise LivestemError(
                "A recording without a result has no hierarchy to change. Run `livestem analyze` on it first."
            )
        return self._edits.answer(method, params)

    def state_object(self) -> dict[str, Any]:
        """The published state."""
        self._n_published += 1
        return {
            **constant_fields(),
            **snapshot_fields(self.snapshot),
            "snapshot": self._n_published,
            "state": EngineState.IDLE.value,
            "finish_reason": self._finish_reason,
            "shows": "final" if self._result else "live",
            "stalled": False,
            "endpoints": self.endpoints,
            "scan": self._info.to_json(),
            "q_per_px_inv_nm": self._info.calibration.q_per_px_inv_nm,
            "counters": self._counters,
            "rates": {"receive_hz": 0.0, "analyse_hz": 0.0},
            "lag_s": 0.0,
            "n_queued": 0,
            "elapsed_s": 0.0,
            "left_s": None,
            "recording": self._recording,
            "result": self._result,
            "progress": None,
            "seconds": self._seconds,
            "problems": [problem.to_json() for problem in self._problems],
            "edits": self._edits.to_json() if self._edits else None,
            "disk_free_bytes": None,
            "worker_pids": [],
        }

    def _load(self, path: Path) -> None:
        if not path.exists():
            raise ResultError(
                f"{path} does not exist. Expected a result (*.result.h5) or a recording. Check the path."
            )
        if is_recording(path):
            self._load_recording(RecordingReader(path))
        elif is_result(path):
            self._load_result(path)
        else:
            raise ResultError(
                f"{path} is neither a livestem result nor a recording. Choose a *.result.h5 file."
            )

    def _load_recording(self, recording: RecordingReader) -> None:
        self._scan, self._info = recording, recording.info
        self._recording = str(recording.path)
        self._take_end(recording)
        self._snapshot = snapshot_of_recording(recording, 1)

    def _load_result(self, path: Path) -> None:
        result = open_result(path)
        self._result, self._seconds = str(path), result.seconds
        self._info = ScanInfo.from_json(result.attrs["scan"])
        self._finish_reason = FinishReason.COMPLETED.value
        source = Path(result.attrs["source"])
        if not source.exists():
            source = path.parent / source.name  # moved together with its result
        try:
            self._scan = open_scan(source)
        except FileFormatError as error:
            self._problems.append(
                Problem("source_missing", f"{error} Maps and mean patterns are shown without it.")
            )
        if isinstance(self._scan, RecordingReader):
            self._recording = str(self._scan.path)
            self._take_end(self._scan)
        received = self._scan.received if self._scan else None
        self._snapshot = snapshot_of_result(result, 1, received)
        self._edits = ResultEdits(path, result, self._scan, self._snapshot)

    def _take_end(self, recording: RecordingReader) -> None:
        end = recording.end() or {}
        self._finish_reason = end.get("finish_reason", self._finish_reason)
        self._counters |= {
            key: value for key, value in end.get("counters", {}).items() if key in self._counters
        }
