"""What the first two passes do to every block: see `streamer.analysis.preprocess`."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.passes import Arrays, Block, PassJob
from streamer.cluster.tables import new_table
from streamer.kernels.frame_pass import FramePass, FramePlan, detectors_of
from streamer.kernels.virtual import VirtualDetectors


@dataclass(frozen=True)
class AlignJob(PassJob):
    """Centres and residuals of the direct beam, moments of the aligned patterns about `near_mean`."""

    n_positions: int
    shape: tuple[int, int]
    plan: FramePlan
    near_mean: NDArray[np.float64]

    @property
    def n(self) -> int:
        """Positions."""
        return self.n_positions

    def rooms(self, with_kept: bool = True) -> Arrays:
        """`centres` and `residual` (n, 2)."""
        return {name: np.full((self.n, 2), np.nan) for name in ("centres", "residual")}

    def part(self, start: int, stop: int) -> Self:
        """See `PassJob`."""
        return replace(self, n_positions=stop - start)

    def sums(self) -> Arrays:
        """`moments` (2, n_pixels): of the differences and of their squares."""
        return {"moments": np.zeros((2, self.shape[0] * self.shape[1]))}

    def step(self, block: Block, out: Arrays, sums: Arrays) -> None:
        """See `PassJob`."""
        frame_pass = FramePass(self.shape, self.plan, self.near_mean, room=block.room)
        found = frame_pass.outcome(len(block.positions), with_residual=True)
        frame_pass.run(block.frames, found, sums["moments"])
        out["centres"][block.positions] = found.centres_yx
        out["residual"][block.positions] = found.residual_yx


@dataclass(frozen=True)
class ExtractJob(PassJob):
    """Feature vectors of the usable patterns, virtual images, sums of patches of neighbours.

    Attributes
    ----------
    centres_yx, usable, patches
        (n, ...) by position.
    """

    shape: tuple[int, int]
    plan: FramePlan
    weights: NDArray[np.float32]
    pixels: NDArray[np.int64]
    scale: NDArray[np.float32]
    centres_yx: NDArray[np.float64]
    usable: NDArray[np.bool_]
    patches: NDArray[np.int64]
    band_rows: int
    kept: str = "features"

    @property
    def n(self) -> int:
        """Positions."""
        return len(self.usable)

    @cached_property
    def _row_of(self) -> NDArray[np.int64]:
        """(n + 1,) usable positions before each."""
        return np.concatenate([[0], np.cumsum(self.usable)])

    @cached_property
    def _detectors(self) -> VirtualDetectors:
        return detectors_of(self.weights, self.shape)

    def rooms(self, with_kept: bool = True) -> Arrays:
        """`features` (n_usable, n_features), `virtual` (n, m) NaN where not usable, `binned` (n_patches, n_pixels)."""
        n_patches = int(self.patches.max() - self.patches.min()) + 1
        features = new_table(int(self._row_of[-1]), len(self.pixels)) if with_kept else None
        return ({} if features is None else {"features": features}) | {
            "virtual": np.full((self.n, len(self.weights)), np.nan, np.float32),
            "binned": np.zeros((n_patches, self.shape[0] * self.shape[1]), np.float32),
        }

    def span(self, name: str, start: int, stop: int) -> Any:
        """See `PassJob`; chunks hold whole bands of patches, which follow each other."""
        if name == "features":
            return slice(int(self._row_of[start]), int(self._row_of[stop]))
        if name == "binned":
            own = self.patches[start:stop]
            return slice(int(own.min()), int(own.max()) + 1)
        return slice(start, stop)

    def part(self, start: int, stop: int) -> Self:
        """See `PassJob`."""
        own = slice(start, stop)
        return replace(
            self, centres_yx=self.centres_yx[own], usable=self.usable[own], patches=self.patches[own]
        )

    def step(self, block: Block, out: Arrays, sums: Arrays) -> None:
        """See `PassJob`."""
        frame_pass = FramePass(
            self.shape,
            self.plan,
            detectors=self._detectors,
            pixels=self.pixels,
            room=block.room,
            scale=self.scale,
        )
        found = frame_pass.outcome(len(block.positions))
        found.centres_yx[:] = self.centres_yx[block.positions]
        bins = self.patches[block.positions] - self.patches[0]
        frame_pass.run(block.frames, found, binned=out["binned"], bins=bins)
        out["virtual"][block.positions] = found.virtual
        usable = self.usable[block.positions]
        out["features"][self._row_of[block.positions[usable]]] = found.features[usable]
