"""The engine as a child process: started, asked for its endpoints, ended by closing its input.

The engine runs in a session of its own, so that Ctrl-C in the terminal or a crash of the window never ends a
recording; it ends by itself when its input is closed and nothing runs any more.
"""

import json
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any, Self

from streamer.errors import LivestemError

PROGRAM = (sys.executable, "-m", "streamer.cli.main")
"""What starts a livestem command."""
READY_TIMEOUT_S = 180.0
"""Long enough for the first start on a slow computer, where kernels are compiled."""


class EngineStartError(LivestemError):
    """The engine's process did not come up; ``exit_code`` is the one that it ended with."""

    def __init__(self, message: str, exit_code: int = 5) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Endpoints:
    """Where an engine can be reached; ``listen`` is None where it takes no scan."""

    publish: str
    control: str
    listen: str | None = None


def close_input(process: "subprocess.Popen[Any]", wait_s: float) -> bool:
    """Close a child's input, which asks it to end; whether it did within `wait_s`."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        return False
    return True


class EngineProcess:
    """One `livestem serve` process.

    Parameters
    ----------
    arguments
        What follows ``serve --json --until-stdin-closes``.
    command
        The program before it; tests put a small one in its place.
    """

    def __init__(self, arguments: list[str], command: list[str] | None = None) -> None:
        program = command or PROGRAM
        self._process = subprocess.Popen(
            [*program, "serve", "--json", "--until-stdin-closes", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._first_line: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._drain, name="livestem-engine-output", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """How the process ended, None while it runs."""
        return self._process.poll()

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> Endpoints:
        """The endpoints, once the engine is ready.

        Raises
        ------
        EngineStartError
            The process ended, said something else, or took longer than `timeout_s`.
        """
        try:
            line = self._first_line.get(timeout=timeout_s)
        except queue.Empty:
            raise EngineStartError(f"The engine was not ready within {timeout_s:g} s.") from None
        if not line.strip():
            code = self._process.wait()
            raise EngineStartError(
                f"The engine ended at its start with code {code}; what it said stands above.",
                code if code > 0 else 5,
            )
        try:
            said: dict[str, Any] = json.loads(line)
            return Endpoints(said["publish"], said["control"], said.get("listen"))
        except (ValueError, TypeError, KeyError):
            raise EngineStartError(f"The engine said {line[:200]!r} instead of its endpoints.") from None

    def release(self, wait_s: float = 2.0) -> bool:
        """Close the engine's input; False when it has something to finish and runs on after `wait_s`."""
        has_ended = close_input(self._process, wait_s)
        if has_ended:
            self._reader.join(wait_s)
        return has_ended

    def _drain(self) -> None:
        """Hand over the first line and read on, so that the engine never blocks on a full pipe."""
        if self._process.stdout is None:
            return
        with self._process.stdout as output:
            self._first_line.put(output.readline())
            for _ in output:
                pass
