"""The live pipeline on simulated frames, without threads or sockets."""

import numpy as np
import pytest

from simulators.truth import many_to_one_accuracy
from streamer import analyze, open_scan
from streamer.cluster.matching import adjusted_rand
from streamer.live.pipeline import LivePipeline, Overrides
from streamer.settings import AnalysisSettings
from tests.simulated import simulate

SHAPE = (24, 32)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("junction"), SHAPE)


@pytest.fixture(scope="module")
def opened(scan):
    with open_scan(scan.raw) as opened:
        yield opened


@pytest.fixture(scope="module")
def frames(scan):
    return scan.frames


def run(opened, frames, order=None, batch=48, source=True, close=True):
    pipeline = LivePipeline(opened.info, AnalysisSettings(), opened if source else None)
    order = np.arange(len(frames)) if order is None else order
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        pipeline.add(frames[rows], rows)
        pipeline.maintain()
    if close:
        pipeline.close()
    return pipeline


@pytest.fixture(scope="module")
def finished(opened, frames):
    return run(opened, frames)


def test_phases_are_found_live(scan, finished):
    assert many_to_one_accuracy(finished.label_maps()[-1], scan.specimen.phase) >= 0.97


def test_clusters_appear_after_a_part_of_the_scan_and_cover_what_was_seen(scan, opened, frames):
    pipeline = run(opened, frames[:400], close=False)
    maps = pipeline.label_maps()
    seen = pipeline.seen.reshape(SHAPE) > 0
    assert seen.sum() == 400
    assert ((maps >= 0) == seen).all()
    assert many_to_one_accuracy(maps[-1], scan.specimen.phase, seen) >= 0.9


@pytest.mark.parametrize("batch", [1, 7, 128])
def test_statistics_and_centres_do_not_depend_on_batches(opened, frames, finished, batch):
    other = run(opened, frames[:200], batch=batch, close=False)
    same = run(opened, frames[:200], close=False)
    for left, right in zip(other.mean_and_variance(), same.mean_and_variance(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(other.centres_yx[:200], finished.centres_yx[:200], atol=2e-4)


def test_live_and_analysis_agree(opened, finished):
    result = analyze(opened)
    mean, variance = finished.mean_and_variance()
    np.testing.assert_allclose(mean, result.arrays["mask/mean_pattern"], rtol=2e-4, atol=0.5)
    np.testing.assert_allclose(
        np.sqrt(np.maximum(variance, 0)), result.arrays["mask/std_pattern"], rtol=2e-3, atol=0.5
    )
    bright = finished.virtual[:, 0].reshape(SHAPE)
    np.testing.assert_allclose(bright, result.arrays["virtual/bright_field"], rtol=2e-2)
    assert adjusted_rand(finished.label_maps()[-1].ravel(), result.label_maps[1].ravel()) > 0.6


def test_frames_in_any_order_land_in_their_place(scan, opened, frames):
    order = np.random.default_rng(0).permutation(len(frames))
    shuffled = run(opened, frames, order=order)
    assert many_to_one_accuracy(shuffled.label_maps()[-1], scan.specimen.phase) >= 0.97


def test_without_a_recording_the_first_mask_stays(opened, frames):
    early = run(opened, frames[:200], source=False, close=False).mask
    late = run(opened, frames, source=False)
    np.testing.assert_array_equal(early.features, late.mask.features)
    assert (late.label_maps() >= 0).all()


class LaggingRecording:
    """A recording that the recorder has not written yet; reading it then would give zeros."""

    def __init__(self, frames, shape):
        self.frames, self.received, self.is_written = frames, np.zeros(shape, np.uint8), False

    def refresh(self):
        self.received[:] = self.is_written

    def read_positions(self, scan_indices, out):
        assert self.is_written
        out[: len(scan_indices)] = self.frames[scan_indices]
        return out[: len(scan_indices)]


def test_a_mask_is_decided_anew_only_once_all_patterns_can_be_read_again(opened, frames):
    recording = LaggingRecording(frames, SHAPE)
    pipeline = LivePipeline(opened.info, AnalysisSettings(), recording)
    decided = []
    for start in range(0, len(frames), 48):
        recording.is_written = start > 400
        pipeline.add(frames[start : start + 48], np.arange(start, start + 48))
        before = pipeline._n_mask
        pipeline.maintain()
        if pipeline._n_mask != before:
            decided.append((start, recording.is_written))
    assert len(decided) >= 1
    assert all(written for _, written in decided)


def test_features_of_the_past_follow_a_new_mask(opened, frames, finished):
    result_features = finished.features[: finished.n]
    fresh = LivePipeline(opened.info, AnalysisSettings(), opened)
    fresh.mask, fresh.beam, fresh.n = finished.mask, finished.beam, finished.n
    fresh.order[:], fresh.centres_yx[:] = finished.order, finished.centres_yx
    fresh.features = np.empty_like(finished.features)
    fresh._extract_again()
    np.testing.assert_allclose(result_features, fresh.features[: fresh.n], rtol=1e-5, atol=1e-3)


def test_values_by_hand_are_followed_and_given_back(opened, frames):
    pipeline = run(opened, frames)
    found = pipeline.beam.radius_px
    pipeline.override(Overrides(disk=4.5, inner=26.0, outer=50.0, k={"all": 4}))
    assert pipeline.beam.radius_px == 4.5
    assert (pipeline.mask.inner_px, pipeline.mask.outer_px) == (26.0, 50.0)
    assert len(np.unique(pipeline.label_maps()[0])) == 4
    pipeline.override(Overrides())
    assert pipeline.beam.radius_px == found
    np.testing.assert_array_equal(pipeline.mask.features, pipeline.auto_mask.features)
    assert len(np.unique(pipeline.label_maps()[0])) < 4


def test_a_spoilt_frame_is_seen_but_not_labelled(opened, frames):
    spoilt = frames.copy()
    spoilt[5] = np.nan
    pipeline = run(opened, spoilt)
    assert pipeline.seen[5] == 2
    assert (pipeline.label_maps().reshape(2, -1)[:, 5] == -1).all()
    assert np.isfinite(pipeline.mean_and_variance()[0]).all()


def test_mean_patterns_of_clusters_are_close_to_those_of_all_their_members(finished):
    patterns, ids = finished.cluster_patterns()
    nodes = finished.clusters.nodes(finished.n)
    assert ids == [node.id for node in nodes]
    by_arrival = finished.label_maps().reshape(2, -1)[:, finished.order[: finished.n]]
    for node, pattern in zip(nodes[1:], patterns[1:], strict=True):
        members = by_arrival[node.level - 1] == node.id
        assert node.n_patterns == members.sum()
        expected = finished.features[: finished.n][members].mean(axis=0)
        shown = pattern[finished.mask.features]
        assert np.corrcoef(shown, expected)[0, 1] > 0.9


def test_level_2_ids_belong_to_their_parents(finished):
    parents = {node.id: node.parent for node in finished.clusters.nodes(finished.n)}
    first, second = finished.label_maps()
    for parent, child in np.unique(np.stack([first.ravel(), second.ravel()]), axis=1).T.tolist():
        assert child == parent or parents[child] == parent
