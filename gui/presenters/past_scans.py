"""Scans that have ended, as the published state tells of them."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PastScan:
    """A scan that has ended, as the engine tells of it; `picture` (rows, columns, rgb bytes) or None."""

    scan_shape: tuple[int, int]
    ended: str
    finish_reason: str
    recording: str
    result: str
    n_clusters: int | None
    error: str
    picture: tuple[int, int, bytes] | None


def past_scans(values: Any) -> tuple[PastScan, ...]:
    """Read the state's ``history``; ValueError, TypeError, KeyError where it is none."""
    return tuple(
        PastScan(
            (int(one["scan_shape"][0]), int(one["scan_shape"][1])),
            str(one["ended"]),
            str(one["finish_reason"]),
            str(one.get("recording") or ""),
            str(one.get("result") or ""),
            one.get("n_clusters"),
            str(one.get("error") or ""),
            _picture(one.get("map") or {}),
        )
        for one in values or ()
    )


def _picture(values: dict[str, Any]) -> tuple[int, int, bytes] | None:
    if not values:
        return None
    rows, columns = int(values["shape"][0]), int(values["shape"][1])
    try:
        rgb = base64.b64decode(values["rgb"], validate=True)
    except binascii.Error:
        return None
    return (rows, columns, rgb) if len(rgb) == 3 * rows * columns else None
