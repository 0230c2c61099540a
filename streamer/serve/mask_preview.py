"""What another ring or threshold would do: its feature pixels, and how many labels would change, on a subsample."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.lloyd import group_means, refine
from streamer.errors import LivestemError
from streamer.formats.scan_file import ScanFile
from streamer.kernels.mask import FeatureMask, decide_mask, noise_scale
from streamer.live.overrides import MIN_RING_PX
from streamer.live.snapshot import LiveSnapshot
from streamer.model import ClusterNode
from streamer.serve.on_demand import passed
from streamer.settings import MaskSettings
from streamer.wire.control import NamedArray

N_SAMPLE = 1024
"""Patterns read for the estimate: of a share of 3 % the standard error is 0.5 %."""
MAX_PASSES = 5


@dataclass(frozen=True)
class WantedMask:
    """Ring and threshold to be tried; None: as in force, and for the threshold by the automatic rule."""

    inner_px: float | None = None
    outer_px: float | None = None
    threshold: float | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "WantedMask":
        """From a request's inner, outer, threshold; ValueError, TypeError where they are no numbers."""
        values = (params.get(name) for name in ("inner", "outer", "threshold"))
        return cls(*(None if value is None else float(value) for value in values))


def preview_mask(
    snapshot: LiveSnapshot, scan: ScanFile | None, wanted: WantedMask, settings: MaskSettings
) -> tuple[tuple[NamedArray, ...], dict[str, Any]]:
    """Arrays ring, features (det_y, det_x) bool; n_features, rule, changed_share (None: not known), n_sample.

    The numbers of clusters stay as they are in the estimate: labels of the sample are moved by Lloyd passes in the
    features of both masks, down the tree, and compared.

    Raises
    ------
    LivestemError
        There is no mean pattern yet, or the ring is too thin.
    """
    mask = _mask(snapshot, wanted, settings)
    present = snapshot.arrays["features"].values.astype(np.bool_)
    share, n_sample = None, 0
    if np.array_equal(mask.features, present):
        share = 0.0
    elif scan is not None and snapshot.tree and mask.features.any() and "label_maps" in snapshot.arrays:
        share, n_sample = _changed_share(snapshot, scan, present, mask)
    arrays = (NamedArray("ring", mask.ring), NamedArray("features", mask.features))
    return arrays, {
        "n_features": int(mask.features.sum()),
        "n_ring": int(mask.ring.sum()),
        "rule": mask.rule,
        "changed_share": share,
        "n_sample": n_sample,
    }


def _mask(snapshot: LiveSnapshot, wanted: WantedMask, settings: MaskSettings) -> FeatureMask:
    in_force = snapshot.settings.get("in_force") or {}
    arrays = snapshot.arrays
    if not {"mean_pattern", "std_pattern", "features"} <= set(arrays) or in_force.get("inner_px") is None:
        raise LivestemError("There is no mean pattern yet. Wait until the first patterns are in.")
    inner = in_force["inner_px"] if wanted.inner_px is None else wanted.inner_px
    outer = in_force["outer_px"] if wanted.outer_px is None else wanted.outer_px
    if outer - inner < MIN_RING_PX or inner < 0:
        raise LivestemError(
            f"A ring from {inner:g} to {outer:g} px is too thin. Expected an outer radius at least "
            f"{MIN_RING_PX:g} px above the inner one."
        )
    std = arrays["std_pattern"].values.astype(np.float64)
    return decide_mask(
        arrays["mean_pattern"].values.astype(np.float64),
        std**2,
        max(snapshot.n_analysed, 1),
        float(in_force.get("disk_radius_px") or 1.0),
        outer,
        inner,
        outer,
        wanted.threshold,
        settings.max_features,
        settings.rule,
        settings.weighting,
    )


def _changed_share(
    snapshot: LiveSnapshot, scan: ScanFile, old: NDArray[np.bool_], new: FeatureMask
) -> tuple[float | None, int]:
    leaf_map = snapshot.arrays["label_maps"].values[-1]
    com_yx = snapshot.arrays["com_yx"].values
    usable = np.flatnonzero((leaf_map >= 0) & np.isfinite(com_yx).all(axis=-1) & (scan.received > 0))
    chosen = usable[np.unique(np.linspace(0, len(usable) - 1, min(N_SAMPLE, len(usable))).astype(int))]
    if len(chosen) < 2:
        return None, 0
    where = np.zeros(leaf_map.size, np.bool_)
    where[chosen] = True
    pixels = np.flatnonzero(old | new.features)
    blocks = passed(scan, com_yx, where.reshape(leaf_map.shape), pixels=pixels)
    features = np.concatenate([out.features.copy() for _, out in blocks])
    if len(features) != len(chosen):
        return None, 0
    leaves = leaf_map.ravel()[chosen]
    means = snapshot.arrays["mean_pattern"].values.ravel()[pixels]
    labels = []
    for mask in (old, new.features):
        own = mask.ravel()[pixels]
        scale = noise_scale(means[own]) if np.ptp(new.scale) > 0 else np.float32(1)
        labels.append(settled_leaves(features[:, own] * scale, leaves, snapshot.tree))
    return float((labels[0] != labels[1]).mean()), len(chosen)


def settled_leaves(
    features: NDArray[np.float32], leaves: NDArray[np.int32], tree: tuple[ClusterNode, ...]
) -> NDArray[np.int32]:
    """Leaf of every vector (n,) after a few Lloyd passes at each node, from the present leaves on."""
    children: dict[int, list[int]] = {}
    for node in tree:
        if node.level:
            children.setdefault(node.parent, []).append(node.id)

    def below(node_id: int) -> list[int]:
        return [node_id, *(found for child in children.get(node_id, ()) for found in below(child))]

    settled = np.full(len(leaves), -1, np.int32)
    queue = [(next(node.id for node in tree if not node.level), np.arange(len(leaves)))]
    while queue:
        node_id, rows = queue.pop()
        own = [(child, np.isin(leaves, below(child))) for child in children.get(node_id, ())]
        present = [(child, inside) for child, inside in own if inside.any()]
        if len(present) < 2 or not len(rows):
            if present and children.get(present[0][0]):
                queue.append((present[0][0], rows))
            else:
                settled[rows] = present[0][0] if present else node_id
            continue
        centres = np.concatenate(
            [group_means(features[inside], np.zeros(inside.sum(), np.int32), 1) for _, inside in present]
        )
        labels = refine(features[rows], centres, max_passes=MAX_PASSES).labels
        queue += [(child, rows[labels == number]) for number, (child, _) in enumerate(present)]
    return settled
