"""Momentum-space clusters of one scan as virtual apertures of another."""

import numpy as np
import pytest
from click.testing import CliRunner

from streamer import analyze, open_result, open_scan
from streamer.analysis.result_file import write_result
from streamer.cli.export import command
from streamer.errors import SettingsError
from streamer.settings import analysis_settings, load_settings
from tests.simulated import simulate

SHAPE = (24, 36)
OFF = {"lattice": {"enabled": False}, "manifold": {"method": "none"}, "cluster": {"levels": 1}}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    with open_scan(simulate(folder, SHAPE, "cross-section").raw) as scan:
        result = analyze(scan, analysis_settings(OFF))
    return write_result(result, folder / "first.result.h5")


def export(result, folder):
    arguments = [str(result), "--to", "apertures", "--out", str(folder)]
    return CliRunner().invoke(command, arguments, standalone_mode=False)


def test_apertures_show_the_same_image_on_another_scan(first, tmp_path):
    done = export(first, tmp_path / "masks")
    assert done.exception is None
    nodes = open_result(first).momentum_nodes[1:]
    assert len(done.stdout.split()) == len(nodes) + 1 > 4
    settings = load_settings(tmp_path / "masks" / "first.apertures.toml")
    settings = settings.model_copy(update={"lattice": analysis_settings(OFF).lattice})
    with open_scan(simulate(tmp_path, SHAPE, "cross-section", seed=7).raw) as scan:
        other = analyze(scan, settings)
    before = open_result(first)
    for node, detector in zip(nodes, settings.virtual, strict=True):
        assert detector.name == "aperture_" + node.name.replace(".", "_")
        image = other.arrays[f"virtual/{detector.name}"]
        assert image.shape == SHAPE
        expected = before.arrays["momentum/images"][node.id]
        assert np.corrcoef(image.ravel(), expected.ravel())[0, 1] > 0.9, node.name
        mask = other.arrays[f"virtual/{detector.name}_mask"]
        np.testing.assert_array_equal(mask > 0, before.arrays["momentum/labels"][node.level - 1] == node.id)


def test_nothing_is_replaced(first, tmp_path):
    assert export(first, tmp_path).exception is None
    assert isinstance(export(first, tmp_path).exception, SettingsError)


def test_without_momentum_space_it_is_said(tmp_path):
    with open_scan(simulate(tmp_path, (8, 12)).raw) as scan:
        result = analyze(scan, analysis_settings({**OFF, "momentum": {"enabled": False}}))
    path = write_result(result, tmp_path / "a.result.h5")
    with pytest.raises(SettingsError, match="has no momentum-space clusters"):
        raise export(path, tmp_path / "masks").exception or AssertionError("not refused")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"no array", "cannot be read: it is no .npy file"),
        (np.ones((64, 128)), r"float64 values of shape \(64, 128\)"),
        (np.full((128, 128), np.nan), "Expected finite numbers"),
    ],
)
def test_a_mask_of_no_use_is_a_clear_sentence(tmp_path, content, sentence):
    path = tmp_path / "m.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    settings = analysis_settings({**OFF, "virtual": [{"name": "a", "mask": str(path)}]})
    with (
        open_scan(simulate(tmp_path, (3, 5)).raw) as scan,
        pytest.raises(SettingsError, match=sentence),
    ):
        analyze(scan, settings)


@pytest.mark.parametrize(
    "detector",
    [
        {},
        {"spots_yx": [[0, 20]]},
        {"radius_px": 3},
        {"mask": "m.npy", "radius_px": 3},
        {"mask": "m.npy", "spots_yx": [[0, 20]], "radius_px": 3},
    ],
)
def test_a_detector_is_either_disks_or_a_mask(detector):
    with pytest.raises(SettingsError, match="either spots_yx with radius_px, or mask alone"):
        analysis_settings({"virtual": [{"name": "a", **detector}]})
