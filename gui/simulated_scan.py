"""A first scan without a microscope: a small simulated specimen, sent to the engine as a detector would.

The two commands run as processes of their own, so that nothing here ever waits for them.
"""

import json
import subprocess
import tempfile
from enum import StrEnum
from pathlib import Path

from gui.engine_process import PROGRAM

SIZE = 64
RATE_HZ = 1500


class Stage(StrEnum):
    """How far a simulated scan is."""

    MAKING = "making"
    SENDING = "sending"
    ENDED = "ended"
    FAILED = "failed"


class SimulatedScan:
    """`livestem simulate`, then `livestem replay` to `listen`; `poll` goes on from one to the other.

    Parameters
    ----------
    listen
        Endpoint where the engine takes a scan.
    size
        Positions a side.
    rate_hz
        Patterns per second.
    program
        What starts livestem; tests put something small in its place.
    """

    def __init__(
        self, listen: str, size: int = SIZE, rate_hz: float = RATE_HZ, program: tuple[str, ...] = PROGRAM
    ) -> None:
        self._listen, self._rate_hz, self._program = listen, rate_hz, program
        self._folder = tempfile.TemporaryDirectory(prefix="livestem-first-scan-")
        self.stage = Stage.MAKING
        out = ("--out", self._folder.name)
        self._process = self._start("simulate", "junction", "--size", str(size), *out, "--json")

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*self._program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def poll(self) -> Stage:
        """Go on where a process has ended; never waits."""
        if self.stage in (Stage.ENDED, Stage.FAILED) or self._process.poll() is None:
            return self.stage
        said = self._process.stdout.read() if self._process.stdout else b""
        self._close_process()
        if self._process.returncode:
            self.stage = Stage.FAILED
        elif self.stage is Stage.MAKING:
            raw = Path(json.loads(said)["raw"])
            self._process = self._start(
                "replay", str(raw), "--to", self._listen, "--rate", f"{self._rate_hz:g}", "--json"
            )
            self.stage = Stage.SENDING
        else:
            self.stage = Stage.ENDED
        if self.stage in (Stage.ENDED, Stage.FAILED):
            self._folder.cleanup()
        return self.stage

    def close(self) -> None:
        """End what still runs, and remove the file."""
        if self.stage in (Stage.ENDED, Stage.FAILED):
            return
        self._process.terminate()
        self._process.wait()
        self._close_process()
        self.stage = Stage.ENDED
        self._folder.cleanup()

    def _close_process(self) -> None:
        if self._process.stdout:
            self._process.stdout.close()
