"""Options of commands that open a scan file: which of its arrays, and the shape that it does not say."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--dataset", metavar="NAME", help="Which array of a file that holds several 4D ones."),
    click.option(
        "--scan-shape", metavar="Y,X", help="Rows and columns of a scan whose file is a row of frames."
    ),
    click.option(
        "--flyback-left",
        metavar="N",
        type=click.IntRange(0),
        help="Of an EMPAD-G2's RAW file with flyback: its frames at the left of each line.",
    ),
)


def scan_options(command: Command) -> Command:
    """Add the options; they arrive as `dataset`, `scan_shape` (text) and `flyback_left`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_told(chosen: dict[str, Any]) -> dict[str, Any]:
    """Take what `open_scan` is told beside the file out of a command's arguments.

    Raises
    ------
    SettingsError
        The shape cannot be read.
    """
    told = {name: chosen.pop(name) for name in ("dataset", "scan_shape", "flyback_left")}
    if told["scan_shape"] is not None:
        from streamer.formats.open_scan import scan_shape_from

        told["scan_shape"] = scan_shape_from(told["scan_shape"])
    return {name: value for name, value in told.items() if value is not None}
