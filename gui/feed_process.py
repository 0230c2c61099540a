"""`livestem feed` as a child process beside the engine: follows a folder until its input is closed and no scan runs.

In a session of its own, as the engine: closing the window never ends a scan that is being fed.
"""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from gui.engine_process import close_input
from streamer.errors import SettingsError


class FeedProcess:
    """One `livestem feed FOLDER` process.

    Parameters
    ----------
    folder
        Where the detector's software writes.
    listen
        The engine's endpoint, as reached from here.
    keys
        Folder with the sender's keys; None without.
    silence
        Seconds after which a file counts as given up; None: feed's own default.

    Raises
    ------
    SettingsError
        The folder does not exist.
    """

    def __init__(
        self, folder: Path, listen: str, keys: str | None = None, silence: str | None = None
    ) -> None:
        if not folder.is_dir():
            raise SettingsError(
                f"The folder {folder} does not exist. Expected the one that the detector's software writes to. "
                "Check --follow."
            )
        more = [
            part
            for name, value in (("--keys", keys), ("--silence", silence))
            if value
            for part in (name, value)
        ]
        command = [sys.executable, "-m", "streamer.cli.main", "feed", str(folder), "--to", listen]
        self._process = subprocess.Popen(
            [*command, *more, "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def release(self, wait_s: float = 2.0) -> bool:
        """Close its input; False when it still feeds a scan and runs on after `wait_s`."""
        return close_input(self._process, wait_s)
