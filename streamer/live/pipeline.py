"""THE list of steps that a batch of frames goes through while the scan runs. No thread, no socket, no clock.

    bad pixels -> direct beam -> align -> statistics, sketch -> virtual images -> features -> labels

The first frames wait in a bounded buffer until the direct beam, and then the mask, can be decided. What takes
longer than a batch (mask, clusters, apertures) is a `Revision`: made here when it is due, worked on anywhere,
adopted here. Without a recording the first mask stays, and images of apertures begin where they were found.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.sketch import PixelSketch
from streamer.kernels.align import align_frames
from streamer.kernels.clean import clean_frames
from streamer.kernels.first_look import look_at_sample
from streamer.kernels.frame_pass import FramePass, Measured, make_room
from streamer.kernels.mask import radial_mean, reference_centre
from streamer.kernels.stats import accumulate_by_label
from streamer.live.clusters import LiveClusters
from streamer.live.overrides import Overrides
from streamer.live.revision import BLOCK_FRAMES, LiveModel, PatternSource, Revision, Statistics
from streamer.live.start_model import StartModel
from streamer.model import ClusterNode, ScanInfo
from streamer.settings import AnalysisSettings

FIRST_BEAM_FRAMES = 32
MASK_GROWTH = 1.4
MASK_FROZEN_SHARE = 1.0 / 3.0
PIXELS_GROWTH = 4.0
SKETCH_BINS = 256
RESERVOIR_SIZE = 512


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
    start_model
        Clusters of a finished result that label this scan; None: found in this scan.

    Attributes
    ----------
    seen
        (n_positions,) uint8: 0 not analysed, 1 analysed, 2 analysed but spoilt by bad pixels.
    centres_yx
        (n_positions, 2) px, NaN where unknown.
    virtual
        (n_positions, 2) float32: bright field, annular dark field; NaN where unknown.
    apertures
        (n_positions, m) float32: inner products with the m momentum-space clusters.
    n
        Number of usable patterns so far; rows [0, n) of `order` and `features` are theirs, by arrival.
    """

    def __init__(
        self,
        info: ScanInfo,
        settings: AnalysisSettings,
        source: PatternSource | None = None,
        start_model: StartModel | None = None,
    ) -> None:
        n, shape = info.n_positions, info.detector_shape
        self.info, self.settings, self.source = info, settings, source
        self._misfit = ""
        if start_model is not None and start_model.mask.ring.shape != shape:
            self._misfit = (
                f"The model's patterns are {_by(start_model.mask.ring.shape)} px, this scan's {_by(shape)} px: "
                "its clusters are found anew. Restart with the result of a scan of the same detector to use it."
            )
            start_model = None
        self.start_model = start_model
        self.overrides = Overrides()
        self.seen = np.zeros(n, np.uint8)
        self.centres_yx = np.full((n, 2), np.nan)
        self.virtual = np.full((n, 2), np.nan, np.float32)
        self.apertures = np.empty((n, 0), np.float32)
        self.order = np.empty(n, np.int64)
        self.n = 0
        self.model: LiveModel | None = None
        self.features = np.empty((0, 0), np.float32)
        cluster = settings.cluster
        self.clusters = LiveClusters(n, cluster.k_max, cluster.min_patterns, settings.seed)
        self.reservoir = np.empty((RESERVOIR_SIZE, shape[0] * shape[1]), np.float32)
        self.reservoir_rows = np.full(RESERVOIR_SIZE, -1, np.int64)
        self._rng = np.random.default_rng([settings.seed, 1])
        sketch = PixelSketch(info.scan_shape, shape[0] * shape[1], SKETCH_BINS, settings.seed)
        self.statistics = Statistics(
            np.zeros(shape[0] * shape[1]), np.zeros((2, shape[0] * shape[1])), sketch
        )
        self._waiting: list[tuple[NDArray[Any], NDArray[np.int64]]] = []
        self._first_mask_at = int(np.clip(n // 20, min(64, n), 512))
        self._n_mask = self._n_pixels = 0
        self._frame_pass: FramePass | None = None
        self._room = make_room(shape)
        self._followed = Overrides()

    def add(self, frames: NDArray[Any], scan_indices: NDArray[np.int64]) -> None:
        """Take at most `BLOCK_FRAMES` frames (n, det_y, det_x) of scan positions (n,), each new."""
        if self.model is None:
            self._waiting.append((frames.copy(), scan_indices.copy()))
            if sum(len(rows) for _, rows in self._waiting) >= min(FIRST_BEAM_FRAMES, self.info.n_positions):
                self._begin()
            return
        self._take(frames, scan_indices)

    # The heavier steps.

    def is_due(self) -> bool:
        """Whether a revision should be made."""
        if self.model is None or not self.n:
            return False
        if self._asked() or self._mask_is_due():
            return self.can_read_again()
        if self.model.mask is None:
            return False
        return self.clusters.due(self.n) or (self._pixels_are_due() and self.can_read_again())

    def is_asked(self) -> bool:
        """Whether values set by hand wait for a revision that can be made now."""
        return self.n > 0 and self._asked() and self.can_read_again()

    def revise(self, close: bool = False) -> Revision:
        """A revision of everything that is due, to be worked on and then adopted."""
        if self.model is None:
            raise RuntimeError("A revision was asked for before the direct beam was found.")
        by_hand = self._asked()
        beam = replace(self.model.look.beam, radius_px=self.overrides.disk or self.model.look.beam.radius_px)
        remeasure = beam != self.model.beam and self.source is not None
        is_fixed = self.start_model is not None
        clusters = self.clusters.copy()
        clusters.asked = by_hand
        self._followed = replace(self.overrides, k=dict(self.overrides.k))
        statistics = self.statistics
        sketch = statistics.sketch
        follow_pixels = self.settings.momentum.enabled and (close or remeasure or self._pixels_are_due())
        if follow_pixels:
            sketch = sketch.copy()
            self._n_pixels = self.n
        decide_mask = not is_fixed and (close or by_hand or self._mask_is_due())
        if decide_mask:
            self._n_mask = self.n
        return Revision(
            self.info,
            self.settings,
            self._followed,
            replace(self.model, beam=beam),
            clusters,
            Statistics(statistics.near_mean, statistics.moments.copy(), sketch),
            self.order[: self.n],
            self.centres_yx,
            self.features,
            self.source,
            remeasure,
            decide_mask,
            follow_pixels,
            cluster=True,
            close=close,
        )

    def can_adopt(self, revision: Revision) -> bool:
        """Whether patterns that came since can be brought under the revision now."""
        return not revision.was_read or self.can_read_again()

    def adopt(self, revision: Revision) -> None:
        """Put a revision in force; patterns that came since are brought under it."""
        first, last = revision.n, self.n
        self.model, self.clusters = revision.model, revision.clusters
        if revision.remeasure:
            self.statistics, self.centres_yx = revision.statistics, revision.centres_yx
        if revision.was_read and revision.virtual is not None:
            self.features = revision.features
            positions = self.order[:first]
            self.virtual[positions] = revision.virtual[:, :2]
            self.apertures = np.full((self.info.n_positions, revision.n_apertures), np.nan, np.float32)
            self.apertures[positions] = revision.virtual[:, 2:]
        elif revision.n_apertures != self.apertures.shape[1]:
            self.apertures = np.full((self.info.n_positions, revision.n_apertures), np.nan, np.float32)
        self._frame_pass = None
        if last > first:
            if revision.was_read:
                self._take_again(revision, first, last)
            self.clusters.label_new(self.features, first, last)
        if revision.remeasure:
            self._resample_reservoir()

    def maintain(self) -> bool:
        """Make, work on and adopt a revision, where one is due; True where labels may have changed."""
        if not self.is_due():
            return False
        self.adopt(self.revise().work())
        return True

    def close(self, read_again: bool = True) -> None:
        """After the last pattern: everything as the analysis would decide it, all labels up to date.

        Without `read_again` mask and apertures stay as they are, and clusters alone are made anew, unless they have
        settled.
        """
        if not read_again and self.clusters.is_settled and not self._asked():
            return
        if self.model is None and self._waiting:
            self._begin()
        if self.model is not None and self.n:
            if self.model.mask is None:
                self._decide_first_mask()
            revision = self.revise(close=True)
            if not read_again:
                revision.decide_mask = revision.follow_pixels = False
            if not read_again or not self.can_read_again():
                revision.source = None
            self.adopt(revision.work())

    def override(self, overrides: Overrides) -> None:
        """Use other values set by hand; the next revision follows them."""
        self.overrides = overrides

    def can_read_again(self) -> bool:
        """Whether every pattern so far stands in the recording, so that its features can be taken anew.

        The recorder may lag behind: what it has not written yet would be read as zeros.
        """
        if self.source is None:
            return True
        self.source.refresh()
        return bool((self.source.received.ravel()[self.order[: self.n]] > 0).all())

    # What is shown.

    @property
    def remark(self) -> str:
        """What the operator should know of how patterns are centred or labelled; empty: all as usual."""
        return " ".join(part for part in (self.model.look.remark if self.model else "", self._misfit) if part)

    def mean_and_variance(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance (det_y, det_x) of the aligned patterns so far."""
        mean, variance = self.statistics.mean_and_variance(self.n)
        return mean.reshape(self.info.detector_shape), variance.reshape(self.info.detector_shape)

    def radial_std(self) -> NDArray[np.float32]:
        """Rotational mean of the STD against radius in px."""
        std = np.sqrt(self.mean_and_variance()[1])
        return radial_mean(std, reference_centre(self.info.detector_shape)).astype(np.float32)

    def label_maps(self) -> NDArray[np.int32]:
        """Node ids (2, scan_y, scan_x) int32; -1 where no label is yet."""
        maps = np.full((2, self.info.n_positions), -1, np.int32)
        if self.clusters.ready:
            maps[:, self.order[: self.n]] = self.clusters.node_ids(self.n)
        return maps.reshape(2, *self.info.scan_shape)

    def nodes(self) -> tuple[ClusterNode, ...]:
        """The tree, root first."""
        return self.clusters.nodes(self.n)

    def momentum_images(self) -> NDArray[np.float32]:
        """Mean normalised real-space image of every momentum-space cluster, (m, scan_y, scan_x)."""
        momentum = self.model.momentum if self.model else None
        offsets = momentum.offsets if momentum else np.zeros(0, np.float32)
        images = (self.apertures - offsets).T
        return np.ascontiguousarray(images).reshape(-1, *self.info.scan_shape)

    def cluster_patterns(self) -> tuple[NDArray[np.float32], list[int]]:
        """Mean aligned pattern of every node, from a random sample of patterns, and the nodes' ids."""
        nodes = self.nodes()
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

    # Steps.

    def _begin(self) -> None:
        """Look for the direct beam in the frames that waited, then take them."""
        waiting, self._waiting = self._waiting, []
        # Exactly so many, whatever the batches were: centres must not depend on how frames were grouped.
        first = np.concatenate([frames for frames, _ in waiting])[:FIRST_BEAM_FRAMES]
        alignment = self.settings.alignment
        look = look_at_sample(first, alignment.disk_radius_px, alignment.centre_yx, alignment.follow)
        if look is None:  # not one usable frame yet
            for _, scan_indices in waiting:
                self.seen[scan_indices] = 2
            return
        beam = replace(look.beam, radius_px=self.overrides.disk or look.beam.radius_px)
        self.model = LiveModel(look, beam)
        self.statistics.near_mean = look.aligned_mean.ravel()
        if self.start_model is not None:
            mask, self.clusters = self.start_model.begin(self.clusters)
            self._put_mask(replace(self.model, mask=mask, auto_mask=mask))
        for frames, scan_indices in waiting:
            for start in range(0, len(frames), BLOCK_FRAMES):
                rows = slice(start, start + BLOCK_FRAMES)
                self._take(frames[rows], scan_indices[rows])

    def _put_mask(self, model: LiveModel) -> None:
        self.model = model
        n_features = len(model.mask.pixels) if model.mask else 0
        self.features = np.empty((self.info.n_positions, n_features), np.float32)
        self._frame_pass = None

    def _take(self, frames: NDArray[Any], scan_indices: NDArray[np.int64]) -> None:
        """Measure some frames; features and labels once there is a mask."""
        model = self.model
        if model is None:
            raise RuntimeError("Frames were taken before the direct beam was found.")
        if self._frame_pass is None:
            shape, near = self.info.detector_shape, self.statistics.near_mean
            plan = model.plan(self.info, self.settings, measure=True)
            pixels, scale = (model.mask.pixels, model.mask.scale) if model.mask else (None, None)
            self._frame_pass = FramePass(shape, plan, near, model.weights(shape), pixels, self._room, scale)
        first, size = self.n, len(frames)
        sketch = self.statistics.sketch
        out = self._frame_pass.outcome(size)
        if model.mask is not None:
            # Straight to where they belong; rows of frames that turn out not to be usable are closed up below.
            out = out._replace(features=self.features[first : first + size])
        bins, signs = sketch.bins[scan_indices], sketch.signs[scan_indices]
        self._frame_pass.run(frames, out, self.statistics.moments, sketch.sums, bins, signs)
        usable = np.isfinite(out.centres_yx[:, 0])
        self.seen[scan_indices] = np.where(usable, 1, 2)
        self.centres_yx[scan_indices] = out.centres_yx
        self.virtual[scan_indices] = out.virtual[:, :2]
        if model.mask is None:
            self.virtual[scan_indices, 1] = np.nan
        if self.apertures.shape[1]:
            self.apertures[scan_indices] = out.virtual[:, 2:]
        last = first + int(usable.sum())
        if model.mask is not None and last < first + size:
            self.features[first:last] = out.features[usable]
        self.order[first:last] = scan_indices[usable]
        self.n = last
        if last == first:
            return
        self._sample(frames[usable] if last < first + size else frames, first)
        if model.mask is not None:
            self.clusters.label_new(self.features, first, last)
        else:
            self._waiting.append((frames[usable], scan_indices[usable]))
            if self.n >= self._first_mask_at:
                self._decide_first_mask()

    def _decide_first_mask(self) -> None:
        """The first mask, and what it takes of the patterns that waited for it."""
        revision = replace(self.revise(), source=None, decide_mask=True, cluster=False, follow_pixels=False)
        revision.work()
        self._n_mask = self.n
        self._put_mask(revision.model)
        waiting, self._waiting = self._waiting, []
        frame_pass, first = revision.extraction(), 0
        for frames, scan_indices in waiting:
            last = first + len(frames)
            out = frame_pass.outcome(len(frames))
            out.centres_yx[:] = self.centres_yx[scan_indices]
            frame_pass.run(frames, out)
            self.features[first:last], self.virtual[scan_indices] = out.features, out.virtual[:, :2]
            first = last

    def _take_again(self, revision: Revision, first: int, last: int) -> None:
        """Rows [first, last), which came while the revision was worked on, from the recording."""
        if self.source is None:
            return
        room = np.empty((BLOCK_FRAMES, *self.info.detector_shape), self.info.dtype)
        frame_pass = revision.extraction()
        measuring = FramePass(
            self.info.detector_shape,
            revision.model.plan(self.info, self.settings, measure=True),
            self.statistics.near_mean,
            room=frame_pass.room,
        )
        sketch = self.statistics.sketch
        for start in range(first, last, BLOCK_FRAMES):
            positions = self.order[start : min(start + BLOCK_FRAMES, last)]
            frames = self.source.read_positions(positions, room)
            if revision.remeasure:
                found = measuring.outcome(len(positions))
                bins, signs = sketch.bins[positions], sketch.signs[positions]
                measuring.run(frames, found, self.statistics.moments, sketch.sums, bins, signs)
                self.centres_yx[positions] = found.centres_yx
            n = len(positions)
            virtual = np.empty((n, 2 + revision.n_apertures), np.float32)
            out = Measured(
                np.empty(n, np.int64),
                self.centres_yx[positions],
                np.empty((0, 2)),
                virtual,
                self.features[start : start + n],
            )
            frame_pass.run(frames, out)
            self.virtual[positions], self.apertures[positions] = virtual[:, :2], virtual[:, 2:]

    def _sample(self, frames: NDArray[Any], first: int) -> None:
        """Reservoir sampling (Vitter's algorithm R): every pattern has the same chance to be in the sample."""
        rows = np.arange(first, first + len(frames))
        slots = np.where(rows < RESERVOIR_SIZE, rows, self._rng.integers(rows + 1))
        chosen = np.flatnonzero(slots < RESERVOIR_SIZE)
        if len(chosen):
            self._put_in_reservoir(frames[chosen], slots[chosen], rows[chosen])

    def _put_in_reservoir(
        self, frames: NDArray[Any], slots: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> None:
        """Aligned patterns of some frames, each into its slot."""
        if self.model is None:
            return
        shape = self.info.detector_shape
        clean, aligned = np.empty((2, len(frames), *shape), np.float32)
        plan = self.model.plan(self.info, self.settings, measure=False)
        clean_frames(frames, plan.max_bad, plan.defects, clean, np.empty(len(frames), np.int64))
        align_frames(clean, self.centres_yx[self.order[rows]], reference_centre(shape), aligned)
        for slot, row, pattern in zip(slots.tolist(), rows.tolist(), aligned, strict=True):
            self.reservoir[slot], self.reservoir_rows[slot] = pattern.ravel(), row

    def _resample_reservoir(self) -> None:
        """The sampled patterns again, once centres have changed."""
        slots = np.flatnonzero(self.reservoir_rows >= 0)
        if self.source is None or not len(slots):
            return
        rows = self.reservoir_rows[slots]
        by_place = np.argsort(self.order[rows])
        slots, rows = slots[by_place], rows[by_place]
        room = np.empty((len(slots), *self.info.detector_shape), self.info.dtype)
        self._put_in_reservoir(self.source.read_positions(self.order[rows], room), slots, rows)

    def _asked(self) -> bool:
        """Whether values set by hand wait to be followed."""
        return self.model is not None and self.model.mask is not None and self.overrides != self._followed

    def _mask_is_due(self) -> bool:
        if self.model is None or self.model.mask is None or self.source is None or self.start_model:
            return False
        frozen = self._n_mask >= MASK_FROZEN_SHARE * self.info.n_positions
        return not frozen and self.n >= MASK_GROWTH * self._n_mask

    def _pixels_are_due(self) -> bool:
        if not self.settings.momentum.enabled or not self.clusters.ready:
            return False
        return self.n >= PIXELS_GROWTH * max(self._n_pixels, self._first_mask_at / PIXELS_GROWTH)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
