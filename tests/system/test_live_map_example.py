"""The notebook example of docs/client.md, on a running engine."""

import subprocess
import sys
from pathlib import Path

import pytest

from streamer.client import EngineClient
from tests.system.commands import engine, environment, run_json

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "live_map.py"
CALL = """
figure = plot_live_map({publish!r}, {control!r})
assert [axis.get_title() for axis in figure.axes] == ["label_maps, listening", "bright_field, listening"]
labels = figure.axes[0].images[0].get_array()
assert labels.shape == (24, 32) and labels.count() == 768 and len(set(labels.ravel())) > 1
figure.savefig({picture!r})
"""


def test_the_page_shows_the_example():
    assert f"```python\n{EXAMPLE.read_text()}```" in (DOCS / "client.md").read_text()


def test_the_live_map_is_drawn(tmp_path):
    made = run_json("simulate", "junction", "--size", "24x32", "--out", tmp_path)
    with engine(tmp_path / "recordings", "--no-analyze") as running:
        run_json("replay", made["raw"], "--to", running.listen)
        publish, control = running.endpoints["publish"], running.endpoints["control"]
        with EngineClient(publish, control) as client:
            while client.wait_state(30)["finish_reason"] is None or client.state()["state"] != "LISTENING":
                continue
        picture = tmp_path / "map.png"
        call = CALL.format(publish=publish, control=control, picture=str(picture))
        done = subprocess.run(
            [sys.executable, "-c", EXAMPLE.read_text() + call],
            capture_output=True, text=True, timeout=100, check=False, env={**environment(), "MPLBACKEND": "agg"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert picture.stat().st_size > 5_000
