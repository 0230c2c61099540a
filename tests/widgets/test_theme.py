"""Text can be read in every look."""

from dataclasses import fields

import pytest
from pyqtgraph.Qt import QtGui

from gui import theme
from gui.presenters.phase import Phase
from gui.presenters.views import Severity
from streamer.look.colour_difference import contrast

LOOKS = {"dark": theme.DARK, "light": theme.LIGHT}
WORDS_ON = [
    ("text", "window"), ("text", "panel"), ("text", "tile"), ("text", "button"), ("text", "raised"),
    ("text_dim", "window"), ("text_dim", "panel"), ("text_dim", "tile"), ("text_dim", "raised"),
    ("text", "chunk"), ("text", "banner"), ("text", "banner_amber"), ("amber", "panel"), ("orange", "panel"),
    ("amber", "window"), ("orange", "window"),
]  # fmt: skip


def rgb(text):
    return QtGui.QColor(text).getRgb()[:3]


@pytest.mark.parametrize("name", list(LOOKS))
@pytest.mark.parametrize(("words", "ground"), WORDS_ON)
def test_words_have_a_contrast_of_four_and_a_half(name, words, ground):
    look = LOOKS[name]
    least = 3.0 if (name, ground) == ("dark", "chunk") else 4.5  # bold figures on the bar
    assert contrast(rgb(getattr(look, words)), rgb(getattr(look, ground))) >= least


@pytest.mark.parametrize("name", list(LOOKS))
def test_every_colour_is_one(name):
    assert all(QtGui.QColor(getattr(LOOKS[name], field.name)).isValid() for field in fields(theme.Look))


@pytest.mark.parametrize("phase", list(Phase))
def test_every_pill_has_a_colour_on_which_white_can_be_read(phase):
    assert contrast((255, 255, 255), rgb(theme.PILL_COLOURS[phase])) >= 4.5


@pytest.mark.parametrize("severity", list(Severity))
def test_every_severity_has_a_colour(severity):
    assert QtGui.QColor(theme.severity_colour(severity)).isValid()


@pytest.mark.parametrize("chosen", list(theme.Theme))
def test_every_look_can_be_applied(qapp, chosen):
    before = qapp.palette(), qapp.styleSheet()
    try:
        theme.apply(qapp, chosen)
        assert theme.look() is (theme.LIGHT if chosen is theme.Theme.LIGHT else theme.look())
    finally:
        theme.apply(qapp, theme.Theme.DARK)
        qapp.setPalette(before[0])
