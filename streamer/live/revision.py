"""The heavier half of the live analysis, worked out beside the stream: mask, clusters, apertures.

A `Revision` is made from the pipeline's state at some number of patterns, worked on by any one thread while
frames go on being measured, and adopted by the pipeline when it is done.
"""

import threading
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.cluster.pixels import MomentumClusters, cluster_pixels
from streamer.cluster.shot_noise import FeatureNoise
from streamer.cluster.sketch import PixelSketch
from streamer.errors import ScanStopped
from streamer.kernels.first_look import FirstLook
from streamer.kernels.frame_pass import FramePass, FramePlan, Measured, frame_plan
from streamer.kernels.mask import (
    DirectBeam,
    FeatureMask,
    decide_mask,
    detector_weights,
    reference_centre,
    usable_radius,
)
from streamer.live.clusters import LiveClusters
from streamer.live.overrides import Overrides
from streamer.model import ScanInfo
from streamer.settings import AnalysisSettings

BLOCK_FRAMES = 128
SAME_MASK = 0.9
"""A mask whose features overlap with the present ones by so much is not worth reading every pattern again."""
MAX_LIVE_FEATURES = 1024
MAX_FEATURE_BYTES = 512 << 20
"""Features of all positions stay in memory, for a moment three times; larger scans get fewer of them."""


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
class Statistics:
    """Running sums over the usable aligned patterns: (2, n_pixels) about `near_mean`, and the sketch."""

    near_mean: NDArray[np.float64]
    moments: NDArray[np.float64]
    sketch: PixelSketch

    def mean_and_variance(self, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance (n_pixels,) over n patterns."""
        difference = self.moments[0] / max(n, 1)
        variance = np.maximum(self.moments[1] / max(n, 1) - difference**2, 0.0)
        return self.near_mean.astype(np.float32) + difference, variance


@dataclass(frozen=True)
class LiveModel:
    """What is decided, in force until the next revision.

    Attributes
    ----------
    look
        What the first frames said.
    beam
        The direct beam in force: the automatic one, or with the radius set by hand.
    mask, auto_mask
        In force, and what the automatic choice says.
    momentum
        Clusters of detector pixels; None before the first.
    """

    look: FirstLook
    beam: DirectBeam
    mask: FeatureMask | None = None
    auto_mask: FeatureMask | None = None
    momentum: MomentumClusters | None = None

    def plan(self, info: ScanInfo, settings: AnalysisSettings, measure: bool) -> FramePlan:
        """The plan for frames."""
        shape, most = info.detector_shape, settings.alignment.max_iterations
        return frame_plan(self.beam, shape, most, self.look.defects, measure)

    def weights(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Virtual detectors: bright field, annular dark field, one for every momentum-space cluster."""
        ring = self.mask.ring if self.mask else np.zeros(shape, np.bool_)
        own = detector_weights(shape, self.beam.radius_px + 1.0, ring)
        return own if self.momentum is None else np.concatenate([own, self.momentum.weights])


@dataclass
class Revision:
    """One piece of work.

    Attributes
    ----------
    order
        (n,) flat scan indices of the patterns it covers, by arrival.
    centres_yx
        (n_positions, 2) px, known for these positions.
    features
        (n, n_features) under the present mask.
    source
        Where patterns are read again; None: the mask stays, and images of apertures begin now.
    remeasure
        Find centres and take statistics anew (the direct beam was set or given back).
    decide_mask, follow_pixels, cluster, close
        What is to be done.

    After `work`: `model`, `clusters`, `statistics` and `centres_yx` are the new ones; `features` and
    `virtual` (n, n_detectors) are new where `was_read`.
    """

    info: ScanInfo
    settings: AnalysisSettings
    overrides: Overrides
    model: LiveModel
    clusters: LiveClusters
    statistics: Statistics
    order: NDArray[np.int64]
    centres_yx: NDArray[np.float64]
    features: NDArray[np.float32]
    source: PatternSource | None
    remeasure: bool = False
    decide_mask: bool = False
    follow_pixels: bool = False
    cluster: bool = True
    close: bool = False
    virtual: NDArray[np.float32] | None = None
    was_read: bool = False

    def __post_init__(self) -> None:
        self.cancelled = threading.Event()

    @property
    def n(self) -> int:
        """Number of patterns covered."""
        return len(self.order)

    def work(self) -> "Revision":
        """Do it; returns itself.

        Raises
        ------
        ScanStopped
            `cancelled` was set.
        """
        if self.remeasure and self.source is not None:
            self._measure_again()
        new_mask = self.decide_mask and self._decide_mask()
        if self.follow_pixels:
            self._cluster_pixels()
        if self.source is not None and (new_mask or self.follow_pixels or self.remeasure):
            self._extract_again()
            if new_mask and not self.close:
                self.clusters.rebase(self.features[: self.n])
        if self.cluster and self.model.mask is not None and self.n:
            self.clusters.k_by_name = self.overrides.k
            if self.close:
                noise = self._noise() if self.settings.cluster.neighbours == "auto" else None
                self.clusters.close(self.features[: self.n], self.order, self.info.scan_shape, noise)
            else:
                self.clusters.maintain(self.features[: self.n])
        return self

    def _noise(self) -> FeatureNoise | None:
        if self.model.mask is None:
            return None
        shape = self.info.detector_shape
        mean, variance = self.statistics.mean_and_variance(self.n)
        return FeatureNoise(mean.reshape(shape), variance.reshape(shape), self.model.mask)

    def _measure_again(self) -> None:
        shape = self.info.detector_shape
        old = self.statistics
        sketch = PixelSketch(
            self.info.scan_shape, shape[0] * shape[1], len(old.sketch.sums), self.settings.seed
        )
        self.statistics = Statistics(old.near_mean, np.zeros_like(old.moments), sketch)
        self.centres_yx = np.full_like(self.centres_yx, np.nan)
        frame_pass = FramePass(shape, self.model.plan(self.info, self.settings, True), old.near_mean)
        for _, positions, frames in self._blocks():
            out = frame_pass.outcome(len(positions))
            bins, signs = sketch.bins[positions], sketch.signs[positions]
            frame_pass.run(frames, out, self.statistics.moments, sketch.sums, bins, signs)
            self.centres_yx[positions] = out.centres_yx

    def _decide_mask(self) -> bool:
        """Choose ring and feature pixels from the statistics so far; True where features changed."""
        auto = self._mask_for(Overrides())
        by_hand = self.overrides != Overrides(k=self.overrides.k)
        mask = self._mask_for(self.overrides) if by_hand else auto
        present = self.model.mask
        same_from = 1.0 if self.close or self.remeasure or by_hand or self._was_by_hand() else SAME_MASK
        if present is not None and (
            self.source is None or _overlap(mask.features, present.features) >= same_from
        ):
            # Nothing to read again; radii that select the same features are still the ones to show.
            is_same = np.array_equal(mask.features, present.features)
            # What is stored was scaled by the present means: new ones count once every pattern is read again.
            scale = mask.scale if is_same and self.close and self.source is not None else present.scale
            mask = replace(mask, scale=scale) if is_same else present
            self.model = replace(self.model, mask=mask, auto_mask=auto)
            is_other = not np.array_equal(mask.ring, present.ring) or scale is not present.scale
            return is_other and self.source is not None
        self.model = replace(self.model, mask=mask, auto_mask=auto)
        return True

    def _was_by_hand(self) -> bool:
        """Whether the mask in force is another than the automatic choice of its time."""
        mask, auto = self.model.mask, self.model.auto_mask
        return mask is not None and auto is not None and not np.array_equal(mask.features, auto.features)

    def _mask_for(self, manual: Overrides) -> FeatureMask:
        shape, mask = self.info.detector_shape, self.settings.mask
        mean, variance = self.statistics.mean_and_variance(self.n)
        most = MAX_FEATURE_BYTES // (4 * self.info.n_positions)
        return decide_mask(
            mean.reshape(shape),
            variance.reshape(shape),
            self.n,
            self.model.beam.radius_px,
            usable_radius(shape, self._largest_shift_px(), mask.border_px),
            mask.inner_px if manual.inner is None else manual.inner,
            mask.outer_px if manual.outer is None else manual.outer,
            mask.threshold if manual.threshold is None else manual.threshold,
            int(max(8, min(mask.max_features, MAX_LIVE_FEATURES, most))),
            mask.rule,
            mask.weighting,
        )

    def _largest_shift_px(self) -> float:
        moved = self.centres_yx[self.order] - reference_centre(self.info.detector_shape)
        return float(np.nanmax(np.abs(moved), initial=0.0))

    def _cluster_pixels(self) -> None:
        shape = self.info.detector_shape
        mean, variance = self.statistics.mean_and_variance(self.n)
        images = self.statistics.sketch.centred(mean, self.order)
        limit = usable_radius(shape, self._largest_shift_px(), self.settings.mask.border_px)
        found = cluster_pixels(images, mean.reshape(shape), variance.reshape(shape), limit, self.settings)
        self.model = replace(self.model, momentum=found)

    def _extract_again(self) -> None:
        """Features and virtual images of all patterns under the new model, from the recording."""
        frame_pass = self.extraction()
        n_features = len(self.model.mask.pixels) if self.model.mask else 0
        if self.features.shape[1] != n_features or not self.close:
            self.features = np.empty((self.info.n_positions, n_features), np.float32)
        self.virtual = np.empty((self.n, 2 + self.n_apertures), np.float32)
        for first, positions, frames in self._blocks():
            last = first + len(positions)
            self.extract(frame_pass, frames, positions, self.features[first:last], self.virtual[first:last])
        self.was_read = True

    @property
    def n_apertures(self) -> int:
        """Momentum-space clusters."""
        return len(self.model.momentum.weights) if self.model.momentum else 0

    def extraction(self) -> FramePass:
        """The pass that takes features and virtual images of frames whose centres are known."""
        mask, shape = self.model.mask, self.info.detector_shape
        plan = self.model.plan(self.info, self.settings, measure=False)
        pixels, scale = (mask.pixels, mask.scale) if mask else (None, None)
        return FramePass(shape, plan, detectors=self.model.weights(shape), pixels=pixels, scale=scale)

    def extract(
        self,
        frame_pass: FramePass,
        frames: NDArray[Any],
        positions: NDArray[np.int64],
        features: NDArray[np.float32],
        virtual: NDArray[np.float32],
    ) -> None:
        """Features and virtual images of some frames, with the centres that are known."""
        n = len(positions)
        out = Measured(np.empty(n, np.int64), self.centres_yx[positions], np.empty((0, 2)), virtual, features)
        frame_pass.run(frames, out)

    def _blocks(self):
        """First row, positions and frames of all patterns covered, by blocks."""
        if self.source is None:
            return
        room = np.empty((BLOCK_FRAMES, *self.info.detector_shape), self.info.dtype)
        for first in range(0, self.n, BLOCK_FRAMES):
            if self.cancelled.is_set():
                raise ScanStopped("The live analysis was stopped; the recording is kept.")
            positions = self.order[first : first + BLOCK_FRAMES]
            yield first, positions, self.source.read_positions(positions, room)


def _overlap(features: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    """Share of the pixels of either mask that are in both."""
    either = np.count_nonzero(features | others)
    return np.count_nonzero(features & others) / either if either else 1.0
