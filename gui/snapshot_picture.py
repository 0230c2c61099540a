"""`livestem view --snapshot`: the whole window drawn to a file once everything is loaded."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pyqtgraph.Qt import QtCore, QtWidgets

from gui.main_window import MainWindow
from gui.presenters.map_labels import place_labels
from gui.presenters.snapshot import Link, Snapshot
from gui.refresh import DISPLAYED_ARRAYS
from streamer.errors import EngineUnreachable, LivestemError
from streamer.model import EngineState

WIDTH, HEIGHT = 1600, 1000
LOADED_WITHIN_S = 90.0


def draw_snapshot(
    window: MainWindow, latest: Callable[[], Snapshot], path: Path, timeout_s: float = LOADED_WITHIN_S
) -> None:
    """Wait until everything is loaded, pin one pattern, and write the picture.

    Raises
    ------
    EngineUnreachable
        The engine did not answer, or not everything came, within `timeout_s`.
    LivestemError
        The file cannot be written.
    """
    window.resize(WIDTH, HEIGHT)
    window.show()
    wait_until(lambda: is_loaded(latest()), timeout_s)
    position_yx = telling_position(latest())
    if position_yx is not None:
        window.select(window.selection.with_pin(position_yx))
        wait_until(lambda: is_answered(latest(), position_yx), timeout_s)
    window.tick()
    # Layouts settle and paint events that are under way are done before the picture is taken.
    QtWidgets.QApplication.processEvents()
    if not window.grab().save(str(path), "PNG"):
        raise LivestemError(
            f"The picture {path} cannot be written. Choose a folder that exists and has room."
        )


def is_loaded(snapshot: Snapshot) -> bool:
    """Whether every array that the engine has is here; during a scan any version of it will do."""
    if snapshot.link is not Link.CONNECTED:
        return False
    status = snapshot.status
    running = status.state is EngineState.RUNNING
    return all(
        name in snapshot.arrays and (running or snapshot.arrays[name].version == version)
        for name, version in status.array_versions.items()
        if name in DISPLAYED_ARRAYS
    )


def is_answered(snapshot: Snapshot, position_yx: tuple[int, int]) -> bool:
    """Whether the pattern of that position is here, or known not to come."""
    return snapshot.pattern is not None and snapshot.pattern.position_yx == position_yx


def telling_position(snapshot: Snapshot) -> tuple[int, int] | None:
    """The middle of the largest cluster; without clusters the last position scanned; None without a scan."""
    labels = snapshot.values("label_maps")
    if labels is not None:
        ids, counts = np.unique(labels[0][labels[0] >= 0], return_counts=True)
        places = place_labels(labels[0])
        if ids.size and (place := places.get(int(ids[counts.argmax()]))):
            return int(place[0]), int(place[1])
    bright_field = snapshot.values("bright_field")
    seen = np.argwhere(np.isfinite(bright_field)) if bright_field is not None else np.empty((0, 2))
    return (int(seen[-1][0]), int(seen[-1][1])) if len(seen) else None


def wait_until(is_done: Callable[[], bool], timeout_s: float) -> None:
    """Handle events until something is so.

    Raises
    ------
    EngineUnreachable
        It was not so within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not is_done():
        if time.monotonic() > deadline:
            raise EngineUnreachable(f"The engine did not send everything within {timeout_s:g} s.")
        QtWidgets.QApplication.processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents, 20)
        QtCore.QThread.msleep(5)
