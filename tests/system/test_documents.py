"""Every command that README.md and docs/ show is run in one folder as a reader would, but for ports and sizes."""

import re
import shlex
import subprocess
from pathlib import Path

import h5py
import pytest

from streamer.cli import main
from streamer.client import EngineClient
from streamer.model import ProblemCode
from tests.system.commands import FREE, engine, environment, livestem
from tests.system.commands import run as run_command
from tests.system.documents import ROOT, commands, fragments

pytestmark = [pytest.mark.system, pytest.mark.timeout(480)]

SMALLER = (("--size 64", "--size 32"), ("x64_y64", "x32_y32"))
HERE = ("simulate", "analyze", "inspect", "export", "keys", "apply")
"""Run in this process, where everything is imported."""
BY_HAND = (
    "python -m venv ",
    "python -m pip install ",
    ".venv\\Scripts\\activate",
    "livestem-env/bin/python ",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def smaller(text):
    for old, new in SMALLER:
        text = text.replace(old, new)
    return text


def reads(command):
    """Whether the options exist, of a command that needs another computer or somebody's files."""
    name, *options = shlex.split(command.text)[1:]
    found = main.cli.get_command(None, name)
    assert found, command
    found.make_context(name, options).close()


def run(text):
    """What the command says on stdout, of those that are processes of their own."""
    words = shlex.split(smaller(text))[1:]
    if words[0] in HERE:
        assert main.run(words) == 0, text
        return ""
    if words[0] == "monitor":
        return beginning([*words, "--listen", FREE, "--publish", FREE, "--control", FREE])
    if words[0] == "demo":
        words += ["--size", "24x32", "--headless"]
    if words[0] in ("replay", "feed"):
        with engine(Path("recordings"), "--no-analyze") as running:
            words[words.index("--to") + 1] = running.listen
            return whole(words)
    return whole(words)


def whole(words):
    done = run_command(*words, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def beginning(words):
    """The first line of a window with its engine, which ends with it."""
    process = subprocess.Popen(livestem(*words), stdout=subprocess.PIPE, text=True, env=environment())
    try:
        return process.stdout.readline()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def test_every_command_does_what_it_should_and_files_hold_what_is_said_of_them(folder, capsys):
    shown, said = commands(), {}
    assert len(shown) > 25
    for command in shown:
        if command.text.startswith("make "):
            target = ["make", "-n", *command.text.split()[1:]]
            done = subprocess.run(target, cwd=ROOT, check=True, capture_output=True, text=True)
            said[command.text] = done.stdout
        elif command.text.startswith(BY_HAND):
            assert command.elsewhere, command
        elif command.elsewhere:
            reads(command)
        else:
            said[command.text] = run(command.text)
    for document in ("README.md", "docs/results.md"):
        for fragment in fragments(document):
            exec(compile(smaller(fragment), document, "exec"), {})
    assert "(3, 32, 32)" in capsys.readouterr().out
    assert "livestem demo" in said["make demo"]
    assert "-m pytest" in said["make test"]
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "768 sent, 768 stored" in said["livestem demo"]
    assert "tcp://127.0.0.1:" in said["livestem monitor --record recordings"]
    checks = [line.split()[:2] for line in said["livestem doctor"].splitlines()]
    names = ["system", "packages", "kernels", "sockets", "window", "disk", "machine"]
    assert [name for _, name in checks] == names
    assert "missing" not in {verdict for verdict, _ in checks}
    for picture in (folder / "window.png", *folder.glob("demo/*/window.png")):
        assert picture.stat().st_size > 20_000
    written = {path.suffix for path in (folder / "simulated").iterdir()}
    assert written >= {".html", ".svg", ".csv", ".emd", ".hspy"}
    assert described(folder / "simulated" / "scan_x32_y32.result.h5", "Result") == set()
    assert described(next(folder.glob("demo/*/recordings/*[0-9a-f].h5")), "Recording") == set()


def described(path, section):
    """Names of a file's datasets that docs/reference/files.md does not list."""
    text = (ROOT / "docs" / "reference" / "files.md").read_text().split(f"## {section}")[1].split("\n## ")[0]
    patterns = [
        re.escape(name).replace("<id>", r"\d+").replace("<name>", r"[\w/]+").replace("dim0", r"dim\d")
        for line in text.splitlines()
        if line.startswith("| `/")
        for name in re.findall(r"`(/[^`]+)`", line.split("|")[1])
    ]
    names = set()
    with h5py.File(path) as file:
        file.visititems(lambda name, item: names.add(f"/{name}") if isinstance(item, h5py.Dataset) else None)
    assert names
    return {name for name in names if not any(re.fullmatch(pattern, name) for pattern in patterns)}


def test_every_warning_of_the_engine_is_explained_and_nothing_else():
    text = (ROOT / "docs" / "microscope.md").read_text().split("## What each warning means")[1]
    explained = set(re.findall(r"^\| `(\w+)` \|", text.split("\n## ")[0], re.MULTILINE))
    assert explained == set(ProblemCode)


def test_a_running_engine_is_drawn_to_a_picture(tmp_path):
    with engine(None) as running:
        whole(["view", running.endpoints["publish"], "--snapshot", tmp_path / "waiting.png"])
        assert (tmp_path / "waiting.png").stat().st_size > 10_000
        with EngineClient(running.endpoints["publish"], running.endpoints["control"]) as client:
            client.shutdown()
        assert running.process.wait(30) == 0
