import numpy as np
import pytest

from streamer.kernels import mask

SHAPE = (48, 64)


def soft_disk(centre_yx, radius):
    y, x = np.indices(SHAPE)
    return (1 / (1 + np.exp(4 * (np.hypot(y - centre_yx[0], x - centre_yx[1]) - radius)))).astype(np.float32)


@pytest.mark.parametrize("radius", [3.0, 4.6])
def test_direct_beam_is_found_far_from_the_middle(radius):
    beam = mask.find_direct_beam(1000 * soft_disk((17.3, 40.8), radius) + 1)
    assert beam.centre_yx == pytest.approx((17.3, 40.8), abs=0.05)
    assert beam.radius_px == pytest.approx(radius, abs=0.3)


def test_a_disk_radius_given_by_hand_wins():
    assert mask.find_direct_beam(1000 * soft_disk((20, 30), 3.0), radius_px=5.0).radius_px == 5.0


def test_radial_mean_of_a_cone_is_the_radius():
    reference = mask.reference_centre(SHAPE)
    cone = mask.radius_map(SHAPE, reference)
    np.testing.assert_allclose(mask.radial_mean(cone, reference)[2:], np.arange(2, 24), atol=0.3)


def test_ring_begins_where_the_direct_beams_fluctuation_stops_falling():
    radius = np.arange(40.0)
    radial_std = 100 * np.exp(-radius / 3) + 5 * np.exp(-(((radius - 20) / 4) ** 2))
    inner, outer = mask.choose_ring(radial_std, 3.0, 30.0)
    assert 8 <= inner <= 14
    assert outer == 30.0


N_PATTERNS = 20_000
EVERYWHERE = np.ones(SHAPE, bool)
SIGNAL = np.arange(1000, 1040)


def statistics(signal_px, signal_std, mean=2.0):
    """Shot noise of variance `mean` everywhere, and a little more scatter as a finite number of patterns has."""
    rng = np.random.default_rng(0)
    means = np.full(SHAPE, mean)
    variance = means * (1 + 0.01 * rng.standard_normal(SHAPE))
    variance.ravel()[signal_px] += signal_std**2
    means += rng.standard_normal(SHAPE) * np.sqrt(mean / N_PATTERNS)
    return means, variance


def test_published_rule_is_used_where_noise_does_not_pass_it():
    means, variance = statistics(SIGNAL, 20.0)
    found, share, rule = mask.choose_features(means, variance, N_PATTERNS, EVERYWHERE, 500, None)
    assert rule == "std"
    assert share == 0.30
    assert set(np.flatnonzero(found)) == set(SIGNAL)


def test_spots_and_what_varies_are_used_where_noise_comes_near_the_published_threshold():
    means, variance = statistics(SIGNAL, 2.0)
    spots = np.zeros(SHAPE, bool)
    spots[5:9, 40:45] = True
    means[spots] *= 1.5
    variance[spots] *= 1.5
    found, _, rule = mask.choose_features(means, variance, N_PATTERNS, EVERYWHERE, 500, None)
    assert rule == "spots"
    assert set(np.flatnonzero(found)) == set(SIGNAL) | set(np.flatnonzero(spots))


def test_a_smooth_halo_has_no_spots():
    y, x = np.indices(SHAPE)
    means, variance = statistics(SIGNAL, 2.0)
    halo = np.exp(-(((np.hypot(y - 24, x - 32) - 15) / 8) ** 2))
    rule = mask.choose_features(means + halo, variance + halo, N_PATTERNS, EVERYWHERE, 500, None)[2]
    assert rule == "excess"


def test_excess_over_shot_noise_is_used_where_noise_alone_would_pass():
    means, variance = statistics(SIGNAL, 1.5)
    found, _, rule = mask.choose_features(means, variance, N_PATTERNS, EVERYWHERE, 500, None)
    assert rule == "excess"
    assert set(np.flatnonzero(found)) == set(SIGNAL)


def test_pure_noise_is_not_chosen_by_its_own_fluctuation():
    means, variance = statistics([], 0.0)
    means = 2 + np.linspace(0, 1, means.size).reshape(SHAPE) * 1e-3
    found, _, rule = mask.choose_features(means, variance, N_PATTERNS, EVERYWHERE, 500, None)
    assert rule == "brightest"
    assert found.sum() == 500
    assert found.ravel()[-400:].all()


def test_a_threshold_by_hand_is_followed_and_the_cap_keeps_the_strongest():
    means, variance = statistics(SIGNAL, 10.0)
    variance.ravel()[SIGNAL[:10]] += 500
    found, share, rule = mask.choose_features(means, variance, N_PATTERNS, EVERYWHERE, 10, 0.2)
    assert (share, rule) == (0.2, "std")
    assert set(np.flatnonzero(found)) == set(SIGNAL[:10])


@pytest.mark.parametrize("rule", ["std", "excess"])
def test_a_rule_by_hand_is_followed(rule):
    means, variance = statistics(SIGNAL, 20.0)
    found, _, used = mask.choose_features(means, variance, N_PATTERNS, EVERYWHERE, 500, None, rule)
    assert used == rule
    assert set(np.flatnonzero(found)) == set(SIGNAL)


def test_features_scaled_by_their_noise_scatter_alike():
    means = np.array([4.0, 400.0, 90.0, 0.0])
    scale = mask.noise_scale(means)
    scatter = scale[:3] * np.sqrt(means[:3])
    np.testing.assert_allclose(scatter, scatter[0], rtol=1e-6)
    # A pixel that is dark throughout would count without bound.
    assert scale[3] == pytest.approx(scale[0])
    assert np.median(1 / scale) == pytest.approx(1.0, rel=0.5)
    assert mask.noise_scale(np.zeros(3)).tolist() == [1, 1, 1]
