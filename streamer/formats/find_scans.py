"""Which scans a folder, a pattern or a list of files means."""

from glob import glob, has_magic
from pathlib import Path

import h5py
import numpy as np

from streamer.errors import FileFormatError
from streamer.formats.hdf5 import holds_scan

SCAN_SUFFIXES = (".raw", ".h5", ".hdf5", ".hspy", ".nxs", ".emd", ".npy", ".mib", ".dm4", ".mrc")


def find_scans(named: tuple[Path, ...]) -> list[Path]:
    """The scan files that were named, each once, in order.

    A folder means the scans in it, a name with ``*``, ``?`` or ``[`` those that fit (``**`` enters folders). Results,
    and other HDF5 and NPY files that are in order and hold no scan, are left out; a damaged file is not, so that it is
    reported.

    Raises
    ------
    FileFormatError
        A folder or pattern without any scan.
    """
    found: list[Path] = []
    for path in named:
        if path.is_dir():
            found += _scans_among(sorted(path.iterdir()), f"The folder {path} holds no scan")
        elif has_magic(str(path)) and not path.exists():
            matches = sorted(Path(match) for match in glob(str(path), recursive=True))
            found += _scans_among(matches, f"No scan fits {path}")
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _scans_among(paths: list[Path], nothing: str) -> list[Path]:
    scans = [path for path in paths if path.suffix.lower() in SCAN_SUFFIXES and _may_be_scan(path)]
    if not scans:
        raise FileFormatError(
            f"{nothing} ({', '.join(f'*{suffix}' for suffix in SCAN_SUFFIXES)}). Expected scan files, a folder of "
            "them or a pattern such as 'night/*.raw'. Check the path."
        )
    return scans


def _may_be_scan(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False).ndim in (3, 4)
        return not h5py.is_hdf5(path) or holds_scan(path)
    except (OSError, RuntimeError, ValueError, EOFError):
        return True  # damaged: it may have been one, and whoever tries to open it will say so
