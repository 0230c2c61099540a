"""Connects the line that says who is in charge, and gives the actions that cannot be done the reason."""

from pyqtgraph.Qt import QtWidgets

from gui.actions import ACTIONS
from gui.charge import CHARGE_ACTIONS
from gui.presenters.in_charge import LineView, in_charge_view, why_watching
from gui.presenters.snapshot import Request, Snapshot, SnapshotSource
from gui.widgets.offer_line import OfferLine

CHANGING = tuple(
    spec
    for spec in ACTIONS
    # What undo and redo would do stands in their tips.
    if spec.name in {"stop", "analyze", "cancel", *CHARGE_ACTIONS} - {"undo", "redo"}
)


class InCharge:
    """One window's part in it."""

    def __init__(self, source: SnapshotSource, actions: dict[str, QtWidgets.QAction]) -> None:
        self._actions = actions
        self._shown: LineView | None = None
        self._reason = ""
        self.line = OfferLine()
        self.line.chosen.connect(lambda method: source.ask(Request(method)))

    def follow(self, snapshot: Snapshot) -> None:
        """Show who is in charge now."""
        view = in_charge_view(snapshot)
        if view != self._shown:
            self._shown = view
            self.line.set_view(view)
        reason = why_watching(snapshot)
        if reason != self._reason:
            self._reason = reason
            for spec in CHANGING:
                self._actions[spec.name].setToolTip(f"{spec.tip}. {reason}" if reason else spec.tip)
