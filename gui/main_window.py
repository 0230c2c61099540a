"""The window: polls the newest snapshot, shows what changed, and turns mouse and keys into a selection."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.actions import add_actions
from gui.charge import Charge
from gui.errors_shown import ErrorReports
from gui.exporting import Exporting
from gui.going_on import GoingOn
from gui.in_charge import InCharge
from gui.opening import FileOpener
from gui.pane_tools import PaneTools
from gui.panes import Panes, Slot
from gui.presenters.clusters import Clusters, node_above, node_at, node_below, node_beside
from gui.presenters.levels import Scale
from gui.presenters.memo import Memo
from gui.presenters.momentum_pane import momentum_node_at
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
        self._selection, self._options = Selection(), ViewOptions()
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
        self.tools = PaneTools(self, self.panes, lambda: (source.latest(), self._selection), errors.say)
        self.exporting = Exporting(self, remembered, source.latest)
        self.setAcceptDrops(True)
        self.panes.add_tree_tools([self._actions[name] for name in TREE_TOOLS])
        self._arrange()
        self._connect()
        self.charge.connect(self.panes, self._actions)
        self.settings = SettingsPage(self, self._actions, store, self._follow_look)
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
        return self._selection

    @property
    def options(self) -> ViewOptions:
        """How things are drawn."""
        return self._options

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
        if selection == self._selection:
            return
        self._selection = selection
        self._source.want_pattern(selection.position_yx)
        self._source.want_compared(selection.compared_yx)
        self.refresh()

    def look_at(self, selection: Selection, options: ViewOptions) -> None:
        """Look at something else, drawn in another way."""
        self._options = options
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
            # Another scan: its nodes and positions are others, whatever their numbers.
            self._seen_reset = snapshot.reset
            self._selection = self._selection.cleared().with_hover(None)
            self._source.want_pattern(None)
            self._source.want_compared(None)
        self._attempt("controls", lambda: self.charge.follow(snapshot), None)
        self._attempt("line of who is in charge", lambda: self.in_charge.follow(snapshot), None)
        self._attempt("session", lambda: self._follow_person(snapshot), None)
        drawn_from = (
            snapshot.sequence,
            self._selection,
            self._options,
            self._dismissed,
            self._errors.newest(),
            self.charge.draft,
        )
        if drawn_from == self._drawn_from:
            self._pace(snapshot, 0.0)
            return
        self._drawn_from = drawn_from
        started = time.perf_counter()
        state = UiState(
            snapshot, self._selection, self._options, self._memo, self._dismissed, self.charge.draft
        )
        self._show_frame(state)
        for slot in self.panes.slots:
            self._show_slot(slot, state)
        self._pace(snapshot, time.perf_counter() - started)

    def _follow_person(self, snapshot: Snapshot) -> None:
        """Keep the session, offer the one before, and say what of it or of the settings could not be used."""
        said = self.going_on.follow(snapshot, self._selection, self._options)
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
        wanted_yx = self._selection.position_yx
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
        for canvas in (
            panes.cluster_map.canvas,
            *panes.virtual.canvases,
            panes.lattice.canvas,
            panes.manifold,
        ):
            self._follow_mouse(canvas)
        for row in (panes.virtual, panes.alignment):
            row.canvas_added.connect(self._follow_mouse)
        for canvas in (panes.cluster_map.canvas, *panes.virtual.canvases):
            canvas.compared.connect(lambda y, x: self.select(self._selection.compared_with((y, x))))
        for canvas in (panes.cluster_map.canvas, panes.manifold):
            canvas.marked.connect(lambda mask: self.select(self._selection.with_region(mask)))
        panes.lattice.quantity_chosen.connect(
            lambda quantity: self._set_options(replace(self._options, lattice=quantity))
        )
        panes.cluster_map.level_chosen.connect(lambda level: self.select(self._selection.with_level(level)))
        panes.cluster_map.labels_toggled.connect(
            lambda on: self._set_options(replace(self._options, show_labels=on))
        )
        panes.cluster_map.outlines_toggled.connect(
            lambda on: self._set_options(replace(self._options, show_outlines=on))
        )
        panes.cluster_map.blend_toggled.connect(
            lambda on: self._set_options(replace(self._options, blends_bright_field=on))
        )
        panes.pattern.scale_chosen.connect(self._set_scale)
        panes.tiles.node_clicked.connect(self._toggle_node)
        panes.tree.node_clicked.connect(self._toggle_node)
        for nodes in (panes.tiles, panes.tree):
            nodes.node_compared.connect(lambda node: self.select(self._selection.compared_with(node_id=node)))
        panes.momentum.grid.node_clicked.connect(lambda n: self.select(self._selection.toggled_momentum(n)))
        panes.momentum.canvas.clicked.connect(self._click_momentum)
        panes.tabs.currentChanged.connect(lambda _: self._redraw())
        for pane in panes.all_panes:
            pane.retry.connect(lambda pane=pane: self._retry(pane))
        panes.table.node_chosen.connect(lambda node: self.select(self._selection.with_node(node)))
        panes.table_switch.clicked.connect(self._set_table)
        panes.cluster_map.simulation_asked.connect(self._actions["simulate"].trigger)
        self.header.menu.aboutToShow.connect(self._fill_menu)
        self.banner.dismissed.connect(self._dismiss)
        self.banner.details.connect(lambda: panes.show_tab("log"))
        self.banner.analyze.connect(self._actions["analyze"].trigger)

    def _follow_mouse(self, canvas: Any) -> None:
        """A canvas of the scan, or of points that belong to its positions."""
        canvas.hovered.connect(lambda yx: self.select(self._selection.with_hover(yx)))
        canvas.clicked.connect(self._click_position)

    def _slots(self) -> dict[str, Callable[[], None]]:
        commands = {
            name: (lambda name=name: self._source.command(name)) for name in ("stop", "analyze", "cancel")
        }
        levels = {f"level_{n}": (lambda n=n: self.select(self._selection.with_level(n))) for n in (1, 2, 3)}
        scales = {str(scale): (lambda scale=scale: self._set_scale(scale)) for scale in Scale}
        steps = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
        moves = {name: (lambda step=step: self._move_cursor(*step)) for name, step in steps.items()}
        return {
            **commands,
            **levels,
            **scales,
            **moves,
            **self.charge.slots(),
            "labels": lambda: self._set_options(
                replace(self._options, show_labels=not self._options.show_labels)
            ),
            "outlines": lambda: self._set_options(
                replace(self._options, show_outlines=not self._options.show_outlines)
            ),
            "blend": lambda: self._set_options(
                replace(self._options, blends_bright_field=not self._options.blends_bright_field)
            ),
            "pin": lambda: self.select(self._selection.toggled_pin()),
            "open": self.files.ask,
            "simulate": lambda: self.files.simulate(self._source.latest().status.listen),
            "next": lambda: self._step_cluster(1),
            "previous": lambda: self._step_cluster(-1),
            "descend": lambda: self._select_relative(node_below),
            "ascend": lambda: self._select_relative(node_above),
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

    def _quit(self) -> None:
        self.close()

    def _click_position(self, y: int, x: int, keep_single: bool) -> None:
        """A click selects the cluster there; with Shift it pins the single pattern."""
        if keep_single:
            self.select(self._selection.with_pin((y, x)))
            return
        state = UiState(self._source.latest(), self._selection, self._options, self._memo)
        node_id = node_at(state.clusters.label_map, (y, x))
        self._toggle_node(node_id if node_id >= 0 else None)

    def _click_momentum(self, y: int, x: int, _: bool) -> None:
        node_id = momentum_node_at(self._source.latest(), y, x)
        self.select(self._selection.toggled_momentum(node_id))

    def _toggle_node(self, node_id: int | None) -> None:
        self.select(self._selection.toggled_node(node_id))

    def _move_cursor(self, step_y: int, step_x: int) -> None:
        scan = self._source.latest().status.scan
        if scan is None:
            return
        far = bool(QtWidgets.QApplication.keyboardModifiers() & QtCore.Qt.KeyboardModifier.ShiftModifier)
        n_px = 10 if far else 1
        self.select(self._selection.moved((n_px * step_y, n_px * step_x), scan.scan_shape))

    def _clusters(self) -> Clusters:
        return UiState(self._source.latest(), self._selection, self._options, self._memo).clusters

    def _step_cluster(self, step: int) -> None:
        self.select(self._selection.with_node(node_beside(self._clusters(), step)))

    def _select_relative(self, find: Callable[[Clusters], int | None]) -> None:
        node_id = find(self._clusters())
        if node_id is not None:
            self.select(self._selection.with_node(node_id))

    def _clear(self) -> None:
        """What is being tried or asked goes first, then what is selected, then a large pane becomes small."""
        if self.charge.escape():
            self.refresh()
        elif not self._selection.is_empty:
            self.select(self._selection.cleared())
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

    def _set_scale(self, scale: Scale) -> None:
        self._set_options(replace(self._options, scale=scale))

    def _set_options(self, options: ViewOptions) -> None:
        self._options = options
        self.refresh()

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
