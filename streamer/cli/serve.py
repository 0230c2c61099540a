"""``livestem serve``: the engine without a window."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamer.cli.detector_options import detector_options, detector_values
from streamer.cli.log import close_log, teller
from streamer.errors import SettingsError

if TYPE_CHECKING:
    from streamer.security.keys import EngineKeys
    from streamer.serve.engine import Engine

DEFAULT_LISTEN = "tcp://127.0.0.1:9999"
DEFAULT_PUBLISH = "tcp://127.0.0.1:10000"
DEFAULT_CONTROL = "tcp://127.0.0.1:10001"
NOTICEABLE_S = 2.0


@click.command("serve", short_help="The engine alone.")
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, help="Endpoint for the sender.")
@click.option(
    "--publish", default=DEFAULT_PUBLISH, show_default=True, help="Endpoint of the published state."
)
@click.option(
    "--control", default=DEFAULT_CONTROL, show_default=True, help="Endpoint of commands and arrays."
)
@click.option(
    "--record",
    "record_dir",
    type=click.Path(path_type=Path),
    help="Folder for recordings; none: no recording.",
)
@click.option(
    "--sync",
    type=click.Choice(["power", "kill"]),
    default="power",
    show_default=True,
    help="What an acknowledged frame survives: a power cut, or a kill of the engine (faster).",
)
@click.option(
    "--analyze/--no-analyze", default=True, help="Full analysis of the recording when the scan ends."
)
@click.option(
    "--settings", "settings_path", type=click.Path(path_type=Path), help="Analysis settings (TOML)."
)
@detector_options
@click.option(
    "--keys",
    "keys_dir",
    type=click.Path(path_type=Path),
    help="Folder made by `livestem keys`: only those on its list may connect, encrypted.",
)
@click.option(
    "--model",
    "model_path",
    type=click.Path(path_type=Path),
    help="A finished result whose clusters label the scans, so that colours mean the same from scan to scan.",
)
@click.option("--insecure", is_flag=True, help="Accept an endpoint that other computers reach, without keys.")
@click.option("--read-only", is_flag=True, help="Viewers watch, and change nothing.")
@click.option(
    "--log",
    "log_path",
    type=click.Path(path_type=Path),
    help="File for what the engine says, with date and time; at most 6 files of 4 MiB are kept.",
)
@click.option(
    "--disk-budget",
    "disk_budget_gb",
    type=click.FloatRange(0.001),
    metavar="GB",
    help="Warn when recordings and results take nine tenths of it.  [default: the disk]",
)
@click.option("--once", is_flag=True, help="End with the first scan; the exit code says how it ended.")
@click.option(
    "--result",
    "result_path",
    type=click.Path(path_type=Path),
    help="Serve a finished result or recording instead.",
)
@click.option(
    "--until-stdin-closes", is_flag=True, help="End when stdin closes and neither scan nor analysis runs."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line on stdout: endpoints when ready, and with --once the outcome.",
)
def command(
    listen: str,
    publish: str,
    control: str,
    record_dir: Path | None,
    sync: str,
    analyze: bool,
    settings_path: Path | None,
    keys_dir: Path | None,
    model_path: Path | None,
    insecure: bool,
    read_only: bool,
    log_path: Path | None,
    disk_budget_gb: float | None,
    once: bool,
    result_path: Path | None,
    until_stdin_closes: bool,
    as_json: bool,
    **detector: Any,
) -> int:
    """Receive a scan over ZeroMQ, record it, cluster it live, analyse it when it ends."""
    security = _security((listen, publish, control), keys_dir, insecure)
    if result_path is not None:
        return _serve_result(result_path, publish, control, security, read_only, until_stdin_closes, as_json)
    from streamer.record.recorder import SyncMode
    from streamer.serve.engine import EngineOptions
    from streamer.serve.start_from import load_start_model
    from streamer.settings import AnalysisSettings, load_settings, with_detector

    if record_dir is not None:
        _make_folder(record_dir)
    settings = load_settings(settings_path) if settings_path else AnalysisSettings()
    settings = with_detector(settings, detector_values(detector))
    if settings.detector.g2_calibration:
        from streamer.formats.g2_calibration import load_g2_calibration

        # Now rather than with the first frames.
        load_g2_calibration(settings.detector.g2_calibration, settings.detector.g2_dark)
    options = EngineOptions(
        listen,
        publish,
        control,
        record_dir,
        SyncMode(sync),
        analyze,
        once,
        settings,
        security=security,
        read_only=read_only,
        start_model=load_start_model(model_path) if model_path else None,
        disk_budget_bytes=round(disk_budget_gb * 1e9) if disk_budget_gb else None,
    )
    try:
        return _serve_scans(options, teller(log_path), until_stdin_closes, as_json)
    finally:
        close_log()


def _serve_scans(options: Any, told: Callable[[str], None], until_stdin_closes: bool, as_json: bool) -> int:
    import zmq

    from streamer.model import EXIT_CODES
    from streamer.serve.engine import Engine
    from streamer.serve.memory import keep_memory_bounded

    keep_memory_bounded()
    with zmq.Context() as context:
        engine = Engine(options, context, told)
        warming = threading.Thread(target=_warm, args=(engine, told), name="livestem-warmup")
        warming.start()
        _announce(engine.endpoints, as_json)
        if until_stdin_closes:
            _watch_stdin(lambda: engine.request_quit("idle"))
        # As a service manager ends it: in order, with the recording closed.
        signal.signal(signal.SIGTERM, lambda *_: engine.request_quit("now"))
        try:
            # Before the slide is drawn: nobody shall wait for that.
            reason = engine.run(lambda state: _say_outcome(state, as_json) if options.once else None)
        finally:
            warming.join()
    if options.once and reason is not None:
        return 5 if engine.analysis_failed and EXIT_CODES[reason] == 0 else EXIT_CODES[reason]
    return 0


def _warm(engine: "Engine", told: Callable[[str], None]) -> None:
    """Compile the kernels, or load them from the cache; said where it takes long enough to be noticed."""
    from streamer.kernels.warmup import warm_kernels

    begin = time.monotonic()
    was_said = False

    def follow(share: float) -> None:
        nonlocal was_said
        engine.kernels_share = share
        if share < 1.0 and not was_said and time.monotonic() - begin > NOTICEABLE_S:
            was_said = True
            told(
                "The kernels are compiled for this computer: it takes some tens of seconds the first time. "
                "Frames that come meanwhile are recorded, and analysed afterwards."
            )

    warm_kernels(progress=follow)
    if was_said:
        told(f"The kernels are ready, after {time.monotonic() - begin:.0f} s.")


def _serve_result(
    path: Path,
    publish: str,
    control: str,
    security: "EngineKeys | None",
    read_only: bool,
    until_stdin_closes: bool,
    as_json: bool,
) -> int:
    import zmq

    from streamer.serve.result_server import ResultServer

    with zmq.Context() as context:
        server = ResultServer(path, publish, control, context, security, read_only)
        _announce(server.endpoints, as_json)
        if until_stdin_closes:
            _watch_stdin(server.request_quit)
        server.run()
    return 0


def _security(endpoints: tuple[str, ...], keys_dir: Path | None, insecure: bool) -> "EngineKeys | None":
    """The engine's keys, None without; refuses endpoints that would be open to others."""
    from streamer.security.endpoints import check_endpoint, is_loopback
    from streamer.security.keys import load_engine_keys

    if keys_dir is not None and insecure:
        raise SettingsError(
            "--keys and --insecure contradict each other. Expected one of them. Leave --insecure out. "
            "Nothing was started."
        )
    for endpoint in endpoints:
        check_endpoint(endpoint, keys_dir is not None, insecure)
        if insecure and not is_loopback(endpoint):
            click.echo(
                f"Warning: {endpoint} is open: whoever reaches this computer may use it, and can listen.",
                err=True,
            )
    return load_engine_keys(keys_dir) if keys_dir is not None else None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The folder {folder} cannot be made: {error.strerror}. Choose another with --record."
        ) from None


def _announce(endpoints: Mapping[str, str | None], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**endpoints, "pid": os.getpid()}))
    else:
        for name, endpoint in endpoints.items():
            if endpoint:
                click.echo(f"{name:<8} {endpoint}")


def _say_outcome(state: dict[str, Any], as_json: bool) -> None:
    names = ("finish_reason", "counters", "recording", "result", "seconds", "problems", "worker_pids")
    outcome = {name: state.get(name) for name in names}
    outcome["scan_id"] = (state.get("scan") or {}).get("scan_id")
    if as_json:
        click.echo(json.dumps(outcome))
    else:
        for name in ("finish_reason", "recording", "result"):
            click.echo(f"{name}: {outcome[name]}")


def _watch_stdin(then: Any) -> None:
    import sys

    def wait() -> None:
        while sys.stdin.buffer.read(4096):
            continue
        then()

    threading.Thread(target=wait, name="livestem-stdin", daemon=True).start()
