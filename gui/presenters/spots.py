"""Regions of the scan and spots of a pattern: what is asked of the engine about them."""

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gui.presenters.selection import Selection
from gui.presenters.snapshot import Request, Snapshot
from gui.presenters.status import EngineStatus
from streamer.wire.control import NamedArray

REGION_SLOT, VIRTUAL_SLOT = "region", "virtual "
VIRTUAL_NAMES = "spot"
FAR = 5
"""So many px a detector goes with Shift."""


def region_request(region: NDArray[np.bool_], key: Hashable) -> Request:
    """Mean pattern of a marked region."""
    return Request("mean_pattern", {}, REGION_SLOT, (NamedArray("mask", region),), key)


def shown_centre(snapshot: Snapshot, selection: Selection) -> tuple[float, float] | None:
    """Where the direct beam of the shown pattern lies: measured for a single one, else the middle; None: not known."""
    scan = snapshot.status.scan
    if scan is None:
        return None
    if selection.position_yx is None:
        return (scan.detector_shape[0] - 1) / 2, (scan.detector_shape[1] - 1) / 2
    com_yx, (y, x) = snapshot.values("com_yx"), selection.position_yx
    if com_yx is None or not np.isfinite(com_yx[y, x]).all():
        return None
    return float(com_yx[y, x, 0]), float(com_yx[y, x, 1])


def spot_at(
    status: EngineStatus, centre_yx: tuple[float, float], y: int, x: int, *, conjugate: bool
) -> dict[str, Any]:
    """A virtual detector on a spot that was clicked, as the engine has it: px from the direct beam."""
    radius = float(status.in_force.get("disk_radius_px") or 3.0)
    spot = [round(y - centre_yx[0], 1), round(x - centre_yx[1], 1)]
    return {"spots_yx": [spot], "radius_px": round(radius, 2), "conjugate": conjugate}


def free_name(status: EngineStatus) -> str:
    """A name for the next virtual detector."""
    taken = status.manual.get("virtual") or {}
    return next(name for name in (f"{VIRTUAL_NAMES}_{n}" for n in range(1, 1000)) if name not in taken)


def moved_spot(status: EngineStatus, step_y: int, step_x: int, n_px: int) -> Request | None:
    """What moves the newest virtual detector; None where there is none."""
    name, detector = next(reversed((status.manual.get("virtual") or {}).items()), ("", None))
    if detector is None:
        return None
    moved = [[round(y + n_px * step_y, 1), round(x + n_px * step_x, 1)] for y, x in detector["spots_yx"]]
    return Request("set", {"name": "virtual", "value": {name: {**detector, "spots_yx": moved}}})


def detector_mask(detector: dict[str, Any], detector_shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels (det_y, det_x) of a virtual detector on the aligned pattern."""
    y, x = np.indices(detector_shape)
    centre = [(length - 1) / 2 for length in detector_shape]
    spots = [(spot[0], spot[1]) for spot in detector["spots_yx"]]
    if detector.get("conjugate"):
        spots += [(-dy, -dx) for dy, dx in spots]
    inside = np.zeros(detector_shape, np.bool_)
    for dy, dx in spots:
        inside |= np.hypot(y - centre[0] - dy, x - centre[1] - dx) <= detector["radius_px"] + 0.5
    return inside


def virtual_requests(snapshot: Snapshot) -> tuple[Request, ...]:
    """Images that are wanted of virtual detectors and neither there nor asked for."""
    status = snapshot.status
    if status.scan is None:
        return ()
    wanted = []
    for name, detector in (status.manual.get("virtual") or {}).items():
        tag = (repr(detector), status.shows, _tenth(status))
        held = snapshot.answers.get(f"{VIRTUAL_SLOT}{name}")
        if held is None or held.request.tag != tag:
            mask = NamedArray("mask", detector_mask(detector, status.scan.detector_shape))
            wanted.append(Request("virtual_image", {}, f"{VIRTUAL_SLOT}{name}", (mask,), tag))
    return tuple(wanted)


def _tenth(status: EngineStatus) -> int:
    """How many tenths of the scan are in: an image that is asked for during a scan is asked for again with each."""
    n_frames = status.scan.n_frames if status.scan else 0
    return 10 * status.counters.frames_received // n_frames if n_frames else 0
