"""What the options of ``livestem analyze`` do, in this process."""

import json

import pytest
from click.testing import CliRunner

from streamer import open_result
from streamer.cli.analyze import command
from streamer.errors import SettingsError
from streamer.settings import load_settings
from tests.simulated import simulate

TOML = """
[alignment]
disk_radius_px = 3.6
[mask]
inner_px = 23.0
outer_px = 50.0
threshold = 0.4
rule = "excess"
weighting = "none"
[cluster]
levels = 1
[momentum]
enabled = false
exact = true
[manifold]
method = "none"
"""
OPTIONS = (
    "--disk 3.6 --inner 23 --outer 50 --threshold 0.4 --rule excess --weighting none --levels 1 --no-momentum --exact "
    "--no-manifold"
).split()


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("command"), (16, 24))


def run(*arguments):
    return CliRunner().invoke(command, [str(item) for item in arguments], standalone_mode=False)


def test_options_are_the_settings_of_the_file(scan, tmp_path):
    (tmp_path / "s.toml").write_text(TOML)
    done = run(scan.raw, "--out", tmp_path / "a.result.h5", "--json", *OPTIONS)
    assert done.exception is None
    expected = load_settings(tmp_path / "s.toml")
    assert json.loads(done.stdout)["settings_id"] == expected.settings_id
    result = open_result(tmp_path / "a.result.h5")
    assert result.attrs["settings"] == expected.model_dump(mode="json")
    mask = result.array_attrs["mask"]
    used = ("disk_radius_px", "inner_px", "outer_px", "threshold", "rule", "weighting")
    assert [mask[name] for name in used] == [3.6, 23.0, 50.0, 0.4, "excess", "none"]
    automatic = result.attrs["automatic"]
    assert {name for name in used[:4] if automatic[name] != mask[name]} == set(used[:4])


def test_an_option_wins_over_the_file(scan, tmp_path):
    (tmp_path / "s.toml").write_text(TOML)
    out = tmp_path / "a.result.h5"
    done = run(scan.raw, "--out", out, "--settings", tmp_path / "s.toml", "--inner", "24", "--rule", "std")
    assert done.exception is None
    settings = open_result(out).attrs["settings"]
    assert (settings["mask"]["inner_px"], settings["mask"]["rule"]) == (24.0, "std")
    assert settings["mask"]["outer_px"] == 50.0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--threshold", "3"), r"Setting 'mask\.threshold' has the value 3\.0"),
        (("--disk", "0"), r"Setting 'alignment\.disk_radius_px' has the value 0\.0"),
        (("--inner", "50", "--outer", "20"), "No detector pixel lies between 50 and 20 px"),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_is_written(scan, tmp_path, options, sentence):
    done = run(scan.raw, "--out", tmp_path / "a.result.h5", *options)
    with pytest.raises(SettingsError, match=sentence):
        raise done.exception or AssertionError("not refused")
    assert list(tmp_path.iterdir()) == []


def test_overrides_beside_from_are_refused(tmp_path):
    done = run("--from", tmp_path / "a.result.h5", "--inner", "20")
    assert isinstance(done.exception, SettingsError)
    assert "repeats an analysis as it was" in str(done.exception)
