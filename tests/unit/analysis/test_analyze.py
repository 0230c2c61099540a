"""The whole analysis on small simulated files."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from simulators.specimen import Phase
from simulators.truth import many_to_one_accuracy
from streamer import analyze, open_result, open_scan
from streamer.analysis.exact_images import exact_images
from streamer.analysis.passes import Cancel
from streamer.analysis.preprocess import align_scan, choose_mask, extract
from streamer.analysis.result_file import refuse_existing, write_result
from streamer.errors import FileFormatError, ResultError, ScanStopped, SettingsError
from streamer.settings import analysis_settings
from tests.simulated import simulate

SHAPE = (24, 32)
QUICK = {"momentum": {"enabled": False}, "lattice": {"enabled": False}, "manifold": {"method": "none"}}


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("junction"), SHAPE)


@pytest.fixture(scope="module")
def result(scan):
    with open_scan(scan.raw) as opened:
        return analyze(opened)


def test_phases_are_found_and_the_film_is_one_leaf(scan, result):
    phase = scan.specimen.phase
    assert many_to_one_accuracy(result.label_maps[-1], phase) >= 0.99
    assert len(np.unique(result.label_maps[-1][phase == Phase.FILM])) <= 2


def test_alignment_follows_the_true_drift(scan, result):
    error = result.arrays["alignment/com_yx"] - scan.maker.centres_yx.reshape(*SHAPE, 2)
    assert error.std() <= 0.012
    assert abs(error.mean()) <= 0.002
    assert result.array_attrs["alignment"]["std_px"] <= 0.01
    assert result.array_attrs["alignment"]["mean_error_px"] <= 0.01


def test_every_array_of_the_contract_is_there_with_its_shape(result):
    n_nodes, n_momentum = len(result.nodes), len(result.momentum_nodes)
    shapes = {
        "alignment/com_yx": (*SHAPE, 2),
        "alignment/residual_yx": (*SHAPE, 2),
        "mask/mean_pattern": (128, 128),
        "mask/std_pattern": (128, 128),
        "mask/ring": (128, 128),
        "mask/features": (128, 128),
        "virtual/bright_field": SHAPE,
        "virtual/annular_dark_field": SHAPE,
        "hierarchy/labels": (3, *SHAPE),
        "hierarchy/patterns": (n_nodes, 128, 128),
        "momentum/labels": (2, 128, 128),
        "momentum/images": (n_momentum, *SHAPE),
    }
    assert {name: result.arrays[name].shape for name in shapes} == shapes
    assert result.arrays["hierarchy/centroids"].shape == (n_nodes, result.array_attrs["mask"]["n_features"])
    assert set(result.seconds) == {"align", "features", "hierarchy", "momentum", "patterns", "manifold"}


def test_mean_patterns_are_those_of_the_members_and_parents_hold_their_children(result):
    means = result.cluster_patterns
    np.testing.assert_allclose(means[0], result.arrays["mask/mean_pattern"], rtol=1e-4, atol=0.1)
    features = result.arrays["mask/features"]
    scaled = means[:, features] * result.arrays["mask/scale"]
    np.testing.assert_allclose(scaled, result.arrays["hierarchy/centroids"], rtol=1e-3, atol=0.5)


def test_momentum_clusters_show_the_phases(scan, result):
    images = result.arrays["momentum/images"].reshape(len(result.momentum_nodes), -1)
    for kind in Phase:
        is_kind = (scan.specimen.phase == kind).ravel().astype(float)
        best = max(abs(np.corrcoef(image, is_kind)[0, 1]) for image in images[1:])
        assert best > 0.7, kind


def test_exact_and_folded_momentum_space_agree(tmp_path):
    section = simulate(tmp_path, SHAPE, "cross-section")
    found = []
    for momentum in ({"n_bins": 192}, {"exact": True}):
        settings = {**QUICK, "cluster": {"levels": 1}, "momentum": {"levels": 1, **momentum}}
        with open_scan(section.raw) as opened:
            found.append(analyze(opened, analysis_settings(settings)))
    folded, exact = (
        [r.arrays["momentum/images"][node.id].ravel() for node in r.momentum_nodes[1:]] for r in found
    )
    assert len(folded) == len(exact) > 3
    for image in folded:
        assert max(np.corrcoef(image, other)[0, 1] for other in exact) > 0.95
    labels = [r.arrays["momentum/labels"][0] for r in found]
    np.testing.assert_array_equal(labels[0] < 0, labels[1] < 0)
    assert (labels[0] != labels[1]).any()  # shot noise of single positions: not the same computation twice


def test_exact_images_are_the_patterns_themselves_and_have_a_limit(scan, result):
    with open_scan(scan.raw) as opened, ThreadPoolExecutor(2) as executor:
        settings = analysis_settings({"momentum": {"exact": True, "exact_gib": 0.05}})
        aligned = align_scan(opened, settings, executor, lambda fraction: None, Cancel())
        chosen = result.arrays["mask/features"]
        pixels = np.flatnonzero(chosen)
        images = exact_images(opened, aligned, pixels, settings, executor, Cancel())
        mask = choose_mask(aligned, settings)
        patterns = (
            extract(opened, aligned, mask, settings, executor, lambda fraction: None, Cancel()).features
            / mask.scale
        )
        with pytest.raises(SettingsError, match=r"more than momentum\.exact_gib = 0\.05"):
            analyze(opened, settings)
    np.testing.assert_allclose(images, (patterns - patterns.mean(axis=0)).T, rtol=1e-3, atol=0.1)


def test_same_seed_same_labels_whatever_the_number_of_threads(scan, result):
    with open_scan(scan.raw) as opened:
        again = analyze(opened, n_threads=1)
    assert len(result.nodes) > 4
    np.testing.assert_array_equal(again.label_maps, result.label_maps)
    np.testing.assert_array_equal(again.arrays["momentum/labels"], result.arrays["momentum/labels"])
    np.testing.assert_array_equal(again.arrays["hierarchy/centroids"], result.arrays["hierarchy/centroids"])


def test_the_file_gives_back_what_was_written(result, tmp_path):
    path = write_result(result, tmp_path / "a.result.h5")
    again = open_result(path)
    assert again.attrs == result.attrs
    assert again.nodes == result.nodes
    assert again.momentum_nodes == result.momentum_nodes
    assert set(again.arrays) == set(result.arrays)
    for name, values in result.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], values)
    with pytest.raises(SettingsError, match="exists and is not replaced"):
        write_result(result, path)
    assert [item.name for item in tmp_path.iterdir()] == ["a.result.h5"]


def test_values_by_hand_win_and_both_values_are_kept(scan):
    settings = analysis_settings(
        {
            "mask": {"inner_px": 25.0, "outer_px": 54.0, "threshold": 0.5},
            "alignment": {"disk_radius_px": 3.5},
            "cluster": {"levels": 1, "k": {"all": 4}},
            "momentum": {"enabled": False},
        }
    )
    with open_scan(scan.raw) as opened:
        result = analyze(opened, settings)
    mask = result.array_attrs["mask"]
    assert (mask["inner_px"], mask["outer_px"], mask["threshold"]) == (25.0, 54.0, 0.5)
    assert mask["auto"]["inner_px"] != 25.0
    assert mask["auto"]["threshold"] == 0.3
    assert mask["disk_radius_px"] == 3.5
    assert result.nodes[0].k == 4
    assert result.nodes[0].k_auto in (2, 3)
    assert len(result.nodes) == 5
    assert result.label_maps.shape == (1, *SHAPE)
    assert "momentum/labels" not in result.arrays


def test_automatic_values_are_those_of_a_run_without_overrides(scan, result):
    by_hand = {
        "alignment": {"disk_radius_px": 4.5},
        "mask": {"inner_px": 25.0, "rule": "spots", "weighting": "noise"},
        "cluster": {"levels": 1},
        **QUICK,
    }
    with open_scan(scan.raw) as opened:
        changed = analyze(opened, analysis_settings(by_hand))
    assert changed.array_attrs["mask"]["rule"] == "spots"
    assert changed.array_attrs["mask"]["weighting"] == "noise"
    auto, alone = changed.attrs["automatic"], result.attrs["automatic"]
    assert auto["disk_radius_px"] == alone["disk_radius_px"] != 4.5
    assert {name: auto[name] for name in ("inner_px", "outer_px", "threshold", "rule", "weighting")} == {
        name: result.array_attrs["mask"][name]
        for name in ("inner_px", "outer_px", "threshold", "rule", "weighting")
    }
    # The window of the centre of mass was another: the statistics differ in the last digits.
    assert auto["n_features"] == pytest.approx(alone["n_features"], rel=0.02)


@pytest.mark.parametrize("ring", [{"inner_px": 40.0, "outer_px": 30.0}, {"inner_px": 400.0}])
def test_a_ring_without_pixels_is_a_clear_sentence(scan, ring):
    with open_scan(scan.raw) as opened, pytest.raises(SettingsError, match="No detector pixel lies between"):
        analyze(opened, analysis_settings({"mask": ring}))


@pytest.mark.parametrize("dose", [60000.0, 8000.0, 2000.0])
def test_film_alone_is_one_cluster_and_keeps_no_trace_of_the_fraction_of_a_pixel(tmp_path, dose):
    scan = simulate(tmp_path, (40, 56), "film", dose)
    with open_scan(scan.raw) as opened:
        result = analyze(opened)
    assert [node.name for node in result.nodes] == ["all"]
    for name in ("bright_field", "annular_dark_field"):
        image = result.arrays[f"virtual/{name}"].ravel()
        for axis in (0, 1):
            fraction = scan.maker.centres_yx[:, axis] % 1
            for trace in (fraction, np.cos(2 * np.pi * fraction), np.sin(2 * np.pi * fraction)):
                assert abs(np.corrcoef(image, trace)[0, 1]) < 0.1


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 5)])
def test_a_row_a_column_or_a_single_pattern_gives_a_sensible_result(tmp_path, shape):
    scan = simulate(tmp_path, shape)
    with open_scan(scan.raw) as opened:
        result = analyze(opened)
    assert (result.label_maps >= 0).all()
    assert result.nodes[0].n_patterns == shape[0] * shape[1]


def spoil(scan, change):
    records = np.memmap(scan.raw, "<f4", "r+", shape=(scan.maker.n_positions, 130, 128))
    change(records)
    records.flush()


def test_nan_frames_stay_unlabelled_and_nan_pixels_are_mended(tmp_path):
    scan = simulate(tmp_path, SHAPE)

    def change(records):
        records[3] = np.nan
        records[100:104, 5, 6] = np.inf

    spoil(scan, change)
    with open_scan(scan.raw) as opened:
        result = analyze(opened)
    labels = result.label_maps[0].ravel()
    assert (np.flatnonzero(labels < 0) == [3]).all()
    assert np.isnan(result.arrays["virtual/bright_field"].ravel()[3])
    assert np.isfinite(result.cluster_patterns).all()
    assert many_to_one_accuracy(result.label_maps[-1], scan.specimen.phase) >= 0.98


def test_nothing_but_nan_is_said_in_a_sentence(tmp_path):
    scan = simulate(tmp_path, (3, 5))
    spoil(scan, lambda records: records.fill(np.nan))
    with (
        open_scan(scan.raw) as opened,
        pytest.raises(FileFormatError, match="holds no usable pattern: 15 of 15"),
    ):
        analyze(opened)


def test_cancel_ends_it(scan):
    cancel = Cancel()
    cancel.request()
    with open_scan(scan.raw) as opened, pytest.raises(ScanStopped, match="cancelled"):
        analyze(opened, cancel=cancel)


def test_progress_runs_through_the_stages_in_order(scan):
    told = []
    with open_scan(scan.raw) as opened:
        analyze(opened, progress=lambda name, fraction: told.append((name, fraction)))
    names = list(dict.fromkeys(name for name, _ in told))
    assert names == ["align", "features", "hierarchy", "momentum", "patterns", "manifold"]
    assert all(0 <= fraction <= 1 for _, fraction in told)


def test_what_is_no_result_is_refused(tmp_path, scan):
    with pytest.raises(ResultError, match="does not exist"):
        open_result(tmp_path / "missing.h5")
    with pytest.raises(ResultError, match="cannot be read as HDF5"):
        open_result(scan.raw)
    refuse_existing(tmp_path / "free.h5")


def test_a_region_is_analysed_alone_and_keeps_its_place_on_the_map(scan):
    settings = analysis_settings({"roi": [4, 20, 6, 30], "lattice": {"enabled": False}})
    with open_scan(scan.raw) as opened:
        labels = analyze(opened, settings).label_maps
    inside = np.zeros(SHAPE, bool)
    inside[4:20, 6:30] = True
    assert (labels[:, ~inside] == -1).all()
    assert (labels[:, inside] >= 0).all()
    assert many_to_one_accuracy(labels[-1], scan.specimen.phase, inside) >= 0.99


@pytest.mark.parametrize("roi", [[0, 25, 0, 3], [4, 4, 0, 3], [0, 3, 5, 4]])
def test_a_region_beyond_the_scan_is_a_clear_sentence(scan, roi):
    with open_scan(scan.raw) as opened, pytest.raises(SettingsError, match="does not lie within the scan"):
        analyze(opened, analysis_settings({"roi": roi}))
