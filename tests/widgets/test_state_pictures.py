"""The five pictures of `make pictures`, from a small scan that runs through a real engine."""

import pytest
from pyqtgraph.Qt import QtGui

from gui import theme
from gui.pictures import STATES, show_states
from gui.presenters import texts
from gui.presenters.phase import Phase
from gui.presenters.ui_state import UiState

PHASES = {
    "waiting": Phase.WAITING, "scanning": Phase.SCANNING, "analysing": Phase.ANALYSING, "done": Phase.DONE,
    "fault": Phase.STREAM_LOST,
}  # fmt: skip


def colours_in(picture, window, widget):
    """Different colours inside a widget, below its title and tools."""
    corner = widget.mapTo(window, widget.rect().topLeft())
    part = picture.copy(corner.x(), corner.y() + 60, widget.width(), widget.height() - 60)
    return {part.pixel(x, y) for x in range(0, part.width(), 5) for y in range(0, part.height(), 2)}


@pytest.mark.system
@pytest.mark.timeout(240)
def test_every_state_of_a_real_scan_is_drawn_with_its_words_and_colours(tmp_path, qtbot):
    seen = []

    def look(state, window):
        phase = PHASES[state]
        header, panes = window.header, window.panes
        icon, word = texts.PILLS[phase]
        assert header.words[0] == f"{icon}  {word}"
        snapshot = window.source.latest()
        shown = UiState(snapshot, window.selection, window.options)
        assert header.words[1:] == (shown.header.summary, shown.header.sentence)
        picture = QtGui.QImage(window.grab().toImage())
        pill = header.pill.mapTo(window, header.pill.rect().topLeft())
        assert picture.pixelColor(pill.x() + 8, pill.y() + 8).name() == theme.PILL_COLOURS[phase].lower()
        for widget in (panes.cluster_map, panes.virtual_pane, panes.pattern, panes.tiles_pane, panes.tree_pane,
                       panes.fourth, panes.tabs):  # fmt: skip
            least = 3 if state == "waiting" else 6
            n = len(colours_in(picture, window, widget))
            assert n >= least, f"{widget.accessibleName()} is blank while {state}: {n} colours"
        if state == "waiting":
            assert texts.MAP_WAITING.split("\n")[0] in shown.cluster_map.picture.message
        if state == "fault":
            assert texts.FINISH_REASONS[snapshot.status.finish_reason] in window.banner.text
        assert window.errors.newest() is None
        seen.append(state)

    show_states(tmp_path, 32, (1366, 768), look, scan_s=3.0)
    assert tuple(seen) == STATES
