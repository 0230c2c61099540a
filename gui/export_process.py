"""The export's own process: requests go in, answers come as signals; nothing of the window waits."""

import json
import sys
from typing import Any

from pyqtgraph.Qt import QtCore

PROGRAM = (sys.executable, "-m", "streamer.export.worker")
END_WITHIN_MS = 10_000


class ExportProcess(QtCore.QObject):
    """One `streamer.export.worker`."""

    answered = QtCore.Signal(object)
    ended = QtCore.Signal()

    def __init__(self, parent: QtCore.QObject | None = None, command: tuple[str, ...] = PROGRAM) -> None:
        super().__init__(parent)
        self._n_asked = 0
        self._process = QtCore.QProcess(self)
        self._process.setProcessChannelMode(QtCore.QProcess.ProcessChannelMode.ForwardedErrorChannel)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(lambda *_: self.ended.emit())
        self._process.start(command[0], list(command[1:]))

    @property
    def is_running(self) -> bool:
        """Whether it can be asked for anything."""
        return self._process.state() != QtCore.QProcess.ProcessState.NotRunning

    @property
    def pid(self) -> int:
        """Number of the process."""
        return int(self._process.processId())

    def ask(self, request: dict[str, Any]) -> int:
        """Send a request; the number that its answers bear."""
        self._n_asked += 1
        self._send({"id": self._n_asked, **request})
        return self._n_asked

    def cancel(self, number: int) -> None:
        """Ask a request to end."""
        self._send({"id": number, "do": "cancel"})

    def leave(self) -> None:
        """Ask it to end once what was asked for is written; it goes by itself."""
        self._process.closeWriteChannel()

    def close(self) -> None:
        """As `leave`, and wait for it; it is killed where that takes long."""
        self._process.closeWriteChannel()
        if self.is_running and not self._process.waitForFinished(END_WITHIN_MS):
            self._process.kill()
            self._process.waitForFinished(END_WITHIN_MS)

    def _send(self, values: dict[str, Any]) -> None:
        self._process.write((json.dumps(values) + "\n").encode())

    def _read(self) -> None:
        while self._process.canReadLine():
            try:
                answer = json.loads(bytes(self._process.readLine()))
            except ValueError:
                continue  # a library's own chatter on stdout
            self.answered.emit(answer)
