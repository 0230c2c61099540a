"""An analysis is repeated from its result alone, and a region can be analysed, at the command line."""

import pytest

from streamer import open_result
from tests.simulated import simulate
from tests.system.commands import run, run_json

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def test_a_result_repeats_its_analysis_exactly_and_only_on_its_source(tmp_path):
    scan = simulate(tmp_path, (16, 24))
    first = run_json(
        "analyze", scan.raw, "--roi", "2:16,0:20", "--k", "all=2", "--seed", "5", "--no-momentum"
    )
    again = run_json("analyze", "--from", first["result"])
    assert again["same_labels"] is True
    assert again["settings_id"] == first["settings_id"]
    assert open_result(again["result"]).attrs["seed"] == 5

    (tmp_path / "other").mkdir()
    other = simulate(tmp_path / "other", (16, 24), seed=1)
    refused = run("analyze", other.raw, "--from", first["result"])
    assert refused.returncode == 2
    assert "is not what" in refused.stderr
    refused = run("analyze", "--from", first["result"], "--seed", "3")
    assert refused.returncode == 2
    assert "no other settings beside it" in refused.stderr
