"""Formats of other programs (MIB, DM4, BLO, MRC, TVIPS ...) through RosettaSciIO, an optional extra; always lazily."""

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import FileFormatError
from streamer.formats.axis_scales import AxisScale, calibration_of_axes
from streamer.formats.frame_stack import StackScan, choose_dataset, describe_stack, one_line, rectangles
from streamer.model import Calibration

_OURS = {"EMPAD", "HSPY", "NeXus", "EMD", "USID", "Delmic", "Arina", "Tofwerk", "numpy", "JobinYvon"}
"""Plugins for what `streamer.formats` reads itself."""
_AS_A_STACK = {"QuantumDetector": {"navigation_shape": (1 << 40,)}}
"""What gives all frames in a row where the scan's shape is known: asked for more than there are, MIB gives them so.
Left alone it takes the shape from pauses between lines, and drops a line that is not whole."""
_KV, _MM = 1e3, 1e-3


def open_with_rosettasciio(path: Path, dataset: str | None, scan_shape: tuple[int, int] | None) -> StackScan:
    """A scan in a file of any format that RosettaSciIO knows by its extension; see `streamer.formats.open_scan`.

    Raises
    ------
    FileFormatError
        RosettaSciIO is not installed, does not know the extension, cannot read the file or not piece by piece;
        or the file holds no scan, or several.
    SettingsError
        The dataset or the shape that was asked for is not the file's.
    """
    plugin = _plugin_of(path)
    name = plugin["name"]
    with _quiet():
        try:
            read = importlib.import_module(plugin["api"]).file_reader
            signals = read(str(path), lazy=True, **(_AS_A_STACK.get(name, {}) if scan_shape else {}))
            found = {title: _Signal(signal) for title, signal in _titled(signals)}
        except ImportError as error:
            raise FileFormatError(
                f"{path}: RosettaSciIO reads {name} files with a package that is not installed: {one_line(error)}. "
                f"Install it (pip install 'rosettasciio[{plugin['api'].rpartition('.')[2]}]')."
            ) from None
        except NotImplementedError:
            raise FileFormatError(
                f"{path}: RosettaSciIO reads {name} files only as a whole. Expected a format that is read frame by "
                "frame. Convert the file to HyperSpy's .hspy or to NPY."
            ) from None
        except Exception as error:  # its readers raise whatever the damage led to
            raise FileFormatError(
                f"{path} cannot be read as {name} by RosettaSciIO: {one_line(error)}. It is damaged, or no {name} "
                "file. Copy it again."
            ) from None
    shapes = {title: signal.array.shape for title, signal in found.items() if signal.array.ndim in (3, 4)}
    title = choose_dataset(path, shapes, dataset)
    signal = found[title]
    said = {"format": f"{name} (RosettaSciIO)", "dataset": title}
    calibration = signal.calibration()
    if calibration != Calibration():
        said["scales_from"] = f"axes of {title}"
    info, n_frames = describe_stack(
        path, signal.array.shape, signal.array.dtype, scan_shape, said, calibration
    )
    return StackScan(path, info, n_frames, signal.read, lambda: None)


class _Signal:
    """One signal of a file: its lazy array, scan axes first."""

    def __init__(self, signal: dict[str, Any]) -> None:
        axes = [axis if isinstance(axis, dict) else {} for axis in signal["axes"]]
        scan = [number for number, axis in enumerate(axes) if axis.get("navigate")]
        detector = [number for number, axis in enumerate(axes) if not axis.get("navigate")]
        order = scan + detector if len(detector) == 2 else list(range(len(axes)))
        self.array = signal["data"].transpose(order) if len(order) == signal["data"].ndim else signal["data"]
        self._axes = [axes[number] for number in order]
        self._metadata = signal.get("metadata") or {}

    def calibration(self) -> Calibration:
        """Scales of its axes."""
        if len(self._axes) != 4:
            return Calibration()
        microscope = self._metadata.get("Acquisition_instrument", {}).get("TEM", {})
        voltage, length = (_size(microscope.get(name)) for name in ("beam_energy", "camera_length"))
        return calibration_of_axes(
            [_scale(axis) for axis in self._axes],
            voltage * _KV if voltage else None,
            length * _MM if length else None,
        )

    def read(self, start: int, stop: int, out: NDArray[Any]) -> None:
        for index, at, shape in rectangles(self.array.shape, start, stop):
            n = int(np.prod(shape[:-2]))
            # In this thread: the analysis has its own.
            out[at : at + n].reshape(shape)[:] = self.array[index].compute(scheduler="synchronous")


def _plugin_of(path: Path) -> dict[str, Any]:
    try:
        from rsciio import IO_PLUGINS
    except ImportError:
        raise FileFormatError(
            f"{path} is neither EMPAD RAW, a recording, HDF5 nor NPY, and RosettaSciIO, which reads MIB, DM4, MRC "
            "and others, is not installed. Install livestem with its extra: pip install 'livestem[files]'."
        ) from None
    extension = path.suffix.removeprefix(".").lower()
    for plugin in IO_PLUGINS:
        if extension and extension in plugin["file_extensions"] and plugin["name"] not in _OURS:
            return plugin
    raise FileFormatError(
        f"{path} is of no known kind. Expected EMPAD .raw or .xml, a recording, HDF5 (.h5, .hspy, .emd, .nxs), .npy, "
        "or a format that RosettaSciIO reads by its extension (.mib, .dm4, .mrc ...)."
    )


def _titled(signals: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Signals by their title, numbered where several have the same or none has one."""
    taken: set[str] = set()
    for number, signal in enumerate(signals):
        general = (signal.get("metadata") or {}).get("General", {})
        title = str(general.get("title") or f"signal {number}")
        if title in taken:
            title = f"{title} ({number})"
        taken.add(title)
        yield title, signal


def _scale(axis: dict[str, Any]) -> AxisScale | None:
    size, unit = axis.get("scale"), axis.get("units")
    return AxisScale(float(size), unit) if isinstance(unit, str) and size else None


def _size(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Its readers warn of much that says nothing of the frames."""
    logger = logging.getLogger("rsciio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
