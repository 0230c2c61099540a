"""Our exports in the programs that they are for, and our RAW files in their EMPAD readers. The real packages."""

import numpy as np
import pytest

from streamer.analysis.result_file import AnalysisResult
from streamer.export.interop import write_emd, write_hspy
from streamer.formats.open_scan import open_scan
from streamer.model import Calibration, ClusterNode, Orientation

HOW_TO = "is not installed here; `make interop` has it in one of its environments"
SCAN, DETECTOR = (5, 7), (24, 32)
STEP_YX = (3.0, 2.0)
# Steps that differ tell the axes apart.
CALIBRATION = Calibration(80e3, 0.6, 0.52, STEP_YX, "nominal")
Q_INV_NM = CALIBRATION.q_per_px_inv_nm
NODES = (
    ClusterNode(0, -1, 0, "all", 35),
    ClusterNode(1, 0, 1, "1", 20),
    ClusterNode(2, 0, 1, "2", 15),
)


@pytest.fixture
def result():
    rng = np.random.default_rng(0)
    return AnalysisResult(
        {
            "scan_id": "12345678-0000-0000-0000-000000000000",
            "settings": {},
            "calibration": CALIBRATION.to_json(),
            "orientation": Orientation(scan_rotation_rad=0.25).to_json(),
            "seed": 3,
        },
        {
            "hierarchy/labels": rng.integers(-1, 3, (2, *SCAN)).astype(np.int32),
            "hierarchy/patterns": rng.random((3, *DETECTOR), np.float32),
            "mask/mean_pattern": rng.random(DETECTOR, np.float32),
            "mask/std_pattern": rng.random(DETECTOR, np.float32),
            "virtual/bright_field": rng.random(SCAN, np.float32),
        },
        NODES,
    )


def package(name):
    return pytest.importorskip(name, reason=f"{name} {HOW_TO}")


def axes_of(signal):
    return [(axis["name"], axis["size"], axis["units"]) for axis in signal["axes"]]


def test_py4dstem_reads_labels_and_patterns_with_both_scales(result, tmp_path):
    py4dstem = package("py4DSTEM")
    path = tmp_path / "r.emd"
    write_emd(result, path)
    labels = py4dstem.read(str(path), datapath="livestem/labels_level_1")
    np.testing.assert_array_equal(labels.data, result.label_maps[0])
    # It leaves out the axes of slices by its own design, and takes sizes from the calibration.
    assert (labels.calibration.get_R_pixel_size(), labels.calibration.get_R_pixel_units()) == (2.0, "nm")
    assert labels.calibration.get_QR_rotation() == pytest.approx(0.25)
    patterns = py4dstem.read(str(path), datapath="livestem/cluster_patterns")
    np.testing.assert_array_equal(patterns.data, result.cluster_patterns)
    assert list(patterns.slicelabels) == ["all", "1", "2"]
    np.testing.assert_array_equal(patterns.get_slice("2").data, result.cluster_patterns[2])
    calibration = patterns.calibration
    assert calibration.get_Q_pixel_size() == pytest.approx(Q_INV_NM / 10)
    assert calibration.get_Q_pixel_units() == "A^-1"


def test_rosettasciio_reads_every_signal_with_its_axes(result, tmp_path):
    package("rsciio")
    from rsciio.hspy import file_reader

    write_hspy(result, tmp_path / "r.hspy")
    found = {
        signal["metadata"]["General"]["title"]: signal for signal in file_reader(str(tmp_path / "r.hspy"))
    }
    patterns = found["Mean patterns of the clusters"]
    np.testing.assert_array_equal(patterns["data"], result.cluster_patterns)
    assert axes_of(patterns) == [("node", 3, ""), ("ky", 24, "1/nm"), ("kx", 32, "1/nm")]
    assert patterns["axes"][2]["scale"] == pytest.approx(Q_INV_NM)
    labels = found["Clusters, level 2"]
    np.testing.assert_array_equal(labels["data"], result.label_maps[1])
    assert axes_of(labels) == [("y", 5, "nm"), ("x", 7, "nm")]
    assert [axis["scale"] for axis in labels["axes"]] == list(STEP_YX)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.filterwarnings("default")  # HyperSpy's own, on import and loading
def test_hyperspy_and_pyxem_open_diffraction_signals(result, tmp_path, lazy):
    hs, pyxem = package("hyperspy.api"), package("pyxem.signals")
    write_hspy(result, tmp_path / "r.hspy")
    found = {signal.metadata.General.title: signal for signal in hs.load(str(tmp_path / "r.hspy"), lazy=lazy)}
    patterns = found["Mean patterns of the clusters"]
    assert isinstance(patterns, pyxem.LazyElectronDiffraction2D if lazy else pyxem.ElectronDiffraction2D)
    data = patterns.data.compute(scheduler="synchronous") if lazy else patterns.data
    np.testing.assert_array_equal(data, result.cluster_patterns)
    kx = patterns.axes_manager.signal_axes[0]
    assert (kx.name, kx.units, kx.size) == ("kx", "1/nm", 32)
    assert kx.scale == pytest.approx(Q_INV_NM)
    assert kx.value2index(0.0) in (15, 16)  # the direct beam, between the two
    labels = found["Clusters, level 1"]
    assert [axis.scale for axis in labels.axes_manager.signal_axes] == [2.0, 3.0]  # x, y


MODE = """<scan_parameters mode="{}"><scan_size>1.0</scan_size><scan_resolution_x>7</scan_resolution_x>
<scan_resolution_y>5</scan_resolution_y></scan_parameters>"""
XML = f"""<root name="a"><software_version>1.2.2  (2021-08-20)</software_version>
<raw_file filename="scan_x7_y5.raw"/><exposure_time>1</exposure_time>{MODE.format("search")}{MODE.format("acquire")}
<iom_measurements><full_scan_field_of_view><scale_factor>0.72</scale_factor><x>{21e-9 * 0.72}</x><y>{21e-9 * 0.72}</y>
</full_scan_field_of_view><nominal_camera_length>0.6</nominal_camera_length></iom_measurements></root>"""


@pytest.fixture
def raw(tmp_path):
    """A RAW file, its XML, and what we read in it (5, 7, 128, 128)."""
    records = np.random.default_rng(1).random((35, 130, 128), np.float32).astype("<f4")
    records.tofile(tmp_path / "scan_x7_y5.raw")
    (tmp_path / "a.xml").write_text(XML)
    with open_scan(tmp_path / "scan_x7_y5.raw") as scan:
        assert scan.info.calibration.scan_step_yx_nm == pytest.approx((3.0, 3.0))
        ours = scan.read_block(0, 35, np.empty((35, 128, 128), np.float32)).reshape(5, 7, 128, 128)
    np.testing.assert_array_equal(ours.reshape(35, 128, 128), records[:, :128])
    return tmp_path / "scan_x7_y5.raw", tmp_path / "a.xml", ours


def test_rosettasciios_empad_reader_reads_the_same_frames_and_steps(raw):
    package("rsciio")
    from rsciio.empad import file_reader

    (signal,) = file_reader(str(raw[1]))
    np.testing.assert_array_equal(signal["data"], raw[2])
    scan_axes = {axis["name"]: axis["scale"] for axis in signal["axes"][:2]}
    assert scan_axes == {"scan_y": pytest.approx(3.0), "scan_x": pytest.approx(3.0)}


def test_libertems_empad_reader_reads_the_same_frames(raw):
    package("libertem")
    import libertem.api as lt
    from libertem.udf.sumsigudf import SumSigUDF

    with lt.Context.make_with("inline") as context:
        dataset = context.load("empad", path=str(raw[1]))
        assert tuple(dataset.shape) == (5, 7, 128, 128)
        image = context.run_udf(dataset, SumSigUDF())["intensity"].data
    np.testing.assert_allclose(image, raw[2].sum(axis=(2, 3)), rtol=1e-4)


def test_py4dstems_empad_reader_reads_the_same_frames(raw):
    py4dstem = package("py4DSTEM")
    cube = py4dstem.import_file(str(raw[0]), filetype="empad", EMPAD_shape=(5, 7, 130, 128))
    np.testing.assert_array_equal(cube.data, raw[2])
