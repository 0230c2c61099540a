"""Options of commands that look at frames: scales that win over the file's, orientation, the G2's calibration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from streamer.errors import SettingsError

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--voltage", metavar="V", type=float, help="Acceleration voltage in V; wins over the file."),
    click.option("--mrad-per-px", metavar="MRAD", type=float, help="Angle of a detector pixel as measured."),
    click.option("--scan-step", metavar="NM", help="Distance of scan positions in nm, or Y,X."),
    click.option("--flip-ud/--no-flip-ud", default=None, help="Turn frames upside down."),
    click.option("--flip-lr/--no-flip-lr", default=None, help="Exchange left and right of the frames."),
    click.option(
        "--transpose/--no-transpose", default=None, help="Exchange rows and columns, after the flips."
    ),
    click.option(
        "--g2-calibration",
        metavar="FOLDER",
        help="Calibration that the words of an EMPAD-G2 are decoded with.",
    ),
    click.option("--g2-dark", metavar="FILE", help="Its dark frames (RAW); default: in the same folder."),
    click.option(
        "--g2-swap-parity/--no-g2-swap-parity",
        default=None,
        help="Even and odd frames change places.  [default: what fits the darks]",
    ),
)
_SETTING = {"voltage": "voltage_v", "mrad_per_px": "angle_per_px_mrad"}


def detector_options(command: Command) -> Command:
    """Add the options; they arrive as keyword arguments for `detector_values`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def detector_values(given: dict[str, Any]) -> dict[str, Any]:
    """What was given, as values of `DetectorSettings`.

    Raises
    ------
    SettingsError
        The scan step cannot be read.
    """
    values = {_SETTING.get(name, name): value for name, value in given.items() if value is not None}
    text = values.pop("scan_step", None)
    if text is not None:
        try:
            steps = [float(part) for part in text.split(",")]
        except ValueError:
            steps = []
        if len(steps) not in (1, 2):
            raise SettingsError(
                f"--scan-step {text} cannot be read. Expected nm, as 2.5, or Y,X, as 2.5,2.4."
            )
        values["scan_step_yx_nm"] = (steps[0], steps[-1])
    for name in ("g2_calibration", "g2_dark"):
        if name in values:
            values[name] = str(Path(values[name]).resolve())  # a result that is moved still says which it was
    return values
