"""What a command may load, asked of fresh interpreters."""

import json
import subprocess
import sys

import pytest

HEAVY = ("numba", "sklearn", "scipy", "PyQt5", "pyqtgraph", "h5py")

REPORT = f"""
import json, sys
loaded = [name for name in {HEAVY} if name in sys.modules]
sys.stderr.write(json.dumps(loaded))
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_loads_nothing_heavy():
    done = python(f"from streamer.cli.main import run\ncode = run(['--help'])\n{REPORT}\nsys.exit(code)")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr) == []
    for command in (
        "demo",
        "monitor",
        "serve",
        "view",
        "replay",
        "feed",
        "simulate",
        "analyze",
        "inspect",
        "keys",
    ):
        assert command in done.stdout


@pytest.mark.parametrize(
    "command",
    ["serve", "monitor", "view", "replay", "feed", "simulate", "analyze", "inspect", "keys", "demo"],
)
def test_a_commands_help_loads_neither_numba_nor_qt(command):
    done = python(
        f"from streamer.cli.main import run\ncode = run(['{command}', '--help'])\n{REPORT}\nsys.exit(code)"
    )
    assert done.returncode == 0, done.stderr
    assert not {"numba", "sklearn", "PyQt5"} & set(json.loads(done.stderr))


def test_the_client_loads_neither_numba_nor_scikit_learn_nor_qt():
    done = python(f"import streamer.client\n{REPORT}")
    assert json.loads(done.stderr) == []


def test_importing_the_package_costs_nothing_and_offers_three_names():
    done = python(
        f"import streamer\nassert streamer.__all__ == ['analyze', 'open_result', 'open_scan']\n{REPORT}"
    )
    assert json.loads(done.stderr) == []


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"]])
def test_commands_work_where_pyqt5_cannot_be_imported(arguments):
    done = python(
        f"import sys\nsys.modules['PyQt5'] = None\nfrom streamer.cli.main import run\nsys.exit(run({arguments}))"
    )
    assert done.returncode == 0, done.stderr


def test_layers_are_kept():
    done = subprocess.run(
        ["lint-imports"], capture_output=True, text=True, timeout=60, check=False, env=_environment()
    )
    assert done.returncode == 0, done.stdout


def _environment() -> dict[str, str]:
    import os
    from pathlib import Path

    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
