"""A wheelhouse: what it holds for another computer, and that this one needs nothing beside it."""

import importlib.util
import os
import shlex
import subprocess
import sys
from zipfile import ZipFile

import pytest

from tests.system.documents import ROOT

spec = importlib.util.spec_from_file_location("wheelhouse", ROOT / "scripts" / "wheelhouse.py")
wheelhouse = importlib.util.module_from_spec(spec)
spec.loader.exec_module(wheelhouse)


def names(needs):
    return sorted(wheelhouse.name_of(need) for need in needs)


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "thing-1-py3-none-any.whl"
    metadata = "\n".join(
        (
            "Name: thing",
            "Requires-Dist: always>=1",
            'Requires-Dist: colour-ama; platform_system == "Windows"',
            'Requires-Dist: only-linux; sys_platform == "linux"',
            'Requires-Dist: old-python; python_version < "3.12"',
            'Requires-Dist: more; extra == "manifold"',
            'Requires-Dist: never; extra == "other"',
        )
    )
    with ZipFile(path, "w") as archive:
        archive.writestr("thing-1.dist-info/METADATA", metadata)
        archive.writestr("thing/vendored.dist-info/METADATA", "Requires-Dist: not-mine")
    return path


@pytest.mark.parametrize(
    ("tag", "python", "expected"),
    [
        ("win_amd64", "3.11", ["always", "colour-ama", "old-python"]),
        ("manylinux_2_28_x86_64", "3.12", ["always", "only-linux"]),
        ("macosx_14_0_arm64", "3.11", ["always", "old-python"]),
    ],
)
def test_requirements_are_read_as_the_other_computer_reads_them(wheel, tag, python, expected):
    environment = wheelhouse.environment_of(tag, python)
    assert names(wheelhouse.requirements_of(wheel, environment, ())) == expected
    assert names(wheelhouse.requirements_of(wheel, environment, ("manifold",))) == sorted([*expected, "more"])


def test_versions_are_pinned_where_they_are_meant_for_that_computer():
    here, windows = (
        wheelhouse.pinned(wheelhouse.environment_of(tag, "3.11"))
        for tag in ("manylinux_2_28_x86_64", "win_amd64")
    )
    assert set(here) - set(windows) == {"pyqt5-qt5"}
    assert here["numpy"] == windows["numpy"] != ""


def test_a_new_manylinux_takes_the_wheels_of_older_ones():
    options = wheelhouse.target_options("manylinux_2_17_x86_64", "3.12")
    assert {"manylinux_2_17_x86_64", "manylinux_2_5_x86_64", "manylinux2014_x86_64"} < set(options)
    assert "manylinux_2_28_x86_64" not in options
    assert wheelhouse.target_options("win_amd64", "3.11") == [
        "--platform", "win_amd64", "--python-version", "3.11",
    ]  # fmt: skip


def test_the_text_has_two_lines_to_type_for_either_system():
    assert "py -3.11 -m venv" in wheelhouse.install_text("win_amd64", "3.11", "0.1.0")
    assert "livestem-env/bin/python -m pip install --no-index --find-links . livestem[files,manifold]" in (
        wheelhouse.install_text("linux_x86_64", "3.11", "0.1.0")
    )


@pytest.mark.wheelhouse
@pytest.mark.timeout(600)
def test_the_demo_runs_from_a_wheelhouse_without_a_network(tmp_path):
    script = [sys.executable, str(ROOT / "scripts" / "wheelhouse.py"), "--out", str(tmp_path)]
    subprocess.run(script, check=True)
    (folder,) = tmp_path.iterdir()
    commands = [line for line in (folder / "INSTALL.txt").read_text().splitlines() if " -m " in line]
    assert len(commands) == 2
    # pip knows of no index, no folder of links and no cache but what the text says.
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    bare |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "QT_QPA_PLATFORM": "offscreen"}
    for command in commands:
        subprocess.run(shlex.split(command), cwd=folder, env=bare, check=True)
    programs = folder / "livestem-env" / "bin"
    subprocess.run([programs / "livestem", "doctor"], cwd=tmp_path, env=bare, check=True)
    demo = [programs / "livestem", "demo", "--headless", "--size", "24x32", "--out", tmp_path / "demo"]
    done = subprocess.run(demo, cwd=tmp_path, env=bare, check=True, capture_output=True, text=True)
    assert "768 sent, 768 stored" in done.stdout
    assert len(list(tmp_path.glob("demo/*/window.png"))) == 1
