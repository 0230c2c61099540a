"""HDF5 of other programs: HyperSpy, EMD, NeXus, and DECTRIS masters with their data files; the scales they state.

HDF5 is read by h5py whatever the program: RosettaSciIO reads some of these files only as a whole. Its items are
`Any` here: their stubs are unions of everything, and a wrong one ends in `open_hdf5`'s except.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from streamer.errors import FileFormatError
from streamer.formats.axis_scales import AxisScale, calibration_of_axes
from streamer.formats.dectris import DectrisMaster, dectris_names, find_dectris
from streamer.formats.frame_stack import StackScan, choose_dataset, describe_stack, one_line, rectangles
from streamer.formats.record_scan import RecordLayout, RecordScan
from streamer.formats.scan_file import ScanFile
from streamer.model import Calibration

_CACHE_BYTES = 128 << 20
"""Of chunks: those of a band of scan lines that are compressed together are unpacked once."""
_CACHE_SLOTS = 12_289
_MAX_OBJECTS = 20_000
_KV, _MM = 1e3, 1e-3


def open_hdf5(path: Path, dataset: str | None, scan_shape: tuple[int, int] | None) -> ScanFile:
    """A scan in an HDF5 file that is no recording; see `streamer.formats.open_scan`.

    Raises
    ------
    FileFormatError
        The file is damaged, holds no scan or several, or is compressed in a way that cannot be read here.
    SettingsError
        The dataset or the shape that was asked for is not the file's.
    """
    try:
        file = h5py.File(path, "r", locking=False, rdcc_nbytes=_CACHE_BYTES, rdcc_nslots=_CACHE_SLOTS)
    except OSError as error:
        raise FileFormatError(
            f"{path} cannot be read as HDF5: {one_line(error)}. It is damaged, or another program still writes it. "
            "Copy it again, or wait."
        ) from None
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(file.close)
        try:
            scan = _opened(path, file, dataset, scan_shape)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise FileFormatError(
                f"{path} cannot be read as HDF5: {one_line(error)}. It is damaged. Copy it again."
            ) from None
        if isinstance(scan, StackScan):
            on_failure.pop_all()
        return scan


def holds_scan(path: Path) -> bool:
    """Whether an HDF5 file has an array of four axes, or is a DECTRIS master; OSError where it cannot be opened."""
    with h5py.File(path, "r", locking=False) as file:
        return bool(dectris_names(file)) or any(array.ndim == 4 for _, array in _datasets(file, []))


def _opened(path: Path, file: Any, wanted: str | None, given: tuple[int, int] | None) -> ScanFile:
    master = find_dectris(path, file) if wanted is None else None
    if master is not None:
        return _scan_of_master(path, file, master, given)
    lacking: list[str] = []
    found = dict(_datasets(file, lacking))
    if wanted is not None and wanted in file and getattr(file[wanted], "ndim", 0) in (3, 4):
        found[f"/{wanted.strip('/')}"] = file[wanted]  # it may have several names
    if not found and lacking:
        raise FileFormatError(
            f"{path} links to {', '.join(lacking[:4])}, which cannot be opened. Expected it where the file was made, "
            "relative to its folder. Copy it there."
        )
    name = choose_dataset(path, {key: item.shape for key, item in found.items()}, wanted)
    array, group = found[name], file[name.rpartition("/")[0] or "/"]  # the link's group, not the linked one's
    said = {"format": _format_of(file, group), "dataset": name}
    calibration = _calibration_beside(group) if array.ndim == 4 else Calibration()
    if calibration != Calibration():
        said["scales_from"] = f"axes of {name}"
    info, n_frames = describe_stack(path, array.shape, array.dtype, given, said, calibration)
    offset = array.id.get_offset()
    if offset is not None and Path(array.file.filename) == path:
        # Plain numbers in one piece: read by position, by several threads at once.
        record_bytes = array.dtype.itemsize * info.detector_shape[0] * info.detector_shape[1]
        if path.stat().st_size < offset + n_frames * record_bytes:
            raise FileFormatError(f"{path} ends before its last frame. It was cut short: copy it again.")
        return RecordScan(path, info, RecordLayout(record_bytes, n_frames, offset=offset, dtype=array.dtype))
    _refuse_unreadable(path, array)
    return StackScan(path, info, n_frames, _Pieces([array], None).read, file.close)


def _scan_of_master(path: Path, file: Any, master: DectrisMaster, given: tuple[int, int] | None) -> StackScan:
    for array in master.blocks:
        _refuse_unreadable(path, array)
    shape = (sum(len(array) for array in master.blocks), *master.blocks[0].shape[1:])
    said = {"format": "DECTRIS master", "data_files": len(master.blocks), **master.said}
    info, n_frames = describe_stack(
        path, shape, master.blocks[0].dtype, given or master.scan_shape, said, dwell_s=master.dwell_s
    )
    return StackScan(path, info, n_frames, _Pieces(master.blocks, master.masked).read, file.close)


class _Pieces:
    """Frames of one array, or of several of frames that follow each other; masked pixels read as 0."""

    def __init__(self, arrays: list[Any], masked: NDArray[np.int64] | None) -> None:
        self._arrays, self._masked = arrays, masked
        counts = [int(np.prod(array.shape[:-2])) for array in arrays]
        self._first = np.concatenate([[0], np.cumsum(counts)])

    def read(self, start: int, stop: int, out: NDArray[Any]) -> None:
        for number, array in enumerate(self._arrays):
            first, last = int(self._first[number]), int(self._first[number + 1])
            begin, end = max(start, first), min(stop, last)
            if begin >= end:
                continue
            block = out[begin - start : end - start]
            for index, at, shape in rectangles(array.shape, begin - first, end - first):
                n = int(np.prod(shape[:-2]))
                array.read_direct(block[at : at + n].reshape(shape), index)
        if self._masked is not None:
            out.reshape(len(out), -1)[:, self._masked] = 0


def _datasets(file: Any, lacking: list[str]) -> Iterator[tuple[str, Any]]:
    """Arrays of numbers with three or four axes, links to other files followed; each object once.

    Files that links lead to, and that cannot be opened, are added to `lacking`.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", file)]
    while waiting:
        path, group = waiting.pop(0)
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                continue  # another name of what is found under its own
            try:
                item = group[name]
            except (KeyError, OSError):
                lacking.append(getattr(link, "filename", name))
                continue
            place = hash(item.id)  # the same for all links to an object
            if place in seen or len(seen) > _MAX_OBJECTS:
                continue
            seen.add(place)
            if isinstance(item, h5py.Group):
                waiting.append((f"{path}/{name}", item))
            elif isinstance(item, h5py.Dataset) and item.ndim in (3, 4) and item.dtype.kind in "iuf":
                yield f"{path}/{name}", item


def _refuse_unreadable(path: Path, array: Any) -> None:
    """A compression that is not there would be found at the first frame, a virtual dataset's file never."""
    properties = array.id.get_create_plist()
    for number in range(properties.get_nfilters()):
        code, _, _, name = properties.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            with contextlib.suppress(ImportError):
                import hdf5plugin  # noqa: F401 -- registers its filters
        if not h5py.h5z.filter_avail(code):
            said = name.decode(errors="replace") or f"filter {code}"
            raise FileFormatError(
                f"{path} is compressed with {said[:80]}, which cannot be read here. Expected the package hdf5plugin. "
                "Install livestem with its extra: pip install 'livestem[files]'."
            )
    if array.is_virtual:
        folder = Path(array.file.filename).parent
        names = {source.file_name for source in array.virtual_sources()} - {"."}
        lacking = sorted(name for name in names if not (folder / name).is_file())
        if lacking:
            raise FileFormatError(
                f"{path} takes frames from {', '.join(lacking[:4])}, which is not beside it. Expected {len(names)} "
                "data files. Copy them into its folder."
            )


def _format_of(file: Any, group: Any) -> str:
    if file.attrs.get("file_format") == "HyperSpy":
        return "HyperSpy"
    if "emd_group_type" in group.attrs:
        return "EMD"
    return "NeXus" if "NX_class" in group.attrs else "HDF5"


def _calibration_beside(group: Any) -> Calibration:
    """Scales that HyperSpy, EMD and NeXus write beside an array; nothing where they are damaged."""
    with contextlib.suppress(KeyError, ValueError, TypeError, IndexError, OSError, AttributeError):
        if "axis-0" in group:
            axes = [_hyperspy_axis(group[f"axis-{number}"]) for number in range(4)]
            return calibration_of_axes(axes, *_of_hyperspy(group))
        if "dim3" in group:  # EMD counts from 0, its predecessor from 1
            first = 0 if "dim0" in group else 1
            return calibration_of_axes([_vector_axis(group[f"dim{first + number}"]) for number in range(4)])
        if "axes" in group.attrs:
            names = [_text(name) for name in group.attrs["axes"]]
            return calibration_of_axes([_vector_axis(group.get(name)) for name in names])
    return Calibration()


def _hyperspy_axis(axis: Any) -> AxisScale:
    return AxisScale(float(axis.attrs["scale"]), _text(axis.attrs["units"]))


def _of_hyperspy(group: Any) -> tuple[float | None, float | None]:
    """Voltage in V and camera length in m; HyperSpy keeps kV and mm."""
    microscope = group.get("metadata/Acquisition_instrument/TEM")
    if microscope is None:
        return None, None
    voltage, length = (microscope.attrs.get(name) for name in ("beam_energy", "camera_length"))
    return (float(voltage) * _KV if voltage else None, float(length) * _MM if length else None)


def _vector_axis(values: Any) -> AxisScale | None:
    if values is None or values.size < 2 or "units" not in values.attrs:
        return None
    return AxisScale(float(values[1] - values[0]), _text(values.attrs["units"]))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else re.sub(r"[\[\]']", "", str(value))
