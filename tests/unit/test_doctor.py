"""What the doctor says where something is not as it should be."""

import importlib.metadata
import os
import subprocess
from types import SimpleNamespace

import pytest

from streamer.cli import doctor
from streamer.cli.doctor import Verdict


def test_a_package_that_is_too_old_and_one_that_is_not_there(monkeypatch):
    known = importlib.metadata.version
    asked = ["numpy>=99", "no-such-package>=1", "zarr>=2; extra == 'other'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)
    found = doctor.check_packages()
    assert found.verdict is Verdict.MISSING
    assert f"numpy {known('numpy')} does not fit >=99" in found.text
    assert "no-such-package>=1 is not installed" in found.text
    assert "zarr" not in found.text


@pytest.mark.parametrize(
    ("system", "machine", "verdict"),
    [
        ("linux", "x86_64", Verdict.OK),
        ("linux", "aarch64", Verdict.WARNING),
        ("win32", "AMD64", Verdict.WARNING),
    ],
)
def test_what_nobody_has_tried_is_said(monkeypatch, system, machine, verdict):
    monkeypatch.setattr(doctor.sys, "platform", system)
    monkeypatch.setattr(doctor.platform, "machine", lambda: machine)
    found = doctor.check_system()
    assert found.verdict is verdict
    assert ("tried on Linux" in found.text) == (verdict is Verdict.WARNING)


@pytest.mark.parametrize("is_there", [True, False])
def test_kernels_that_are_kept_or_not_yet(monkeypatch, tmp_path, is_there):
    from streamer.kernels import frame_pass

    if is_there:
        (tmp_path / "frame_pass.measure_frames-1.py311.1.nbc").touch()
    monkeypatch.setattr(
        frame_pass, "measure_frames", SimpleNamespace(stats=SimpleNamespace(cache_path=tmp_path))
    )
    found = doctor.check_kernels()
    assert found.verdict is Verdict.OK
    assert found.text.startswith("Compiled" if is_there else "Not compiled yet")


def test_kernels_that_cannot_be_kept(monkeypatch, tmp_path):
    from streamer.kernels import frame_pass

    (tmp_path / "file").touch()
    nowhere = SimpleNamespace(stats=SimpleNamespace(cache_path=tmp_path / "file" / "below"))
    monkeypatch.setattr(frame_pass, "measure_frames", nowhere)
    found = doctor.check_kernels()
    assert found.verdict is Verdict.WARNING
    assert "NUMBA_CACHE_DIR" in found.text


def test_sockets_work_here():
    assert doctor.check_sockets().verdict is Verdict.OK


def test_a_library_that_qt_lacks_is_named(monkeypatch):
    failed = SimpleNamespace(returncode=1, stderr="Traceback\nImportError: libGL.so.1: cannot open")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    found = doctor.check_window()
    assert found.verdict is Verdict.MISSING
    assert "libGL.so.1" in found.text


@pytest.mark.parametrize(
    ("rate", "expected"), [(1e6, "first-generation"), (1e8, "second-generation"), (1e9, "both generations")]
)
def test_the_disk_is_held_against_the_detectors(monkeypatch, tmp_path, rate, expected):
    monkeypatch.setattr(doctor, "write_rate", lambda folder: rate)
    found = doctor.check_disk(tmp_path)
    assert expected in found.text
    assert (found.verdict is Verdict.OK) == (rate > 9e8)


def test_a_small_machine(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert doctor.check_machine().verdict is Verdict.WARNING


def test_the_disk_is_left_as_it_was(tmp_path):
    assert doctor.write_rate(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []
