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
)


def scan_options(command: Command) -> Command:
    """Add the options; they arrive as `dataset` and `scan_shape` (text)."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def told_of(dataset: str | None, scan_shape: str | None) -> dict[str, Any]:
    """What `open_scan` is told beside the file; SettingsError where the shape cannot be read."""
    if dataset is None and scan_shape is None:
        return {}
    from streamer.formats.open_scan import scan_shape_from

    return {"dataset": dataset, "scan_shape": scan_shape_from(scan_shape)}
