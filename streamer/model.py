"""The nouns that every layer shares: plain frozen data, no behaviour that needs another module."""

import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

LABEL_NOT_VISITED = -1
"""Label of a scan position that no pattern has reached yet."""

ADU_PER_ELECTRON_80KV = 151.0
"""First-generation EMPAD at 80 kV (empad notes, part 5)."""


class EngineState(StrEnum):
    """Where the engine stands; how a scan ended is `FinishReason`, apart from it."""

    IDLE = "IDLE"
    LISTENING = "LISTENING"
    RUNNING = "RUNNING"
    DRAINING = "DRAINING"
    ANALYSING = "ANALYSING"


class FinishReason(StrEnum):
    """How a scan ended."""

    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"
    STREAM_LOST = "STREAM_LOST"
    OVERRUN = "OVERRUN"
    FAILED = "FAILED"


EXIT_CODES = {
    FinishReason.COMPLETED: 0,
    FinishReason.STREAM_LOST: 3,
    FinishReason.OVERRUN: 4,
    FinishReason.FAILED: 5,
    FinishReason.STOPPED: 7,
}
"""Exit code of ``serve --once`` for each finish reason."""


class ScanOrder(StrEnum):
    """Order in which the beam visits the scan positions."""

    RASTER = "raster"
    SERPENTINE = "serpentine"


@dataclass(frozen=True)
class Calibration:
    """What is known of the scales; ``None`` where nothing is known.

    ``q_source`` is ``"nominal"`` where the angle follows from the camera length alone
    (15 % off is normal), ``"file"`` where another program's file states a size, ``"user"`` where
    somebody measured it. ``q_measured_inv_nm`` is the reciprocal size of a detector pixel as somebody measured
    it, on a known ring for instance, or as the file states it: it wins over angle and wavelength.
    """

    voltage_v: float | None = None
    camera_length_m: float | None = None
    angle_per_px_mrad: float | None = None
    scan_step_yx_nm: tuple[float, float] | None = None
    q_source: str | None = None
    q_measured_inv_nm: float | None = None

    @property
    def wavelength_nm(self) -> float | None:
        """Relativistic electron wavelength in nm."""
        if self.voltage_v is None:
            return None
        energy = self.voltage_v
        return 1.226426 / (energy * (1.0 + 0.97845e-6 * energy)) ** 0.5

    @property
    def q_per_px_inv_nm(self) -> float | None:
        """Reciprocal-space size of a detector pixel, q = 1/d in 1/nm."""
        if self.q_measured_inv_nm is not None:
            return self.q_measured_inv_nm
        wavelength = self.wavelength_nm
        if wavelength is None or self.angle_per_px_mrad is None:
            return None
        return self.angle_per_px_mrad * 1e-3 / wavelength

    def filled(self, other: "Calibration") -> "Calibration":
        """With the values of another where this one has none."""
        known = {
            name: getattr(other, name) if getattr(self, name) is None else getattr(self, name)
            for name in self.__dataclass_fields__
        }
        has_q = self.angle_per_px_mrad is not None or self.q_measured_inv_nm is not None
        if has_q:  # which is not to be mixed with that of another
            names = ("angle_per_px_mrad", "q_measured_inv_nm", "q_source")
            known |= {name: getattr(self, name) for name in names}
        return Calibration(**known)

    def to_json(self) -> dict[str, Any]:
        """Fields as JSON values: pairs are lists."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Calibration":
        """The inverse of `to_json`; unknown keys are ignored, so that newer files open."""
        known = {name: values.get(name) for name in cls.__dataclass_fields__}
        step = known["scan_step_yx_nm"]
        known["scan_step_yx_nm"] = None if step is None else (float(step[0]), float(step[1]))
        return cls(**known)


@dataclass(frozen=True)
class Orientation:
    """How frames are turned before anything looks at them; files and recordings keep them as they came.

    First upside down, then left to right, then rows and columns exchanged. ``scan_rotation_rad`` is the
    rotation of the scan's axes as the microscope had it: kept and handed on, no frame is resampled for it.
    """

    flip_ud: bool = False
    flip_lr: bool = False
    transpose: bool = False
    scan_rotation_rad: float | None = None

    @property
    def turns_frames(self) -> bool:
        """Whether frames change at all."""
        return self.flip_ud or self.flip_lr or self.transpose

    def to_json(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Orientation":
        """The inverse of `to_json`; unknown keys are ignored, so that newer files open."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


@dataclass(frozen=True)
class ClusterNode:
    """One node of a cluster hierarchy: the root (level 0), a cluster, a sub-cluster.

    ``name`` is for people: "2.1" is child 1 of cluster 2; the root is "all".
    ``radius`` is the root-mean-square distance of the members from the centroid, ``inertia`` the sum of
    their squared distances; ``k`` the number of children (1: a leaf by decision), ``k_auto`` what the
    automatic choice said; ``averaging`` how wide, in scan positions, its members were averaged with their
    neighbours before they were divided (standard deviation of the weights, 0: not).
    """

    id: int
    parent: int
    level: int
    name: str
    n_patterns: int
    inertia: float = 0.0
    radius: float = 0.0
    k: int = 1
    k_auto: int = 1
    title: str = ""
    colour: str = ""
    hidden: bool = False
    averaging: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ClusterNode":
        """The inverse of `to_json`; unknown keys are ignored."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


class ProblemCode(StrEnum):
    """What kind of problem it is: names that programs may rely on."""

    STREAM_LOST = "stream_lost"
    RECORDING_FAILED = "recording_failed"
    LIVE_FAILED = "live_failed"
    LIVE_REMARK = "live_remark"
    ANALYSIS_FAILED = "analysis_failed"
    ANALYSIS_CANCELLED = "analysis_cancelled"
    EDITS_NOT_REPEATED = "edits_not_repeated"
    SIDE_SETTINGS = "side_settings"
    DISK_BUDGET = "disk_budget"
    SLIDE_FAILED = "slide_failed"
    SOURCE_MISSING = "source_missing"
    NOT_PREPARED = "not_prepared"
    KEY_REFUSED = "key_refused"


@dataclass(frozen=True)
class Problem:
    """Something the operator should know: said once, counted afterwards.

    ``code`` is a `ProblemCode`, or one that a newer engine knows; ``text`` a sentence for people (what, what is
    kept, what to do).
    """

    code: str
    text: str
    count: int = 1

    def to_json(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self)


@dataclass
class FrameCounters:
    """Every way that a frame can fare; one writer (the engine), shown in snapshot and recording."""

    frames_received: int = 0
    frames_stored: int = 0
    frames_analysed: int = 0
    frames_skipped: int = 0
    frames_missing: int = 0
    frames_late: int = 0
    frames_repeated: int = 0
    frames_invalid: int = 0
    frames_flyback: int = 0
    frames_discarded: int = 0
    frames_nonfinite: int = 0
    frames_dropped_by_sender: int = 0
    messages_invalid: int = 0
    messages_stale: int = 0

    def to_json(self) -> dict[str, int]:
        """Fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class ScanInfo:
    """What is known of a scan before its frames: shapes, order, calibration.

    Axes are (scan_y, scan_x, det_y, det_x), C order, index 0 at the top left. ``open_ended``: the number of
    lines is not known before the end; scan_shape[0] and n_frames are bounds.
    """

    scan_id: str
    scan_shape: tuple[int, int]
    detector_shape: tuple[int, int]
    dtype: str
    n_frames: int
    dwell_s: float | None = None
    order: ScanOrder = ScanOrder.RASTER
    skip_first: int = 0
    skip_per_line: int = 0
    skip_per_scan: int = 0
    footer_rows: int = 0
    open_ended: bool = False
    calibration: Calibration = field(default_factory=Calibration)
    orientation: Orientation = field(default_factory=Orientation)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def n_positions(self) -> int:
        """Number of scan positions."""
        return self.scan_shape[0] * self.scan_shape[1]

    @property
    def scales(self) -> dict[str, Any]:
        """What may be known only when the scan ends, as JSON values for `filled`; empty: nothing."""
        known = {
            "dwell_s": self.dwell_s,
            "scan_rotation_rad": self.orientation.scan_rotation_rad,
            **self.calibration.to_json(),
        }
        return {name: value for name, value in known.items() if value is not None}

    def filled(self, scales: dict[str, Any]) -> "ScanInfo":
        """With `scales` of another description of the same scan, where this one says nothing."""
        rotation = self.orientation.scan_rotation_rad
        return replace(
            self,
            dwell_s=scales.get("dwell_s") if self.dwell_s is None else self.dwell_s,
            calibration=self.calibration.filled(Calibration.from_json(scales)),
            orientation=replace(
                self.orientation,
                scan_rotation_rad=scales.get("scan_rotation_rad") if rotation is None else rotation,
            ),
        )

    def continues(self, other: "ScanInfo") -> bool:
        """Whether frames of this scan belong to the same places of the same scan as those of `other`.

        Calibration and free metadata may have changed, as when a detector bridge was started anew.
        """
        return all(getattr(self, name) == getattr(other, name) for name in _PLACES)

    def to_json(self) -> dict[str, Any]:
        """Fields as JSON values: pairs are lists."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ScanInfo":
        """The inverse of `to_json`; unknown keys are ignored."""
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        known["scan_shape"] = tuple(known["scan_shape"])
        known["detector_shape"] = tuple(known["detector_shape"])
        known["order"] = ScanOrder(known.get("order", "raster"))
        known["calibration"] = Calibration.from_json(known.get("calibration") or {})
        known["orientation"] = Orientation.from_json(known.get("orientation") or {})
        return cls(**known)


_PLACES = (
    "scan_id",
    "scan_shape",
    "detector_shape",
    "dtype",
    "n_frames",
    "order",
    "skip_first",
    "skip_per_line",
    "skip_per_scan",
    "footer_rows",
    "open_ended",
)
"""Fields that decide where a frame goes."""
