"""What the analysis finds in specimens other than the junction; sizes as small as their features allow."""

import numpy as np
import pytest

from simulators import cross_section, nanoprism
from simulators.truth import many_to_one_accuracy
from streamer import analyze, open_scan
from streamer.settings import analysis_settings
from tests.simulated import simulate


def analyzed(tmp_path_factory, name, shape=(64, 80), **named):
    scan = simulate(tmp_path_factory.mktemp(name), shape, name, **named)
    with open_scan(scan.raw) as opened:
        return scan, analyze(opened)


@pytest.fixture(scope="module")
def prism(tmp_path_factory):
    return analyzed(tmp_path_factory, "nanoprism")


def test_the_weak_direct_beam_of_a_thick_prism_is_followed(prism):
    scan, result = prism
    assert result.array_attrs["alignment"]["remark"] == ""
    error = result.arrays["alignment/com_yx"].reshape(-1, 2) - scan.maker.centres_yx
    assert np.abs(error).max() < 0.3


def test_prism_film_and_both_sides_of_the_contour_are_found(prism):
    scan, result = prism
    specimen, finest = scan.specimen, result.label_maps[-1]
    inside = specimen.phase == nanoprism.PRISM
    assert many_to_one_accuracy(result.label_maps[1], specimen.phase, max_clusters=8) >= 0.99
    assert many_to_one_accuracy(finest, specimen.ripple_region, inside) >= 0.97
    tilt = specimen.tilt_yx_rad[inside] @ (np.sin(nanoprism.BEND_AXIS_RAD), np.cos(nanoprism.BEND_AXIS_RAD))
    within = [tilt[finest[inside] == leaf] for leaf in np.unique(finest[inside])]
    unexplained = (
        sum(((part - part.mean()) ** 2).sum() for part in within) / ((tilt - tilt.mean()) ** 2).sum()
    )
    assert unexplained < 0.05
    assert len(np.unique(finest[~inside])) <= 2


def test_the_prisms_lattice_is_that_of_silver(prism):
    scan, result = prism
    inside = scan.specimen.phase == nanoprism.PRISM
    constant = result.arrays["lattice/constant_nm"]
    assert np.isnan(constant[~inside]).all()
    # The two-dimensional cell along [111]: a / sqrt(6).
    assert np.nanmean(constant[inside]) == pytest.approx(nanoprism.LATTICE_A / 10 / np.sqrt(6), rel=2e-3)
    assert np.isfinite(constant[inside]).mean() > 0.98


def test_dark_fields_of_conjugate_disks_show_the_two_sides_of_the_contour(tmp_path_factory):
    spot = nanoprism.silver().basis_yx[0] * 19.687 / 0.52  # {220} in px
    virtual = [
        {"name": "g", "spots_yx": [spot], "radius_px": 3.5},
        {"name": "minus_g", "spots_yx": [-spot], "radius_px": 3.5},
        {"name": "both", "spots_yx": [spot], "radius_px": 3.5, "conjugate": True},
    ]
    scan = simulate(tmp_path_factory.mktemp("dark-fields"), (32, 40), "nanoprism")
    off = {"enabled": False}
    with open_scan(scan.raw) as opened:
        arrays = analyze(
            opened, analysis_settings({"virtual": virtual, "momentum": off, "lattice": off})
        ).arrays
    np.testing.assert_allclose(
        arrays["virtual/both"], arrays["virtual/g"] + arrays["virtual/minus_g"], rtol=1e-3
    )
    assert arrays["virtual/g_mask"].sum() == pytest.approx(np.pi * 3.5**2, rel=0.02)
    inside = scan.specimen.phase == nanoprism.PRISM
    side = scan.specimen.ripple_region == 1
    brighter = arrays["virtual/minus_g"] > arrays["virtual/g"]
    assert (brighter == side)[inside].mean() > 0.9


def test_flakes_and_stripes_of_the_superlattice_are_found(tmp_path_factory):
    scan, result = analyzed(tmp_path_factory, "superlattice", (80, 96))
    specimen, labels = scan.specimen, result.label_maps
    assert many_to_one_accuracy(labels[0], specimen.flake) >= 0.98
    assert many_to_one_accuracy(labels[1], specimen.phase, max_clusters=8) >= 0.98
    assert len(np.unique(labels[-1][specimen.flake < 0])) <= 2
    crystal = specimen.flake >= 0
    off = (result.arrays["lattice/rotation_rad"] - specimen.rotation_rad)[crystal]
    around = np.exp(6j * off[np.isfinite(off)])  # a hexagonal lattice is the same after 60 degrees
    spread = np.angle(around / around.mean()) / 6
    assert len(around) > 0.99 * crystal.sum()
    assert spread.std() < np.deg2rad(0.1)


def test_momentum_space_shows_every_orientation_and_the_twin(tmp_path_factory):
    scan, result = analyzed(tmp_path_factory, "cross-section")
    images = result.arrays["momentum/images"].reshape(len(result.momentum_nodes), -1)
    best = {}
    for kind in (
        cross_section.SUBSTRATE,
        cross_section.GRAIN_1,
        cross_section.GRAIN_2,
        cross_section.TWIN,
    ):
        truth = (scan.specimen.phase == kind).ravel()
        match = [np.corrcoef(image, truth)[0, 1] for image in images]
        best[kind] = int(np.argmax(match))
        assert max(match) >= 0.9, kind
    assert len(set(best.values())) == 4
    # A wedge, but no stripes of the alignment: neighbours in a region differ by noise alone.
    bright, own = result.arrays["virtual/bright_field"], scan.specimen.phase == cross_section.SUBSTRATE
    centres = scan.maker.centres_yx.reshape(*own.shape, 2)
    rows = np.flatnonzero(own.all(axis=1))
    residual = bright[rows] - bright[rows].mean(axis=1, keepdims=True)
    for axis in range(2):
        fraction = np.mod(centres[rows][..., axis], 1.0)
        for trace in (fraction, np.cos(2 * np.pi * fraction), np.sin(2 * np.pi * fraction)):
            trace = trace - trace.mean(axis=1, keepdims=True)
            assert abs(np.corrcoef(residual.ravel(), trace.ravel())[0, 1]) < 0.15


def test_defects_do_not_disturb_the_map(tmp_path_factory):
    from simulators.detector import Exposure, PatternMaker, write_raw
    from simulators.specimens import make_specimen

    shape = (32, 40)
    exposure = Exposure(60000.0, 3.0, 0, dead_pixels=5, hot_pixels=5, nan_pixels=5, nan_frames=3)
    maker = PatternMaker(make_specimen("junction", shape), exposure)
    raw = tmp_path_factory.mktemp("defects") / f"scan_x{shape[1]}_y{shape[0]}.raw"
    write_raw(maker, raw)
    with open_scan(raw) as opened:
        result = analyze(opened)
    labels = result.label_maps[-1]
    assert np.flatnonzero(labels.ravel() < 0).tolist() == maker.defects.frames.tolist()
    assert many_to_one_accuracy(labels, maker.specimen.phase, labels >= 0) >= 0.99
