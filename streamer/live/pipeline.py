"""THE list of steps that a batch of frames goes through while the scan runs. No thread, no socket, no clock.

    clean -> direct beam -> align -> running statistics -> virtual images -> mask -> features -> labels

Until enough patterns are in to decide the mask, aligned patterns wait in a bounded buffer. When the mask is
decided anew, the features of the past are taken from the recording again (`PatternSource`); without a
recording the first mask stays.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.kernels.align import align_frames, find_centres
from streamer.kernels.clean import clean_frames, max_bad_pixels
from streamer.kernels.mask import (
    DirectBeam,
    FeatureMask,
    decide_mask,
    detector_weights,
    find_direct_beam,
    radial_mean,
    reference_centre,
    usable_radius,
)
from streamer.kernels.stats import accumulate_by_label, accumulate_moments, gather_features, weighted_sums
from streamer.live.clusters import LiveClusters
from streamer.model import ScanInfo
from streamer.settings import AnalysisSettings

BATCH_FRAMES = 128
FIRST_BEAM_FRAMES = 32
SAME_MASK = 0.9
MASK_GROWTH = 1.4
MASK_FROZEN_SHARE = 1.0 / 3.0
MAX_LIVE_FEATURES = 1024
RESERVOIR_SIZE = 512


class PatternSource(Protocol):
    """Patterns that were stored earlier, by scan position (the recording)."""

    received: NDArray[np.uint8]

    def refresh(self) -> None:
        """See what has been stored since."""
        ...

    def read_positions(self, scan_indices: NDArray[np.int64], out: NDArray[Any]) -> NDArray[Any]:
        """Patterns of these flat scan indices into the first rows of `out`."""
        ...


@dataclass
class Overrides:
    """Values set by hand; None or absent: automatic."""

    disk: float | None = None
    inner: float | None = None
    outer: float | None = None
    threshold: float | None = None
    k: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Only what is set."""
        named = {
            "disk_radius_px": self.disk,
            "inner_px": self.inner,
            "outer_px": self.outer,
            "threshold": self.threshold,
        }
        return {name: value for name, value in named.items() if value is not None} | (
            {"k": self.k} if self.k else {}
        )


class LivePipeline:
    """State of the live analysis of one scan; one thread calls it.

    Parameters
    ----------
    info
        The scan.
    settings
        Seed, cap on features, cluster limits.
    source
        Where earlier patterns can be read again; None: nowhere.

    Attributes
    ----------
    seen
        (n_positions,) uint8: 0 not analysed, 1 analysed, 2 analysed but spoilt by non-finite pixels.
    centres_yx
        (n_positions, 2) float32 px, NaN where unknown.
    virtual
        (n_positions, 2) float32: bright field, annular dark field; NaN where unknown.
    n
        Number of usable patterns so far; rows [0, n) of `order` and `features` are theirs, by arrival.
    """

    def __init__(
        self, info: ScanInfo, settings: AnalysisSettings, source: PatternSource | None = None
    ) -> None:
        n, shape = info.n_positions, info.detector_shape
        self.info, self.settings, self.source = info, settings, source
        self.overrides = Overrides()
        self.seen = np.zeros(n, np.uint8)
        self.centres_yx = np.full((n, 2), np.nan)
        self.virtual = np.full((n, 2), np.nan, np.float32)
        self.order = np.empty(n, np.int64)
        self.n = 0
        self.beam: DirectBeam | None = None
        self._auto_beam: DirectBeam | None = None
        self._weights = np.zeros((2, shape[0] * shape[1]), np.float32)
        self.mask: FeatureMask | None = None
        self.auto_mask: FeatureMask | None = None
        self.features = np.empty((0, 0), np.float32)
        cluster = settings.cluster
        self.clusters = LiveClusters(n, cluster.k_max, cluster.min_patterns, settings.seed)
        self.reservoir = np.empty((RESERVOIR_SIZE, shape[0] * shape[1]), np.float32)
        self.reservoir_rows = np.full(RESERVOIR_SIZE, -1, np.int64)
        self._rng = np.random.default_rng([settings.seed, 1])
        self._reference_yx = reference_centre(shape)
        self._near_mean = np.zeros(shape[0] * shape[1])
        self._sums = np.zeros((2, shape[0] * shape[1]))
        self._max_bad = max_bad_pixels(shape)
        self._clean = np.empty((BATCH_FRAMES, *shape), np.float32)
        self._aligned = np.empty((BATCH_FRAMES, *shape), np.float32)
        self._n_bad = np.empty(BATCH_FRAMES, np.int64)
        self._waiting: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
        self._first_mask_at = int(np.clip(n // 20, min(64, n), 512))
        self._n_mask = 0

    def add(self, frames: NDArray[Any], scan_indices: NDArray[np.int64]) -> None:
        """Take at most `BATCH_FRAMES` frames (n, det_y, det_x) of scan positions (n,), each new."""
        size = len(frames)
        patterns = self._clean[:size]
        clean_frames(frames, self._max_bad, patterns, self._n_bad[:size])
        usable = self._n_bad[:size] <= self._max_bad
        self.seen[scan_indices] = np.where(usable, 1, 2)
        patterns, scan_indices = (
            (patterns, scan_indices) if usable.all() else (patterns[usable], scan_indices[usable])
        )
        if not len(patterns):
            return
        if self.beam is None:
            self._waiting.append((patterns.copy(), scan_indices.copy()))
            if sum(len(rows) for _, rows in self._waiting) >= min(FIRST_BEAM_FRAMES, self.info.n_positions):
                self._begin()
            return
        self._take(patterns, scan_indices)

    def maintain(self) -> bool:
        """The scheduled, heavier steps, where they are due; True where labels may have changed."""
        changed = self._mask_is_due() and self._decide_mask(SAME_MASK)
        if self.mask is not None and (changed or self.clusters.due(self.n)):
            self.clusters.k_by_name = self.overrides.k
            self.clusters.maintain(self.features[: self.n])
            changed = True
        return changed

    def close(self) -> None:
        """After the last pattern: decide what is still open and bring all labels up to date."""
        if self.beam is None and self._waiting:
            self._begin()
        if self.beam is not None and self.mask is None and self.n:
            self._decide_mask()
        if self.mask is not None and self.n:
            self.clusters.k_by_name = self.overrides.k
            self.clusters.maintain(self.features[: self.n], closing=True)

    def override(self, overrides: Overrides) -> None:
        """Use other values set by hand from now on; mask and labels follow at once."""
        self.overrides = overrides
        if self._auto_beam is not None:
            radius = overrides.disk or self._auto_beam.radius_px
            self.beam = replace(self._auto_beam, radius_px=radius)
        if self.mask is not None:
            self._decide_mask()
            self.clusters.k_by_name = overrides.k
            self.clusters.maintain(self.features[: self.n], closing=True)

    def can_read_again(self) -> bool:
        """Whether every pattern so far stands in the recording, so that its features can be taken anew.

        The recorder may lag behind: what it has not written yet would be read as zeros.
        """
        if self.source is None:
            return True
        self.source.refresh()
        return bool((self.source.received.ravel()[self.order[: self.n]] > 0).all())

    def mean_and_variance(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance (det_y, det_x) of the aligned patterns so far."""
        count = max(self.n, 1)
        difference = self._sums[0] / count
        mean = (self._near_mean + difference).reshape(self.info.detector_shape)
        return mean, (self._sums[1] / count - difference**2).reshape(self.info.detector_shape)

    def radial_std(self) -> NDArray[np.float32]:
        """Rotational mean of the STD against radius in px."""
        std = np.sqrt(np.maximum(self.mean_and_variance()[1], 0.0))
        return radial_mean(std, self._reference_yx).astype(np.float32)

    def label_maps(self) -> NDArray[np.int32]:
        """Node ids (2, scan_y, scan_x) int32; -1 where no label is yet."""
        maps = np.full((2, self.info.n_positions), -1, np.int32)
        if self.clusters.ready:
            maps[:, self.order[: self.n]] = self.clusters.node_ids(self.n)
        return maps.reshape(2, *self.info.scan_shape)

    def cluster_patterns(self) -> tuple[NDArray[np.float32], list[int]]:
        """Mean aligned pattern of every node, from a random sample of patterns, and the nodes' ids."""
        nodes = self.clusters.nodes(self.n)
        filled = self.reservoir_rows >= 0
        leaf_ids = self.clusters.node_ids(self.n)[1, self.reservoir_rows[filled]]
        position = {node.id: index for index, node in enumerate(nodes)}
        leaf = np.full(RESERVOIR_SIZE, -1, np.int32)
        leaf[filled] = [position.get(node_id, -1) for node_id in leaf_ids.tolist()]
        sums = np.zeros((len(nodes), self.reservoir.shape[1]))
        accumulate_by_label(self.reservoir, leaf, sums)
        counts = np.bincount(leaf[leaf >= 0], minlength=len(nodes)).astype(np.float64)
        # Parents stand before their children: added up from the last node to the root.
        for index in range(len(nodes) - 1, 0, -1):
            parent = position[nodes[index].parent]
            sums[parent] += sums[index]
            counts[parent] += counts[index]
        means = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        return means.reshape(-1, *self.info.detector_shape), [node.id for node in nodes]

    def _begin(self) -> None:
        """Find the direct beam in the frames that waited, then take them."""
        waiting, self._waiting = self._waiting, []
        # Exactly so many, whatever the batches were: centres must not depend on how frames were grouped.
        first = np.concatenate([patterns for patterns, _ in waiting])[:FIRST_BEAM_FRAMES]
        mean = first.mean(axis=0, dtype=np.float64)
        self._auto_beam = find_direct_beam(mean.astype(np.float32), self.settings.alignment.disk_radius_px)
        self.beam = replace(self._auto_beam, radius_px=self.overrides.disk or self._auto_beam.radius_px)
        self._set_weights()
        self._near_mean = mean.ravel()
        for patterns, scan_indices in waiting:
            self._take(patterns, scan_indices)

    def _take(self, patterns: NDArray[np.float32], scan_indices: NDArray[np.int64]) -> None:
        """Align, statistics, virtual images, features, labels."""
        aligned = self._align(patterns, scan_indices)
        flat = aligned.reshape(len(aligned), -1)
        everything = np.ones(len(flat), np.bool_)
        accumulate_moments(flat, everything, self._near_mean, self._sums[0], self._sums[1])
        first, last = self.n, self.n + len(flat)
        self.order[first:last] = scan_indices
        self.n = last
        self._sample(flat, first)
        self._virtual(flat, scan_indices)
        if self.mask is None:
            self._waiting.append((flat.copy(), scan_indices.copy()))
            if self.n >= self._first_mask_at:
                self._decide_mask()
        else:
            gather_features(flat, self.mask.pixels, self.features[first:last])
            self.clusters.label_new(self.features, first, last)

    def _align(self, patterns: NDArray[np.float32], scan_indices: NDArray[np.int64]) -> NDArray[np.float32]:
        beam = self._beam_or_fail()
        centres = np.empty((len(patterns), 2))
        usable = np.ones(len(patterns), np.bool_)
        start = np.array(beam.centre_yx)
        iterations = self.settings.alignment.max_iterations
        find_centres(patterns, start, beam.window_px, beam.mass, iterations, usable, centres)
        self.centres_yx[scan_indices] = centres
        aligned = self._aligned[: len(patterns)]
        align_frames(patterns, centres, self._reference_yx, aligned)
        return aligned

    def _beam_or_fail(self) -> DirectBeam:
        if self.beam is None:
            raise RuntimeError("The direct beam is used before it was found.")
        return self.beam

    def _sample(self, flat: NDArray[np.float32], first: int) -> None:
        """Reservoir sampling (Vitter's algorithm R): every pattern has the same chance to be in the sample."""
        rows = np.arange(first, first + len(flat))
        slots = np.where(rows < RESERVOIR_SIZE, rows, self._rng.integers(rows + 1))
        for i in np.flatnonzero(slots < RESERVOIR_SIZE):
            self.reservoir[slots[i]] = flat[i]
            self.reservoir_rows[slots[i]] = rows[i]

    def _virtual(self, flat: NDArray[np.float32], scan_indices: NDArray[np.int64]) -> None:
        sums = np.empty((len(flat), 2), np.float32)
        weighted_sums(flat, self._weights, sums)
        if self.mask is None:
            sums[:, 1] = np.nan
        self.virtual[scan_indices] = sums

    def _set_weights(self) -> None:
        """Virtual detectors of the present beam and ring."""
        shape = self.info.detector_shape
        ring = self.mask.ring if self.mask else np.zeros(shape, np.bool_)
        self._weights = detector_weights(shape, self._beam_or_fail().radius_px + 1.0, ring)

    def _mask_is_due(self) -> bool:
        if self.mask is None or self.source is None:
            return False
        frozen = self._n_mask >= MASK_FROZEN_SHARE * self.info.n_positions
        return not frozen and self.n >= MASK_GROWTH * self._n_mask and self.can_read_again()

    def _decide_mask(self, same_from: float = 1.0) -> bool:
        """Choose ring and feature pixels from the statistics so far; True where features changed.

        A mask whose features overlap with the present ones by `same_from` or more is not worth reading every
        pattern again.
        """
        mean, variance = self.mean_and_variance()
        manual = self.overrides
        self.auto_mask = self._mask_for(mean, variance, Overrides())
        mask = self.auto_mask if manual == Overrides(k=manual.k) else self._mask_for(mean, variance, manual)
        self._n_mask = self.n
        if self.mask is not None:
            if self.source is None or _overlap(mask.features, self.mask.features) >= same_from:
                return False
        self.mask = mask
        self._set_weights()
        self.features = np.empty((self.info.n_positions, len(mask.pixels)), np.float32)
        waiting, self._waiting = self._waiting, []
        if waiting:
            first = 0
            for flat, scan_indices in waiting:
                last = first + len(flat)
                gather_features(flat, mask.pixels, self.features[first:last])
                self._virtual(flat, scan_indices)
                first = last
        else:
            self._extract_again()
        self.clusters.rebase(self.features[: self.n])
        return True

    def _mask_for(
        self, mean: NDArray[np.float64], variance: NDArray[np.float64], manual: Overrides
    ) -> FeatureMask:
        shift = float(np.nanmax(np.abs(self.centres_yx - self._reference_yx), initial=0.0))
        mask = self.settings.mask
        return decide_mask(
            mean,
            variance,
            self._beam_or_fail().radius_px,
            usable_radius(self.info.detector_shape, shift, mask.border_px),
            mask.inner_px if manual.inner is None else manual.inner,
            mask.outer_px if manual.outer is None else manual.outer,
            mask.threshold if manual.threshold is None else manual.threshold,
            min(mask.max_features, MAX_LIVE_FEATURES),
        )

    def _extract_again(self) -> None:
        """Features and dark field of all patterns so far under the new mask, from the recording."""
        if self.source is None or self.mask is None:
            return
        shape = self.info.detector_shape
        raw = np.empty((BATCH_FRAMES, *shape), self.info.dtype)
        for first in range(0, self.n, BATCH_FRAMES):
            last = min(first + BATCH_FRAMES, self.n)
            positions = self.order[first:last]
            size = last - first
            clean_frames(
                self.source.read_positions(positions, raw),
                self._max_bad,
                self._clean[:size],
                self._n_bad[:size],
            )
            aligned = self._aligned[:size]
            align_frames(self._clean[:size], self.centres_yx[positions], self._reference_yx, aligned)
            flat = aligned.reshape(size, -1)
            gather_features(flat, self.mask.pixels, self.features[first:last])
            self._virtual(flat, positions)


def _overlap(features: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    """Share of the pixels of either mask that are in both."""
    either = np.count_nonzero(features | others)
    return np.count_nonzero(features & others) / either if either else 1.0
