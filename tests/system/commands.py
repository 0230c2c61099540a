"""Starting livestem commands as a user does, and reading what they print."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FREE = "tcp://127.0.0.1:*"
TIMEOUT_S = 100


def livestem(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "streamer.cli.main", *map(str, arguments)]


def run(*arguments: object, timeout=TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a screen."""
    return subprocess.run(
        livestem(*arguments), capture_output=True, text=True, timeout=timeout, check=False, env=environment()
    )


def run_json(*arguments: object) -> dict:
    """Run a command that must end with 0; its JSON."""
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return {**kept, "QT_QPA_PLATFORM": "offscreen"}


class Engine:
    """A running `livestem serve`: its endpoints, and how it ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.endpoints = json.loads(self.read_line())

    def read_line(self) -> str:
        line = self.process.stdout.readline()
        assert line, f"the engine ended with code {self.process.wait()} without a word"
        return line

    def outcome(self) -> dict:
        """With --once: what it says at the end."""
        said = json.loads(self.read_line())
        self.process.wait(TIMEOUT_S)
        return said

    @property
    def listen(self) -> str:
        return self.endpoints["listen"]


@contextmanager
def engine(record: Path | None, *more: object, code: str | None = None) -> Iterator[Engine]:
    """An engine on free ports; `code` replaces the interpreter's arguments (a prepared interpreter)."""
    arguments = ["serve", "--listen", FREE, "--publish", FREE, "--control", FREE, "--json", *map(str, more)]
    if record is not None:
        arguments += ["--record", str(record)]
    command = livestem(*arguments) if code is None else [sys.executable, "-c", code, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        yield Engine(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
