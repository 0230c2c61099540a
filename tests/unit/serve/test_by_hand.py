"""Values set by hand: what is refused, what is recorded, what becomes stale; and the time that is left."""

import json

import pytest

from streamer.analysis.run import STAGES
from streamer.errors import LivestemError, RecordingError
from streamer.formats.side_settings import calibrated, read_side, side_path, write_side
from streamer.live.overrides import Overrides, overrides_of, overrides_with, settings_with
from streamer.live.snapshot import LiveSnapshot
from streamer.model import Calibration, EngineState, ScanInfo
from streamer.serve.job_progress import JobProgress
from streamer.serve.live_hand import WHEN, LiveHand
from streamer.serve.moments import MAX_RESULTS, Base, Moment, Moments
from streamer.serve.stale import kept_edits, stale_stages
from streamer.settings import AnalysisSettings, analysis_settings

IN_FORCE = {"in_force": {"inner_px": 18.0, "outer_px": 46.0}, "auto": {"inner_px": 18.0, "k": {"2": 4}}}
SPOT = {"spots_yx": [[3.0, 20.0]], "radius_px": 5.0, "conjugate": True}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("inner", 45.0, "from 45 to 46 px is too thin"),
        ("outer", 10.0, "from 18 to 10 px is too thin"),
        ("ring", [30.0, 31.0], "too thin"),
        ("ring", [30.0], "Expected the inner and the outer radius"),
        ("threshold", 1.5, "threshold: below 1"),
        ("inner", True, "Expected a positive number"),
        ("K", {"2": 0}, "whole numbers from 1 to 32"),
        ("K", 3, "Expected node names"),
        ("virtual", {"Spot": SPOT}, "'name' has the value 'Spot'"),
        ("virtual", {"spot": {"radius_px": 3}}, "spots_yx"),
        ("colour", 1, "Expected one of disk"),
    ],
)
def test_what_cannot_be_set_is_a_sentence(name, value, words):
    with pytest.raises(LivestemError, match=words):
        overrides_with(Overrides(), name, value, IN_FORCE)


def test_records_hold_automatic_and_manual_value_and_time():
    one = overrides_with(Overrides(), "ring", [20.0, 46.0], IN_FORCE, "09:00")
    two = overrides_with(one, "K", {"2": 3, "1": 2}, IN_FORCE, "10:00")
    two = overrides_with(two, "virtual", {"spot": SPOT}, IN_FORCE, "11:00")
    said = {record.parameter: (record.automatic, record.manual, record.time) for record in two.records}
    assert said["inner_px"] == (18.0, 20.0, "09:00"), "the time is that of the change"
    assert said["k 2"] == (4, 3, "10:00")
    assert said["virtual spot"] == (None, SPOT, "11:00")
    back = overrides_with(two, "K", {"2": None}, IN_FORCE, "12:00")
    assert back.k == {"1": 2}
    assert "k 2" not in {record.parameter for record in back.records}
    assert two == overrides_with(two, "virtual", None), "no label depends on a virtual detector"


def test_settings_and_overrides_say_the_same():
    chosen = analysis_settings(
        {"mask": {"inner_px": 20}, "cluster": {"k": {"2": 3}}, "virtual": [{"name": "a", **SPOT}]}
    )
    manual = overrides_of(chosen)
    assert settings_with(AnalysisSettings(), manual, releases=True) == chosen
    assert settings_with(chosen, Overrides(), releases=True) == AnalysisSettings()
    assert settings_with(chosen, Overrides(inner=25.0), releases=False).mask.inner_px == 25.0
    assert settings_with(chosen, Overrides(), releases=False) == chosen


@pytest.mark.parametrize(
    ("changes", "stale", "kept"),
    [
        ({}, (), 3),
        ({"alignment": {"disk_radius_px": 9}}, STAGES, 0),
        ({"mask": {"threshold": 0.4}}, ("features", "hierarchy", "patterns", "manifold"), 0),
        ({"cluster": {"k": {"2": 3}}}, ("hierarchy", "patterns", "manifold"), 1),
        ({"cluster": {"k": {"3": 3}}}, ("hierarchy", "patterns", "manifold"), 2),
        ({"cluster": {"k": {"all": 3}}}, ("hierarchy", "patterns", "manifold"), 0),
        ({"virtual": [{"name": "a", **SPOT}]}, ("virtual",), 3),
    ],
)  # fmt: skip
def test_what_is_stale_and_which_edits_are_repeated(changes, stale, kept):
    edits = [
        {"edit": "merge", "nodes": ["2.1", "2.2"]},
        {"edit": "rename", "node": "1", "title": "film"},
        {"edit": "move", "node": "3.1", "onto": "2"},
    ]
    used = analysis_settings({"edits": edits})
    wanted = analysis_settings({**changes, "edits": edits})
    assert stale_stages(used, wanted) == stale
    assert len(kept_edits(used, wanted, used.edits)) == kept


@pytest.mark.parametrize("state", list(WHEN))
def test_edits_of_the_tree_are_refused_until_there_is_a_result(state):
    hand = LiveHand(AnalysisSettings())
    with pytest.raises(LivestemError, match=r"when .*result is there.* Nothing was changed"):
        hand.answer("split", {"node": "1"}, state, LiveSnapshot(), None)


def test_values_set_during_a_scan_are_undone_and_redone():
    hand = LiveHand(AnalysisSettings())
    for value in (0.2, 0.4):
        hand.set_value("threshold", value, LiveSnapshot())
    running = EngineState.RUNNING
    assert hand.fields(running)["edits"]["n_undo"] == 2
    _, overrides = hand.answer("undo", {}, running, LiveSnapshot(), None)
    assert overrides is not None
    assert overrides.threshold == hand.settings.mask.threshold == 0.2
    hand.answer("redo", {}, running, LiveSnapshot(), None)
    assert hand.overrides.threshold == 0.4
    with pytest.raises(LivestemError, match="nothing to redo"):
        hand.answer("redo", {}, running, LiveSnapshot(), None)


def test_time_left_follows_from_how_long_the_stages_took_before():
    now = [0.0]
    job = JobProgress({"align": 6.0, "features": 2.0, "hierarchy": 2.0}, clock=lambda: now[0])
    assert job.to_json()["left_s"] is None
    now[0] = 3.0
    job.told("align", 0.5)
    said = job.to_json()
    assert (said["step"], said["n_steps"], said["name"]) == (1, 6, "align")
    assert said["fraction"] == pytest.approx(0.29, abs=0.02)
    assert said["left_s"] == pytest.approx(7.2, abs=0.4)
    job.told("features", 0.1)
    job.told("align", 0.9)
    assert job.to_json()["name"] == "features", "a stage that is told late does not take it back"


def test_side_settings_are_kept_beside_the_file_and_bad_ones_count_for_nothing(tmp_path):
    path = tmp_path / "scan.h5"
    info = ScanInfo("a", (4, 5), (8, 8), "uint16", 20, calibration=Calibration(80e3))
    assert read_side(path) == {}
    write_side(path, {"calibration": {"q_measured_inv_nm": 0.4}, "source": "x"})
    write_side(path, {"source": None})
    assert list(read_side(path)) == ["calibration"]
    assert calibrated(info, read_side(path)).calibration.q_per_px_inv_nm == 0.4
    for bad in ({"q_measured_inv_nm": -1}, {"q_measured_inv_nm": "x"}, {"scan_step_yx_nm": [1]}, {}, 7):
        side_path(path).write_text(json.dumps({"calibration": bad}))
        assert calibrated(info, read_side(path)) == info
    side_path(path).write_text("{")
    assert read_side(path) == {}
    with pytest.raises(RecordingError, match="cannot be written"):
        write_side(tmp_path / "none" / "scan.h5", {"source": "x"})


def test_undo_goes_back_50_steps_and_a_key_held_down_is_one():
    moments = Moments(Moment(Base(None, AnalysisSettings(), LiveSnapshot()), Overrides()))
    for n in range(60):
        moments.add(text=f"step {n}", gesture=f"value {n}", at_s=float(n))
    assert moments.to_json() == {"n_undo": 50, "n_redo": 0, "undo_text": "step 59", "redo_text": ""}
    for n in range(5):
        moments.add(text=f"held {n}", gesture="threshold", at_s=100.0 + 0.1 * n, over_s=1.5)
    moments.go(-1)
    said = moments.to_json()
    assert (said["undo_text"], said["redo_text"], said["n_redo"]) == ("step 59", "held 4", 1)
    moments.add(text="another way")
    assert moments.to_json()["n_redo"] == 0
    with pytest.raises(LivestemError, match="nothing to redo"):
        moments.beside(1)


def test_undo_goes_over_a_few_analyses_only():
    bases = [Base(None, AnalysisSettings(), LiveSnapshot(version=n)) for n in range(7)]
    moments = Moments(Moment(bases[0], Overrides()))
    for base in bases[1:]:
        moments.add(base=base, text="analysis")
        moments.drop_old_results()
    assert moments.to_json()["n_undo"] == MAX_RESULTS - 1
    moments.go(-3)
    assert moments.now.base is bases[3]
