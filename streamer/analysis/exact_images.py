"""Real-space images of detector pixels at every scan position, where they fit into memory (momentum.exact)."""

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.passes import Arrays, Block, Cancel, PassJob, run_job
from streamer.analysis.preprocess import Aligned
from streamer.cluster.elbow import SAMPLE_SIZE
from streamer.cluster.pixels import lit_pixels
from streamer.errors import SettingsError
from streamer.formats.scan_file import ScanFile
from streamer.kernels.frame_pass import FramePass, FramePlan, frame_plan
from streamer.kernels.mask import usable_radius
from streamer.settings import AnalysisSettings


def bytes_needed(n_positions: int, n_pixels: int) -> int:
    """Memory that clustering exact images takes at most.

    The images and, while a node is divided, a copy of its own; a sample of them, centred, in both precisions.
    """
    return n_positions * (2 * 4 * n_pixels + 16 * min(n_pixels, SAMPLE_SIZE))


def refuse_too_large(scan: ScanFile, aligned: Aligned, settings: AnalysisSettings) -> None:
    """Raise SettingsError where exact images would take more than `momentum.exact_gib`."""
    limit = usable_radius(scan.info.detector_shape, aligned.largest_shift_px, settings.mask.border_px)
    n_pixels = len(lit_pixels(aligned.mean, limit))
    needed = bytes_needed(int(aligned.usable.sum()), n_pixels) / 2**30
    if needed > settings.momentum.exact_gib:
        raise SettingsError(
            f"Exact images of {n_pixels} detector pixels at {int(aligned.usable.sum())} positions take up to "
            f"{needed:.3g} GiB, more than momentum.exact_gib = {settings.momentum.exact_gib:g}. Raise it where there "
            "is so much memory, take a region (--roi), or leave --exact away. The scan is unchanged."
        )


def exact_images(
    scan: ScanFile,
    aligned: Aligned,
    pixels: NDArray[np.int64],
    settings: AnalysisSettings,
    executor: Executor,
    cancel: Cancel,
) -> NDArray[np.float32]:
    """Images (n_pixels, n_usable) less their means, in one more pass over the file.

    Parameters
    ----------
    pixels
        (n_pixels,) ascending flat indices of the detector pixels wanted.
    """
    shape = scan.info.detector_shape
    plan = frame_plan(
        aligned.beam, shape, settings.alignment.max_iterations, aligned.look.defects, measure=False
    )
    job = ImagesJob(shape, plan, pixels, aligned.centres_yx, aligned.usable)
    images = run_job(scan, job, executor, lambda fraction: None, cancel).arrays["images"]
    images -= images.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
    return images


@dataclass(frozen=True)
class ImagesJob(PassJob):
    """The intensity of some pixels in every usable aligned pattern; `centres_yx`, `usable` (n, ...) by position."""

    shape: tuple[int, int]
    plan: FramePlan
    pixels: NDArray[np.int64]
    centres_yx: NDArray[np.float64]
    usable: NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Positions."""
        return len(self.usable)

    @cached_property
    def _column_of(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.usable)])

    def rooms(self, with_kept: bool = True) -> Arrays:
        """`images` (n_pixels, n_usable)."""
        return {"images": np.empty((len(self.pixels), int(self._column_of[-1])), np.float32)}

    def span(self, name: str, start: int, stop: int) -> Any:
        """See `PassJob`."""
        return np.s_[:, int(self._column_of[start]) : int(self._column_of[stop])]

    def part(self, start: int, stop: int) -> Self:
        """See `PassJob`."""
        return replace(self, centres_yx=self.centres_yx[start:stop], usable=self.usable[start:stop])

    def step(self, block: Block, out: Arrays, sums: Arrays) -> None:
        """See `PassJob`."""
        frame_pass = FramePass(self.shape, self.plan, pixels=self.pixels, room=block.room)
        found = frame_pass.outcome(len(block.positions))
        found.centres_yx[:] = self.centres_yx[block.positions]
        frame_pass.run(block.frames, found)
        usable = self.usable[block.positions]
        if usable.any():
            # Usable positions that follow each other have columns that do.
            first = self._column_of[block.positions[usable][0]]
            out["images"][:, first : first + int(usable.sum())] = found.features[usable].T
