"""Settings as fields and back, as files, and keys that two actions cannot share; decided without Qt."""

import tomllib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.presenters.settings_form import field_of, filled_in, form_fields
from gui.presenters.shortcuts import at_first, changed_keys, keys_of, normal, tip_with_key, with_key
from gui.presenters.window_settings import (
    WHEN,
    WindowSettings,
    analysis_toml,
    monitor_options,
    window_settings,
    window_settings_text,
)
from gui.settings_store import SettingsStore
from streamer.errors import SettingsError
from streamer.settings import AnalysisSettings, analysis_settings, load_settings

ODD = {
    "mask": {"threshold": 0.4188888888888889, "rule": "spots"},
    "cluster": {"k": {"2.1": 3, "all": 4}},
    "virtual": [{"name": "a", "spots_yx": [[1, 2.5]], "radius_px": 3.0}],
    "edits": [{"edit": "rename", "node": "2.1", "title": 'a "quoted" µ\n\\title'}],
    "roi": [0, 4, 2, 9],
    "detector": {"flip_ud": True, "g2_dark": "C:\\dark"},
    "seed": 7,
}


def test_every_field_of_the_analysis_that_a_line_can_hold_has_one_with_help():
    fields = {field.path: field for field in form_fields(AnalysisSettings())}
    assert fields["mask.rule"].choices == ("auto", "std", "spots", "excess")
    assert (fields["mask.threshold"].default, fields["mask.threshold"].text) == ("automatic", "")
    assert fields["momentum.exact"].choices == ("yes", "no")
    assert fields["cluster.levels"].default == "3"
    assert "cluster.k" not in fields, "a table"
    assert all(field.help for field in fields.values())
    assert not any("None" in field.help for field in fields.values())
    assert len(fields) > 30


def test_what_is_filled_in_is_validated_by_the_one_model_and_lists_stay():
    before = analysis_settings(ODD)
    texts = {field.path: field.text for field in form_fields(before)}
    assert filled_in(before, texts) == before, "what nobody touched is as it was, to the last digit"
    after = filled_in(
        before, texts | {"mask.threshold": "", "alignment.follow": "no", "cluster.levels": " 2 "}
    )
    assert (after.mask.threshold, after.alignment.follow, after.cluster.levels) == (None, False, 2)
    assert after.cluster.k == before.cluster.k
    assert after.edits == before.edits


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("mask.threshold", "7"),
        ("cluster.levels", "many"),
        ("alignment.follow", "perhaps"),
        ("mask.rule", "best"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_finds_its_field(path, text):
    settings = AnalysisSettings()
    with pytest.raises(SettingsError, match=f"'{path}' has the value '{text}'") as caught:
        filled_in(settings, {path: text})
    assert field_of(caught.value, form_fields(settings)) == path


def test_analysis_settings_are_written_as_the_commands_read_them(tmp_path):
    settings = analysis_settings(ODD)
    (tmp_path / "a.toml").write_text(analysis_toml(settings), encoding="utf-8")
    assert load_settings(tmp_path / "a.toml") == settings
    assert analysis_toml(AnalysisSettings()).strip() == ""


@given(st.text(max_size=40), st.floats(0.001, 0.999), st.integers(0, 10**6))
def test_any_text_and_number_comes_back_from_toml(title, threshold, seed):
    values = {
        "mask": {"threshold": threshold},
        "seed": seed,
        "edits": [{"edit": "rename", "node": "1", "title": title}],
    }
    settings = analysis_settings(values)
    assert analysis_settings(tomllib.loads(analysis_toml(settings))) == settings


def test_it_is_said_of_every_setting_of_the_window_when_it_counts():
    assert set(WHEN) == set(WindowSettings.model_fields)


def test_options_of_monitor_win_over_what_is_kept():
    kept = WindowSettings(listen="tcp://127.0.0.1:1", record_dir="/r")
    options = monitor_options(kept, {"listen": None, "record": "/other", "publish": None}, "/a.toml")
    assert options == {"listen": "tcp://127.0.0.1:1", "record": "/other", "settings": "/a.toml"}
    assert monitor_options(WindowSettings(), {"listen": None}, None) == {}


def test_settings_are_kept_and_read_again(tmp_path):
    store = SettingsStore(tmp_path / "new")
    store.keep_window(WindowSettings(theme="light", name="µ", shortcuts={"split": ("X",)}))
    store.keep_analysis(analysis_settings(ODD))
    again = SettingsStore(tmp_path / "new")
    assert (again.window, again.analysis) == (store.window, store.analysis)
    assert again.take_problems() == []
    assert window_settings(window_settings_text(WindowSettings())) == WindowSettings()
    nowhere = SettingsStore(None)
    nowhere.keep_window(store.window)
    assert nowhere.window == store.window


@pytest.mark.parametrize("text", ["", "{", "[]", '{"theme": "purple"}', '{"colour": 1}', '{"shortcuts": 3}'])
def test_broken_settings_are_a_sentence_and_put_aside(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    (tmp_path / "analysis.toml").write_text("[mask]\nthreshold = 7\n")
    store = SettingsStore(tmp_path)
    assert (store.window, store.analysis) == (WindowSettings(), AnalysisSettings())
    window, analysis = store.take_problems()
    assert "settings.json" in window
    assert "'mask.threshold' has the value 7" in analysis
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "analysis.toml.broken",
        "settings.json.broken",
    ]
    assert SettingsStore(tmp_path).take_problems() == []


def test_settings_that_cannot_be_written_count_and_it_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    store = SettingsStore(tmp_path / "folder")
    store.folder = tmp_path
    store._window_path = tmp_path / "file" / "settings.json"
    store.keep_window(WindowSettings(name="x"))
    assert store.window.name == "x"
    assert "cannot be kept" in store.take_problems()[0]


@dataclass(frozen=True)
class Spec:
    name: str
    text: str
    keys: tuple[str, ...]
    pane: str = ""


SPECS = (
    Spec("save", "Save", ("Ctrl+S",)),
    Spec("split", "Split…", ("S",)),
    Spec("up", "Up", ("Up", "Shift+Up")),
    Spec("more", "More", ("Shift+=", "+", "Shift++")),
)
FIRST = {spec.name: spec.keys for spec in SPECS}


def test_a_key_that_another_action_has_is_refused_with_both_names():
    refused = with_key(SPECS, FIRST, "split", "ctrl+s")
    assert refused == (
        "Ctrl+S is the key of 'Save' and cannot be that of 'Split' too. "
        "Choose another key, or give 'Save' another one first. Nothing was changed."
    )
    freed = with_key(SPECS, FIRST, "save", "F9")
    assert isinstance(freed, dict)
    assert with_key(SPECS, freed, "split", "Ctrl+S") == {**freed, "split": ("Ctrl+S",)}
    assert with_key(SPECS, FIRST, "save", "ctrl+s") == FIRST, "its own key is no conflict"


def test_a_key_may_mean_something_else_in_a_pane():
    specs = (*SPECS, Spec("spot_down", "Spot down", ("S",), "pattern"))
    keys = {spec.name: spec.keys for spec in specs}
    assert with_key(specs, keys, "save", "F9") == {**keys, "save": ("F9",)}
    assert "'Split'" in with_key(specs, keys, "save", "S")
    assert with_key(specs, keys, "spot_down", "Ctrl+S") == {**keys, "spot_down": ("Ctrl+S",)}


def test_far_and_near_stay_together_and_are_both_checked():
    moved = with_key(SPECS, FIRST, "up", "W")
    assert isinstance(moved, dict)
    assert moved["up"] == ("W", "Shift+W")
    assert "'More'" in with_key(SPECS, FIRST, "up", "=")


def test_an_action_may_have_no_key_and_gets_its_first_ones_back():
    without = with_key(SPECS, FIRST, "more", "")
    assert isinstance(without, dict)
    assert without["more"] == ()
    assert changed_keys(SPECS, without) == {"more": ()}
    assert at_first(SPECS, without, "more") == FIRST
    taken = with_key(SPECS, without, "save", "Shift+=")
    assert isinstance(taken, dict)
    assert "'Save'" in at_first(SPECS, taken, "more")


def test_a_tool_tip_names_the_key_in_force():
    before, now = {"split": "S", "up": "Up", "more": "+"}, {"split": "X", "up": "", "more": "+"}
    assert tip_with_key("Split it (S)", before, now) == "Split it (X)"
    assert tip_with_key("Go (far) (Up)", before, now) == "Go (far)"
    for same in ("More (+)", "No key", "Other (Q)", "", "(S)"):
        assert tip_with_key(same, before, now) == same


def test_stored_keys_count_and_those_that_cannot_are_told():
    keys, said = keys_of(SPECS, {"split": ["X"], "gone": ["Y"], "save": ["x"], "up": []})
    assert keys == {**FIRST, "split": ("X",), "up": ()}
    assert len(said) == 2
    assert "'gone'" in said[0]
    assert "'Split'" in said[1]
    assert "'Save'" in said[1]


@pytest.mark.parametrize(
    ("key", "same"),
    [
        ("shift+ctrl+z", "Ctrl+Shift+Z"),
        ("+", "+"),
        ("Ctrl++", "Ctrl++"),
        ("Shift++", "Shift++"),
        (" f5 ", "F5"),
        ("", ""),
    ],
)
def test_keys_are_written_as_qt_writes_them(key, same):
    assert normal(key) == same
    assert normal(normal(key)) == same
