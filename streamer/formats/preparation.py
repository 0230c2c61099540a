"""What is done to a frame between where it is kept and everything that looks at it: THE place, live and afterwards.

    words of an EMPAD-G2 -> counts; turned as the settings or the file say; scales that somebody measured win

Recordings keep frames as they came. The live analysis prepares those of the ring, and reads the recording
through `PreparedScan`, as the full analysis reads its files.
"""

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from streamer.errors import SettingsError
from streamer.formats.scan_file import ScanFile
from streamer.formats.scan_series import ScanSeries
from streamer.model import Calibration, Orientation, ScanInfo
from streamer.settings import DetectorSettings

if TYPE_CHECKING:
    from streamer.formats.word_decoder import WordDecoder

G2_ENCODING = "EMPAD-G2 words"
"""``metadata["encoding"]`` of a scan of undecoded words."""
_IS_WORD = np.uint32(0x40000000)
_N_SAMPLED_PAIRS = 32


class FramePreparation:
    """Prepares the frames of one scan; any thread.

    Parameters
    ----------
    info
        The scan as it is kept.
    settings
        What wins over it.

    Attributes
    ----------
    info
        The scan as it is seen.

    Raises
    ------
    SettingsError, FileFormatError
        The calibration of an EMPAD-G2 cannot be used.
    """

    def __init__(self, info: ScanInfo, settings: DetectorSettings) -> None:
        self.raw_info = info
        self.decoder = _decoder(info, settings)
        orientation = _orientation(info.orientation, settings)
        shape = info.detector_shape[::-1] if orientation.transpose else info.detector_shape
        metadata = dict(info.metadata)
        if self.decoder is not None:
            metadata.pop("encoding", None)
            metadata["g2"] = self.decoder.calibration.to_json()
        self.info = replace(
            info,
            detector_shape=shape,
            dtype="float32" if self.decoder else info.dtype,
            calibration=_calibration(info.calibration, settings),
            orientation=orientation,
            metadata=metadata,
        )
        self._is_guarded = self.decoder is None and info.dtype == "uint32"
        self._own = threading.local()

    @property
    def changes_frames(self) -> bool:
        """Whether frames come out other than they went in."""
        return self.decoder is not None or self.info.orientation.turns_frames

    @property
    def remark(self) -> str:
        """What the operator should know; empty: nothing."""
        return self.decoder.remark if self.decoder else ""

    def apply(
        self, frames: NDArray[Any], scan_indices: NDArray[np.int64], out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Frames (n, det_y, det_x) of these scan positions as they are seen.

        Parameters
        ----------
        frames
            As they are kept; returned themselves where nothing is done to them.
        scan_indices
            (n,) flat, of each frame.
        out
            Room for at least n frames; None: new.

        Raises
        ------
        SettingsError
            The frames are words of an EMPAD-G2, and no calibration is given.
        """
        if self._is_guarded and len(frames):
            refuse_words(frames[:1])
            self._is_guarded = False
        if not self.changes_frames:
            return frames
        n = len(frames)
        out = np.empty((n, *self.info.detector_shape), self.info.dtype) if out is None else out[:n]
        turns = self.info.orientation.turns_frames
        if self.decoder is not None:
            counts = self.scratch(n, "float32", "counts") if turns else out
            self.decoder.decode(frames, scan_indices, counts)
            frames = counts
        if turns:
            np.copyto(out, turned(frames, self.info.orientation))
        return out

    def scratch(self, n: int, dtype: str, name: str = "raw") -> NDArray[Any]:
        """Room of this thread for n frames as they are kept."""
        room = getattr(self._own, name, None)
        if room is None or len(room) < n:
            room = np.empty((n, *self.raw_info.detector_shape), dtype)
            setattr(self._own, name, room)
        return room[:n]


class PreparedScan:
    """A scan read through a `FramePreparation`; see `streamer.formats.scan_file.ScanFile`."""

    def __init__(self, scan: ScanFile, preparation: FramePreparation) -> None:
        self.kept, self.preparation = scan, preparation
        self.path: Path = scan.path
        self.info = preparation.info
        self._take_over()

    def refresh(self) -> None:
        """As the scan's."""
        self.kept.refresh()
        self._take_over()

    def _take_over(self) -> None:
        now = self.kept.info
        # A calibration that was entered since stays.
        self.info = replace(self.info, scan_shape=now.scan_shape, n_frames=now.n_frames).filled(now.scales)
        self.received = self.kept.received

    def read_block(self, start: int, stop: int, out: NDArray[Any]) -> NDArray[Any]:
        """As the scan's, prepared."""
        if not self.preparation.changes_frames:
            return self._guarded(self.kept.read_block(start, stop, out), np.arange(start, stop))
        raw = self.preparation.scratch(stop - start, self.preparation.raw_info.dtype)
        frames = self.kept.read_block(start, stop, raw)
        return self._prepared(frames, np.arange(start, stop), out)

    def read_positions(self, scan_indices: NDArray[np.int64], out: NDArray[Any]) -> NDArray[Any]:
        """As the scan's, prepared."""
        if not self.preparation.changes_frames:
            return self._guarded(self.kept.read_positions(scan_indices, out), scan_indices)
        raw = self.preparation.scratch(len(scan_indices), self.preparation.raw_info.dtype)
        return self._prepared(self.kept.read_positions(scan_indices, raw), scan_indices, out)

    def pattern(self, scan_y: int, scan_x: int) -> NDArray[Any]:
        """As the scan's, prepared."""
        raw = self.kept.pattern(scan_y, scan_x)[None]
        index = scan_y * self.kept.info.scan_shape[1] + scan_x
        if not self.received.reshape(-1)[index]:
            return np.zeros(self.info.detector_shape, self.info.dtype)
        return self.preparation.apply(raw, np.array([index]))[0]

    def checksum(self) -> str:
        """Of the scan as it is kept."""
        return self.kept.checksum()

    def close(self) -> None:
        """Release the file."""
        self.kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _guarded(self, frames: NDArray[Any], scan_indices: NDArray[np.int64]) -> NDArray[Any]:
        """The frames themselves; the first that is stored may show that they are words."""
        there = self.received.reshape(-1)[scan_indices] > 0
        if there.any():
            first = slice(int(there.argmax()), int(there.argmax()) + 1)
            self.preparation.apply(frames[first], scan_indices[first])
        return frames

    def _prepared(
        self, frames: NDArray[Any], scan_indices: NDArray[np.int64], out: NDArray[Any]
    ) -> NDArray[Any]:
        there = self.received.reshape(-1)[scan_indices] > 0
        if there.all():
            return self.preparation.apply(frames, scan_indices, out)
        out = out[: len(frames)]
        out[~there] = 0  # what stands there is no frame: nothing to be decoded
        out[there] = self.preparation.apply(np.ascontiguousarray(frames[there]), scan_indices[there])
        return out


def prepare_scan(scan: ScanFile, settings: DetectorSettings) -> ScanFile:
    """A scan as it is to be looked at; itself where nothing is to be done to it.

    Raises
    ------
    SettingsError
        Words of an EMPAD-G2 without a calibration, or a calibration that is not there.
    FileFormatError
        A calibration that cannot be used, or frames that are no words.
    """
    if isinstance(scan, PreparedScan):
        return scan
    if isinstance(scan, ScanSeries):
        # Each as the detector wrote it: words are decoded by their place in a scan.
        members = [prepare_scan(member, settings) for member in scan.members]
        return scan.with_members(members, _calibration(scan.info.calibration, settings))
    preparation = FramePreparation(scan.info, settings)
    stored = np.flatnonzero(scan.received)
    if preparation.decoder is not None:
        _decide_parity(scan, preparation.decoder)
        preparation.info.metadata["g2"]["swapped"] = preparation.decoder.swap
    elif scan.info.dtype == "uint32" and stored.size:
        refuse_words(scan.read_positions(stored[:1], np.empty((1, *scan.info.detector_shape), np.uint32)))
    is_as_kept = preparation.info == scan.info and not preparation.changes_frames
    return scan if is_as_kept else PreparedScan(scan, preparation)


def turned(frames: NDArray[Any], orientation: Orientation) -> NDArray[Any]:
    """A view of frames (n, det_y, det_x), turned."""
    rows = slice(None, None, -1 if orientation.flip_ud else 1)
    columns = slice(None, None, -1 if orientation.flip_lr else 1)
    frames = frames[:, rows, columns]
    return frames.swapaxes(1, 2) if orientation.transpose else frames


def refuse_words(frames: NDArray[np.uint32]) -> None:
    """Raise SettingsError where uint32 frames are undecoded words of an EMPAD-G2."""
    if frames.shape[1:] == (128, 128) and (frames & _IS_WORD).all():
        raise SettingsError(
            "The frames are words of an EMPAD-G2: bit 30 is set in every pixel. Expected a calibration to decode them "
            "with. Give --g2-calibration FOLDER (or detector.g2_calibration in the settings). The words are "
            "kept as they are."
        )


def _decoder(info: ScanInfo, settings: DetectorSettings) -> "WordDecoder | None":
    is_word = info.metadata.get("encoding") == G2_ENCODING
    if settings.g2_calibration is None or (info.dtype != "uint32" and not is_word):
        return None
    if info.detector_shape != (128, 128) or info.dtype != "uint32":
        raise SettingsError(
            f"A G2 calibration is given, and the frames are {info.detector_shape} {info.dtype}. Expected 128 x 128 "
            "uint32. Leave it away for this scan."
        )
    # numba is loaded only where there is something to decode.
    from streamer.formats.g2_calibration import load_g2_calibration
    from streamer.formats.word_decoder import WordDecoder

    calibration = load_g2_calibration(settings.g2_calibration, settings.g2_dark)
    return WordDecoder(info, calibration, settings.g2_swap_parity)


def _decide_parity(scan: ScanFile, decoder: "WordDecoder") -> None:
    """Look at pairs of frames spread over the scan."""
    n_y, n_x = scan.info.scan_shape
    first = np.flatnonzero(scan.received.reshape(-1))
    follows = first[(first + 1) % n_x != 0] if n_x > 1 else first[:0]
    follows = follows[(follows + 1 < n_y * n_x)]
    follows = follows[scan.received.reshape(-1)[follows + 1] > 0]
    indices = decoder.frame_indices(follows)
    follows = follows[indices % 2 == 0]
    if not follows.size:
        return
    chosen = follows[np.linspace(0, len(follows) - 1, min(2 * _N_SAMPLED_PAIRS, len(follows))).astype(int)]
    room = np.empty((2, *scan.info.detector_shape), np.uint32)
    for position in np.unique(chosen).tolist():
        pair = np.array([position, position + 1])
        decoder.decide_parity(scan.read_positions(pair, room), decoder.frame_indices(pair))


def _orientation(known: Orientation, settings: DetectorSettings) -> Orientation:
    names = ("flip_ud", "flip_lr", "transpose", "scan_rotation_rad")
    asked = {name: getattr(settings, name) for name in names}
    return replace(known, **{name: value for name, value in asked.items() if value is not None})


def _calibration(known: Calibration, settings: DetectorSettings) -> Calibration:
    """Scales of the file, with those that were given in their place."""
    angle, source, measured = known.angle_per_px_mrad, known.q_source, known.q_measured_inv_nm
    if settings.angle_per_px_mrad is not None:
        angle, source, measured = settings.angle_per_px_mrad, "user", None
    elif settings.camera_length_m is not None and angle is not None and known.camera_length_m:
        angle *= known.camera_length_m / settings.camera_length_m
    return Calibration(
        settings.voltage_v or known.voltage_v,
        settings.camera_length_m or known.camera_length_m,
        angle,
        settings.scan_step_yx_nm or known.scan_step_yx_nm,
        source,
        measured,
    )
