"""The engine's side of the analysis process (`streamer.serve.analysis_worker`)."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from streamer.settings import AnalysisSettings

_STOP_TIMEOUT_S = 10.0


class AnalysisProcess:
    """A child that analyses recordings; start it early, it warms up by itself."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "streamer.serve.analysis_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._events: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._listener = threading.Thread(target=self._listen, name="livestem-analysis-events")
        self._listener.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._child.poll() is None

    def submit(
        self,
        number: int,
        source: Path,
        out: Path,
        settings: AnalysisSettings,
        overrides: list[dict[str, Any]],
        scales: dict[str, Any] | None = None,
    ) -> None:
        """Ask for the analysis of a scan file.

        Parameters
        ----------
        number
            Of the job, in everything that is said of it.
        source, out
            The file, and where its result is written.
        settings, overrides
            What the analysis is made with; records of values set by hand, kept with the result.
        scales
            Of a recording that holds every frame and is not closed yet: what its sender knew only at the end. Its
            result is written after `source_is_closed`. None: any finished file.
        """
        job = {
            "job": number,
            "source": str(source),
            "out": str(out),
            "overrides": overrides,
            "scales": scales,
        }
        self._send({**job, "settings": settings.model_dump(mode="json")})

    def source_is_closed(self, number: int) -> None:
        """The recording of a job has its end: the result may be written."""
        self._send({"closed": number})

    def cancel(self, number: int) -> None:
        """Ask a job to end; of one whose recording is not closed yet nothing is written then."""
        self._send({"cancel": number})

    def events(self) -> list[dict[str, Any]]:
        """What the process has said since the last call; "died" where it did, with all its jobs."""
        said = []
        while True:
            try:
                said.append(self._events.get_nowait())
            except Empty:
                return said

    def close(self) -> None:
        """End the process in order; it is killed where it does not listen."""
        if self._child.stdin:
            try:
                self._child.stdin.close()
            except BrokenPipeError:
                pass  # it is dead already
        try:
            self._child.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._listener.join()
        if self._child.stdout:
            self._child.stdout.close()

    def _send(self, line: dict[str, Any]) -> None:
        if self._child.stdin is None:
            return
        try:
            self._child.stdin.write(json.dumps(line) + "\n")
            self._child.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # `_listen` says that it died

    def _listen(self) -> None:
        if self._child.stdout is None:
            return
        for line in self._child.stdout:
            try:
                self._events.put(json.loads(line))
            except ValueError:
                continue  # a library's own chatter on stdout
        code = self._child.wait()
        if code != 0:
            self._events.put(
                {
                    "event": "died",
                    "error": f"The analysis process ended with code {code}. The recording is kept.",
                }
            )
