"""The messages of the native stream, version 1, as frozen typed values. Their text: docs/protocol.md, part 1.

Unknown fields of a header are ignored, so that a sender may carry more than this engine knows; what changes
the meaning of a known field changes the version.
"""

import json
import math
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from streamer.model import Calibration, Orientation, ScanInfo, ScanOrder

VERSION = 1
MAX_HEADER_BYTES = 64 << 10
MAX_PAYLOAD_BYTES = 256 << 20
MAX_BATCH = 64
MAX_RANGES = 1024
MAX_POSITIONS = 1 << 26
MAX_FRAME_INDEX = 1 << 34
MAX_REASON_CHARS = 2000

ScanSide = Annotated[int, Field(ge=1, le=65536)]
DetectorSide = Annotated[int, Field(ge=1, le=4096)]
FrameIndex = Annotated[int, Field(ge=0, lt=MAX_FRAME_INDEX)]
FrameCount = Annotated[int, Field(ge=0, le=MAX_FRAME_INDEX)]
Skip = Annotated[int, Field(ge=0, le=65536)]
# Wider than any instrument, and narrow enough that nothing computed from them overflows.
Positive = Annotated[float, Field(ge=1e-12, le=1e12, allow_inf_nan=False)]
Voltage = Annotated[float, Field(ge=1.0, le=1e8, allow_inf_nan=False)]
Angle = Annotated[float, Field(ge=1e-9, le=3142.0, allow_inf_nan=False)]
SCAN_ID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
NO_SCAN = "00000000-0000-0000-0000-000000000000"
"""Scan id of an answer to something that belongs to no scan."""
ScanId = Annotated[str, Field(pattern=SCAN_ID_PATTERN)]
Range = tuple[FrameIndex, FrameCount]
Ranges = Annotated[tuple[Range, ...], Field(max_length=MAX_RANGES)]


class FrameFlag(StrEnum):
    """What a batch of frames is, where it is not part of the map."""

    FLYBACK = "flyback"
    DISCARD = "discard"


class EndReason(StrEnum):
    """Why the sender ends the scan."""

    COMPLETE = "complete"
    ABORTED = "aborted"
    ERROR = "error"


class RefusalCode(StrEnum):
    """Why the engine refuses, for programs; `Refused.reason` is the sentence for people."""

    VERSION = "version"
    INVALID = "invalid"
    BUSY = "busy"
    CANNOT_START = "cannot_start"
    BAD_CRC = "bad_crc"
    NO_CREDIT = "no_credit"
    INCOMPLETE = "incomplete"
    UNKNOWN_SCAN = "unknown_scan"
    STOPPED = "stopped"
    LOST = "lost"
    FAILED = "failed"


class StreamMessage(BaseModel):
    """What every message carries.

    Attributes
    ----------
    scan_id
        UUID of the scan, lower case.
    seq
        Counts up over all messages that one side sends for one scan, from 0.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, arbitrary_types_allowed=True)

    version: Literal[1] = VERSION
    scan_id: ScanId
    seq: Annotated[int, Field(ge=0, lt=1 << 63)] = 0


class ScaleFields(StreamMessage):
    """Scales: what the sender knows of them when the scan begins, and when it ends."""

    dwell_s: Positive | None = None
    voltage_v: Voltage | None = None
    camera_length_m: Positive | None = None
    angle_per_px_mrad: Angle | None = None
    scan_step_yx_nm: tuple[Positive, Positive] | None = None
    q_source: Annotated[str, Field(max_length=64)] | None = None
    q_measured_inv_nm: Positive | None = None
    scan_rotation_rad: Annotated[float, Field(ge=-1e3, le=1e3, allow_inf_nan=False)] | None = None


class Start(ScaleFields):
    """A scan begins, or goes on: all that the engine must know before the first frame. To the engine.

    ``open_ended`` says that the number of lines is not known yet: scan_shape[0] and n_frames are bounds.
    """

    type: Literal["start"] = "start"
    scan_shape: tuple[ScanSide, ScanSide]
    detector_shape: tuple[DetectorSide, DetectorSide]
    dtype: Literal["uint8", "uint16", "uint32", "float32"]
    n_frames: Annotated[int, Field(ge=1, le=MAX_FRAME_INDEX)]
    order: Literal["raster", "serpentine"] = "raster"
    skip_first: Skip = 0
    skip_per_line: Skip = 0
    skip_per_scan: Skip = 0
    footer_rows: Annotated[int, Field(ge=0, le=8)] = 0
    open_ended: bool = False
    software: Annotated[str, Field(max_length=64)] | None = None
    flip_ud: bool = False
    flip_lr: bool = False
    transpose: bool = False
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if self.frame_bytes > MAX_PAYLOAD_BYTES:
            raise ValueError(
                f"one frame has {self.frame_bytes} bytes, at most {MAX_PAYLOAD_BYTES} are accepted"
            )
        if math.prod(self.scan_shape) > MAX_POSITIONS:
            raise ValueError(
                f"{math.prod(self.scan_shape)} scan positions, at most {MAX_POSITIONS} are accepted"
            )
        n_delivered = (
            self.skip_first
            + self.scan_shape[0] * (self.scan_shape[1] + self.skip_per_line)
            + self.skip_per_scan
        )
        if self.n_frames > n_delivered:
            raise ValueError(
                f"{self.n_frames} frames are announced for a scan that has {n_delivered} with all skipped "
                "frames; several frames per scan position are not supported"
            )
        # The header of the recording is JSON without NaN; said now rather than when the disk is written.
        json.dumps(self.metadata, allow_nan=False)
        return self

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame in a payload, footer rows included."""
        det_y, det_x = self.detector_shape
        return (det_y + self.footer_rows) * det_x * np.dtype(self.dtype).itemsize

    def scan_info(self) -> ScanInfo:
        """The same in the words of the model."""
        return ScanInfo(
            scan_id=self.scan_id,
            scan_shape=self.scan_shape,
            detector_shape=self.detector_shape,
            dtype=self.dtype,
            n_frames=self.n_frames,
            dwell_s=self.dwell_s,
            order=ScanOrder(self.order),
            skip_first=self.skip_first,
            skip_per_line=self.skip_per_line,
            skip_per_scan=self.skip_per_scan,
            footer_rows=self.footer_rows,
            open_ended=self.open_ended,
            calibration=Calibration(
                voltage_v=self.voltage_v,
                camera_length_m=self.camera_length_m,
                angle_per_px_mrad=self.angle_per_px_mrad,
                scan_step_yx_nm=self.scan_step_yx_nm,
                q_source=self.q_source,
                q_measured_inv_nm=self.q_measured_inv_nm,
            ),
            orientation=Orientation(self.flip_ud, self.flip_lr, self.transpose, self.scan_rotation_rad),
            metadata=dict(self.metadata),
        )

    @classmethod
    def of_scan(cls, info: ScanInfo, seq: int = 0) -> "Start":
        """The start message of a scan."""
        values: dict[str, Any] = {
            name: getattr(info, name) for name in cls.model_fields if hasattr(info, name)
        }
        for part in (info.calibration, info.orientation):
            values |= {name: getattr(part, name) for name in cls.model_fields if hasattr(part, name)}
        return cls(**{**values, "order": info.order.value, "seq": seq})


class Ready(StreamMessage):
    """The engine takes the scan. To the sender.

    ``credit`` frames may be in flight beyond message ``seq_seen``; the frames of ``stored`` are at the engine
    and need not be sent.
    """

    type: Literal["ready"] = "ready"
    credit: FrameCount
    seq_seen: Annotated[int, Field(ge=0, lt=1 << 63)]
    stored: Ranges = ()
    software: Annotated[str, Field(max_length=64)] | None = None


class Frames(StreamMessage):
    """Consecutive frames; the payload is the second part of the message. To the engine.

    Attributes
    ----------
    first_frame, count
        Frames [first_frame, first_frame + count), all with the same flags.
    timestamp_s
        Sender's clock at the first frame, seconds; only differences mean something.
    crc32
        Of the payload (the ordinary one, polynomial 0xEDB88320).
    header_crc32
        Of the text `header_text`, so that a damaged header cannot put good frames into a wrong place.
    payload
        ``count`` frames (det_y + footer_rows, det_x), C order, little-endian; not part of the header.
    """

    type: Literal["frames"] = "frames"
    first_frame: FrameIndex
    count: Annotated[int, Field(ge=1, le=MAX_BATCH)]
    flags: Annotated[tuple[FrameFlag, ...], Field(max_length=2)] = ()
    timestamp_s: Annotated[float, Field(allow_inf_nan=False)] | None = None
    crc32: Annotated[int, Field(ge=0, lt=1 << 32)]
    header_crc32: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    payload: Annotated[Any, Field(exclude=True)] = b""

    def header_text(self) -> bytes:
        """What `header_crc32` protects: scan_id, seq, first_frame, count, crc32 and flags, parted by spaces."""
        values = (self.scan_id, self.seq, self.first_frame, self.count, self.crc32, *self.flags)
        return " ".join(map(str, values)).encode()


class Ack(StreamMessage):
    """What is durable, and how much may come. To the sender.

    All frames below ``below`` and those of ``ranges`` are durable. ``credit`` frames may be in flight beyond
    message ``seq_seen``. With ``end`` the whole scan is acknowledged; ``finish_reason`` says how it ended.
    """

    type: Literal["ack"] = "ack"
    below: FrameCount
    ranges: Ranges = ()
    credit: FrameCount
    seq_seen: Annotated[int, Field(ge=0, lt=1 << 63)]
    end: bool = False
    finish_reason: Annotated[str, Field(max_length=32)] | None = None


class Heartbeat(StreamMessage):
    """I am alive: once a second, also when idle. Both directions."""

    type: Literal["heartbeat"] = "heartbeat"


class End(ScaleFields):
    """The sender has nothing more. To the engine.

    ``frames_sent`` counts different frames, sent by this sender or found in ``stored``;
    ``frames_dropped_by_sender`` those that the sender never had or had to give up. Scales that the start message
    did not say count where they are said here.
    """

    type: Literal["end"] = "end"
    reason: EndReason
    frames_sent: FrameCount
    frames_dropped_by_sender: FrameCount = 0

    @property
    def scales(self) -> dict[str, Any]:
        """As `ScanInfo.filled` takes them."""
        known = {name: getattr(self, name) for name in ScaleFields.model_fields}
        return {
            name: value
            for name, value in known.items()
            if value is not None and name not in StreamMessage.model_fields
        }


class Refused(StreamMessage):
    """The engine does not take something. To the sender.

    ``final`` says that the scan is over for this sender; otherwise the frames of ``resend`` are wanted again,
    those excepted that were sent after message ``seq_seen``. ``resume`` says that the same start message
    continues the scan. ``versions`` are those that this engine speaks.
    """

    type: Literal["refused"] = "refused"
    code: RefusalCode
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS)]
    final: bool = False
    resume: bool = False
    resend: Ranges = ()
    seq_seen: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    versions: Annotated[tuple[int, ...], Field(max_length=16)] = (VERSION,)


ToEngine = Start | Frames | Heartbeat | End
ToSender = Ready | Ack | Refused | Heartbeat


def payload_bytes(info: ScanInfo, count: int) -> int:
    """Bytes that a payload of `count` frames of this scan must have."""
    det_y, det_x = info.detector_shape
    return math.prod((count, det_y + info.footer_rows, det_x)) * np.dtype(info.dtype).itemsize
