import pytest

from streamer.errors import SettingsError
from streamer.settings import AnalysisSettings, analysis_settings, load_settings, settings_id


def test_defaults_leave_everything_to_the_data():
    settings = AnalysisSettings()
    assert settings.mask.inner_px is None
    assert settings.cluster.k == {}
    assert len(settings.settings_id) == 16


def test_the_id_changes_with_any_value_and_not_with_the_order_of_keys():
    assert analysis_settings({"seed": 1}).settings_id != AnalysisSettings().settings_id
    assert settings_id({"a": 1, "b": 2}) == settings_id({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"mask": {"tresh": 0.3}}, r"Setting 'mask\.tresh' is unknown"),
        ({"mask": {"threshold": 3.0}}, r"Setting 'mask\.threshold' has the value 3\.0"),
        ({"cluster": {"k": {"all": 0}}}, r"Setting 'cluster\.k\.all' has the value 0"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values, sentence):
    with pytest.raises(SettingsError, match=sentence):
        analysis_settings(values)


def test_toml_is_read(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("seed = 3\n[cluster]\nlevels = 2\nk = { all = 3 }\n")
    settings = load_settings(path)
    assert (settings.seed, settings.cluster.levels, settings.cluster.k) == (3, 2, {"all": 3})


def test_a_file_that_is_no_toml_or_missing_is_said(tmp_path):
    (tmp_path / "bad.toml").write_text("seed = = 3")
    with pytest.raises(SettingsError, match="is not valid TOML"):
        load_settings(tmp_path / "bad.toml")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "missing.toml")


@pytest.mark.parametrize("names", [["bright_field"], ["a", "a"], ["a_mask"]])
def test_names_of_virtual_detectors_are_free(names):
    virtual = [{"name": name, "spots_yx": [[0, 20]], "radius_px": 3} for name in names]
    with pytest.raises(SettingsError, match=f"the name '{names[-1]}' is taken"):
        analysis_settings({"virtual": virtual})
