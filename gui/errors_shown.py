"""Exceptions that reach nobody: written to a log file, and said once in the window, which stays alive.

PyQt5 aborts the process on an exception in a slot unless `sys.excepthook` is our own.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

REPEAT_S = 10.0

logger = logging.getLogger("livestem.window")


class ErrorReports:
    """Keeps the newest error to be said; the same one (type, file, line) is taken once in `REPEAT_S`."""

    def __init__(self, log_path: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.log_path = log_path
        self._clock = clock
        self._taken: dict[tuple[str, str, int], float] = {}
        self._number = 0
        self._newest: tuple[int, str] | None = None
        self._handler: logging.Handler | None = None

    def install(self) -> None:
        """Become the place where uncaught exceptions of every thread go."""
        if self.log_path is not None:
            self._handler = logging.FileHandler(self.log_path, delay=True)
            self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            logger.addHandler(self._handler)
            logger.propagate = False
        sys.excepthook = self.hook
        threading.excepthook = lambda args: self.hook(
            args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
        )

    def take_qt_message(self, _kind: object, _context: object, text: str | None) -> None:
        """Where Qt's own remarks go: to the log file, not between the lines that a command prints."""
        logger.info("Qt: %s", text)

    def uninstall(self) -> None:
        """Give the hooks back and close the log file."""
        sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__
        if self._handler is not None:
            logger.removeHandler(self._handler)
            self._handler.close()
            logger.propagate = True

    def hook(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """Take an uncaught exception; Ctrl-C keeps its usual meaning."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, traceback)
            return
        self.report("Something went wrong in the window", error)

    def report(self, what: str, error: BaseException) -> None:
        """Log an error with its traceback, and keep it to be said."""
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = (place.tb_frame.f_code.co_filename, place.tb_lineno) if place else ("", 0)
        key, now = (type(error).__name__, where[0], where[1]), self._clock()
        if now - self._taken.get(key, -REPEAT_S) < REPEAT_S:
            return
        self._taken[key] = now
        logger.error(what, exc_info=(type(error), error, error.__traceback__))
        self._number += 1
        log = f" Details: {self.log_path}" if self.log_path else ""
        self._newest = (
            self._number,
            f"{what} ({type(error).__name__}: {error}). The engine and its recording go on.{log}",
        )

    def say(self, text: str) -> None:
        """Keep a sentence to be said; nothing went wrong in the program itself."""
        self._number += 1
        self._newest = (self._number, text)

    def newest(self) -> tuple[int, str] | None:
        """Number and sentence of the newest error, None where there was none."""
        return self._newest
