"""Files of other programs: NPY, HDF5 of many kinds, DECTRIS masters, and what RosettaSciIO reads."""

import json
import sys

import h5py
import numpy as np
import pytest

from streamer.cli.main import run
from streamer.errors import FileFormatError, SettingsError
from streamer.formats.find_scans import find_scans
from streamer.formats.open_scan import open_scan, opened_with
from streamer.formats.record_scan import RecordScan
from streamer.formats.scan_file import ScanFile
from tests.other_files import write_dectris, write_hspy, write_mib
from tests.simulated import simulate

SHAPE = (5, 7, 24, 32)
N = SHAPE[0] * SHAPE[1]


@pytest.fixture
def data():
    return np.random.default_rng(0).poisson(40, SHAPE).astype(np.uint16)


def check(path, data, **told):
    """Every way to read gives `data`; the open scan's description."""
    frames = data.reshape(-1, *data.shape[2:])
    with open_scan(path, **told) as scan:
        assert isinstance(scan, ScanFile)
        assert (scan.info.scan_shape, scan.info.detector_shape) == (data.shape[:2], data.shape[2:])
        out = np.empty((len(frames), *data.shape[2:]), scan.info.dtype)
        for start, stop in (
            (0, len(frames)),
            (3, 20),
            (7, 14),
            (5, 8),
            (6, 7),
            (len(frames) - 2, len(frames)),
        ):
            out[:] = 7
            np.testing.assert_array_equal(scan.read_block(start, stop, out), frames[start:stop])
        chosen = np.array([33, 1, 2, 12])
        np.testing.assert_array_equal(scan.read_positions(chosen, out), frames[chosen])
        np.testing.assert_array_equal(scan.pattern(4, 6), data[4, 6])
        mark = scan.checksum()
        with open_scan(path, **opened_with(scan.info.metadata)) as again:
            assert again.checksum() == mark
        return scan


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i2", "<f8", "<f2", "<u4", "|u1", "?"])
def test_npy_of_any_numbers(tmp_path, data, dtype):
    np.save(tmp_path / "a.npy", data.astype(dtype))
    info = check(tmp_path / "a.npy", data.astype(dtype)).info
    assert info.dtype == {"<u2": "uint16", ">u2": "uint16", "<u4": "uint32", "|u1": "uint8"}.get(
        dtype, "float32"
    )


def test_frames_in_a_row_need_a_shape_and_what_is_missing_is_marked(tmp_path, data):
    np.save(tmp_path / "a.npy", data.reshape(N, 24, 32))
    with pytest.raises(FileFormatError, match=r"35 frames one after the other .* --scan-shape Y,X"):
        open_scan(tmp_path / "a.npy")
    check(tmp_path / "a.npy", data, scan_shape=(5, 7))
    longer = np.concatenate([data, np.zeros((1, *SHAPE[1:]), np.uint16)])
    scan = check(tmp_path / "a.npy", longer, scan_shape=(6, 7))
    np.testing.assert_array_equal(scan.received.sum(axis=1), [7, 7, 7, 7, 7, 0])
    with pytest.raises(FileFormatError, match="35 frames, more than a scan of 3 x 7"):
        open_scan(tmp_path / "a.npy", scan_shape=(3, 7))


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"chunks": (2, 3, 24, 32)},
        {"chunks": (1, 7, 24, 32), "compression": "gzip"},
        {"dtype": ">f8"},
        "bitshuffle",
    ],
    ids=["contiguous", "chunked", "gzip", "float64 of the other order", "bitshuffle"],
)
def test_hdf5_however_it_is_stored(tmp_path, data, layout):
    if layout == "bitshuffle":
        import hdf5plugin

        layout = {"chunks": (2, 3, 24, 32), **hdf5plugin.Bitshuffle()}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["note"] = "not a scan"
        file["image"] = np.zeros((24, 32))
        file.create_dataset("some/where", data=data, **layout)
    scan = check(tmp_path / "a.h5", data)
    assert scan.info.metadata["dataset"] == "/some/where"
    # What stands in the file as it is in memory is read without HDF5, by several threads at once.
    assert isinstance(scan, RecordScan) == ("chunks" not in layout)


def test_of_several_datasets_one_is_named(tmp_path, data, capsys):
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        file["a/data"], file["b/data"], file["stack"] = data, data[:, :, ::-1], data.reshape(N, 24, 32)
        file["b/again"] = h5py.SoftLink("/b/data")
    assert run(["inspect", str(path)]) == 6
    said = capsys.readouterr().err
    assert "2 4D datasets: /stack (35 x 24 x 32); /a/data (5 x 7 x 24 x 32); /b/data" in said
    assert "--dataset" in said
    check(path, data, dataset="a/data")
    check(path, data[:, :, ::-1], dataset="/b/data")
    check(path, data[:, :, ::-1], dataset="b/again")
    check(path, data, dataset="stack", scan_shape=(5, 7))
    with pytest.raises(
        SettingsError, match=r"no dataset c/data of three or four axes\. Expected one of: /stack"
    ):
        open_scan(path, dataset="c/data")
    with pytest.raises(SettingsError, match=r"has 5 x 7 \(y, x\) positions, not 7 x 5"):
        open_scan(path, dataset="a/data", scan_shape=(7, 5))


@pytest.mark.parametrize("kind", ["EMD", "NeXus"])
def test_scales_beside_the_data_are_taken(tmp_path, data, kind):
    steps = ((3.0, "nm"), (2.0, "nm"), (0.02, "A^-1"), (0.02, "Å⁻¹"))
    names = [f"dim{number}" for number in range(4)] if kind == "EMD" else ["y", "x", "ky", "kx"]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("cube")
        group["data"] = data
        group.attrs.update(
            {"emd_group_type": "array"} if kind == "EMD" else {"NX_class": "NXdata", "axes": names}
        )
        for name, (step, unit), size in zip(names, steps, SHAPE, strict=True):
            group[name] = np.arange(size if kind == "NeXus" else 2) * step
            group[name].attrs["units"] = unit
    info = check(tmp_path / "a.h5", data).info
    assert info.metadata["format"] == kind
    assert info.metadata["scales_from"] == "axes of /cube/data"
    assert info.calibration.scan_step_yx_nm == pytest.approx((3.0, 2.0))
    assert (info.calibration.q_source, info.calibration.q_per_px_inv_nm) == ("file", pytest.approx(0.2))
    assert info.calibration.angle_per_px_mrad is None  # without a voltage nobody knows it


def test_a_file_of_hyperspy_says_its_scales(tmp_path, data):
    calibration = check(write_hspy(tmp_path / "a.hspy", data), data).info.calibration
    assert (calibration.voltage_v, calibration.camera_length_m) == (200e3, 0.3)
    assert calibration.scan_step_yx_nm == (3.0, 2.0)
    assert calibration.q_per_px_inv_nm == pytest.approx(0.2)
    assert calibration.angle_per_px_mrad == pytest.approx(0.2 * 2.5079e-3 * 1e3, rel=1e-4)


def test_virtual_and_linked_data_are_read_and_said_to_be_missing(tmp_path, data):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["d"] = data
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["entry/d"] = h5py.ExternalLink("data.h5", "d")
    layout = h5py.VirtualLayout(SHAPE, np.uint16)
    layout[:] = h5py.VirtualSource("data.h5", "d", shape=SHAPE)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("d", layout)
    for name in ("linked.h5", "virtual.h5"):
        check(tmp_path / name, data)
    (tmp_path / "data.h5").unlink()
    for name in ("linked.h5", "virtual.h5"):
        with pytest.raises(FileFormatError, match=r"data\.h5"):
            open_scan(tmp_path / name)


def test_a_dectris_master_with_its_data_files_and_mask(tmp_path, data):
    mask = np.zeros((24, 32), bool)
    mask[11:13], mask[3, 5] = True, True
    frames = data.reshape(N, 24, 32).astype(np.uint32)
    frames[:, mask] = np.iinfo(np.uint32).max  # what such a detector sends there
    path = write_dectris(tmp_path, frames, mask=mask, scan=(5, 7))
    info = check(path, np.where(mask, 0, data)).info  # the shape: a trigger a line
    assert (info.metadata["format"], info.metadata["masked_pixels"], info.dwell_s) == (
        "DECTRIS master",
        65,
        0.001,
    )
    (tmp_path / "s_data_000002.h5").unlink()
    with pytest.raises(FileFormatError, match=r"s_data_000002\.h5 cannot be opened"):
        open_scan(path)


def test_an_aborted_dectris_scan_is_partial(tmp_path, data):
    path = write_dectris(tmp_path, data.reshape(N, 24, 32), n_written=2)
    with pytest.raises(FileFormatError, match="24 frames one after the other"):
        open_scan(path)
    expected = data.copy()
    expected.reshape(N, 24, 32)[24:] = 0
    scan = check(path, expected, scan_shape=(5, 7))
    assert scan.received.sum() == 24
    assert scan.info.metadata["data_files_missing"] == 1


def test_merlins_mib_through_rosettasciio(tmp_path, data):
    path = write_mib(tmp_path / "a.mib", data.reshape(N, 24, 32), per_line=7)
    assert check(path, data).info.metadata["format"] == "QuantumDetector (RosettaSciIO)"
    longer = np.concatenate([data, np.zeros((1, *SHAPE[1:]), np.uint16)])
    assert check(path, longer, scan_shape=(6, 7)).received.sum() == N


def test_without_the_extra_a_sentence_says_what_to_install(tmp_path, data, monkeypatch, capsys):
    path = write_mib(tmp_path / "a.mib", data.reshape(N, 24, 32), per_line=7)
    monkeypatch.setitem(sys.modules, "rsciio", None)
    assert run(["inspect", str(path)]) == 6
    said = capsys.readouterr().err
    assert "RosettaSciIO" in said
    assert "pip install 'livestem[files]'" in said
    with h5py.File(tmp_path / "a.h5", "w") as file:
        chunks = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        chunks.set_chunk((1, 7, 24, 32))
        chunks.set_filter(32767, h5py.h5z.FLAG_OPTIONAL, ())  # a filter that nobody has
        h5py.h5d.create(file.id, b"d", h5py.h5t.NATIVE_UINT16, h5py.h5s.create_simple(SHAPE), chunks)
    assert run(["inspect", str(tmp_path / "a.h5")]) == 6
    assert "compressed with filter 32767" in capsys.readouterr().err


def test_any_size_of_detector_is_analysed_and_repeated(tmp_path, capsys):
    scan = simulate(tmp_path, (12, 16))
    frames = scan.frames.reshape(12, 16, 128, 128)[:, :, 13:114, 5:122]
    path, out = tmp_path / "a.h5", tmp_path / "a.result.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("cut", data=frames.reshape(192, 101, 117), chunks=(16, 101, 117))
        file["other"] = frames[:, :, ::-1]
    told = ["--dataset", "cut", "--scan-shape", "12,16", "--levels", "1", "--no-momentum", "--no-manifold"]
    assert run(["analyze", str(path), "--out", str(out), *told]) == 0
    assert run(["analyze", str(scan.raw), *told[4:]]) == 0
    capsys.readouterr()
    from streamer import open_result

    result, whole = open_result(out), open_result(scan.raw.with_suffix(".result.h5"))
    assert result.arrays["mask/mean_pattern"].shape == (101, 117)
    np.testing.assert_array_equal(result.label_maps[0], whole.label_maps[0])
    assert run(["analyze", "--from", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same_labels"] is True


@pytest.mark.parametrize(
    "shape", [(5, 7, 8, 8), (5, 7, 24, 5000), (0, 7, 24, 32), (5, 24), (2, 5, 7, 24, 32)]
)
def test_what_is_no_scan_is_refused(tmp_path, shape):
    np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, shape)
    with pytest.raises(FileFormatError, match="Expected scan_y x scan_x x det_y x det_x"):
        open_scan(tmp_path / "a.npy")


def test_what_says_its_shape_is_not_told_one(tmp_path):
    scan = simulate(tmp_path, (5, 7))
    with pytest.raises(SettingsError, match="Leave --dataset and --scan-shape"):
        open_scan(scan.raw, scan_shape=(7, 5))
    assert run(["inspect", str(scan.raw), "--scan-shape", "7x5"]) == 2


def test_a_folder_means_the_scans_in_it(tmp_path, data):
    scans = [write_dectris(tmp_path, data.reshape(N, 24, 32)), write_hspy(tmp_path / "a.hspy", data)]
    np.save(tmp_path / "scan.npy", data)
    np.save(tmp_path / "mask.npy", data[0, 0])
    with h5py.File(tmp_path / "no_scan.h5", "w") as file:
        file["labels"] = data[..., 0]
    (tmp_path / "damaged.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    assert set(find_scans((tmp_path,))) == {*scans, tmp_path / "scan.npy", tmp_path / "damaged.h5"}
