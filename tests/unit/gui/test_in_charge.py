"""Who is in charge, in words and in what can be done, decided without Qt."""

from dataclasses import replace

import pytest

from gui.presenters import charge, texts
from gui.presenters.chart_panes import elbow_view, rings_view
from gui.presenters.header_panes import header_view
from gui.presenters.in_charge import Step, in_charge_view, why_watching
from gui.presenters.memo import Memo
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Link
from gui.presenters.viewers import Viewers, viewers_of
from tests.unit.gui.test_charge import snapshot_in

ME, BOB = 1, 2


def seen(viewer=ME, may_change=True, phase="done", **viewers):
    """A snapshot of window 1."""
    snapshot = snapshot_in(phase)
    status = replace(snapshot.status, viewers=Viewers(**viewers))
    return replace(snapshot, status=status, viewer=viewer, may_change=may_change)


MINE = {"n_known": 3, "holder": ME, "holder_name": "me"}
BOBS = {"n_known": 2, "holder": BOB, "holder_name": "bob@scope"}


@pytest.mark.parametrize(
    ("snapshot", "text", "steps"),
    [
        (seen(**MINE), "You are in charge; 2 other windows watch.", [Step.LEAVE]),
        (
            seen(**MINE, asker=3, asker_name="carl", left_s=24.0),
            "carl asks to be in charge, and will be in 24 s if nobody answers.",
            [Step.HAND_OVER, Step.KEEP],
        ),
        (seen(**BOBS), "bob@scope is in charge; this window watches.", [Step.TAKE]),
        (
            seen(**BOBS, asker=ME, asker_name="me", left_s=24.0),
            "bob@scope is asked to hand over; you are in charge in 24 s if nobody answers.",
            [Step.LEAVE],
        ),
        (
            seen(**BOBS, asker=3, asker_name="carl"),
            "bob@scope is in charge; carl asks for it. This window watches.",
            [],
        ),
        (seen(**BOBS, refused=frozenset({ME})), "bob@scope stays in charge. Ask again in a moment.", []),
        (seen(n_known=2), "Nobody is in charge: the first change takes charge.", [Step.TAKE]),
        (
            seen(**BOBS, may_change=False),
            "bob@scope is in charge. Your key may only read: this window watches.",
            [],
        ),
    ],
)
def test_every_situation_has_its_sentence_and_its_buttons(snapshot, text, steps):
    view = in_charge_view(snapshot)
    assert view is not None
    assert view.text == text
    assert [step for step, _ in view.steps] == steps


@pytest.mark.parametrize(
    "snapshot",
    [
        seen(n_known=1, holder=ME, holder_name="me"),
        seen(n_known=1),
        snapshot_in("done"),
        replace(seen(**BOBS), link=Link.GONE),
        replace(seen(**BOBS), viewer=None),
    ],
)
def test_alone_or_without_an_engine_that_knows_viewers_nothing_is_said(snapshot):
    assert in_charge_view(snapshot) is None


@pytest.mark.parametrize("phase", ["scanning", "done"])
def test_who_watches_can_change_nothing_and_is_told_why(phase):
    watching, free = seen(phase=phase, **BOBS), seen(phase=phase, **MINE)
    assert not charge.possible(watching, 7, True).names
    assert charge.possible(free, 7, True).names
    assert charge.why_not(watching) == why_watching(watching)
    assert "bob@scope is in charge" in why_watching(watching)
    assert not why_watching(free)
    buttons = ("can_stop", "can_analyze", "can_cancel")
    assert not any(getattr(header_view(watching), name) for name in buttons)
    assert any(getattr(header_view(free), name) for name in buttons)
    for snapshot, can in ((watching, False), (free, True)):
        assert rings_view(snapshot, Selection(), Memo()).can_set is can
        assert elbow_view(snapshot, Selection(), Memo()).can_set is can


def test_who_may_only_read_is_told_so_first():
    assert "may only read" in why_watching(seen(**BOBS, may_change=False))
    read_only = replace(snapshot_in("done", read_only=True), viewer=ME)
    assert why_watching(read_only) == texts.CHARGE_READ_ONLY


def test_an_engine_that_knows_no_viewers_is_watched_as_before():
    assert viewers_of({"state": "IDLE"}) is None
    assert not why_watching(snapshot_in("done"))


def test_the_state_of_the_engine_is_read_as_it_says_it():
    from streamer.serve.in_charge import InCharge

    room = InCharge(lambda: 0.0)
    room.hello(b"a", "anna", None, True, takes_free=True)
    room.hello(b"b", "bob", None, True)
    room.answer(b"b", "take_charge", {})
    expected = Viewers(2, 1, "anna", 2, "bob", 30.0)
    assert viewers_of(room.fields()) == expected
    room.answer(b"a", "keep_charge", {})
    assert viewers_of(room.fields()) == Viewers(2, 1, "anna", refused=frozenset({2}))
