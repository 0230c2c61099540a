"""The export dialog's decisions: which result, which request, what is remembered; without Qt."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from gui.presenters import texts
from gui.presenters.export_pane import (
    FIRST_KINDS,
    PREVIEW_PX,
    Described,
    ExportState,
    chosen,
    copy_request,
    preview_request,
    remembered_plan,
    result_of,
    shown_panels,
    view_of,
    write_request,
)
from gui.presenters.snapshot import Answer, Link, Request, Snapshot
from gui.presenters.status import Edits, EngineStatus
from streamer.export.plan import ExportPlan, FigurePlan, Kind, Panel, export_plan

DESCRIBED = Described(("map", "tree", "elbow"), ("map", "elbow"), "scan", (None, 14.0, 4.0))


@pytest.fixture
def result(tmp_path):
    path = tmp_path / "scan.result.h5"
    path.write_bytes(b"")
    return path


def snapshot_of(**status):
    return Snapshot(
        sequence=1,
        link=Link.CONNECTED,
        endpoint="",
        status=EngineStatus(**status),
        arrays=MappingProxyType({}),
    )


def test_during_a_scan_there_is_no_result_and_the_dialog_may_stay(result):
    assert result_of(snapshot_of()) == (None, texts.EXPORT_NO_RESULT)
    assert result_of(snapshot_of(result=str(result), shows="live"))[0] is None
    view = view_of(ExportState(hint=texts.EXPORT_NO_RESULT))
    assert not (view.can_export)
    assert not (view.can_copy)
    assert result_of(snapshot_of(result=str(result), shows="final")) == (result, "")


def test_a_result_on_another_computer_is_exported_there():
    path, hint = result_of(snapshot_of(result="/there/scan.result.h5", shows="final"))
    assert path is None
    assert "livestem export /there/scan.result.h5" in hint


def test_changes_that_are_not_saved_are_said_and_saved_ones_are_exported(result, tmp_path):
    edited = snapshot_of(result=str(result), shows="final", edits=Edits(n_undo=1))
    assert result_of(edited) == (result, texts.EXPORT_UNSAVED)
    saved = tmp_path / "scan.edited.result.h5"
    saved.write_bytes(b"")
    answer = Answer(1, Request("save"), {"result": str(saved)})
    assert result_of(replace(edited, answers={"save": answer})) == (saved, "")


def test_requests_say_what_the_command_would(result):
    plan = ExportPlan(kinds=(Kind.PDF,), figure=FigurePlan(width_mm=85, dpi=600, hatches=True))
    state = ExportState(result=result, plan=plan)
    request = write_request(state)
    assert (request["out"], request["name"]) == (str(result.parent), "")
    assert export_plan(request["plan"]) == plan
    elsewhere = write_request(replace(state, folder="/f", name="n"))
    assert (elsewhere["out"], elsewhere["name"]) == ("/f", "n")
    preview = export_plan(preview_request(state, "/tmp", "p")["plan"])
    assert preview.kinds == (Kind.PNG,)
    assert preview.figure.dpi * 85 / 25.4 == pytest.approx(PREVIEW_PX, rel=0.01)
    assert preview.figure.hatches
    assert export_plan(copy_request(state, "/tmp", "c")["plan"]).kinds == (Kind.PNG, Kind.SVG)


def test_the_usual_panels_are_not_kept_so_that_another_result_has_its_own():
    usual = ExportPlan(figure=FigurePlan(panels=(Panel.MAP, Panel.ELBOW)))
    assert chosen(usual, DESCRIBED).figure.panels == ()
    other = ExportPlan(figure=FigurePlan(panels=(Panel.TREE,)))
    assert chosen(other, DESCRIBED) == other
    assert shown_panels(other, DESCRIBED) == ("tree",)
    assert shown_panels(ExportPlan(figure=FigurePlan(panels=(Panel.MANIFOLD,))), DESCRIBED) == (
        "map",
        "elbow",
    )


@pytest.mark.parametrize(
    ("level", "hatches", "words"),
    [
        (None, False, "look alike"),
        (2, False, "differ for every eye"),
        (1, False, ""),
        (None, True, "Hatches"),
    ],
)
def test_the_badge_speaks_of_the_level_that_is_drawn(result, level, hatches, words):
    plan = ExportPlan(kinds=(Kind.SVG,), figure=FigurePlan(level=level, hatches=hatches))
    view = view_of(ExportState(result=result, plan=plan, described=DESCRIBED))
    assert words in view.sights
    assert bool(words) == bool(view.sights)
    assert view.n_levels == 3


def test_while_it_exports_the_button_cancels_and_nothing_is_copied(result):
    view = view_of(ExportState(result=result, plan=ExportPlan(), share=0.4))
    assert view.can_export
    assert not view.can_copy
    assert "40 %" in view.said
    idle = view_of(ExportState(result=result, plan=ExportPlan()))
    assert not idle.can_export
    assert idle.said == texts.EXPORT_NO_KIND


@pytest.mark.parametrize("text", ["", "{", '{"figure": {"dpi": 3}}', '{"unknown": 1}', "[]"])
def test_choices_that_cannot_be_read_are_those_of_the_first_time(text):
    assert remembered_plan(text) == ExportPlan(kinds=FIRST_KINDS)


def test_a_level_is_not_remembered():
    plan = ExportPlan(kinds=(Kind.CSV,), figure=FigurePlan(level=2, font_pt=9))
    assert remembered_plan(plan.model_dump_json()) == ExportPlan(
        kinds=(Kind.CSV,), figure=FigurePlan(font_pt=9)
    )
