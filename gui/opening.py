"""Other files open in a window of their own: what is shown here, or is being scanned, goes on."""

import subprocess
import tempfile
from pathlib import Path
from typing import IO

from gui.engine_process import PROGRAM

SUFFIXES = (".h5", ".hdf5", ".emd")


class FileOpener:
    """Starts `livestem view` for a file, and hands on what it says where it fails.

    Parameters
    ----------
    program
        What starts livestem; tests put something small in its place.
    """

    def __init__(self, program: tuple[str, ...] = PROGRAM) -> None:
        self._program = program
        self._opened: list[tuple[Path, subprocess.Popen[bytes], IO[bytes]]] = []

    def open(self, path: Path, *options: str) -> None:
        """Open a file in a new window; `options` of `livestem view`."""
        said = tempfile.TemporaryFile()
        process = subprocess.Popen(
            [*self._program, "view", str(path), *options],
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        self._opened.append((path, process, said))

    @property
    def has_open(self) -> bool:
        """Whether a window that was opened here is still there, as far as `failures` has looked."""
        return bool(self._opened)

    def failures(self) -> list[str]:
        """A sentence for each window that ended with an error since the last call; never waits."""
        sentences, still_open = [], []
        for path, process, said in self._opened:
            if process.poll() is None:
                still_open.append((path, process, said))
                continue
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            said.close()
            if process.returncode:
                sentences.append(lines[-1] if lines else f"{path} could not be opened.")
        self._opened = still_open
        return sentences
