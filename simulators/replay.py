"""``livestem replay``: send a scan file as the detector would."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from uuid import UUID, uuid4

import click

from streamer.errors import SettingsError

INTERRUPTED = 130
FAULTS = (
    "drop:SHARE, duplicate:SHARE, shuffle:MESSAGES, corrupt:SHARE, stall:SECONDS, stop:SHARE (falls silent, as "
    "if killed), restart[:SHARE] (comes back as a new connection)"
)


@click.command("replay", short_help="Send a scan file as the detector would.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "endpoint", required=True, help="The engine's listening endpoint.")
@click.option(
    "--rate", default="max", show_default=True, metavar="HZ|max|recorded", help="Frames per second."
)
@click.option(
    "--batch", type=click.IntRange(1, 64), default=16, show_default=True, help="Most frames a message."
)
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for an engine that does not answer.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="SPEC",
    help=f"What goes wrong on purpose, may be repeated: {FAULTS}.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the faults' random choices."
)
@click.option(
    "--keys",
    "keys_dir",
    type=click.Path(path_type=Path),
    help="Folder with engine.key and sender.key_secret, for an engine that was started with keys.",
)
@click.option(
    "--scan-id", type=click.UUID, help="Continue this scan, which an earlier replay of the same file began."
)
@click.option("--dataset", metavar="NAME", help="Which array of a file that holds several 4D ones.")
@click.option("--scan-shape", metavar="Y,X", help="Rows and columns of a scan whose file is a row of frames.")
@click.option(
    "--flyback-left",
    metavar="N",
    type=click.IntRange(0),
    help="Of an EMPAD-G2's RAW file with flyback: its frames at the left of each line.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    file: Path,
    endpoint: str,
    rate: str,
    batch: int,
    wait: float,
    faults: tuple[str, ...],
    seed: int,
    keys_dir: Path | None,
    scan_id: UUID | None,
    dataset: str | None,
    scan_shape: str | None,
    flyback_left: int | None,
    as_json: bool,
) -> int:
    """Send FILE, a scan that `livestem inspect` knows, frame by frame; ends with 0 once its end is acknowledged.

    Exit codes: 3 the engine was lost, 5 it could not record, 7 it stopped the scan, 9 nobody answered.
    """
    import zmq
    from rich.console import Console
    from rich.progress import Progress

    from simulators.faults import parse_faults
    from simulators.sender import Sender
    from streamer.formats.open_scan import open_scan, scan_shape_from
    from streamer.formats.scan_series import refuse_series_of_words
    from streamer.security.keys import load_client_keys

    keys = load_client_keys(keys_dir, "sender") if keys_dir else None
    console = Console(stderr=True)
    told = (dataset, scan_shape_from(scan_shape), flyback_left)
    with open_scan(file, *told) as scan, zmq.Context() as context:
        refuse_series_of_words(scan)
        # Every replay is a scan of its own, also that of a recording.
        scan.info = replace(scan.info, scan_id=str(scan_id or uuid4()))
        hz, wrong = _rate(rate, scan.info.dwell_s), parse_faults(faults, seed)
        sender = Sender(scan, endpoint, context, hz, batch, wait, faults=wrong, said=_tell, keys=keys)
        try:
            with Progress(console=console, disable=not console.is_terminal) as bars:
                task = bars.add_task("sending", total=scan.info.n_frames)
                sent = sender.run(lambda done: bars.update(task, completed=done))
        except KeyboardInterrupt:
            sender.abort()
            click.echo("Interrupted. The engine was told, and keeps what it received.", err=True)
            return INTERRUPTED
        finally:
            sender.close()
    summary = {**asdict(sent), "rate_hz": round(sent.frames_sent / max(sent.seconds, 1e-9), 1)}
    if as_json:
        click.echo(json.dumps(summary))
    else:
        click.echo(
            f"{sent.frames_sent} frames sent, {sent.frames_acknowledged} acknowledged, "
            f"{summary['rate_hz']:.0f} frames/s"
        )
    return 0


def _tell(sentence: str) -> None:
    click.echo(sentence, err=True)


def _rate(text: str, dwell_s: float | None) -> float | None:
    """Frames per second; None for "max"."""
    if text == "max":
        return None
    if text == "recorded":
        if not dwell_s:
            raise SettingsError(
                "--rate recorded needs the dwell time, which the file does not say. Give a number."
            )
        return 1.0 / dwell_s
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e7:
        raise SettingsError(f"--rate {text} cannot be used. Expected frames per second, max or recorded.")
    return rate
