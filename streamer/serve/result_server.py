"""``livestem serve --result FILE``: a finished result, or a recording, behind the same sockets as an engine."""

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import zmq

from streamer.analysis.result_file import AnalysisResult, is_result, open_result
from streamer.errors import FileFormatError, LivestemError, RecordingError, ResultError, SettingsError
from streamer.formats.open_scan import open_scan, opened_with
from streamer.formats.preparation import PreparedScan, prepare_scan
from streamer.formats.recording import RecordingReader, is_recording
from streamer.formats.scan_file import ScanFile
from streamer.formats.side_settings import (
    calibrated,
    read_side,
    side_path,
    source_places,
    take_side_settings,
    write_side,
)
from streamer.live.snapshot import LiveSnapshot
from streamer.model import FinishReason, FrameCounters, Problem, ProblemCode, ScanInfo
from streamer.security.key_check import KeyCheck
from streamer.security.keys import EngineKeys
from streamer.serve.boards import snapshot_of_recording
from streamer.serve.calibrating import measured_calibration, take_calibration
from streamer.serve.control_server import Answer, ControlServer
from streamer.serve.hand_work import HandWork
from streamer.serve.publish import Publisher, constant_fields, snapshot_fields
from streamer.serve.result_session import ResultSession
from streamer.settings import analysis_settings

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
        self._quit = False
        self._n_published = 0
        self._problems: list[Problem] = []
        self._scan: ScanFile | None = None
        self._published_s = -PUBLISH_PERIOD_S
        self._source = ""
        self._kept: list[dict[str, Any]] = []
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
        try:
            while not self._quit:
                self._control.serve(TICK_S)
                self._problems += [
                    Problem(ProblemCode.KEY_REFUSED, text) for text in self._key_check.problems()
                ]
                self._hand.follow()
                if time.monotonic() - self._published_s >= PUBLISH_PERIOD_S:
                    self._published_s = time.monotonic()
                    state = self.state_object()
                    self._publisher.publish(state)
                    self._keep_records(state["overrides"])
        finally:
            self._hand.close()
            self._control.close()
            self._publisher.close()
            self._key_check.close()
            if self._scan is not None:
                self._scan.close()

    @property
    def snapshot(self) -> LiveSnapshot:
        """What the file holds, and what edits have made of it."""
        return self._hand.session.snapshot if self._hand.session else self._snapshot

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

    def set_value(self, name: str, value: Any) -> None:
        """Set a value by hand, or give it back. Nothing is computed: what is stale is said."""
        self._hand.set_value(name, value)

    def calibrate(self, measured: dict[str, Any]) -> None:
        """Sizes that the user has measured; kept beside result and source."""
        sizes = measured_calibration(measured)
        paths = [Path(entry) for entry in (self._result, self._scan.path if self._scan else None) if entry]
        self._info = calibrated(self._info, {"calibration": sizes})
        if self._scan is not None:
            self._scan.info = calibrated(self._scan.info, {"calibration": sizes})
        take_calibration(self._info, sizes, paths)

    def stop_scan(self) -> None:
        """Refused: nothing runs."""
        raise LivestemError("No scan is running: this is a finished file.")

    def analyze_again(self, params: dict[str, Any]) -> None:
        """Analyse once more with the values set by hand, beside; the file stays as it is."""
        self._hand.begin_analysis(params)

    def cancel_analysis(self) -> None:
        """End what is being computed; what is shown stays."""
        self._hand.cancel()

    def edit(self, method: str, params: dict[str, Any]) -> Answer:
        """Preview or change what is shown; the file stays as it is until "save" writes another one."""
        if method == "locate":
            return self._locate(Path(str(params["path"])))
        answer = self._hand.answer(method, params)
        self._published_s = -PUBLISH_PERIOD_S
        return answer

    def state_object(self) -> dict[str, Any]:
        """The published state."""
        self._n_published += 1
        return {
            **constant_fields(),
            **snapshot_fields(self.snapshot),
            "snapshot": self._n_published,
            "finish_reason": self._finish_reason,
            "shows": "final" if self._hand.session else "live",
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
            "seconds": self._hand.seconds,
            "problems": [problem.to_json() for problem in (*self._problems, *self._hand.problems)],
            "disk_free_bytes": None,
            "worker_pids": [],
            "source": {"path": self._source, "is_there": self._scan is not None},
            **self._hand.fields(self._control.reading_progress),
            **self._control.in_charge.fields(),
        }

    def _keep_records(self, records: list[dict[str, Any]]) -> None:
        """Where the result has side settings, what was done by hand stands in them."""
        if self._result is None or records == self._kept or not side_path(Path(self._result)).exists():
            return
        self._kept = records
        try:
            write_side(Path(self._result), {"overrides": records or None})
        except RecordingError as error:
            self._problems.append(Problem(ProblemCode.SIDE_SETTINGS, str(error)))

    def _locate(self, path: Path) -> Answer:
        """Take the file as the result's source, if it is."""
        session = self._hand.session
        if session is None:
            raise LivestemError("This is no result: it needs no source. Nothing was changed.")
        scan = self._opened(path, session.result)
        expected = session.result.attrs["source_checksum"]
        if scan.checksum() != expected:
            scan.close()
            raise LivestemError(
                f"{path} is not what the result was made of: its checksum is another. Expected the file that was "
                f"{session.result.attrs['source']}. Choose another file. The result is as it was."
            )
        before, self._scan = self._scan, scan
        session.scan = scan
        self._problems = [problem for problem in self._problems if problem.code != ProblemCode.SOURCE_MISSING]
        if before is not None:
            before.close()
        if self._result is not None:
            write_side(Path(self._result), {"source": str(path)})
        self._source = str(path)
        return (), {}

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
        take_side_settings(recording)
        self._scan = recording
        try:
            known = {"detector": recording.settings.get("detector", {})}
            self._scan = prepare_scan(recording, analysis_settings(known).detector)
        except (FileFormatError, SettingsError) as error:
            self._problems.append(
                Problem(ProblemCode.NOT_PREPARED, f"{error} Frames are shown as they were recorded.")
            )
        self._info = self._scan.info
        self._recording = self._source = str(recording.path)
        self._take_end(recording)
        self._snapshot = snapshot_of_recording(recording, 1)
        self._hand = HandWork(None, self._scan)

    def _load_result(self, path: Path) -> None:
        result, side = open_result(path), read_side(path)
        self._result = str(path)
        self._finish_reason = FinishReason.COMPLETED.value
        self._source = str(result.attrs["source"])
        self._scan = self._open_source(path, result)
        self._info = calibrated(ScanInfo.from_json(result.attrs["scan"]), side)
        kept = self._scan.kept if isinstance(self._scan, PreparedScan) else self._scan
        if isinstance(kept, RecordingReader):
            self._recording = str(kept.path)
            self._take_end(kept)
        if self._scan is not None:
            self._scan.info = calibrated(self._scan.info, side)
            # What was entered beside the source counts for the result too.
            self._info = replace(self._info, calibration=self._scan.info.calibration)
        self._hand = HandWork(ResultSession(result, self._scan), self._scan)
        self._snapshot = LiveSnapshot()

    def _open_source(self, path: Path, result: AnalysisResult) -> ScanFile | None:
        """The result's source: where it was located, where it was, or moved together with its result."""
        places = source_places(path, self._source)
        source = next((place for place in places if place.exists()), Path(self._source))
        try:
            return self._opened(source, result)
        except (FileFormatError, SettingsError) as error:
            text = f"{error} Maps and mean patterns are shown without it. Locate file says where it is now."
            self._problems.append(Problem(ProblemCode.SOURCE_MISSING, text))
            return None

    @staticmethod
    def _opened(source: Path, result: AnalysisResult) -> ScanFile:
        """A result's source, its frames as the analysis saw them."""
        kept = open_scan(source, **opened_with(result.attrs["scan"]["metadata"]))
        try:
            return prepare_scan(kept, analysis_settings(result.attrs["settings"]).detector)
        except LivestemError:
            kept.close()
            raise

    def _take_end(self, recording: RecordingReader) -> None:
        end = recording.end() or {}
        self._finish_reason = end.get("finish_reason", self._finish_reason)
        self._counters |= {
            key: value for key, value in end.get("counters", {}).items() if key in self._counters
        }
