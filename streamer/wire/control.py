"""Requests, replies and published states of the engine: JSON headers with raw arrays, both directions.

Sans-IO: lists of byte frames in, typed values out. The exact fields stand in docs/protocol.md, part 2.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import WireError

VERSION = 1
MAX_HEADER_BYTES = 4 << 20
MAX_ARRAYS = 64
MAX_ARRAY_BYTES = 2 << 30
ALLOWED_DTYPES = frozenset({"bool", "uint8", "uint16", "uint32", "int32", "int64", "float32", "float64"})


class ControlVersionError(WireError):
    """The other side speaks another version of this protocol."""


@dataclass(frozen=True)
class NamedArray:
    """One array of a message: its name, its version (a counter, 0 where it has none), and small facts about it."""

    name: str
    values: NDArray[Any]
    version: int = 0
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ControlMessage:
    """A request, a reply or a published state.

    ``header["type"]`` is "request", "reply" or "state"; ``arrays`` are read-only views of the message's bytes.
    """

    header: dict[str, Any]
    arrays: tuple[NamedArray, ...] = ()

    def array(self, name: str) -> NDArray[Any]:
        """The array of that name.

        Raises
        ------
        KeyError
            The message carries no such array.
        """
        for entry in self.arrays:
            if entry.name == name:
                return entry.values
        raise KeyError(name)


def encode(message: ControlMessage) -> list[bytes | memoryview]:
    """Multipart frames of a message: ``[JSON header, array bytes, ...]``."""
    header = dict(message.header)
    header["version"] = VERSION
    header["arrays"] = [
        {
            "name": entry.name,
            "version": entry.version,
            "dtype": entry.values.dtype.name,
            "shape": list(entry.values.shape),
            "meta": entry.meta,
        }
        for entry in message.arrays
    ]
    frames: list[bytes | memoryview] = [json.dumps(header, allow_nan=False, separators=(",", ":")).encode()]
    frames.extend(
        np.ascontiguousarray(entry.values).data.cast("B") if entry.values.size else b""
        for entry in message.arrays
    )
    return frames


def decode(frames: list[bytes] | list[memoryview]) -> ControlMessage:
    """The inverse of `encode`; every length is checked before anything is allocated.

    Raises
    ------
    ControlVersionError
        The message is of another version.
    WireError
        It is not one of ours.
    """
    if not frames:
        raise WireError("Empty control message. Expected a JSON header.")
    if len(frames[0]) > MAX_HEADER_BYTES:
        raise WireError(f"Control header of {len(frames[0])} bytes. At most {MAX_HEADER_BYTES} are accepted.")
    try:
        header = json.loads(bytes(frames[0]))
    except (ValueError, RecursionError):
        raise WireError("Control header is not JSON.") from None
    if not isinstance(header, dict) or not isinstance(header.get("type"), str):
        raise WireError("Control header is not an object with a type.")
    if header.get("version") != VERSION:
        raise ControlVersionError(
            f"The other side speaks version {header.get('version')!r} of the control protocol, this side version "
            f"{VERSION}. Install the same version of livestem on both sides. Nothing else is affected."
        )
    described = header.pop("arrays", [])
    if not isinstance(described, list) or len(described) != len(frames) - 1 or len(described) > MAX_ARRAYS:
        raise WireError("Control header and number of arrays disagree.")
    arrays = tuple(_decode_array(entry, raw) for entry, raw in zip(described, frames[1:], strict=True))
    return ControlMessage(header, arrays)


def request_number(raw: bytes) -> int:
    """The id in the header of a request that cannot be used otherwise, so that its sender knows it; else 0."""
    try:
        number = json.loads(raw).get("id")
    except (ValueError, RecursionError, AttributeError):
        return 0
    return number if isinstance(number, int) and not isinstance(number, bool) else 0


def _decode_array(entry: Any, raw: bytes | memoryview) -> NamedArray:
    try:
        name, version, meta = str(entry["name"]), int(entry["version"]), dict(entry["meta"])
        dtype_name, shape = entry["dtype"], tuple(int(length) for length in entry["shape"])
    except (KeyError, TypeError, ValueError):
        raise WireError(
            "An array of a control message is not described by name, version, dtype, shape and meta."
        ) from None
    if dtype_name not in ALLOWED_DTYPES or len(shape) > 4 or any(length < 0 for length in shape):
        raise WireError(f"Array {name!r} has dtype {dtype_name!r} and shape {shape}, which is not accepted.")
    n_bytes = math.prod(shape) * np.dtype(dtype_name).itemsize
    if n_bytes > MAX_ARRAY_BYTES or n_bytes != len(raw):
        raise WireError(
            f"Array {name!r} of shape {shape} needs {n_bytes} bytes, the message carries {len(raw)}."
        )
    return NamedArray(name, np.frombuffer(raw, dtype=dtype_name).reshape(shape), version, meta)
