"""Pictures of the window in its five states, from a simulated scan that runs: ``python -m gui.pictures``."""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gui.display import prepare_snapshot, require_qt

if TYPE_CHECKING:
    from gui.main_window import MainWindow
    from gui.presenters.phase import Phase
    from gui.presenters.snapshot import Snapshot
    from gui.refresh import RefreshThread

STATES = ("waiting", "scanning", "analysing", "done", "fault")
FREE = "tcp://127.0.0.1:*"
SCAN_S = 8.0
STEADY_S = 1.0
SHARE_SCANNING = 0.43
SHARE_FAULT = 0.6
WITHIN_S = 180.0

Look = Callable[[str, "MainWindow"], None]


@click.command("pictures")
@click.option("--out", type=click.Path(file_okay=False), default="docs/pictures", show_default=True)
@click.option("--size", type=click.IntRange(16), default=96, show_default=True, help="Scan positions a side.")
@click.option("--window", "window_px", default="1600x1000", show_default=True, help="Width and height in px.")
@click.option("--theme", type=click.Choice(["dark", "light"]), default="dark", show_default=True)
def command(out: str, size: int, window_px: str, theme: str) -> None:
    """Draw the window waiting, scanning, analysing, done and after a fault."""
    prepare_snapshot()
    require_qt()
    from pyqtgraph.Qt import QtWidgets

    from gui import theme as themes

    app = QtWidgets.QApplication(["livestem"])
    themes.apply(app, themes.Theme(theme))
    width, height = (int(part) for part in window_px.split("x"))
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)

    def save(state: str, window: "MainWindow") -> None:
        path = folder / f"{state}.png"
        window.grab().save(str(path), "PNG")
        click.echo(path)

    with tempfile.TemporaryDirectory(prefix="livestem-pictures-") as work:
        show_states(Path(work), size, (width, height), save)


def show_states(
    work: Path, size: int, window_px: tuple[int, int], look: Look, scan_s: float = SCAN_S
) -> None:
    """Run a simulated scan through an engine, and call `look` with each state and the window that shows it.

    Parameters
    ----------
    work
        Folder for scan, recording and result.
    size
        Scan positions a side.
    window_px
        Width and height of the window.
    look
        Called once for each of `STATES`, in their order.
    scan_s
        Seconds that the scan takes.
    """
    from gui.engine_process import PROGRAM
    from gui.presenters.phase import Phase

    made = subprocess.run(
        [*PROGRAM, "simulate", "junction", "--size", str(size), "--seed", "1", "--out", str(work), "--json"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    raw = json.loads(made.stdout)["raw"]
    with _window(work, window_px) as (window, refresh, listen):
        scene = _Scene(window, refresh, look)
        ready = _Steady(lambda now: scene.phase(now) is Phase.WAITING and now.status.kernels_share == 1)
        scene.show("waiting", ready)
        send = [*PROGRAM, "replay", raw, "--to", listen, "--rate", f"{size * size / scan_s:g}"]
        with _running(send):
            scene.show("scanning", lambda now: scene.is_scanned(now, SHARE_SCANNING))
            scene.show("analysing", lambda now: scene.phase(now) is Phase.ANALYSING)
            scene.show("done", lambda now: scene.phase(now) is Phase.DONE)
        with _running([*send, "--fault", f"stop:{SHARE_FAULT}"]):
            scene.show("fault", lambda now: scene.phase(now) is Phase.STREAM_LOST)


class _Steady:
    """Whether something has been so for `STEADY_S`: an engine that starts has not yet said that it compiles."""

    def __init__(self, is_so: Callable[["Snapshot"], bool]) -> None:
        self._is_so = is_so
        self._since: float | None = None

    def __call__(self, snapshot: "Snapshot") -> bool:
        if not self._is_so(snapshot):
            self._since = None
            return False
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since > STEADY_S


class _Scene:
    """Waits for a state, pins a pattern, lets the window settle, and has it looked at."""

    def __init__(self, window: "MainWindow", refresh: "RefreshThread", look: Look) -> None:
        self._window, self._refresh, self._look = window, refresh, look

    def phase(self, snapshot: "Snapshot") -> "Phase":
        from gui.presenters.phase import phase_of

        return phase_of(snapshot)

    def is_scanned(self, snapshot: "Snapshot", share: float) -> bool:
        from gui.presenters.header_panes import scanned_fraction
        from gui.presenters.phase import Phase

        status = snapshot.status
        labels = snapshot.values("label_maps")
        # On a busy computer the clusters are some way behind the scan: the picture waits for them.
        has_map = labels is not None and float((labels[0] >= 0).mean()) >= 0.7 * share
        is_scanning = has_map and self.phase(snapshot) is Phase.SCANNING
        return is_scanning and scanned_fraction(status, Phase.SCANNING) >= share

    def show(self, state: str, is_reached: Callable[["Snapshot"], bool]) -> None:
        from pyqtgraph.Qt import QtWidgets

        from gui.snapshot_picture import is_loaded, telling_position, wait_until

        latest, window = self._refresh.latest, self._window
        wait_until(lambda: is_reached(latest()) and is_loaded(latest()), WITHIN_S)
        # What is pinned stays: some states are over soon.
        position_yx = window.selection.pinned_yx or telling_position(latest())
        if position_yx is not None:
            window.select(window.selection.with_pin(position_yx))
            wait_until(lambda: _has_pattern(latest(), position_yx), WITHIN_S)
        window.tick()
        QtWidgets.QApplication.processEvents()
        self._look(state, window)


def _has_pattern(snapshot: "Snapshot", position_yx: tuple[int, int]) -> bool:
    answer = snapshot.pattern
    return answer is not None and answer.position_yx == position_yx and answer.values is not None


@contextmanager
def _window(work: Path, window_px: tuple[int, int]) -> Iterator[tuple["MainWindow", "RefreshThread", str]]:
    from gui.engine_process import EngineProcess
    from gui.errors_shown import ErrorReports
    from gui.main_window import MainWindow
    from gui.refresh import RefreshThread

    sockets = ["--listen", FREE, "--publish", FREE, "--control", FREE]
    with EngineProcess([*sockets, "--record", str(work / "recordings")]) as engine:
        endpoints = engine.wait_ready()
        refresh = RefreshThread(endpoints.publish, endpoints.control, engine.exit_code)
        refresh.start()
        window = MainWindow(refresh, ErrorReports(), can_simulate=True)
        try:
            window.resize(*window_px)
            window.show()
            yield window, refresh, endpoints.listen or ""
        finally:
            window.close()
            window.deleteLater()
            refresh.stop()


@contextmanager
def _running(arguments: list[str]) -> Iterator[None]:
    """A process that runs beside, and is ended where it still runs."""
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


if __name__ == "__main__":
    command()
