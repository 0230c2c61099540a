"""Scan files that other programs write, opened here: the same numbers, and the scales that they state."""

import numpy as np
import pytest

from streamer.formats.open_scan import open_scan

HOW_TO = "is not installed here; `make interop` has it in one of its environments"
SHAPE = (5, 7, 24, 32)


@pytest.fixture
def data():
    return np.random.default_rng(0).poisson(40, SHAPE).astype(np.uint16)


def check(path, data):
    with open_scan(path) as scan:
        assert (scan.info.scan_shape, scan.info.detector_shape) == (data.shape[:2], data.shape[2:])
        out = np.empty((35, *data.shape[2:]), scan.info.dtype)
        np.testing.assert_array_equal(scan.read_block(3, 30, out), data.reshape(35, *data.shape[2:])[3:30])
        return scan.info


@pytest.mark.filterwarnings("default")  # HyperSpy's own, on import and saving
def test_a_signal_of_hyperspy_and_pyxem(data, tmp_path):
    pytest.importorskip("hyperspy.api", reason=f"HyperSpy {HOW_TO}")
    signals = pytest.importorskip("pyxem.signals", reason=f"pyxem {HOW_TO}")
    signal = signals.ElectronDiffraction2D(data)
    signal.set_diffraction_calibration(0.02)  # 1/Å
    signal.set_scan_calibration(2.0)
    signal.metadata.set_item("Acquisition_instrument.TEM.beam_energy", 200.0)
    signal.save(str(tmp_path / "a.hspy"))
    info = check(tmp_path / "a.hspy", data)
    assert info.metadata["format"] == "HyperSpy"
    assert (info.calibration.voltage_v, info.calibration.scan_step_yx_nm) == (200e3, (2.0, 2.0))
    assert info.calibration.q_per_px_inv_nm == pytest.approx(0.2)


def test_a_datacube_of_py4dstem(data, tmp_path):
    py4dstem = pytest.importorskip("py4DSTEM", reason=f"py4DSTEM {HOW_TO}")
    cube = py4dstem.DataCube(data=data.astype(np.float32))
    cube.calibration.set_R_pixel_size(2.0)
    cube.calibration.set_R_pixel_units("nm")
    cube.calibration.set_Q_pixel_size(0.02)
    cube.calibration.set_Q_pixel_units("A^-1")
    py4dstem.save(str(tmp_path / "a.h5"), cube)
    info = check(tmp_path / "a.h5", data)
    assert info.metadata["format"] == "EMD"
    assert info.calibration.scan_step_yx_nm == pytest.approx((2.0, 2.0))
    assert info.calibration.q_per_px_inv_nm == pytest.approx(0.2)
