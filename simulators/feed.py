"""``livestem feed``: send a RAW file while the detector's software writes it, or one after the other of a folder.

This is how a first-generation EMPAD is coupled: it has no live interface that is public.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import zmq

from simulators.sender import Sender, Sent
from streamer.errors import FileFormatError, ScanStopped, SettingsError, StreamLost
from streamer.formats.growing_raw import Ending, GrowingRaw, open_growing
from streamer.security.keys import load_client_keys
from streamer.wire.messages import EndReason
from streamer.wire.sequence import IntervalSet

if TYPE_CHECKING:
    from streamer.security.keys import ClientKeys

INTERRUPTED = 130
LOOK_PERIOD_S = 0.2
OLD_AFTER_S = 10.0
"""A file that was written to so shortly before is the scan that has just begun, not an old one."""
POLL_PERIOD_S = 0.02
_ENDED = {
    Ending.WHOLE: "is whole",
    Ending.XML: "has its XML, so that the acquisition is over",
    Ending.SILENCE: "has not grown any more",
    Ending.REPLACED: "was replaced by another",
}


@click.command("feed", short_help="Send a RAW file, or those of a folder, while they are written.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--to", "endpoint", required=True, help="The engine's listening endpoint.")
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for an engine that does not answer, and for a file that is not there yet.",
)
@click.option(
    "--silence",
    type=click.FloatRange(0.5),
    default=60.0,
    show_default=True,
    help="Seconds without anything new after which a file counts as given up.",
)
@click.option(
    "--keys",
    "keys_dir",
    type=click.Path(path_type=Path),
    help="Folder with engine.key and sender.key_secret.",
)
@click.option("--once", is_flag=True, help="Of a folder: end with the first scan.")
@click.option(
    "--until-stdin-closes", is_flag=True, help="Of a folder: end when stdin closes and no scan runs."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a scan on stdout.")
def command(
    path: Path,
    endpoint: str,
    wait: float,
    silence: float,
    keys_dir: Path | None,
    once: bool,
    until_stdin_closes: bool,
    as_json: bool,
) -> int:
    """Follow PATH, a RAW file or a folder; every file is a scan, old ones in a folder are left out.

    The scan's shape comes from the file's name (scan_x64_y128.raw) or from an XML that is there already.
    Ends with 0 once the engine has acknowledged a whole scan, with 7 where the file stopped growing before.
    """
    keys = load_client_keys(keys_dir, "sender") if keys_dir else None
    if not path.exists() and not path.parent.is_dir():
        raise FileFormatError(
            f"{path.parent} does not exist. Expected a RAW file or a folder. Check the path."
        )
    asked_to_end = threading.Event()
    if until_stdin_closes:
        _watch_stdin(asked_to_end)
    with zmq.Context() as context:
        feeder = Feeder(endpoint, context, wait, silence, keys, _tell)
        try:
            if path.is_dir():
                follow_folder(path, feeder, lambda sent: _report(sent, as_json), once, asked_to_end)
            else:
                _report(follow_file(path, feeder, wait), as_json)
        except KeyboardInterrupt:
            click.echo("Interrupted. The engine was told, and keeps what it received.", err=True)
            return INTERRUPTED
    return 0


class Feeder:
    """Sends files that grow, one at a time.

    Parameters
    ----------
    endpoint, context, wait_s, keys
        As of `Sender`.
    silence_s
        After which a file counts as given up.
    said
        Takes sentences for the operator.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context[zmq.Socket[bytes]],
        wait_s: float,
        silence_s: float,
        keys: "ClientKeys | None",
        said: Callable[[str], None],
    ) -> None:
        self.silence_s, self.said = silence_s, said
        self._endpoint, self._context, self._wait_s, self._keys = endpoint, context, wait_s, keys

    def send(self, source: GrowingRaw) -> Sent:
        """Send one file to its end.

        Raises
        ------
        ScanStopped
            It ended before it was whole, or the engine stopped the scan.
        LivestemError
            As `Sender.run`.
        """
        n_y, n_x = source.info.scan_shape
        self.said(
            f"{source.path.name} has begun: {n_x} x {n_y} (x, y) positions, {source.info.metadata['format']}."
        )
        sender = Sender(
            source,
            self._endpoint,
            self._context,
            wait_s=self._wait_s,
            said=self.said,
            keys=self._keys,
            growth=_Growth(source),
        )
        try:
            return sender.run()
        except ScanStopped:
            if source.ending in (None, Ending.WHOLE):
                raise  # the engine's wish
            raise ScanStopped(
                f"{source.path} {_ENDED[source.ending]} at {source.frames.total} of {source.info.n_positions} frames. "
                "Expected all of them. These are sent and kept; the others are marked as missing."
            ) from None
        except (KeyboardInterrupt, FileFormatError):
            sender.abort()
            raise
        finally:
            sender.close()


class _Growth:
    """A growing file as the sender asks for it, looked at from time to time."""

    def __init__(self, source: GrowingRaw) -> None:
        self._source, self._polled_s = source, float("-inf")

    def frames(self) -> IntervalSet:
        now = time.monotonic()
        if now - self._polled_s >= POLL_PERIOD_S:
            self._polled_s = now
            self._source.poll()
        return self._source.frames

    def end(self) -> EndReason | None:
        ending = self._source.ending
        if ending is None:
            return None
        return EndReason.COMPLETE if ending is Ending.WHOLE else EndReason.ABORTED


def follow_file(path: Path, feeder: Feeder, wait_s: float) -> Sent:
    """Send one file; where it is replaced meanwhile, the other one after it."""
    waiting_since_s = time.monotonic()
    while True:
        source = open_growing(path, feeder.silence_s)
        if source is None:
            if time.monotonic() - waiting_since_s >= wait_s:
                raise FileFormatError(
                    f"{path} has not begun within {wait_s:g} s: not one whole frame is there, or neither its name nor "
                    "an XML says the scan's shape. Name it like scan_x64_y128.raw, or wait longer with --wait."
                )
            time.sleep(LOOK_PERIOD_S)
            continue
        with source:
            try:
                return feeder.send(source)
            except ScanStopped as stopped:
                if source.ending is not Ending.REPLACED:
                    raise
                feeder.said(str(stopped))
                waiting_since_s = time.monotonic()


def follow_folder(
    folder: Path,
    feeder: Feeder,
    report: Callable[[Sent], None],
    once: bool,
    asked_to_end: threading.Event,
) -> None:
    """Send every RAW file that appears in a folder or below it, or changes, in the order they come; old ones not."""
    newest_old_ns = time.time_ns() - int(OLD_AFTER_S * 1e9)
    known = {path: state for path, state in _files(folder).items() if state[0] < newest_old_ns}
    refused: set[tuple[Any, ...]] = set()
    feeder.said(f"{folder} is followed: the next RAW file in it is sent.")
    while not asked_to_end.is_set():
        now = _files(folder)
        changed = sorted((state[0], path) for path, state in now.items() if known.get(path) != state)
        for _, path in changed:
            try:
                source = open_growing(path, feeder.silence_s)
            except FileFormatError as error:
                if now[path] not in refused:
                    refused.add(now[path])
                    feeder.said(str(error))
                continue
            if source is None:
                continue  # too early; it is looked at again
            with source:
                try:
                    report(feeder.send(source))
                except (ScanStopped, StreamLost, FileFormatError, SettingsError) as error:
                    if once:
                        raise
                    feeder.said(str(error))
                if source.ending is not Ending.REPLACED:
                    known[path] = _files(folder).get(path, ())
            if once:
                return
            break  # what has come meanwhile is looked at in order again
        else:
            asked_to_end.wait(LOOK_PERIOD_S)


def _files(folder: Path) -> dict[Path, tuple[Any, ...]]:
    """RAW files and what tells whether one has changed; the time of change first."""
    found = {}
    for path in folder.rglob("*.[rR][aA][wW]"):
        try:
            stat = path.stat()
        except OSError:
            continue  # gone again, or a network drive that is away for a moment
        found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found


def _report(sent: Sent, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(sent)))
    else:
        click.echo(f"{sent.frames_sent} frames sent, {sent.frames_acknowledged} acknowledged")
    sys.stdout.flush()


def _tell(sentence: str) -> None:
    click.echo(sentence, err=True)


def _watch_stdin(then: threading.Event) -> None:
    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            continue
        then.set()

    threading.Thread(target=wait, name="livestem-stdin", daemon=True).start()
