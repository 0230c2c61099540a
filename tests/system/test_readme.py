"""Every command of the README is run as it stands there, but for ports and sizes."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from streamer.client import EngineClient
from tests.system.commands import FREE, engine, environment, livestem, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
FRAGMENTS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BY_HAND = ("python -m venv", r".venv\Scripts\activate", "python -m pip install", "livestem demo")
"""The installation on other systems: `make setup` runs the same pip line here."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a reader of the README works: the commands follow each other in it."""
    return tmp_path_factory.mktemp("reader")


def in_folder(folder, command, **replaced):
    words = shlex.split(command)[1:]
    for old, new in replaced.items():
        words = [new if word == old else word for word in words]
    done = subprocess.run(
        livestem(*words),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def the(beginning):
    found = [command for command in COMMANDS if command.startswith(beginning)]
    assert found, f"the README no longer shows {beginning}"
    return found[0]


def test_every_command_of_the_readme_is_run_here():
    run_here = (
        "make demo", "make test", "livestem monitor", "livestem simulate", "livestem replay",
        "livestem analyze", "livestem view", "livestem inspect", "livestem export", "livestem doctor", *BY_HAND,
    )  # fmt: skip
    assert [command for command in COMMANDS if not command.startswith(run_here)] == []


def test_make_sets_up_and_runs_demo_and_tests():
    for target, expected in (("demo", "livestem demo"), ("test", "-m pytest")):
        done = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
        )
        assert expected in done.stdout
    ci = (ROOT / ".ci" / "run").read_text()
    assert the("make test") in ci


def test_the_demo(tmp_path):
    done = run("demo", "--size", "32x40", "--out", tmp_path, "--headless", timeout=200)
    assert done.returncode == 0, done.stderr
    assert "1280 sent, 1280 stored" in done.stdout
    (picture,) = tmp_path.glob("*/window.png")
    assert picture.stat().st_size > 20_000


def test_the_doctor(folder):
    said = in_folder(folder, the("livestem doctor"))
    assert [line.split()[1] for line in said.splitlines()] == [
        "packages", "kernels", "sockets", "window", "disk", "machine",
    ]  # fmt: skip
    assert "missing" not in said


def test_simulate_replay_analyze_view_and_inspect(folder):
    in_folder(folder, the("livestem simulate"))
    with engine(folder / "recordings", "--once", "--no-analyze") as running:
        in_folder(folder, the("livestem replay"), **{"tcp://127.0.0.1:9999": running.listen})
        assert running.outcome()["finish_reason"] == "COMPLETED"
    in_folder(folder, the("livestem analyze"))
    in_folder(folder, the("livestem view simulated"))
    assert (folder / "window.png").stat().st_size > 20_000
    assert "16384" not in in_folder(folder, the("livestem inspect"))
    written = in_folder(folder, the("livestem export")).split()
    assert {Path(name).suffix for name in written} == {".html", ".svg", ".csv"}
    assert all((folder / name).stat().st_size > 100 for name in written)
    import os

    before = Path.cwd()
    os.chdir(folder)
    try:
        for fragment in FRAGMENTS:
            exec(compile(fragment, "README.md", "exec"), {})
    finally:
        os.chdir(before)


def test_monitor_says_where_it_listens_and_its_engine_ends_with_it(folder):
    words = shlex.split(the("livestem monitor"))[1:]
    process = subprocess.Popen(
        livestem(*words, "--listen", FREE, "--publish", FREE, "--control", FREE),
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(),
    )  # fmt: skip
    try:
        said = ""
        while "tcp://127.0.0.1:" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def test_a_running_engine_is_drawn_to_a_picture(tmp_path):
    with engine(None) as running:
        done = run("view", running.endpoints["publish"], "--snapshot", tmp_path / "waiting.png")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "waiting.png").stat().st_size > 10_000
        with EngineClient(running.endpoints["publish"], running.endpoints["control"]) as client:
            client.shutdown()
        assert running.process.wait(30) == 0
