"""Where the engine's sentences go: stderr, and a file that never grows without bound."""

import contextlib
import logging
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

import click

from streamer.errors import SettingsError

MAX_LOG_BYTES = 4 << 20
N_OLD_LOGS = 5


def teller(log_path: Path | None) -> Callable[[str], None]:
    """A function that says a sentence on stderr and, with a path, writes it there with date and time.

    Raises
    ------
    SettingsError
        The file cannot be written.
    """
    if log_path is None:
        return _say
    try:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            log_path, maxBytes=MAX_LOG_BYTES, backupCount=N_OLD_LOGS, encoding="utf-8"
        )
    except OSError as error:
        raise SettingsError(
            f"The log {log_path} cannot be written: {error.strerror}. Choose another file with --log."
        ) from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(message)s"))
    logger = logging.getLogger("livestem")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)

    def say_and_write(text: str) -> None:
        logger.info(text)
        _say(text)

    return say_and_write


def _say(text: str) -> None:
    # Whoever read it may be gone, as a starter that ended: no reason to end a scan.
    with contextlib.suppress(OSError, ValueError):
        click.echo(text, err=True)


def close_log() -> None:
    """Close the file."""
    logger = logging.getLogger("livestem")
    for handler in logger.handlers.copy():
        logger.removeHandler(handler)
        handler.close()
