"""Small files that the window keeps for a person: written whole or not at all, put aside where they are broken."""

import contextlib
import os
from pathlib import Path

from pyqtgraph.Qt import QtCore


def config_folder() -> Path:
    """Where programs keep settings; LIVESTEM_CONFIG names another folder."""
    if named := os.environ.get("LIVESTEM_CONFIG"):
        return Path(named)
    kind = QtCore.QStandardPaths.StandardLocation.GenericConfigLocation
    return Path(QtCore.QStandardPaths.writableLocation(kind)) / "livestem"


def read_text(path: Path, max_bytes: int) -> str | None:
    """The text of a file, None where there is none.

    Raises
    ------
    OSError, ValueError
        It cannot be read, is no text, or has more than `max_bytes`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        return None
    if len(content) > max_bytes:
        raise ValueError(f"It has more than {max_bytes} bytes.")
    return content.decode("utf-8")


def write_text(path: Path, text: str) -> None:
    """Write a file whole: whoever reads it finds the old text or the new one.

    Not forced to the disk, which could hold the window up; a power cut may leave a broken file, and that is told.

    Raises
    ------
    OSError
        It cannot be written; the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def put_aside(path: Path) -> None:
    """Give a broken file another name, so that it is told once and can still be looked at."""
    with contextlib.suppress(OSError):
        os.replace(path, path.with_name(f"{path.name}.broken"))
