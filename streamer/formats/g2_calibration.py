"""The calibration of an EMPAD-G2: gains, offsets, flat field and darks of even and odd frames (empad notes, 2.2).

Found as ``.r32`` files (G1A ... FFB), a ``.mat`` file (g1A ... flatfB) or an HDF5 file with the same names, or
with those of the quadratic method (Ml, alpha, Md, Oh, Ot). "A" belongs to frames 0, 2, 4 ..., "B" to the others.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from streamer.errors import FileFormatError, SettingsError
from streamer.formats.empad import DETECTOR_SHAPE, count_records
from streamer.kernels.empad_g2 import WordMaps, decode_words

FRAME_BYTES = DETECTOR_SHAPE[0] * DETECTOR_SHAPE[1] * 4
N_PIXELS = DETECTOR_SHAPE[0] * DETECTOR_SHAPE[1]
IS_WORD = np.uint32(0x40000000)
_BLOCK = 128
_MAX_BYTES = 64 << 20
_NAMES = {
    "g1": ("g1",),
    "g2": ("g2",),
    "b2": ("b2", "off"),
    "ff": ("ff", "flatf"),
}
_LINEAR = ("g1", "g2", "b2")
_QUADRATIC = ("ml", "alpha", "md", "oh", "ot")
_DARK_NAMES = ("dark", "bkg", "background")


@dataclass(frozen=True)
class G2Calibration:
    """What turns words into counts.

    Attributes
    ----------
    maps
        With the darks in them.
    dark_mean
        (2, n_pixels) float64: mean of the decoded dark frames 0, 2, 4 ... and 1, 3, 5 ...
    method
        "linear" or "quadratic".
    identity
        Of the values, 16 hexadecimal digits.
    """

    maps: WordMaps
    dark_mean: NDArray[np.float64]
    method: str
    identity: str
    source: str
    dark_source: str

    def to_json(self) -> dict[str, str]:
        """What a result says of it."""
        return {
            "calibration": self.source,
            "dark": self.dark_source,
            "method": self.method,
            "identity": self.identity,
        }


def load_g2_calibration(calibration: str, dark: str | None) -> G2Calibration:
    """Read a calibration and its darks; kept, because every scan of an engine asks for it.

    Raises
    ------
    SettingsError
        Nothing is there.
    FileFormatError
        What is there cannot be used.
    """
    path = Path(calibration)
    dark_path = Path(dark) if dark else _dark_in(path)
    return _load(path, dark_path, *(_stamp(each) for each in (path, dark_path)))


@lru_cache(maxsize=2)
def _load(path: Path, dark_path: Path, *_stamps: tuple[int, int]) -> G2Calibration:
    method, maps = _maps_without_dark(_arrays(path), path)
    dark_mean = mean_dark(dark_path, maps)
    digest = hashlib.sha256(method.encode())
    maps = maps._replace(pedestal=(maps.pedestal + dark_mean).astype(np.float32))
    for values in maps:
        digest.update(values.tobytes())
    return G2Calibration(maps, dark_mean, method, digest.hexdigest()[:16], str(path), str(dark_path))


def mean_dark(path: Path, maps: WordMaps) -> NDArray[np.float64]:
    """Mean of the decoded frames 0, 2, 4 ... and 1, 3, 5 ... of a dark acquisition, (2, n_pixels).

    Raises
    ------
    FileFormatError
        The file holds no words, or not one frame of each parity.
    """
    n_frames, rest = count_records(path, FRAME_BYTES, "an EMPAD-G2 dark file")
    if rest:
        raise FileFormatError(
            f"{path} has {rest} bytes after its {n_frames} frames. Expected whole dark frames. Copy it again."
        )
    if n_frames < 2:
        raise FileFormatError(
            f"{path} holds one frame. Expected dark frames, even and odd ones. Choose another file."
        )
    plain = maps._replace(flat=np.ones_like(maps.flat))
    sums = np.zeros((2, N_PIXELS))
    counts, pairs = np.empty((_BLOCK, N_PIXELS), np.float32), np.empty(N_PIXELS // 2, np.uint16)
    with path.open("rb") as file:
        for start in range(0, n_frames, _BLOCK):
            n = min(_BLOCK, n_frames - start)
            words = np.fromfile(file, "<u4", n * N_PIXELS).reshape(n, N_PIXELS)
            if not (words & IS_WORD).all():
                raise FileFormatError(
                    f"{path} does not hold EMPAD-G2 words: bit 30 is not set in all of frames {start} to "
                    f"{start + n - 1}. Expected dark frames as the detector sends them. Choose another file."
                )
            decode_words(words, np.arange(start, start + n) % 2, plain, False, pairs, counts[:n])
            for parity in (0, 1):
                sums[parity] += counts[parity:n:2].sum(axis=0, dtype=np.float64)
    return sums / np.array([[(n_frames + 1) // 2], [n_frames // 2]])


def _maps_without_dark(found: dict[str, NDArray[np.float64]], path: Path) -> tuple[str, WordMaps]:
    zeros = np.zeros((2, N_PIXELS))
    flat = found.get("ff", np.ones((2, N_PIXELS)))
    method = _method_of(found)
    if method == "quadratic":
        ml, alpha, md, oh, ot = (found[name] for name in _QUADRATIC)
        maps = (ot, oh, ml, alpha, md, flat)
    elif method == "linear":
        g1, g2, b2 = (found[name] for name in _LINEAR)
        maps = (zeros, -g1 * b2, g1, zeros, g2, flat)
    else:
        raise FileFormatError(
            f"{path} holds {', '.join(sorted(found)) or 'nothing'} of an EMPAD-G2's calibration. Expected G1, G2 and "
            "B2 (or off) of A and B, or Ml, alpha, Md, Oh and Ot. Choose the right folder or file."
        )
    if not all(np.isfinite(values).all() for values in maps):
        raise FileFormatError(f"The calibration {path} holds values that are not finite. Choose another one.")
    return method, WordMaps(*(np.ascontiguousarray(values, np.float32) for values in maps))


def _method_of(found: dict[str, NDArray[np.float64]]) -> str:
    """Which method these arrays are enough for; empty: none."""
    if all(name in found for name in _QUADRATIC):
        return "quadratic"
    return "linear" if all(name in found for name in _LINEAR) else ""


def _arrays(path: Path) -> dict[str, NDArray[np.float64]]:
    """Calibration arrays by their short name, each (2, n_pixels)."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in {".mat", ".h5", ".hdf5"})
        # Means of darks lie beside a calibration as .mat files too.
        whole = [found for found in map(_arrays, files) if _method_of(found)]
        if len(whole) == 1:
            return whole[0]
        single = {each.stem.removesuffix("_prelim"): each for each in sorted(path.glob("*.r32"))}
        if not single:
            raise FileFormatError(
                f"{path} holds {len(whole)} calibrations. Expected one .mat or .h5, or G1A_prelim.r32 and so on. "
                "Name the file itself."
            )
        return _by_parity({name: _read_r32(each) for name, each in single.items()}, path)
    if path.stat().st_size > _MAX_BYTES:
        raise FileFormatError(
            f"{path} has {path.stat().st_size} bytes. A calibration has at most {_MAX_BYTES}. Choose another file."
        )
    if h5py.is_hdf5(path):
        # MATLAB stores the transposed array in its HDF5 files.
        return _by_parity(_read_hdf5(path), path, transposed=path.suffix.lower() == ".mat")
    if path.suffix.lower() == ".mat":
        return _by_parity(_read_mat(path), path)
    raise FileFormatError(f"{path} is no calibration. Expected a folder of .r32 files, a .mat or a .h5 file.")


def _by_parity(
    named: dict[str, NDArray[np.float64]], path: Path, transposed: bool = False
) -> dict[str, NDArray[np.float64]]:
    lower = {name.lower(): values for name, values in named.items()}
    found: dict[str, NDArray[np.float64]] = {}
    for short, aliases in _NAMES.items():
        for alias in aliases:
            if f"{alias}a" in lower and f"{alias}b" in lower:
                found[short] = np.stack([lower[f"{alias}a"], lower[f"{alias}b"]])
    for name in _QUADRATIC:
        if name in lower:
            found[name] = np.moveaxis(lower[name], -1, 0)
    for name, values in found.items():
        if values.shape != (2, *DETECTOR_SHAPE):
            raise FileFormatError(
                f"{name} of the calibration {path} has shape {values.shape}. Expected 128 x 128 for each parity. "
                "Choose another calibration."
            )
    turned = {name: np.swapaxes(values, 1, 2) if transposed else values for name, values in found.items()}
    return {name: values.reshape(2, N_PIXELS).astype(np.float64) for name, values in turned.items()}


def _read_r32(path: Path) -> NDArray[np.float64]:
    if path.stat().st_size != FRAME_BYTES:
        raise FileFormatError(
            f"{path} has {path.stat().st_size} bytes. Expected {FRAME_BYTES}: 128 x 128 float32. Copy it again."
        )
    return np.fromfile(path, "<f4").reshape(DETECTOR_SHAPE).astype(np.float64)


def _read_mat(path: Path) -> dict[str, NDArray[np.float64]]:
    from scipy.io import loadmat

    try:
        values = loadmat(path)
    except Exception as error:  # scipy's reader raises whatever the damage led to
        raise FileFormatError(
            f"{path} cannot be read as a MATLAB file: {error}. Choose another one."
        ) from None
    return {
        name: array
        for name, array in values.items()
        if isinstance(array, np.ndarray) and array.dtype.kind in "fiu"
    }


def _read_hdf5(path: Path) -> dict[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if (
            isinstance(item, h5py.Dataset)
            and item.dtype.kind in "fiu"
            and 0 < math.prod(item.shape) <= 4 * N_PIXELS
        ):
            found[name.rsplit("/", 1)[-1]] = item[()]

    try:
        with h5py.File(path, "r", locking=False) as file:
            file.visititems(visit)
    except (OSError, RuntimeError) as error:
        raise FileFormatError(f"{path} cannot be read as HDF5: {error}. Choose another one.") from None
    return found


def _dark_in(path: Path) -> Path:
    folder = path if path.is_dir() else path.parent
    found = [
        each
        for each in sorted(folder.glob("*.raw"))
        if any(name in each.name.lower() for name in _DARK_NAMES)
    ]
    if len(found) != 1:
        raise SettingsError(
            f"{folder} holds {len(found)} RAW files with 'dark' or 'bkg' in their name. Expected one file of "
            "dark frames beside the calibration. Name it with --g2-dark or detector.g2_dark."
        )
    return found[0]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}. Expected the calibration or the darks of an EMPAD-G2. "
            "Check the path."
        ) from None
    return stat.st_mtime_ns, stat.st_size
