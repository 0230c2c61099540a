"""The native stream between bytes and messages, both directions. Sans-IO: parts in, messages out, and back.

A message is multipart: ``[JSON header (UTF-8)]``, for `Frames` ``[JSON header, payload]``.
"""

import json
import re
from typing import Annotated, Any, TypeAlias

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from streamer.errors import WireError
from streamer.model import ScanInfo
from streamer.wire.messages import (
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    NO_SCAN,
    SCAN_ID_PATTERN,
    VERSION,
    Ack,
    End,
    Frames,
    Heartbeat,
    Ready,
    Refused,
    Start,
    payload_bytes,
)

Part: TypeAlias = bytes | bytearray | memoryview
AnyMessage: TypeAlias = Start | Ready | Frames | Ack | Heartbeat | End | Refused

_SCAN_ID = re.compile(SCAN_ID_PATTERN)
_MESSAGES: TypeAdapter[AnyMessage] = TypeAdapter(Annotated[AnyMessage, Field(discriminator="type")])


class HeaderError(WireError):
    """A header that says something else than the protocol allows.

    ``kind`` and ``scan_id`` are what it claims to be, where that can be read: its sender is told what is wrong.
    """

    def __init__(self, text: str, kind: str = "", scan_id: str = NO_SCAN) -> None:
        super().__init__(text)
        self.kind, self.scan_id = kind, scan_id


class VersionError(HeaderError):
    """The other side speaks another version of the protocol: it is told so, with both versions."""


class CrcError(WireError):
    """The payload is not what was sent: those frames are wanted again."""


def crc32(payload: Part) -> int:
    """The ordinary CRC-32 of a C-contiguous buffer."""
    return isal_zlib.crc32(payload)


def encode(message: AnyMessage) -> list[Part]:
    """Parts of a message.

    Raises
    ------
    WireError
        The header is longer than a receiver accepts (free metadata, mostly).
    """
    header = message.model_dump_json().encode()
    if len(header) > MAX_HEADER_BYTES:
        raise WireError(
            f"The header of the {message.type} message has {len(header)} bytes. "
            f"At most {MAX_HEADER_BYTES} are accepted. Shorten the metadata."
        )
    return [header, message.payload] if isinstance(message, Frames) else [header]


def decode(parts: list[Part]) -> AnyMessage:
    """The inverse of `encode`: lengths are checked first, then every field.

    Raises
    ------
    VersionError
        A message of another version of the protocol.
    HeaderError
        A header with wrong or missing fields.
    WireError
        Anything else that is not a message of this protocol.
    """
    if not 1 <= len(parts) <= 2:
        raise WireError(f"A message of {len(parts)} parts. Expected a header, and a payload for frames.")
    if len(parts[0]) > MAX_HEADER_BYTES:
        kind, scan_id = _claimed_by_text(bytes(parts[0][:MAX_HEADER_BYTES]))
        text = f"A header of {len(parts[0])} bytes. At most {MAX_HEADER_BYTES} are accepted. Shorten the metadata."
        raise HeaderError(text, kind, scan_id)
    header = bytes(parts[0])
    try:
        message = _MESSAGES.validate_json(header)
    except ValidationError as error:
        raise _reason(header, error) from None
    if not message.model_fields_set.issuperset(("version", "seq")):
        text = f"A {message.type} message without version or seq. Every header needs both."
        raise HeaderError(text, message.type, message.scan_id)
    if not isinstance(message, Frames):
        if len(parts) != 1:
            raise WireError(f"A {message.type} message with a payload. Only frames carry one.")
        return message
    if len(parts) != 2 or len(parts[1]) > MAX_PAYLOAD_BYTES:
        n_bytes = len(parts[1]) if len(parts) == 2 else 0
        raise WireError(
            f"A frames message with {n_bytes} bytes of payload. At most {MAX_PAYLOAD_BYTES} are accepted."
        )
    if message.header_crc32 not in (None, crc32(message.header_text())):
        raise HeaderError(
            f"The header of frames from {message.first_frame} arrived damaged: header_crc32 does not match. "
            "Expected that of scan_id, seq, first_frame, count, crc32 and flags.",
            message.type,
            message.scan_id,
        )
    return message.model_copy(update={"payload": parts[1]})


def make_frames(
    scan_id: str, seq: int, first_frame: int, frames: NDArray[Any], timestamp_s: float | None = None
) -> Frames:
    """A message with these frames, (count, det_y + footer_rows, det_x), C-contiguous; they are not copied."""
    payload = frames.data.cast("B")
    message = Frames(
        scan_id=scan_id,
        seq=seq,
        first_frame=first_frame,
        count=len(frames),
        timestamp_s=timestamp_s,
        crc32=crc32(payload),
        payload=payload,
    )
    return message.model_copy(update={"header_crc32": crc32(message.header_text())})


def unpack_frames(message: Frames, info: ScanInfo) -> NDArray[Any]:
    """The frames of a message as a view of its payload, footer rows left out.

    Returns
    -------
    NDArray
        (count, det_y, det_x), read-only; not contiguous where there is a footer.

    Raises
    ------
    CrcError
        The payload was damaged on its way.
    WireError
        The length of the payload is not that of `count` frames of the scan that was announced.
    """
    n_bytes, expected = len(message.payload), payload_bytes(info, message.count)
    det_y, det_x = info.detector_shape
    if n_bytes != expected:
        raise WireError(
            f"The payload of {message.count} frames from {message.first_frame} has {n_bytes} bytes. "
            f"The start message announced {det_y}x{det_x} {info.dtype} with {info.footer_rows} footer rows, "
            f"which is {expected}. Stop the scan and start it again with the shape that is sent."
        )
    found = crc32(message.payload)
    if found != message.crc32:
        raise CrcError(
            f"Frames {message.first_frame} to {message.first_frame + message.count - 1} arrived damaged: "
            f"crc32 {found:08x}, expected {message.crc32:08x}. Send them again."
        )
    dtype = np.dtype(info.dtype).newbyteorder("<")
    rows = np.frombuffer(message.payload, dtype=dtype).reshape(message.count, det_y + info.footer_rows, det_x)
    return rows[:, :det_y]


def _claimed_by_text(header: bytes) -> tuple[str, str]:
    """Type and scan id that a header too long to be read names near its beginning."""
    kind = re.search(rb'"type"\s*:\s*"([a-z]{1,16})"', header)
    scan_id = re.search(rb'"scan_id"\s*:\s*"([0-9a-f-]{36})"', header)
    claimed = scan_id.group(1).decode() if scan_id else NO_SCAN
    return kind.group(1).decode() if kind else "", claimed if _SCAN_ID.fullmatch(claimed) else NO_SCAN


def _reason(header: bytes, error: ValidationError) -> WireError:
    """Why a header was refused, in a sentence; a version that differs is told apart from nonsense."""
    try:
        values = json.loads(header)
    except (ValueError, RecursionError):
        return WireError(
            "A header that is not JSON in UTF-8. Expected an object with type, version, scan_id and seq."
        )
    if not isinstance(values, dict):
        return WireError(
            "A header that is not a JSON object. Expected type, version, scan_id and seq in one."
        )
    version, kind, scan_id = (values.get(name) for name in ("version", "type", "scan_id"))
    claimed = (
        kind if isinstance(kind, str) else "",
        scan_id if isinstance(scan_id, str) and _SCAN_ID.fullmatch(scan_id) else NO_SCAN,
    )
    if isinstance(version, int) and version != VERSION:
        return VersionError(
            f"Stream protocol version {version}. This side speaks version {VERSION}. "
            "Install the same version of livestem on both sides.",
            *claimed,
        )
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])[:100]
    return HeaderError(
        f"Header field '{place}' has the value {first['input']!r:.60}: {first['msg'][:300]}.", *claimed
    )
