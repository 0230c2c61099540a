"""A first-generation EMPAD's files: the RAW with its records and footers, and the XML (v1.2 dialect) beside it."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.special import erfc

from simulators.diffraction import (
    ANGLE_PER_PX_MRAD,
    DISK_RADIUS_PX,
    EDGE_SIGMA_PX,
    film_profile,
    film_scale,
    film_share,
    spots_of,
)
from simulators.kernels import detect, expected_pattern
from simulators.specimen import Specimen
from streamer.errors import RecordingError, SettingsError
from streamer.formats.empad import DETECTOR_SHAPE, NOMINAL_MRAD_M, RECORD_BYTES

READOUT_ADU = 5.0
OFFSET_YX_PX = (1.3, -0.8)
"""Where the direct beam lies on average, from the detector's centre."""
STEP_NM = 3.0
PROFILE_STEP_PX = 0.02
BLOCK_FRAMES = 64
HOT_ADU = 2.0e4
_SCALE_FACTOR = 0.72
_MIDDLE_PX = 14.0


@dataclass(frozen=True)
class Exposure:
    """How the specimen is recorded.

    Attributes
    ----------
    dose
        Electrons per pattern.
    drift_px
        Peak-to-peak drift of the direct beam over the scan.
    seed
        Of all noise, and of where defects are.
    dead_pixels, hot_pixels, nan_pixels
        How many pixels are always 0, always far too bright, always NaN.
    nan_frames
        How many patterns are NaN throughout.
    """

    dose: float
    drift_px: float
    seed: int
    dead_pixels: int = 0
    hot_pixels: int = 0
    nan_pixels: int = 0
    nan_frames: int = 0


@dataclass(frozen=True)
class Defects:
    """`dead`, `hot`, `nan`: flat detector indices; `frames`: flat scan indices. No pixel has two faults."""

    dead: NDArray[np.int64]
    hot: NDArray[np.int64]
    nan: NDArray[np.int64]
    frames: NDArray[np.int64]


def place_defects(exposure: Exposure, n_positions: int) -> Defects:
    """Where the defects of an exposure are; the detector's middle, where the direct beam lies, has none."""
    rng = np.random.default_rng(exposure.seed)
    y, x = np.indices(DETECTOR_SHAPE)
    middle = np.hypot(y - DETECTOR_SHAPE[0] / 2, x - DETECTOR_SHAPE[1] / 2) < _MIDDLE_PX
    counts = (exposure.dead_pixels, exposure.hot_pixels, exposure.nan_pixels)
    chosen = rng.permutation(np.flatnonzero(~middle))[: sum(counts)]
    dead, hot, nan = np.split(chosen, np.cumsum(counts)[:2])
    frames = rng.permutation(n_positions)[: exposure.nan_frames]
    return Defects(np.sort(dead), np.sort(hot), np.sort(nan), np.sort(frames))


def direct_beam(scan_shape: tuple[int, int], drift_px: float) -> NDArray[np.float64]:
    """True centre of the direct beam at every position, (scan_y, scan_x, 2) px.

    Drift along the lines (descan) and, more slowly, from line to line; all fractions of a pixel occur.
    """
    y, x = np.indices(scan_shape, dtype=np.float64)
    y, x = y / max(scan_shape[0] - 1, 1) - 0.5, x / max(scan_shape[1] - 1, 1) - 0.5
    along_y = 0.75 * y + 0.25 * np.sin(2 * np.pi * x) * 0.5
    along_x = 0.75 * x + 0.25 * np.cos(2 * np.pi * y) * 0.5
    centre = (np.array(DETECTOR_SHAPE) - 1) / 2 + np.array(OFFSET_YX_PX)
    return centre + drift_px * np.stack([along_y, along_x], axis=-1)


def disk_profile() -> NDArray[np.float64]:
    """Radial profile of a soft disk that holds one electron, by steps of `PROFILE_STEP_PX`."""
    radius = np.arange(0.0, DISK_RADIUS_PX + 5 * EDGE_SIGMA_PX, PROFILE_STEP_PX)
    profile = 0.5 * erfc((radius - DISK_RADIUS_PX) / (math.sqrt(2.0) * EDGE_SIGMA_PX))
    return profile / (2 * np.pi * trapezoid(profile * radius, dx=PROFILE_STEP_PX))


class PatternMaker:
    """Makes frames of a specimen; any block, on any thread, gives the same frames."""

    def __init__(self, specimen: Specimen, exposure: Exposure) -> None:
        self.specimen, self.exposure = specimen, exposure
        self.defects = place_defects(exposure, specimen.phase.size)
        self.centres_yx = direct_beam(specimen.scan_shape, exposure.drift_px).reshape(-1, 2)
        self._disk = disk_profile()
        n_steps = int(2 * max(DETECTOR_SHAPE) / PROFILE_STEP_PX)
        self._film = film_profile(n_steps, PROFILE_STEP_PX) * exposure.dose

    @property
    def n_positions(self) -> int:
        """Number of scan positions."""
        return self.specimen.phase.size

    def expected(self, position: int) -> NDArray[np.float32]:
        """Expected electrons (det_y, det_x) at a flat scan position."""
        out = np.empty(DETECTOR_SHAPE, np.float32)
        spots, film = self._disks(np.array([position]))[0], self._film_at(np.array([position]))[0]
        expected_pattern(self.centres_yx[position], spots, self._disk, film, PROFILE_STEP_PX, out)
        return out

    def frames(self, start: int, stop: int) -> NDArray[np.float32]:
        """Frames (stop - start, det_y, det_x) in ADU of flat scan positions [start, stop)."""
        out = np.empty((stop - start, *DETECTOR_SHAPE), np.float32)
        expected = np.empty(DETECTOR_SHAPE, np.float32)
        disks, films = self._disks(np.arange(start, stop)), self._film_at(np.arange(start, stop))
        adu = self.specimen.electrons.adu
        for i, position in enumerate(range(start, stop)):
            expected_pattern(
                self.centres_yx[position], disks[i], self._disk, films[i], PROFILE_STEP_PX, expected
            )
            detect(expected, adu, READOUT_ADU, self.exposure.seed, position, out[i])
        flat = out.reshape(len(out), -1)
        flat[:, self.defects.dead] = 0.0
        flat[:, self.defects.hot] += HOT_ADU
        flat[:, self.defects.nan] = np.nan
        own = self.defects.frames[(self.defects.frames >= start) & (self.defects.frames < stop)]
        out[own - start] = np.nan
        return out

    def direct_share(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the electrons in the direct beam, (n,)."""
        film = film_share() * film_scale(self.specimen, positions)
        return 1.0 - film - spots_of(self.specimen, positions).share.sum(axis=1)

    def _film_at(self, positions: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        """Radial profile of the film at every position."""
        if self.specimen.film_scale is None:
            return [self._film] * len(positions)
        return [self._film * scale for scale in film_scale(self.specimen, positions)]

    def _disks(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, n_spots + 1, 3): offset y, x and electrons of the direct beam and every Bragg disk."""
        spots = spots_of(self.specimen, positions)
        disks = np.zeros((len(positions), spots.share.shape[1] + 1, 3))
        disks[:, 1:, :2] = spots.offset_yx_px
        disks[:, 1:, 2] = spots.share * self.exposure.dose
        film = film_share() * film_scale(self.specimen, positions)
        disks[:, 0, 2] = (1.0 - film - spots.share.sum(axis=1)) * self.exposure.dose
        return disks


def write_raw(
    maker: PatternMaker,
    path: Path,
    progress: Callable[[float], None] = lambda fraction: None,
    n_threads: int = 2,
) -> None:
    """Write the RAW file by blocks, under a ``.part`` name until it is whole.

    Raises
    ------
    SettingsError
        The file exists.
    RecordingError
        The disk refused; the part is removed.
    """
    if path.exists():
        raise SettingsError(
            f"{path} exists and is not replaced. Choose another folder with --out, or move it away."
        )
    part = path.with_name(path.name + ".part")
    starts = range(0, maker.n_positions, BLOCK_FRAMES)

    def block(start: int) -> NDArray[np.float32]:
        stop = min(start + BLOCK_FRAMES, maker.n_positions)
        records = np.zeros((stop - start, RECORD_BYTES // (4 * DETECTOR_SHAPE[1]), DETECTOR_SHAPE[1]), "<f4")
        records[:, : DETECTOR_SHAPE[0]] = maker.frames(start, stop)
        return records

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(n_threads) as executor, part.open("wb") as file:
            # A few blocks ahead of the disk, not the whole scan: `map` would make them all at once.
            ahead = [executor.submit(block, start) for start in starts[: 2 * n_threads]]
            for index in range(len(starts)):
                records = ahead.pop(0).result()
                if index + 2 * n_threads < len(starts):
                    ahead.append(executor.submit(block, starts[index + 2 * n_threads]))
                file.write(records.tobytes())
                progress((index + 1) / len(starts))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        needed = maker.n_positions * RECORD_BYTES
        raise RecordingError(
            f"{path} could not be written: {error.strerror or error}. {needed / 1e9:.2f} GB are needed. "
            "Choose a folder with more room. The unfinished file was removed."
        ) from error


def write_xml(path: Path, raw_name: str, scan_shape: tuple[int, int], voltage_v: float = 80e3) -> None:
    """Write the acquisition's XML as software 1.2.2 writes it, as far as it is read."""
    now = datetime.now(UTC)
    root = ElementTree.Element("root", name="1")
    ElementTree.SubElement(root, "timestamp", timestamp=f"{now.timestamp():.6f}", isoformat=now.isoformat())
    _text(root, "software_version", "1.2.2 (2021-08-20), simulated by livestem")
    ElementTree.SubElement(root, "raw_file", filename=raw_name)
    _text(root, "exposure_time", "1")
    _text(root, "post_exposure_time", "0")
    for mode in ("search", "acquire"):
        parameters = ElementTree.SubElement(root, "scan_parameters", mode=mode)
        _text(parameters, "scan_size", "1.0")
        _text(parameters, "scan_resolution_x", str(scan_shape[1]))
        _text(parameters, "scan_resolution_y", str(scan_shape[0]))
    measurements = ElementTree.SubElement(root, "iom_measurements")
    _text(measurements, "high_voltage", str(float(voltage_v)))
    _text(measurements, "nominal_camera_length", repr(NOMINAL_MRAD_M / ANGLE_PER_PX_MRAD))
    view = ElementTree.SubElement(measurements, "full_scan_field_of_view")
    _text(view, "scale_factor", str(_SCALE_FACTOR))
    for axis in "xy":
        _text(view, axis, repr(STEP_NM * 1e-9 * max(scan_shape) * _SCALE_FACTOR))
    path.write_bytes(ElementTree.tostring(root))


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text
