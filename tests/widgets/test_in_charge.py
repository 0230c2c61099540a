"""The line that says who is in charge, and what a window that watches cannot do."""

from dataclasses import replace

import pytest
from pyqtgraph.Qt import QtCore, QtWidgets

from gui.greeting import Greeting
from gui.presenters.in_charge import Step
from gui.presenters.viewers import Viewers
from streamer.errors import EngineUnreachable, LivestemError

MOUSE = QtCore.Qt.MouseButton.LeftButton


def say(source, window, **viewers):
    """The engine publishes who is in charge; this window is number 1."""
    status = replace(source.snapshot.status, viewers=Viewers(**viewers))
    source.change(status=status, viewer=1)
    window.tick()


def shown(window):
    return [b.text() for b in window.in_charge.line.findChildren(QtWidgets.QPushButton) if b.isVisible()]


def test_a_window_alone_has_no_line(open_window, source):
    window = open_window(source)
    say(source, window, n_known=1, holder=1, holder_name="me")
    assert not window.in_charge.line.isVisible()
    assert window.actions_by_name["split"].isEnabled()


def test_a_window_that_watches_says_who_is_in_charge_and_why_its_actions_are_off(qtbot, open_window, source):
    window = open_window(source)
    say(source, window, n_known=2, holder=2, holder_name="bob@scope")
    assert window.in_charge.line.text == "bob@scope is in charge; this window watches."
    for name in ("analyze", "split", "inner_more", "calibrate", "lock_k", "undo", "redo"):
        assert not window.actions_by_name[name].isEnabled(), name
    assert "bob@scope is in charge" in window.actions_by_name["split"].toolTip()
    assert shown(window) == ["Ask to be in charge"]
    qtbot.mouseClick(window.in_charge.line.button(Step.TAKE), MOUSE)
    assert [request.method for request in source.requests] == ["take_charge"]
    say(source, window, n_known=2, holder=1, holder_name="me")
    assert window.actions_by_name["split"].isEnabled()
    assert "bob@scope" not in window.actions_by_name["split"].toolTip()


def test_who_is_asked_hands_over_or_stays(qtbot, open_window, source):
    window = open_window(source)
    say(source, window, n_known=2, holder=1, holder_name="me", asker=2, asker_name="bob", left_s=12.0)
    assert "bob asks to be in charge, and will be in 12 s" in window.in_charge.line.text
    assert shown(window) == ["Hand over", "Stay in charge"]
    for step in (Step.KEEP, Step.HAND_OVER):
        qtbot.mouseClick(window.in_charge.line.button(step), MOUSE)
    assert [request.method for request in source.requests] == ["keep_charge", "hand_over"]


class Engine:
    """Answers hello."""

    def __init__(self):
        self.said, self.error = [], None

    def hello(self, name, token, takes_free, timeout_s):
        self.said.append((name, token, takes_free))
        if self.error:
            raise self.error
        return {"viewer": 4, "token": "secret", "may_change": False}


def test_hello_is_said_once_a_second_with_the_token_that_came_back():
    now = [0.0]
    greeting, engine = Greeting("anna", takes_free=True, clock=lambda: now[0]), Engine()
    assert greeting.follow(engine) == {"viewer": 4, "may_change": False}
    assert greeting.follow(engine) == {}
    now[0] = 1.0
    greeting.follow(engine)
    assert engine.said == [("anna", None, True), ("anna", "secret", False)]
    greeting.begin()
    greeting.follow(engine)
    assert engine.said[-1] == ("anna", "secret", True), "the engine may be another one"


def test_an_engine_that_understands_no_hello_is_asked_once_and_one_that_is_gone_is_said():
    greeting, engine = Greeting("anna", clock=lambda: 0.0), Engine()
    engine.error = LivestemError("Request 'hello' is unknown to this engine.")
    assert greeting.follow(engine) == {"viewer": None, "may_change": True}
    assert greeting.follow(engine) == {}
    assert len(engine.said) == 1
    engine.error = EngineUnreachable("gone")
    greeting.begin()
    with pytest.raises(EngineUnreachable):
        greeting.follow(engine)
