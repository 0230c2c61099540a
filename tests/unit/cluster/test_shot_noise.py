from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from streamer import open_scan
from streamer.analysis.passes import Cancel
from streamer.analysis.preprocess import align_scan, choose_mask, extract
from streamer.cluster.shot_noise import FeatureNoise, electron_gain
from streamer.settings import AnalysisSettings
from tests.simulated import simulate


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Film with drift: all that differs from pattern to pattern is noise."""
    scan = simulate(tmp_path_factory.mktemp("noise"), (24, 40), "film", dose=20000.0, drift=3.0)
    settings = AnalysisSettings()
    with open_scan(scan.raw) as opened, ThreadPoolExecutor(2) as executor:
        aligned = align_scan(opened, settings, executor, lambda _: None, Cancel())
        mask = choose_mask(aligned, settings)
        extracted = extract(opened, aligned, mask, settings, executor, lambda _: None, Cancel())
    return scan, aligned, mask, extracted.features


def test_the_gain_is_the_detectors(prepared):
    scan, aligned, _, _ = prepared
    assert electron_gain(aligned.mean, aligned.variance) == pytest.approx(
        scan.specimen.electrons.adu, rel=0.1
    )


def test_noise_along_directions_is_what_features_scatter_by(prepared):
    _, aligned, mask, features = prepared
    y, x = np.divmod(mask.pixels, aligned.mean.shape[1])
    fine = (-1.0) ** (y + x)
    directions = np.stack([np.ones(len(y)), np.sin(y / 9), fine]) * features.mean(axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    told = FeatureNoise(aligned.mean, aligned.variance, mask)(
        directions, features.mean(axis=0, dtype=np.float64)
    )
    seen = ((features - features.mean(axis=0)) @ directions.T).var(axis=0)
    # Neighbouring pixels were resampled together: coarse directions are noisier than fine ones.
    assert seen[0] > 3 * seen[2]
    np.testing.assert_allclose(told[:2], seen[:2], rtol=0.3)
    assert told[2] < 0.3 * told[0]
