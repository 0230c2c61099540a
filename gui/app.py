"""`livestem monitor` and `livestem view`: puts engine, refresh thread and window together.

Qt and numpy are imported inside the functions, so that asking for help stays quick.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gui.engine_process import Endpoints, EngineProcess
    from streamer.security.keys import ClientKeys

FREE_PORT = "tcp://127.0.0.1:*"


@click.command("monitor")
@click.option("--listen", metavar="ENDPOINT", help="Where the detector's stream comes in.")
@click.option("--record", metavar="DIR", type=click.Path(file_okay=False), help="Folder for recordings.")
@click.option(
    "--follow",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Feed the RAW files that the detector's software writes here, while it writes them.",
)
@click.option("--silence", metavar="SECONDS", help="Of --follow: after so long a file counts as given up.")
@click.option("--settings", metavar="TOML", type=click.Path(), help="Analysis settings.")
@click.option(
    "--g2-calibration", metavar="FOLDER", help="Calibration that words of an EMPAD-G2 are decoded with."
)
@click.option("--g2-dark", metavar="FILE", help="Its dark frames; default: in the same folder.")
@click.option("--model", metavar="RESULT", type=click.Path(), help="A result whose clusters label the scans.")
@click.option("--publish", metavar="ENDPOINT", help="Where the engine's states go out.")
@click.option("--control", metavar="ENDPOINT", help="Where commands come in.")
@click.option("--keys", metavar="DIR", type=click.Path(file_okay=False), help="Keys of `livestem keys`.")
@click.option("--insecure", is_flag=True, help="Accept endpoints that others reach, without keys.")
@click.option("--json", "as_json", is_flag=True, help="The endpoints as one JSON object on stdout.")
def monitor_command(
    as_json: bool, insecure: bool, follow: str | None, silence: str | None, **options: str | None
) -> None:
    """Start an engine and watch it: the live view beside the microscope."""
    from gui.display import require_display, require_qt
    from gui.reach_engine import from_this_computer

    require_display()
    require_qt()
    # What is not given is left to `livestem serve`, so that both commands have the same defaults.
    wanted = with_kept_settings(options)
    given = {f"--{name.replace('_', '-')}": value for name, value in wanted.items()}
    arguments = [part for pair in given.items() for part in pair]
    if insecure:
        arguments.append("--insecure")
    keys = viewer_keys(options["keys"])
    with (
        _child_engine(arguments) as (engine, endpoints),
        _child_feed(follow, silence, endpoints, options["keys"]),
    ):
        said = json.dumps(asdict(endpoints)) if as_json else f"Send the scan to {endpoints.listen}"
        click.echo(said)
        sys.stdout.flush()
        _open_window(
            from_this_computer(endpoints),
            engine.exit_code,
            None,
            keys,
            can_simulate=keys is None,
            is_ours=True,
        )


def with_kept_settings(options: Mapping[str, str | None]) -> dict[str, str]:
    """Options of `monitor` that have a value: those given, else those of the settings page."""
    from gui.kept_files import config_folder
    from gui.presenters.window_settings import monitor_options
    from gui.settings_store import SettingsStore

    store = SettingsStore(config_folder())
    for sentence in store.take_problems():
        click.echo(sentence, err=True)
    path = store.analysis_path
    return monitor_options(store.window, options, str(path) if path is not None and path.is_file() else None)


@click.command("view")
@click.argument("target")
@click.option("--snapshot", metavar="PNG", type=click.Path(dir_okay=False), help="Draw the window to a file.")
@click.option("--control", metavar="ENDPOINT", help="Control endpoint of the engine, if not as it says.")
@click.option(
    "--keys",
    "keys_dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Keys for an engine that has some.",
)
@click.option(
    "--continue", "continues", is_flag=True, help="Look at what you looked at in this scan the last time."
)
@click.option("--json", "as_json", is_flag=True, help="The picture's path as one JSON object on stdout.")
def view_command(
    target: str,
    snapshot: str | None,
    control: str | None,
    keys_dir: str | None,
    continues: bool,
    as_json: bool,
) -> None:
    """Look at a result, a recording, or a running engine.

    TARGET is a file, or tcp://host:port where an engine publishes its state.
    """
    from gui.display import prepare_snapshot, require_display, require_qt
    from gui.reach_engine import running_engine

    is_engine = "://" in target
    if not is_engine:
        require_file(Path(target))
        require_no_keys(target, keys_dir)
    keys = viewer_keys(keys_dir)
    if snapshot is None:
        require_display()
    else:
        prepare_snapshot()
    require_qt()
    picture = Path(snapshot) if snapshot else None
    if is_engine:
        endpoints = running_engine(target, control, keys)
        _open_window(endpoints, lambda: None, picture, keys, continues=continues)
        _say_picture(picture, as_json)
        return
    arguments = ["--result", target, "--publish", FREE_PORT, "--control", FREE_PORT]
    with _child_engine(arguments) as (engine, endpoints):
        _open_window(endpoints, engine.exit_code, picture, is_ours=True, continues=continues)
    _say_picture(picture, as_json)


def _say_picture(picture: Path | None, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"picture": str(picture) if picture else None}))
    elif picture is not None:
        click.echo(picture)


def require_file(path: Path) -> None:
    """Refuse what is not there.

    Raises
    ------
    FileFormatError
        There is no such file.
    """
    from streamer.errors import FileFormatError

    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileFormatError(
            f"{path} {what}. "
            "Give a result (*.result.h5), a recording (*.h5), or tcp://host:port of an engine."
        )


def require_no_keys(target: str, keys_dir: str | None) -> None:
    """Refuse keys where there is nothing to protect.

    Raises
    ------
    SettingsError
        Keys were given for a file.
    """
    from streamer.errors import SettingsError

    if keys_dir is not None:
        raise SettingsError(
            f"--keys is for a running engine, and {target} is a file. Expected tcp://host:port. Leave --keys out."
        )


def viewer_keys(folder: str | None) -> "ClientKeys | None":
    """The keys of a viewer, or of a reader where `folder` has no others; None without a folder.

    Raises
    ------
    SettingsError
        They cannot be used.
    """
    if folder is None:
        return None
    from streamer.security.keys import load_viewer_keys

    return load_viewer_keys(Path(folder))


@contextmanager
def _child_engine(arguments: list[str]) -> Iterator[tuple["EngineProcess", "Endpoints"]]:
    """An engine of our own; at the end its input is closed, and what it still does is said."""
    from gui.engine_process import EngineProcess

    click.echo("Starting the engine …", err=True)
    engine = EngineProcess(arguments)
    try:
        yield engine, engine.wait_ready()
    finally:
        if not engine.release():
            click.echo(
                f"The engine (process {engine.pid}) finishes the scan or analysis that runs, "
                "then ends by itself.",
                err=True,
            )


@contextmanager
def _child_feed(
    folder: str | None, silence: str | None, endpoints: "Endpoints", keys: str | None
) -> Iterator[None]:
    """A feed of our own where a folder is followed; at the end its input is closed."""
    if folder is None:
        yield
        return
    from gui.feed_process import FeedProcess
    from gui.reach_engine import reachable_control

    listen = reachable_control("tcp://127.0.0.1:0", endpoints.listen or "")
    feed = FeedProcess(Path(folder), listen, keys, silence)
    try:
        yield
    finally:
        if not feed.release():
            click.echo(f"The feed (process {feed.pid}) sends the file that grows to its end.", err=True)


def _open_window(
    endpoints: "Endpoints",
    exit_code: Callable[[], int | None],
    picture: Path | None,
    keys: "ClientKeys | None" = None,
    *,
    can_simulate: bool = False,
    is_ours: bool = False,
    continues: bool = False,
) -> None:
    """Open the window on an engine until it is closed; or draw it to `picture`.

    The window of an engine that `is_ours`, a child of this process, is in charge of it where nobody else is.
    """
    import faulthandler
    import signal
    import threading

    from pyqtgraph.Qt import QtCore, QtWidgets

    from gui import theme
    from gui.errors_shown import ErrorReports
    from gui.greeting import Greeting
    from gui.kernels.splat import warm_splat
    from gui.main_window import MainWindow
    from gui.refresh import RefreshThread
    from gui.remembered import Remembered
    from gui.snapshot_picture import draw_snapshot

    faulthandler.enable()
    errors = ErrorReports(Path(tempfile.gettempdir()) / "livestem-window.log")
    errors.install()
    QtCore.qInstallMessageHandler(errors.take_qt_message)
    # Ctrl-C in the terminal closes the window; the engine has a session of its own and goes on.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    theme.enable_high_dpi()
    app = QtWidgets.QApplication(["livestem"])
    remembered = Remembered() if picture is None else None
    theme.apply(app, remembered.theme if remembered else theme.Theme.DARK)
    if remembered is not None:
        theme.set_font_scale(app, remembered.font_scale)
    greeting = Greeting(remembered.store.window.name if remembered else "", takes_free=is_ours)
    refresh = RefreshThread(endpoints.publish, endpoints.control, exit_code, keys=keys, greeting=greeting)
    refresh.start()
    window = MainWindow(refresh, errors, remembered, can_simulate=can_simulate, continues=continues)
    try:
        if picture is not None:
            draw_snapshot(window, refresh.latest, picture)
        else:
            window.resize(1600, 1000)
            if remembered is not None:
                remembered.restore(window)
            window.show()
            # Compiled beside the first scan, so that the manifold is not waited for.
            threading.Thread(target=warm_splat, name="livestem-warm-splat", daemon=True).start()
            app.exec()
    finally:
        window.close()
        # Now, and not when Python finds it after the application, which ends with this function.
        window.deleteLater()
        app.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
        refresh.stop()
        errors.uninstall()
