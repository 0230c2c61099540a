"""The fragments of docs/analysis.md are run as they stand there."""

import re
from pathlib import Path

import pytest

from streamer import analyze, open_scan
from streamer.settings import load_settings
from tests.simulated import simulate

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "analysis.md").read_text()


@pytest.fixture
def scan(tmp_path, monkeypatch):
    scan = simulate(tmp_path, (30, 40))
    monkeypatch.chdir(tmp_path)
    return scan


def test_the_fragments_follow_each_other(scan, capsys):
    names = {}
    for fragment in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL):
        exec(compile(fragment, "docs/analysis.md", "exec"), names)
    said = capsys.readouterr().out
    assert re.search(r"^all 1200 patterns, split into 3$", said, re.MULTILINE)
    assert re.search(r"^\d [+-]\d\.\d\d degrees$", said, re.MULTILINE)
    assert names["again"].attrs["seed"] == 7


def test_the_settings_are_valid_and_obeyed(scan, tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    (tmp_path / "s.toml").write_text(text)
    with open_scan(scan.raw) as opened:
        result = analyze(opened, load_settings(tmp_path / "s.toml"))
    assert result.arrays["virtual/g100"].shape == (30, 40)
    assert (result.label_maps[:, :, 30:] == -1).all()
    assert result.array_attrs["mask"]["inner_px"] == 20.0
    assert result.array_attrs["mask"]["auto"]["inner_px"] != 20.0
