"""Recordings in the programs that people open them with, while they are written and afterwards.

The real packages, no stand-ins: `make interop` installs them into an environment of their own.
"""

import threading
from datetime import datetime

import numpy as np
import pytest

from streamer.formats.recording import create_recording
from streamer.model import Calibration, FinishReason, FrameCounters
from streamer.receive.ring import FrameRing, ReaderPolicy
from streamer.record.recorder import Recorder, SyncMode
from tests.fakes import DETECTOR, SHAPE, make_frames, scan_info

HOW_TO = "is not installed; the extra `interop` has it, or `make interop`"
N_POSITIONS = SHAPE[0] * SHAPE[1]
MISSING = 12
PLACES = np.array([place for place in range(N_POSITIONS) if place != MISSING])
N_BEFORE_LOOKING = 20
# Steps that differ tell the axes apart.
CALIBRATED = Calibration(80e3, 0.6, 0.52, (3.0, 2.0), "nominal")
Q_PER_PX_INV_A = CALIBRATED.q_per_px_inv_nm / 10.0
NOTHING_KNOWN = Calibration()


class Scan:
    """A recorder with its ring, and what should stand in the file."""

    def __init__(self, folder, calibration, dtype):
        info = scan_info(calibration=calibration, dtype=dtype)
        self.frames = make_frames(dtype=dtype)
        self.layout = create_recording(folder, info, {"seed": 0}, datetime(2026, 11, 24, 12, 30, 5))
        self.path = str(self.layout.path)
        self.ring = FrameRing(N_POSITIONS, info.detector_shape, info.dtype)
        self.recorder = Recorder(
            self.layout, self.ring.add_reader("recorder", ReaderPolicy.LOSSLESS), SyncMode.KILL
        )
        self.recorder.start()
        self.written = np.zeros((N_POSITIONS, *DETECTOR), dtype)

    @property
    def expected(self):
        return self.written.reshape(*SHAPE, *DETECTOR)

    def write(self, places):
        n_stored = self.recorder.status.n_stored + len(places)
        self.ring.write(self.frames[places], places, places, 0.0)
        self.written[places] = self.frames[places]
        pause = threading.Event()
        for _ in range(2000):
            if self.recorder.status.n_stored == n_stored:
                return
            pause.wait(0.005)
        raise AssertionError(f"{self.recorder.status.n_stored} of {n_stored} frames were stored")

    def finish(self):
        self.ring.close()
        self.recorder.finish(FinishReason.COMPLETED, FrameCounters(), None)


@pytest.fixture(params=["while it is written", "finished"])
def make_scan(request, tmp_path):
    """A scan with a gap: with 20 of its frames and the recorder waiting for more, or finished."""
    running = []

    def make(calibration=CALIBRATED, dtype="float32"):
        scan = Scan(tmp_path, calibration, dtype)
        running.append(scan)
        scan.write(PLACES[:N_BEFORE_LOOKING])
        if request.param == "finished":
            scan.write(PLACES[N_BEFORE_LOOKING:])
            running.remove(scan)
            scan.finish()
        return scan

    yield make
    for scan in running:  # that somebody looked did not disturb the recorder
        scan.write(PLACES[N_BEFORE_LOOKING:])
        scan.finish()


@pytest.fixture
def py4dstem():
    return pytest.importorskip("py4DSTEM", reason=f"py4DSTEM {HOW_TO}")


@pytest.fixture
def libertem():
    pytest.importorskip("libertem", reason=f"LiberTEM {HOW_TO}")
    return pytest.importorskip("libertem.api")


@pytest.fixture
def rosettasciio():
    pytest.importorskip("rsciio", reason=f"RosettaSciIO {HOW_TO}")
    return pytest.importorskip("rsciio.emd")


def test_py4dstem_reads_a_datacube_with_both_scales(py4dstem, make_scan):
    scan = make_scan()
    cube = py4dstem.read(scan.path)
    assert isinstance(cube, py4dstem.DataCube)
    assert cube.data.dtype == np.float32
    np.testing.assert_array_equal(cube.data, scan.expected)
    scales = cube.calibration
    # It has one step for both directions of the scan: ours along a line.
    assert (scales.get_R_pixel_size(), scales.get_R_pixel_units()) == (2.0, "nm")
    assert scales.get_Q_pixel_size() == pytest.approx(Q_PER_PX_INV_A)
    assert scales.get_Q_pixel_units() == "A^-1"
    assert list(cube.dim_names) == ["Rx", "Ry", "Qx", "Qy"]
    assert list(cube.dim_units) == ["nm", "nm", "A^-1", "A^-1"]


def test_libertem_finds_the_data_and_sums_them_as_numpy_does(libertem, make_scan):
    from libertem.udf.sum import SumUDF
    from libertem.udf.sumsigudf import SumSigUDF

    scan = make_scan()
    with libertem.Context.make_with("inline") as context:
        dataset = context.load("auto", path=scan.path)
        assert tuple(dataset.shape) == (*SHAPE, *DETECTOR)
        assert (tuple(dataset.shape.nav), tuple(dataset.shape.sig)) == (SHAPE, DETECTOR)
        assert dataset.dtype == np.float32
        pattern, image = (context.run_udf(dataset, udf)["intensity"].data for udf in (SumUDF(), SumSigUDF()))
    # The counts are whole numbers: float32 holds their sums exactly.
    np.testing.assert_array_equal(pattern, scan.expected.sum(axis=(0, 1)))
    np.testing.assert_array_equal(image, scan.expected.sum(axis=(2, 3)))


@pytest.mark.parametrize("lazy", [False, True])
def test_rosettasciio_reads_the_data_and_all_four_axes(rosettasciio, make_scan, lazy):
    scan = make_scan()
    (signal,) = rosettasciio.file_reader(scan.path, lazy=lazy)
    # Dask's threads would outlive the test.
    data = signal["data"].compute(scheduler="synchronous") if lazy else signal["data"]
    np.testing.assert_array_equal(data, scan.expected)
    axes = [(axis["name"], axis["size"], axis["units"]) for axis in signal["axes"]]
    assert axes == [("Rx", 5, "nm"), ("Ry", 7, "nm"), ("Qx", 24, "1 / Å"), ("Qy", 32, "1 / Å")]
    steps = [axis["scale"] for axis in signal["axes"]]
    assert steps == pytest.approx([3.0, 2.0, Q_PER_PX_INV_A, Q_PER_PX_INV_A])


def test_whole_numbers_without_a_calibration_are_read_in_pixels(py4dstem, libertem, rosettasciio, make_scan):
    scan = make_scan(NOTHING_KNOWN, "uint16")
    cube = py4dstem.read(scan.path)
    np.testing.assert_array_equal(cube.data, scan.expected)
    assert list(cube.dim_units) == ["pixels"] * 4
    (signal,) = rosettasciio.file_reader(scan.path)
    np.testing.assert_array_equal(signal["data"], scan.expected)
    assert [(axis["scale"], axis["units"]) for axis in signal["axes"]] == [(1.0, "pixel")] * 4
    with libertem.Context.make_with("inline") as context:
        dataset = context.load("auto", path=scan.path)
        assert (tuple(dataset.shape), dataset.dtype) == ((*SHAPE, *DETECTOR), np.uint16)


def test_py4dstem_takes_an_angle_where_the_voltage_is_unknown(py4dstem, make_scan):
    cube = py4dstem.read(make_scan(Calibration(angle_per_px_mrad=0.5)).path)
    scales = cube.calibration
    assert (scales.get_Q_pixel_size(), scales.get_Q_pixel_units()) == (0.5, "mrad")
