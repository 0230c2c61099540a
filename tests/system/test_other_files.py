"""A file of another program, sent as its detector would send it."""

import numpy as np
import pytest

from streamer.formats.recording import RecordingReader
from tests.other_files import write_hspy
from tests.system.commands import engine, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def test_a_file_of_hyperspy_is_replayed_with_its_scales(tmp_path):
    data = np.random.default_rng(0).poisson(40, (5, 7, 24, 32)).astype(np.uint16)
    path = write_hspy(tmp_path / "a.hspy", data)
    with engine(tmp_path / "r", "--once", "--no-analyze") as running:
        done = run("replay", path, "--to", running.listen)
        assert done.returncode == 0, done.stderr
        outcome = running.outcome()
    with RecordingReader(outcome["recording"]) as recording:
        np.testing.assert_array_equal(
            recording.read_block(0, 35, np.empty((35, 24, 32), np.uint16)), data.reshape(35, 24, 32)
        )
        calibration = recording.info.calibration
    assert (calibration.voltage_v, calibration.scan_step_yx_nm, calibration.q_source) == (
        200e3,
        (3.0, 2.0),
        "file",
    )
    assert calibration.q_measured_inv_nm == pytest.approx(0.2)
