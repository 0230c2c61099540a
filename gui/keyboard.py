"""How the keyboard goes through the window: keys of single panes, and the order of the controls."""

import itertools
from collections.abc import Callable

from pyqtgraph.Qt import QtWidgets

from gui.actions import ACTIONS
from gui.panes import Panes
from gui.widgets.pane_keys import PaneKeys, focus_stops


class Keyboard:
    """Of one window.

    Parameters
    ----------
    panes
        Its panes.
    above
        Lines above the panes, from the top.
    actions
        By name.
    """

    def __init__(
        self, panes: Panes, above: list[QtWidgets.QWidget], actions: dict[str, QtWidgets.QAction]
    ) -> None:
        self._panes, self._above = panes, above
        for pane, widgets in (
            ("map", [panes.cluster_map.canvas, panes.tiles, panes.tree]),
            ("pattern", [panes.pattern.canvas]),
        ):
            PaneKeys(widgets, [actions[spec.name] for spec in ACTIONS if spec.pane == pane])
        panes.virtual.canvas_added.connect(lambda _: self._order())
        self._order()

    def _order(self) -> None:
        """From control to control in reading order."""
        places = [*self._above, *self._panes.in_reading_order]
        stops = [stop for place in places for stop in focus_stops(place)]
        for before, after in itertools.pairwise(stops):
            QtWidgets.QWidget.setTabOrder(before, after)


def move_focus(move: Callable[[bool], bool]) -> dict[str, Callable[[], None]]:
    """What the actions do that leave a pane whose keys are its own; `move` is the window's own way on or back."""

    def go(forward: bool) -> None:
        move(forward)

    return {"focus_next": lambda: go(True), "focus_previous": lambda: go(False)}
