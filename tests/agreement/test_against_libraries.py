"""Our numbers against scipy's and scikit-learn's on the same data."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.cluster import KMeans

from streamer import analyze, open_scan
from streamer.analysis.passes import Cancel
from streamer.analysis.preprocess import align_scan, choose_mask, extract
from streamer.cluster.agreement import adjusted_rand
from streamer.cluster.lloyd import kmeans
from streamer.settings import AnalysisSettings
from tests.simulated import simulate


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("junction"), (24, 32))


class _Inline:
    """An executor that runs in this thread."""

    def map(self, work, items):
        return map(work, items)


@pytest.fixture(scope="module")
def extracted(scan):
    settings = AnalysisSettings()
    with open_scan(scan.raw) as opened:
        aligned = align_scan(opened, settings, _Inline(), lambda _: None, Cancel())
        mask = choose_mask(aligned, settings)
        return aligned, mask, extract(opened, aligned, mask, settings, _Inline(), lambda _: None, Cancel())


def test_centres_agree_with_scipys_centre_of_mass_about_them(scan, extracted):
    aligned, _, _ = extracted
    frames = scan.frames
    y, x = np.indices((128, 128))
    for i in range(0, len(frames), 97):
        centre = aligned.centres_yx[i]
        near = np.clip(aligned.beam.window_px + 0.5 - np.hypot(y - centre[0], x - centre[1]), 0, 1)
        np.testing.assert_allclose(ndimage.center_of_mass(frames[i] * near), centre, atol=2e-4)


def test_resampling_agrees_with_scipys_spline_shift_but_for_its_blur(scan, extracted):
    """Blurring scipy's cubic-spline shift by the resampler's second moment gives our pattern, on a noiseless disk."""
    aligned, _, _ = extracted
    from streamer.kernels.align import BLUR_PX2, align_frames

    pattern = ndimage.gaussian_filter(scan.maker.expected(100).astype(np.float64), 1.0).astype(np.float32)
    centre = aligned.centres_yx[100:101]
    ours = np.empty((1, 128, 128), np.float32)
    align_frames(pattern[None], centre, np.array([63.5, 63.5]), ours)
    theirs = ndimage.shift(pattern.astype(np.float64), 63.5 - centre[0], order=3)
    theirs = ndimage.gaussian_filter(theirs, np.sqrt(BLUR_PX2))
    inside = np.s_[8:-8, 8:-8]
    assert np.abs(ours[0][inside] - theirs[inside]).max() < 0.02 * theirs[inside].max()


def test_inertia_is_within_a_thousandth_of_scikit_learns_best_of_ten(extracted):
    features = extracted[2].features
    for k in (2, 3, 5):
        ours = kmeans(features, k, np.random.default_rng(0))
        theirs = KMeans(k, n_init=10, random_state=0).fit(features)
        assert ours.inertia <= theirs.inertia_ * 1.001
        if k == 3:
            assert adjusted_rand(ours.labels, theirs.labels_) > 0.99


def test_mean_and_std_agree_with_numpys_over_the_aligned_patterns(scan, extracted):
    aligned, _, _ = extracted
    from streamer.kernels.align import align_frames

    patterns = np.empty_like(scan.frames)
    align_frames(scan.frames, aligned.centres_yx, np.array([63.5, 63.5]), patterns)
    np.testing.assert_allclose(aligned.mean, patterns.mean(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(
        np.sqrt(aligned.variance), patterns.std(axis=0, dtype=np.float64), rtol=1e-5, atol=1e-3
    )


def test_the_result_holds_the_same_statistics(scan, extracted):
    with open_scan(scan.raw) as opened:
        result = analyze(opened)
    np.testing.assert_array_equal(result.arrays["mask/features"], extracted[1].features)
