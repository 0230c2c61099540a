"""Real-space images of detector pixels at every scan position, where they fit into memory (momentum.exact)."""

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.passes import Block, Cancel, run_pass
from streamer.analysis.preprocess import Aligned
from streamer.cluster.elbow import SAMPLE_SIZE
from streamer.cluster.pixels import lit_pixels
from streamer.errors import SettingsError
from streamer.formats.scan_file import ScanFile
from streamer.kernels.frame_pass import FramePass, frame_plan
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
    images = np.empty((len(pixels), int(aligned.usable.sum())), np.float32)
    column_of = np.cumsum(aligned.usable) - 1
    plan = frame_plan(
        aligned.beam, shape, settings.alignment.max_iterations, aligned.look.defects, measure=False
    )

    def step(_: None, block: Block) -> None:
        frame_pass = FramePass(shape, plan, pixels=pixels, room=block.room)
        out = frame_pass.outcome(len(block.positions))
        out.centres_yx[:] = aligned.centres_yx[block.positions]
        frame_pass.run(block.frames, out)
        usable = aligned.usable[block.positions]
        if usable.any():
            # Usable positions that follow each other have columns that do.
            first = column_of[block.positions[usable][0]]
            images[:, first : first + int(usable.sum())] = out.features[usable].T

    run_pass(scan, lambda: None, step, executor, lambda fraction: None, cancel)
    images -= images.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
    return images
