"""The window: polls the newest snapshot, shows what changed, and turns mouse and keys into a selection."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.actions import add_actions
from gui.charge import Charge
from gui.errors_shown import ErrorReports
from gui.exporting import Exporting
from gui.going_on import GoingOn
from gui.in_charge import InCharge
from gui.keyboard import Keyboard, move_focus
from gui.looking import Looking
from gui.opening import FileOpener
from gui.pane_tools import PaneTools
from gui.panes import Panes, Slot
from gui.presenters.memo import Memo
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.snapshot import Link, Snapshot, SnapshotSource
from gui.presenters.ui_state import UiState
from gui.presenters.views import BannerView, HeaderView, Severity
from gui.remembered import Remembered
from gui.settings_page import SettingsPage
from gui.settings_store import SettingsStore
from gui.widgets.banner import Banner
from gui.widgets.header import Header
from gui.widgets.history_strip import HistoryStrip
from gui.widgets.keys_dialog import KeysDialog
from gui.widgets.pane import Pane
from gui.widgets.status_line import StatusLine
from gui.window_files import WindowFiles, dropped_files

TREE_TOOLS = ("split", "merge", "rename", "hide", "move", "undo", "redo")
TICK_MS = 33
HOVER_TICK_MS = 1
"""While a pattern is awaited the slot is looked at more often, which costs next to nothing while it is the same."""
SLOW_TICK_MS = 66
SLOW_REFRESH_S = 0.025
FONT_STEP = 0.1


class MainWindow(QtWidgets.QMainWindow):
    """The dashboard. It computes nothing: `UiState` says what every pane shows."""

    def __init__(
        self,
        source: SnapshotSource,
        errors: ErrorReports,
        remembered: Remembered | None = None,
        opener: FileOpener | None = None,
        *,
        can_simulate: bool = False,
        continues: bool = False,
    ) -> None:
        super().__init__()
        self._remembered = remembered
        self._was_shown = False
        self.files = WindowFiles(
            self, remembered, errors.say, opener, set_theme=lambda chosen: self.settings.set_theme(chosen)
        )
        self._source, self._errors = source, errors
        self.looking = Looking(self)
        self._memo = Memo()
        self._dismissed: frozenset[str] = frozenset()
        self._seen_reset = source.latest().reset
        self._drawn_from: object = None
        self._frame: dict[str, object] = {}
        self._ticks: list[float] = []
        self.charge = Charge(self)
        self._actions = add_actions(self, self._slots())
        self.in_charge = InCharge(source, self._actions)
        store = remembered.store if remembered else SettingsStore(None)
        self.going_on = GoingOn(self, remembered.sessions if remembered else None, at_once=continues)
        self.header = Header([self._actions[name] for name in ("stop", "analyze", "cancel")])
        self.banner, self.panes, self.status_line = Banner(), Panes(), StatusLine()
        self.history = HistoryStrip()
        self.panes.cluster_map.can_simulate = can_simulate
        self.tools = PaneTools(self, self.panes, lambda: (source.latest(), self.selection), errors.say)
        self.exporting = Exporting(self, remembered, source.latest)
        self.setAcceptDrops(True)
        self.panes.add_tree_tools([self._actions[name] for name in TREE_TOOLS])
        self._arrange()
        self._connect()
        self.charge.connect(self.panes, self._actions)
        self.settings = SettingsPage(self, self._actions, store, self._follow_look)
        above = [self.header, self.banner, self.in_charge.line, self.going_on.line, self.charge.panel]
        self.keyboard = Keyboard(self.panes, above, self._actions)
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)
        self._timer.start()
        self.tick()

    @property
    def source(self) -> SnapshotSource:
        """Where what is shown comes from."""
        return self._source

    @property
    def selection(self) -> Selection:
        """What the operator looks at."""
        return self.looking.selection

    @property
    def options(self) -> ViewOptions:
        """How things are drawn."""
        return self.looking.options

    @property
    def actions_by_name(self) -> dict[str, QtWidgets.QAction]:
        """Every action by the name that it has in the table."""
        return self._actions

    @property
    def errors(self) -> ErrorReports:
        """What went wrong in the window itself."""
        return self._errors

    def select(self, selection: Selection) -> None:
        """Look at something else; every pane follows at once."""
        self.looking.select(selection)

    def state(self, snapshot: Snapshot | None = None) -> UiState:
        """What the panes show now, or would of this snapshot."""
        return UiState(
            snapshot or self._source.latest(),
            self.selection,
            self.options,
            self._memo,
            self._dismissed,
            self.charge.draft,
        )

    def look_at(self, selection: Selection, options: ViewOptions) -> None:
        """Look at something else, drawn in another way."""
        self.looking.options = options
        self.select(selection)
        self.refresh()

    def go_on_with(self, path: Path) -> None:
        """Open a file in a window of its own, where somebody was in it."""
        self.files.open(path, goes_on=True)

    def tick(self) -> None:
        """Look for something new; the timer calls this."""
        self._count_tick()
        try:
            self._source.raise_if_failed()
        except Exception as error:
            self._errors.report("The connection ended", error)
        stage = self.files.poll()
        if stage is not None:
            self.panes.cluster_map.set_simulation(stage)
        self.refresh()

    def refresh(self) -> None:
        """Show the newest snapshot and the selection, only where something changed."""
        snapshot = self._source.latest()
        if snapshot.reset != self._seen_reset:
            self._seen_reset = snapshot.reset
            self.looking.forget()
        self._attempt("controls", lambda: self.charge.follow(snapshot), None)
        self._attempt("line of who is in charge", lambda: self.in_charge.follow(snapshot), None)
        self._attempt("session", lambda: self._follow_person(snapshot), None)
        drawn_from = (
            snapshot.sequence,
            self.selection,
            self.options,
            self._dismissed,
            self._errors.newest(),
            self.charge.draft,
        )
        if drawn_from == self._drawn_from:
            self._pace(snapshot, 0.0)
            return
        self._drawn_from = drawn_from
        started = time.perf_counter()
        state = self.state(snapshot)
        self._show_frame(state)
        for slot in self.panes.slots:
            self._show_slot(slot, state)
        self._pace(snapshot, time.perf_counter() - started)

    def _follow_person(self, snapshot: Snapshot) -> None:
        """Keep the session, offer the one before, and say what of it or of the settings could not be used."""
        said = self.going_on.follow(snapshot, self.selection, self.options)
        for sentence in (*said, *self.settings.problems()):
            self._errors.say(sentence)

    def _follow_look(self) -> None:
        """Everything is drawn anew, in the colours in use."""
        for slot in self.panes.slots:
            slot.shown = None
        self._frame.clear()
        self._redraw()

    def _show_frame(self, state: UiState) -> None:
        """Header, banner and status line; each on its own, like the panes."""
        self._show_changed("header", lambda: state.header, self._show_header)
        self._show_changed("banner", lambda: self._error_banner() or state.banner, self.banner.set_view)
        self._show_changed("status line", lambda: state.status, self.status_line.set_view)
        self._show_changed("history", lambda: state.history, self.history.set_history)
        self._show_changed("fourth place", lambda: state.has_result, self.panes.set_has_result)

    def _show_changed(self, name: str, view_of: Callable[[], Any], show: Callable[[Any], None]) -> None:
        def show_it() -> None:
            view = view_of()
            if name not in self._frame or self._frame[name] != view:
                show(view)
                self._frame[name] = view

        self._attempt(name, show_it, None)

    def _show_header(self, view: HeaderView) -> None:
        self.header.set_view(view)
        self._actions["stop"].setEnabled(view.can_stop)
        self._actions["analyze"].setEnabled(view.can_analyze)
        self._actions["cancel"].setEnabled(view.can_cancel)
        self.setWindowTitle(f"{view.word} · {view.summary} · livestem")

    def _show_slot(self, slot: Slot, state: UiState) -> None:
        if slot.pane.is_paused or not slot.content.isVisibleTo(slot.content.window()):
            return

        def show() -> None:
            view = getattr(state, slot.attribute)
            if view != slot.shown:
                slot.show(view)
                slot.shown = view

        self._attempt(slot.name, show, slot.pane)

    def _attempt(self, name: str, show: Callable[[], None], pane: Pane | None) -> None:
        """One part of the window that cannot be drawn never stops the others."""
        try:
            show()
        except Exception as error:
            self._errors.report(f"The {name} could not be drawn", error)
            if pane is not None:
                pane.pause(f"{type(error).__name__}: {error}")

    def _error_banner(self) -> BannerView | None:
        newest = self._errors.newest()
        if newest is None or f"error {newest[0]}" in self._dismissed:
            return None
        return BannerView(f"error {newest[0]}", Severity.AMBER, "", newest[1])

    def _pace(self, snapshot: Snapshot, took_s: float) -> None:
        """Look again soon when a pattern is awaited, later when drawing is slow; no data is dropped by it."""
        wanted_yx = self.selection.position_yx
        awaited = wanted_yx is not None and snapshot.link is Link.CONNECTED
        if snapshot.pattern is not None and snapshot.pattern.position_yx == wanted_yx:
            awaited = False
        if took_s > SLOW_REFRESH_S:
            interval = SLOW_TICK_MS
        else:
            interval = HOVER_TICK_MS if awaited else TICK_MS
        if interval != self._timer.interval():
            self._timer.setInterval(interval)

    def _count_tick(self) -> None:
        now = time.monotonic()
        self._ticks.append(now)
        if now - self._ticks[0] >= 1.0:
            self.status_line.set_display_rate(min(round((len(self._ticks) - 1) / (now - self._ticks[0])), 30))
            self._ticks = [now]

    def _arrange(self) -> None:
        centre = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(centre)
        column.setContentsMargins(4, 2, 4, 2)
        column.setSpacing(4)
        column.addWidget(self.header)
        column.addWidget(self.banner)
        column.addWidget(self.in_charge.line)
        column.addWidget(self.going_on.line)
        column.addWidget(self.charge.panel)
        column.addWidget(self.panes, 1)
        column.addWidget(self.history)
        column.addWidget(self.status_line)
        self.setCentralWidget(centre)

    def _connect(self) -> None:
        panes = self.panes
        self.looking.connect(panes)
        panes.tabs.currentChanged.connect(lambda _: self._redraw())
        for pane in panes.all_panes:
            pane.retry.connect(lambda pane=pane: self._retry(pane))
        panes.table_switch.clicked.connect(self._set_table)
        panes.cluster_map.simulation_asked.connect(self._actions["simulate"].trigger)
        self.header.menu.aboutToShow.connect(self._fill_menu)
        self.banner.dismissed.connect(self._dismiss)
        self.banner.details.connect(lambda: panes.show_tab("log"))
        self.banner.analyze.connect(self._actions["analyze"].trigger)

    def _slots(self) -> dict[str, Callable[[], None]]:
        commands = {
            name: (lambda name=name: self._source.command(name)) for name in ("stop", "analyze", "cancel")
        }
        return {
            **commands,
            **self.looking.slots(),
            **self.charge.slots(),
            "open": self.files.ask,
            "simulate": lambda: self.files.simulate(self._source.latest().status.listen),
            **move_focus(lambda forward: self.focusNextPrevChild(forward)),
            "larger_text": lambda: self._scale_text(theme.font_scale() + FONT_STEP),
            "smaller_text": lambda: self._scale_text(theme.font_scale() - FONT_STEP),
            "normal_text": lambda: self._scale_text(1.0),
            "clear": self._clear,
            "table": lambda: self._set_table(not self.panes.table_switch.isChecked()),
            "maximise": lambda: self.panes.toggle_maximised(self.tools.pane_in_hand()),
            "copy": lambda: self.tools.copy(self.tools.pane_in_hand()),
            "copy_table": lambda: self.tools.copy_table(),
            "save_window": lambda: self.tools.save_window(),
            "export": lambda: self.exporting.open(),
            "show_log": lambda: self.panes.show_tab("log"),
            "full_screen": lambda: self.showNormal() if self.isFullScreen() else self.showFullScreen(),
            "settings": lambda: self.settings.open(),
            "keys": lambda: KeysDialog(self, list(self._actions.values())).show(),
            "quit": self._quit,
        }

    def _scale_text(self, scale: float) -> None:
        self.settings.set_font_percent(round(100 * scale))

    def _quit(self) -> None:
        self.close()

    def _clear(self) -> None:
        """Calibration is left first, a job cancelled next, then goes what is tried, then what is selected."""
        if self.charge.leave_calibration():
            return
        if self._actions["cancel"].isEnabled():
            self._actions["cancel"].trigger()
            self.charge.escape()
        elif self.charge.escape():
            self.refresh()
        elif not self.selection.is_empty:
            self.select(self.selection.cleared())
        elif self.panes.is_maximised:
            self.panes.restore_sizes()
            self._redraw()

    def _set_table(self, has_table: bool) -> None:
        self.panes.set_has_table(has_table)
        self._redraw()

    def _fill_menu(self) -> None:
        menu = self.header.menu
        menu.clear()
        for name in ("open", "simulate"):
            menu.addAction(self._actions[name])
        self.files.fill_menu(menu)
        menu.addSeparator()
        for name in (
            "export",
            "save_window",
            "copy_table",
            "table",
            "full_screen",
            "settings",
            "keys",
            "quit",
        ):
            menu.addAction(self._actions[name])

    def dragEnterEvent(self, a0: QtGui.QDragEnterEvent | None) -> None:
        """A file may be dropped anywhere."""
        if a0 is not None and dropped_files(a0):
            a0.acceptProposedAction()

    def dropEvent(self, a0: QtGui.QDropEvent | None) -> None:
        """Open what is dropped."""
        for path in dropped_files(a0):
            self.files.open(path)
        self.tick()

    def _dismiss(self, key: str) -> None:
        self._dismissed |= {key}
        self.refresh()

    def _retry(self, pane: Pane) -> None:
        pane.resume()
        self._redraw()

    def _redraw(self) -> None:
        self._drawn_from = None
        self.refresh()

    def showEvent(self, a0: QtGui.QShowEvent | None) -> None:
        """Draw once more when sizes are known."""
        super().showEvent(a0)
        # Otherwise the first button has the focus, and it is Stop.
        self.panes.cluster_map.canvas.setFocus()
        if not self._was_shown and not (self._remembered and self._remembered.is_restored):
            self.panes.share_out()
        self._was_shown = True
        self.settings.follow_system()
        self._redraw()

    def closeEvent(self, a0: QtGui.QCloseEvent | None) -> None:
        """Stop looking; whoever made the refresh thread ends it."""
        self._timer.stop()
        self.going_on.close()
        self.settings.close()
        self.files.close()
        self.tools.close()
        self.exporting.close()
        self.panes.restore_sizes()
        if self._remembered is not None:
            self._remembered.keep(self)
        super().closeEvent(a0)
