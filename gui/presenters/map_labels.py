"""Where the number of a cluster stands on the map: well inside its largest part, steady between updates."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

MAX_SIDE = 64
"""The map is thinned to this many samples a side: a label needs no finer place."""
MIN_SHARE = 0.002
"""A cluster with a smaller share of the map gets no number printed on it."""

Places = dict[int, tuple[float, float]]


def place_labels(
    label_map: NDArray[np.int32], previous: Mapping[int, tuple[float, float]] | None = None
) -> Places:
    """Place (y, x) of the number of each node in `label_map` (scan_y, scan_x); -1 is not visited.

    A number stays at its previous place as long as that has at least half the room of the best one, so that
    numbers do not jump while the map fills in.
    """
    height, width = label_map.shape
    step = max(1, -(-max(height, width) // MAX_SIDE))
    thin = label_map[step // 2 :: step, step // 2 :: step]
    if not thin.size:
        thin, step = label_map, 1
    ids, counts = np.unique(thin, return_counts=True)
    places: Places = {}
    for node_id, n_samples in zip(ids.tolist(), counts.tolist(), strict=True):
        if node_id < 0 or n_samples < MIN_SHARE * thin.size:
            continue
        room = _room(thin == node_id)
        best = np.unravel_index(int(np.argmax(room)), room.shape)
        place = ((best[0] + 0.5) * step, (best[1] + 0.5) * step)
        old = (previous or {}).get(node_id)
        if old is not None:
            sample = (
                min(int(old[0]) // step, room.shape[0] - 1),
                min(int(old[1]) // step, room.shape[1] - 1),
            )
            if room[sample] >= 0.5 * room[best]:
                place = old
        places[node_id] = (float(min(place[0], height - 0.5)), float(min(place[1], width - 0.5)))
    return places


def _room(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """City-block distance of every sample to the nearest one outside; so counts the border of the map."""
    height, width = inside.shape
    distance = np.where(inside, float(height + width), 0.0)
    padded = np.zeros((height + 2, width + 2))
    padded[1:-1, 1:-1] = distance
    rows, columns = np.arange(height + 2)[:, None], np.arange(width + 2)[None, :]
    # Separable two-way sweep: the minimum over all earlier (later) samples of value + steps between.
    padded = np.minimum.accumulate(padded - rows, axis=0) + rows
    padded = np.minimum.accumulate((padded + rows)[::-1], axis=0)[::-1] - rows
    padded = np.minimum.accumulate(padded - columns, axis=1) + columns
    padded = np.minimum.accumulate((padded + columns)[:, ::-1], axis=1)[:, ::-1] - columns
    return padded[1:-1, 1:-1]
