"""Files that are not what they claim: one sentence and exit code 6, in bounded memory."""

import contextlib
import io
import tracemalloc
from datetime import datetime

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.cli.main import run
from streamer.errors import FileFormatError
from streamer.formats.open_scan import open_scan
from streamer.formats.recording import create_recording
from tests.fakes import scan_info
from tests.other_files import write_dectris, write_mib

RECORD = 66560
MOST_BYTES = 96 << 20
XML = '<root name="1"><raw_file filename="{raw}"/>{more}</root>'


def raw(folder, data, name="scan_x4_y3.raw"):
    (folder / name).write_bytes(data)
    return folder / name


def xml(folder, text, n_records=12):
    raw(folder, records(n_records), "acquired.raw")
    (folder / "acquired.xml").write_text(text)
    return folder / "acquired.xml"


def records(n, dtype="<f4"):
    return np.full((n, 130, 128), 7.5, dtype).tobytes()


def said(sides):
    entries = "".join(f"<pix_{axis}>{side}</pix_{axis}>" for axis, side in zip("xy", sides, strict=True))
    return XML.format(raw="acquired.raw", more=entries)


BOMB = (
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + ']><root><raw_file filename="&j;"/></root>'
)


def sparse(folder):
    path = folder / "scan_x65536_y1024.raw"
    with path.open("wb") as file:
        file.truncate(3 << 40)
    return path


def npy(folder, array, change=lambda data: data):
    made = io.BytesIO()
    np.save(made, array)
    return raw(folder, change(made.getvalue()), "scan.npy")


def hdf5(folder, change=lambda file: None):
    with h5py.File(folder / "scan.h5", "w") as file:
        file.create_dataset("a", data=FRAMES, chunks=(1, 4, 24, 32), compression="gzip")
        change(file)
    return folder / "scan.h5"


def cut(path, n_bytes):
    path.write_bytes(path.read_bytes()[:n_bytes])
    return path


def head_of_terabytes(folder):
    """A head that announces far more than the file, or any memory, holds."""
    made = io.BytesIO()
    sides = {"descr": "<f4", "fortran_order": False, "shape": (1000, 1000, 1024, 1024)}
    np.lib.format.write_array_header_1_0(made, sides)
    return raw(folder, made.getvalue() + bytes(5000), "scan.npy")


def dectris_without_its_files(folder):
    path = write_dectris(folder, FRAMES.reshape(12, 24, 32), per_file=6)
    for data_file in folder.glob("s_data*"):
        data_file.unlink()
    return path


FRAMES = np.arange(12 * 24 * 32, dtype=np.float32).reshape(3, 4, 24, 32)
MALFORMED = {
    "empty RAW": lambda f: raw(f, b""),
    "one byte": lambda f: raw(f, b"\0"),
    "RAW of the scan and half a record": lambda f: raw(f, records(12) + bytes(1000)),
    "RAW cut within the first record": lambda f: raw(f, records(1)[:1000]),
    "RAW of less than a line": lambda f: raw(f, records(2)),
    "RAW of more than the scan": lambda f: raw(f, records(13)),
    "RAW in the other byte order": lambda f: raw(f, records(12, ">f4")),
    "RAW of noise": lambda f: raw(f, np.random.default_rng(0).bytes(12 * RECORD)),
    "RAW without a shape": lambda f: raw(f, records(12), "unknown.raw"),
    "RAW with a side of nine digits": lambda f: raw(f, records(12), "scan_x999999999_y999999999.raw"),
    "RAW with a side of 400 digits": lambda f: raw(f, records(12), f"scan_x{'9' * 100}_y{'9' * 100}.raw"),
    "RAW of no side": lambda f: raw(f, records(12), "scan_x0_y12.raw"),
    "RAW that is a picture": lambda f: raw(f, b"\x89PNG\r\n\x1a\n" + bytes(5000)),
    "terabytes that were never written": sparse,
    "XML of nothing": lambda f: xml(f, ""),
    "XML cut": lambda f: xml(f, said((4, 3))[:-9]),
    "XML of another program": lambda f: xml(f, "<html><root/></html>"),
    "XML without a RAW": lambda f: xml(f, "<root/>"),
    "XML whose RAW is elsewhere": lambda f: xml(f, XML.format(raw="/home/empad/other.raw", more="")),
    "XML with an entity bomb": lambda f: xml(f, BOMB),
    "XML with an outer entity": lambda f: xml(
        f, '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><root><raw_file filename="&a;"/></root>'
    ),
    "XML of gigabytes": lambda f: xml(f, said((4, 3)) + " " * (5 << 20)),
    "XML nested deep": lambda f: xml(f, "<root>" + "<a>" * 100000 + "</a>" * 100000 + "</root>"),
    "XML with huge sides": lambda f: xml(f, said(("1e308", "1e308"))),
    "XML with sides that are none": lambda f: xml(f, said(("nan", "inf"))),
    "XML with negative sides": lambda f: xml(f, said((-4, -3))),
    "XML with a side of many digits": lambda f: xml(f, said(("9" * 5000, "3"))),
    "XML with another size": lambda f: xml(f, said((5, 5)), 3),
    "XML in the wrong encoding": lambda f: xml(f, '<?xml version="1.0" encoding="nonsense"?><root/>'),
    "text called HDF5": lambda f: raw(f, b"no hdf5 at all", "scan.h5"),
    "HDF5 head alone": lambda f: raw(f, b"\x89HDF\r\n\x1a\n" + bytes(600), "scan.h5"),
    "HDF5 cut": lambda f: cut(hdf5(f), 3000),
    "HDF5 without a scan": lambda f: hdf5(f, lambda file: file.move("a", "b") or file.pop("b")),
    "HDF5 with two scans": lambda f: hdf5(f, lambda file: file.create_dataset("b", data=FRAMES)),
    "HDF5 of complex numbers": lambda f: hdf5(f, lambda file: file.pop("a") and file.update(c=FRAMES * 1j)),
    "DECTRIS master alone": dectris_without_its_files,
    "NPY cut": lambda f: npy(f, FRAMES, lambda data: data[:-100]),
    "NPY cut within its head": lambda f: npy(f, FRAMES, lambda data: data[:60]),
    "NPY of terabytes": head_of_terabytes,
    "NPY of objects": lambda f: npy(f, np.full((3, 4, 24, 32), {}, object)),
    "NPY in Fortran order": lambda f: npy(f, np.asfortranarray(FRAMES)),
    "NPY of an image": lambda f: npy(f, FRAMES[0, 0]),
    "NPY whose head is code": lambda f: npy(f, FRAMES, lambda data: data.replace(b"False", b"exit(")),
    "noise called MIB": lambda f: raw(f, np.random.default_rng(0).bytes(5000), "scan.mib"),
    "MIB cut within its first frame": lambda f: cut(
        write_mib(f / "s.mib", FRAMES.reshape(12, 24, 32), 4), 700
    ),
    "noise called DM4": lambda f: raw(f, np.random.default_rng(0).bytes(5000), "scan.dm4"),
    "noise called MRC": lambda f: raw(f, np.random.default_rng(0).bytes(5000), "scan.mrc"),
    "noise called TIFF": lambda f: raw(f, np.random.default_rng(0).bytes(5000), "scan.tif"),
    "noise called SER": lambda f: raw(f, np.random.default_rng(0).bytes(5000), "scan.ser"),
    "nothing called MIB": lambda f: raw(f, b"", "scan.mib"),
    "wrong extension": lambda f: raw(f, records(12), "scan_x4_y3.doc"),
    "folder": lambda f: f,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_gives_one_sentence_and_exit_code_6(tmp_path, capsys, name):
    path = MALFORMED[name](tmp_path)
    tracemalloc.start()
    try:
        code = run(["inspect", str(path)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    error = capsys.readouterr().err
    assert code == 6, error
    assert error.startswith("Error: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error
    assert "defect of livestem" not in error
    assert len(error) < 1000
    assert peak < MOST_BYTES


def opens_or_is_refused(path):
    with contextlib.suppress(FileFormatError), open_scan(path) as scan:
        out = np.empty((1, *scan.info.detector_shape), scan.info.dtype)
        scan.read_positions(np.array([scan.info.n_positions - 1]), out)
        scan.checksum()


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A recording of some kilobytes, and room for damaged copies."""
    folder = tmp_path_factory.mktemp("recording")
    info = scan_info(scan_shape=(2, 3), detector_shape=(4, 6), n_frames=6)
    return create_recording(folder, info, {}, datetime(2026, 11, 26)).path


@pytest.mark.parametrize("letter", [b"g", b"\xe6"])
def test_a_recording_of_no_known_kind_of_number_is_refused(recording, tmp_path, letter):
    """One bit flipped in its start header."""
    data = recording.read_bytes()
    assert data.count(b'"float32"') == 1
    (tmp_path / "damaged.h5").write_bytes(data.replace(b'"float32"', b'"' + letter + b'loat32"'))
    with pytest.raises(FileFormatError, match="cannot be read as a recording"):
        open_scan(tmp_path / "damaged.h5")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1 << 15), st.integers(1, 255)), min_size=1, max_size=8))
def test_a_damaged_recording_opens_or_is_refused(recording, tmp_path, flips):
    damaged = tmp_path / "damaged.h5"
    data = bytearray(recording.read_bytes())
    for where, mask in flips:
        data[where % len(data)] ^= mask
    damaged.write_bytes(data)
    opens_or_is_refused(damaged)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 20))
def test_a_recording_cut_anywhere_opens_or_is_refused(recording, tmp_path, where):
    cut = tmp_path / "cut.h5"
    data = recording.read_bytes()
    cut.write_bytes(data[: where % len(data)])
    opens_or_is_refused(cut)


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """A small scan of each other kind, as bytes, and room for damaged copies."""
    folder = tmp_path_factory.mktemp("others")
    paths = [npy(folder, FRAMES), hdf5(folder), write_mib(folder / "s.mib", FRAMES.reshape(12, 24, 32), 4)]
    return {path.name: path.read_bytes() for path in paths}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["scan.npy", "scan.h5", "s.mib"]),
    st.lists(st.tuples(st.integers(0, 6000), st.integers(1, 255)), max_size=6),
    st.integers(1, 1 << 20),
)
def test_a_damaged_file_of_another_program_opens_or_is_refused(others, tmp_path, name, flips, length):
    data = bytearray(others[name])
    for where, mask in flips:
        data[where % len(data)] ^= mask
    (tmp_path / name).write_bytes(data[:length])
    opens_or_is_refused(tmp_path / name)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1 << 20), st.text(max_size=12))
def test_any_xml_opens_or_is_refused(shared_data, tmp_path, where, text):
    raw(tmp_path, records(1), "scan_x4_y4.raw")
    known = (shared_data / "empad_g1_xml" / "map4x4.xml").read_text()
    at = where % len(known)
    (tmp_path / "a.xml").write_text(known[:at] + text + known[at + len(text) // 2 :], errors="replace")
    opens_or_is_refused(tmp_path / "a.xml")


def test_a_recording_of_another_hdf5_program_is_no_recording(tmp_path, capsys):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_group("livestem").attrs["schema_version"] = "many"
        file["datacube_root/datacube/data"] = np.zeros((2, 2))
    assert run(["inspect", str(tmp_path / "x.h5")]) == 6
