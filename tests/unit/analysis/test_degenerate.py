"""Scans at the edge of what makes sense: a sensible result, or one clear sentence."""

import numpy as np
import pytest

from streamer import analyze, open_scan
from streamer.errors import FileFormatError
from tests.simulated import simulate


def raw_of(frames, folder):
    n_y, n_x = frames.shape[:2]
    raw = folder / f"scan_x{n_x}_y{n_y}.raw"
    records = np.zeros((n_y * n_x, 130, 128), "<f4")
    records[:, :128] = frames.reshape(-1, 128, 128)
    records.tofile(raw)
    return raw


def analyzed(frames, folder):
    with open_scan(raw_of(frames, folder)) as opened:
        return analyze(opened)


def poisson(shape, mean=4.0, seed=0):
    return np.random.default_rng(seed).poisson(mean, (*shape, 128, 128)).astype(np.float32)


def test_pure_noise_is_one_cluster_and_its_centre_is_kept(tmp_path):
    result = analyzed(poisson((20, 24)), tmp_path)
    assert len(np.unique(result.label_maps[-1])) == 1
    assert "No direct beam was found" in result.array_attrs["alignment"]["remark"]
    assert np.isnan(result.arrays["lattice/rotation_rad"]).all()


def test_a_single_crystal_is_one_cluster_with_one_lattice(tmp_path):
    maker = simulate(tmp_path, (24, 30), "nanoprism").maker
    expected = maker.expected(int(np.flatnonzero(maker.specimen.phase.ravel())[40])).astype(np.float64)
    frames = np.random.default_rng(0).poisson(expected, (16, 20, 128, 128)).astype(np.float32)
    (tmp_path / "one").mkdir()
    result = analyzed(frames, tmp_path / "one")
    assert len(np.unique(result.label_maps[-1])) == 1
    assert np.isfinite(result.arrays["lattice/rotation_rad"]).all()
    assert np.rad2deg(result.arrays["lattice/rotation_rad"].std()) < 0.2


@pytest.mark.parametrize("value", [1e-3, 7.0])
def test_constant_frames_are_one_cluster(tmp_path, value):
    result = analyzed(np.full((8, 10, 128, 128), value, np.float32), tmp_path)
    assert len(np.unique(result.label_maps[-1])) == 1


def test_zeros_alone_are_room_that_was_never_written(tmp_path):
    with pytest.raises(FileFormatError, match="80 records of zeros alone"):
        analyzed(np.zeros((8, 10, 128, 128), np.float32), tmp_path)
