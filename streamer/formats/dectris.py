"""Masters of DECTRIS detectors: frames one after the other in data files that the master links to, and its masks."""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from streamer.errors import FileFormatError

_BLOCK_NAME = re.compile(r"data_\d+")
_DETECTOR = "entry/instrument/detector"
_SPECIFIC = f"{_DETECTOR}/detectorSpecific"


@dataclass(frozen=True)
class DectrisMaster:
    """What a master says.

    Attributes
    ----------
    blocks
        Frames of each data file, (n, det_y, det_x), in order.
    masked
        Flat indices of pixels that the detector's mask calls bad or that lie between modules; None: no mask.
    scan_shape
        Triggers by images of each, where both are several: a trigger a line; None: not said.
    dwell_s
        From frame to frame.
    said
        What there is to tell beside.
    """

    blocks: list[Any]
    masked: NDArray[np.int64] | None = None
    scan_shape: tuple[int, int] | None = None
    dwell_s: float | None = None
    said: dict[str, Any] = field(default_factory=dict)


def find_dectris(path: Path, file: Any) -> DectrisMaster | None:
    """The master's description; None where the file is none.

    Raises
    ------
    FileFormatError
        A data file is not there, and it is not one of the last, which an aborted acquisition does not write.
    """
    names, group = dectris_names(file), file.get("entry/data")
    if not names:
        return None
    blocks, lacking = [], []
    for name in names:
        try:
            block = group[name]
        except (KeyError, OSError):
            link = group.get(name, getlink=True)
            lacking.append(getattr(link, "filename", name))
            continue
        if lacking or not isinstance(block, h5py.Dataset) or block.ndim != 3:
            break
        blocks.append(block)
    if len(blocks) + len(lacking) < len(names) or not blocks:
        raise FileFormatError(
            f"{path} links to {len(names)} data files; {', '.join(lacking[:4]) or 'one'} cannot be opened. Expected "
            "them beside the master. Copy them into its folder, under the names they had."
        )
    if len({(block.shape[1:], block.dtype) for block in blocks}) > 1:
        raise FileFormatError(
            f"The data files of {path} differ in the size of their frames. Copy them again."
        )
    dwell_s = _number(file, f"{_DETECTOR}/frame_time")
    masked = _masked(file, blocks[0].shape[1:])
    said: dict[str, Any] = {"masked_pixels": None if masked is None else len(masked)}
    if lacking:
        said["data_files_missing"] = len(lacking)
    return DectrisMaster(
        blocks,
        masked,
        _scan_shape(file),
        dwell_s if dwell_s and 1e-9 < dwell_s < 1e4 else None,
        {key: value for key, value in said.items() if value is not None},
    )


def dectris_names(file: Any) -> list[str]:
    """Names of the links to data files, in order; empty where this is no master."""
    group = file.get("entry/data")
    return sorted(filter(_BLOCK_NAME.fullmatch, group)) if isinstance(group, h5py.Group) else []


def _scan_shape(file: Any) -> tuple[int, int] | None:
    n_triggers, n_images = (_number(file, f"{_SPECIFIC}/{name}") for name in ("ntrigger", "nimages"))
    if not n_triggers or not n_images or min(n_triggers, n_images) < 2:
        return None
    return int(n_triggers), int(n_images)


def _masked(file: Any, detector_shape: tuple[int, int]) -> NDArray[np.int64] | None:
    for place in (f"{_SPECIFIC}/pixel_mask", f"{_DETECTOR}/pixel_mask"):
        with contextlib.suppress(KeyError, OSError):
            mask = file[place]
            if isinstance(mask, h5py.Dataset) and mask.shape == detector_shape:
                return np.flatnonzero(mask[()])
    return None


def _number(file: Any, place: str) -> float | None:
    with contextlib.suppress(KeyError, OSError, TypeError, ValueError):
        value = np.asarray(file[place][()]).reshape(-1)
        return float(value[0]) if value.size == 1 and np.isfinite(value[0]) else None
    return None
