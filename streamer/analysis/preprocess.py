"""Two streaming passes: align and statistics, then features and virtual images (method, parts 1 and 2)."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.passes import Cancel, frames_within, run_job
from streamer.analysis.preprocess_jobs import AlignJob, ExtractJob
from streamer.cluster.vectors import Vectors
from streamer.errors import FileFormatError, SettingsError
from streamer.formats.scan_file import ScanFile
from streamer.kernels.first_look import FirstLook, look_at_sample
from streamer.kernels.frame_pass import frame_plan
from streamer.kernels.mask import (
    DirectBeam,
    FeatureMask,
    decide_mask,
    detector_weights,
    radius_map,
    reference_centre,
    usable_radius,
)
from streamer.settings import AnalysisSettings, MaskSettings, VirtualDetector

_SAMPLE_FRAMES, _SAMPLE_BYTES = 256, 256 << 20
_PATCH_BYTES = 512 << 20


@dataclass(frozen=True)
class Aligned:
    """Outcome of the first pass.

    Attributes
    ----------
    look
        What a sample of raw frames says: the direct beam, hot and dead pixels.
    centres_yx, residual_yx
        (n, 2) px: measured direct beam; what is left of it after resampling. NaN where not usable.
    usable
        (n,) bool.
    mean, variance
        (det_y, det_x) float64 over the usable aligned patterns.
    """

    look: FirstLook
    centres_yx: NDArray[np.float64]
    residual_yx: NDArray[np.float64]
    usable: NDArray[np.bool_]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    @property
    def beam(self) -> DirectBeam:
        """The direct beam of the sample."""
        return self.look.beam

    @property
    def largest_shift_px(self) -> float:
        """Largest distance, along an axis, that a pattern was moved."""
        reference = reference_centre((self.mean.shape[0], self.mean.shape[1]))
        return float(np.nanmax(np.abs(self.centres_yx - reference), initial=0.0))


@dataclass(frozen=True)
class Extracted:
    """Outcome of the second pass.

    Attributes
    ----------
    features
        (n_usable, n_features) float32, in scan order of the usable positions; a table of vectors where other
        processes hold them.
    virtual
        (n, 2 + m) float32: bright field, annular dark field, those of the settings; NaN where not usable.
    weights
        (2 + m, n_pixels) float32: what they are made with.
    binned
        (n_bins, n_pixels) float32: sum of the aligned patterns of each patch of neighbouring positions.
    bin_counts
        (n_bins,) int64 patterns in each.
    """

    features: NDArray[np.float32] | Vectors
    virtual: NDArray[np.float32]
    weights: NDArray[np.float32]
    binned: NDArray[np.float32]
    bin_counts: NDArray[np.int64]


def look_at_scan(scan: ScanFile, settings: AnalysisSettings) -> FirstLook:
    """The first look at a sample of raw frames spread over the scan.

    Raises
    ------
    FileFormatError
        No position holds a usable pattern.
    """
    stored = np.flatnonzero(scan.received.ravel())
    n_sampled = frames_within(scan.info.detector_shape, _SAMPLE_BYTES, min(_SAMPLE_FRAMES, len(stored)))
    rows = np.unique(stored[np.linspace(0, max(len(stored) - 1, 0), n_sampled).astype(int)])
    shape = (len(rows), *scan.info.detector_shape)
    raw = scan.read_positions(rows, np.empty(shape, scan.info.dtype))
    look = look_at_sample(
        raw, settings.alignment.disk_radius_px, settings.alignment.centre_yx, settings.alignment.follow
    )
    if look is None:
        raise FileFormatError(
            f"{scan.path} holds no usable pattern: {len(stored)} of {scan.info.n_positions} positions are stored, "
            "none of those sampled is finite. Expected at least one. Check the detector's output."
        )
    return look


def align_scan(
    scan: ScanFile,
    settings: AnalysisSettings,
    executor: Executor,
    progress: Callable[[float], None],
    cancel: Cancel,
) -> Aligned:
    """First pass: the direct beam of every pattern, and mean and variance of the aligned patterns."""
    look = look_at_scan(scan, settings)
    shape = scan.info.detector_shape
    plan = frame_plan(look.beam, shape, settings.alignment.max_iterations, look.defects)
    job = AlignJob(scan.info.n_positions, shape, plan, look.aligned_mean.ravel())
    found = run_job(scan, job, executor, progress, cancel)
    sum_1, sum_2 = found.total("moments")
    centres = found.arrays["centres"]
    usable = np.isfinite(centres[:, 0])
    count = max(int(usable.sum()), 1)
    mean_difference = sum_1 / count
    mean = (job.near_mean.astype(np.float32) + mean_difference).reshape(shape)
    # Rounding can leave a pixel that never changes a little below zero.
    variance = np.maximum(sum_2 / count - mean_difference**2, 0.0).reshape(shape)
    return Aligned(look, centres, found.arrays["residual"], usable, mean, variance)


def choose_mask(aligned: Aligned, settings: AnalysisSettings) -> FeatureMask:
    """Ring and feature pixels from the statistics; the settings' values by hand win.

    Raises
    ------
    SettingsError
        No pixel lies within the ring that was set by hand.
    """
    manual = settings.mask
    mask = _decided(aligned, manual, aligned.beam.radius_px)
    if not mask.ring.any() and (manual.inner_px, manual.outer_px) != (None, None):
        raise SettingsError(
            f"No detector pixel lies between {mask.inner_px:g} and {mask.outer_px:g} px from the direct beam. Expected "
            "an inner radius below the outer one, both within the detector. Correct mask.inner_px or mask.outer_px "
            "(--inner, --outer). The scan is unchanged."
        )
    return mask


def automatic_mask(aligned: Aligned, settings: AnalysisSettings) -> FeatureMask:
    """What `choose_mask` gives without ring, threshold, rule, weighting and disk radius set by hand."""
    return _decided(aligned, untouched_mask(settings), aligned.look.automatic_radius_px)


def untouched_mask(settings: AnalysisSettings) -> MaskSettings:
    """The mask's settings with everything that has an automatic choice left to it."""
    return MaskSettings(max_features=settings.mask.max_features, border_px=settings.mask.border_px)


def _decided(aligned: Aligned, mask: MaskSettings, disk_radius_px: float) -> FeatureMask:
    shape = (aligned.mean.shape[0], aligned.mean.shape[1])
    return decide_mask(
        aligned.mean,
        aligned.variance,
        int(aligned.usable.sum()),
        disk_radius_px,
        usable_radius(shape, aligned.largest_shift_px, mask.border_px),
        mask.inner_px,
        mask.outer_px,
        mask.threshold,
        mask.max_features,
        mask.rule,
        mask.weighting,
    )


def patch_side(scan_shape: tuple[int, int], n_bins: int, detector_shape: tuple[int, int]) -> int:
    """Side, in scan positions, of the square patches of which there are at most about `n_bins`.

    Fewer where the patterns of so many, beyond 362 x 362 pixels for 1024, would take more than `_PATCH_BYTES`.
    """
    n_bins = frames_within(detector_shape, _PATCH_BYTES, n_bins)
    return max(1, int(np.ceil(np.sqrt(scan_shape[0] * scan_shape[1] / n_bins))))


def patch_index(scan_shape: tuple[int, int], side: int) -> NDArray[np.int64]:
    """Index of the patch of neighbours that each position belongs to, (n,)."""
    y, x = np.indices(scan_shape)
    patches = (y // side) * -(-scan_shape[1] // side) + x // side
    return patches.ravel().astype(np.int64)


def extract(
    scan: ScanFile,
    aligned: Aligned,
    mask: FeatureMask,
    settings: AnalysisSettings,
    executor: Executor,
    progress: Callable[[float], None],
    cancel: Cancel,
) -> Extracted:
    """Second pass: feature vectors, virtual images, and real-space images of all pixels in patches."""
    shape = scan.info.detector_shape
    weights = np.concatenate(
        [
            detector_weights(shape, aligned.beam.radius_px + 1.0, mask.ring),
            *(aperture_weights(shape, detector)[None] for detector in settings.virtual),
        ]
    )
    side = patch_side(scan.info.scan_shape, settings.momentum.n_bins, shape)
    patches = patch_index(scan.info.scan_shape, side)
    plan = frame_plan(
        aligned.beam, shape, settings.alignment.max_iterations, aligned.look.defects, measure=False
    )
    job = ExtractJob(
        shape, plan, weights, mask.pixels, mask.scale, aligned.centres_yx, aligned.usable, patches, side
    )
    found = run_job(scan, job, executor, progress, cancel).arrays
    counts = np.bincount(patches, weights=aligned.usable).astype(np.int64)
    return Extracted(found["features"], found["virtual"], weights, found["binned"], counts)


def aperture_weights(detector_shape: tuple[int, int], detector: VirtualDetector) -> NDArray[np.float32]:
    """Weights (n_pixels,) of a virtual detector on the aligned pattern; rims of disks fall off over one pixel.

    Raises
    ------
    SettingsError
        Its mask cannot be read, or is not of this detector.
    """
    if detector.mask is not None:
        return _mask_from_file(detector_shape, Path(detector.mask))
    centre = reference_centre(detector_shape)
    spots = np.array(detector.spots_yx)
    if detector.conjugate:
        spots = np.concatenate([spots, -spots])
    radius_px = detector.radius_px or 0.0  # never missing beside spots: the settings see to it
    rims = [radius_px + 0.5 - radius_map(detector_shape, centre + spot) for spot in spots]
    return np.clip(np.max(rims, axis=0), 0.0, 1.0).astype(np.float32).ravel()


def _mask_from_file(detector_shape: tuple[int, int], path: Path) -> NDArray[np.float32]:
    try:
        mask = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no .npy file"
        raise SettingsError(
            f"The mask {path} cannot be read: {reason}. Expected an array of {detector_shape[0]} x "
            f"{detector_shape[1]} weights (.npy). Correct the path of the virtual detector. The scan is unchanged."
        ) from None
    is_right = isinstance(mask, np.ndarray) and mask.shape == detector_shape and mask.dtype.kind in "biuf"
    if not is_right or not np.isfinite(mask).all():
        raise SettingsError(
            f"The mask {path} holds {getattr(mask, 'dtype', type(mask).__name__)} values of shape "
            f"{getattr(mask, 'shape', ())}. Expected finite numbers of shape {detector_shape}, the detector's. "
            "Choose a mask made on this detector. The scan is unchanged."
        )
    return mask.astype(np.float32).ravel()
