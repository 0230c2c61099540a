from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from streamer.cluster import lloyd, seeding
from streamer.cluster.agreement import adjusted_rand
from streamer.cluster.elbow import choose_k


def blobs(n=3000, k=3, n_features=60, distance=1.2, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    centres = distance * rng.standard_normal((k, n_features))
    return (centres[truth] + rng.standard_normal((n, n_features))).astype(np.float32), truth


@pytest.mark.parametrize("k", [2, 3, 5])
def test_kmeans_finds_separate_groups_in_descending_size(k):
    features, truth = blobs(k=k)
    found = lloyd.kmeans(features, k, np.random.default_rng(1))
    assert adjusted_rand(found.labels, truth) > 0.99
    assert (np.diff(found.counts) <= 0).all()
    np.testing.assert_array_equal(found.counts, np.bincount(found.labels, minlength=k))


def test_inertia_labels_and_centroids_belong_together():
    features, _ = blobs()
    found = lloyd.kmeans(features, 3, np.random.default_rng(1))
    distances = ((features - found.centroids[found.labels]) ** 2).sum()
    assert found.inertia == pytest.approx(float(distances), rel=1e-5)
    for label in range(3):
        np.testing.assert_allclose(
            found.centroids[label], features[found.labels == label].mean(axis=0), atol=1e-3
        )


def test_one_cluster_is_the_mean():
    features, _ = blobs(n=100)
    found = lloyd.kmeans(features, 1, np.random.default_rng(1))
    np.testing.assert_allclose(found.centroids[0], features.mean(axis=0), atol=1e-5)
    assert (found.labels == 0).all()


def test_threads_do_not_change_a_bit():
    features, _ = blobs(n=5000, distance=0.3)
    alone = lloyd.kmeans(features, 4, np.random.default_rng(2))
    with ThreadPoolExecutor(3) as executor:
        together = lloyd.kmeans(features, 4, np.random.default_rng(2), executor)
    np.testing.assert_array_equal(alone.labels, together.labels)
    np.testing.assert_array_equal(alone.centroids, together.centroids)
    assert alone.inertia == together.inertia


def test_refine_keeps_the_order_of_the_centroids_it_is_given():
    features, truth = blobs()
    means = lloyd.group_means(features, truth.astype(np.int32), 3)
    order = [2, 0, 1]
    found = lloyd.refine(features, means[order])
    np.testing.assert_allclose(found.centroids, means[order], atol=0.1)


def test_principal_components_match_the_singular_vectors():
    features, _ = blobs(n=400, k=4, n_features=30)
    scores, axes = seeding.principal_components(features, 3, np.random.default_rng(0))
    centred = features - features.mean(axis=0)
    expected = np.linalg.svd(centred.astype(np.float64), full_matrices=False)[2][:3]
    np.testing.assert_allclose(np.abs(np.sum(axes * expected, axis=1)), 1, atol=1e-3)
    np.testing.assert_allclose(scores, centred @ axes.T, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_pure_noise_is_one_cluster(seed):
    features = np.random.default_rng(seed).poisson(3, (2000, 200)).astype(np.float32)
    assert choose_k(features, 8, np.random.default_rng(seed)).k == 1


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_separate_groups_are_counted(k, seed):
    features, _ = blobs(n=2000, k=k, seed=seed)
    assert choose_k(features, 8, np.random.default_rng(seed)).k == k


def test_the_elbow_curve_falls_and_begins_at_the_total():
    features, _ = blobs(n=1000)
    elbow = choose_k(features, 6, np.random.default_rng(0))
    total = ((features - features.mean(axis=0)) ** 2).sum()
    assert elbow.wss[0] == pytest.approx(float(total), rel=0.02)
    assert elbow.wss[2] < elbow.wss[1] < elbow.wss[0]
    np.testing.assert_array_equal(elbow.k_values, np.arange(1, 7))


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_a_handful_of_vectors_is_one_cluster(n):
    features = np.random.default_rng(0).standard_normal((n, 7)).astype(np.float32)
    assert choose_k(features, 8, np.random.default_rng(0)).k == 1


def test_constant_features_are_one_cluster():
    assert choose_k(np.ones((500, 9), np.float32), 8, np.random.default_rng(0)).k == 1
