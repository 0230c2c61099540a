"""What the operator looks at and how it is drawn: follows mouse, keys and buttons, and keeps selection and options."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.panes import Panes
from gui.presenters.clusters import Clusters, node_above, node_at, node_below, node_beside
from gui.presenters.levels import Scale
from gui.presenters.momentum_pane import momentum_node_at
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.snapshot import SnapshotSource
from gui.presenters.ui_state import UiState

FAR = 10
"""So many positions the cursor goes with Shift."""


class Shown(Protocol):
    """What it needs of the window."""

    @property
    def source(self) -> SnapshotSource:
        """Where state comes from."""
        ...

    def state(self) -> UiState:
        """What the panes show now."""
        ...

    def refresh(self) -> None:
        """Show what has changed."""
        ...


class Looking:
    """Selection and options of one window; every pane sets them and every pane follows."""

    def __init__(self, window: Shown) -> None:
        self._window = window
        self.selection, self.options = Selection(), ViewOptions()

    def select(self, selection: Selection) -> None:
        """Look at something else; every pane follows at once."""
        if selection == self.selection:
            return
        self.selection = selection
        source = self._window.source
        source.want_pattern(selection.position_yx)
        source.want_compared(selection.compared_yx)
        self._window.refresh()

    def forget(self) -> None:
        """Another scan: its nodes and positions are others, whatever their numbers."""
        self.selection = self.selection.cleared().with_hover(None)
        self.options = replace(self.options, kept_levels=None)
        self._window.source.want_pattern(None)
        self._window.source.want_compared(None)

    def slots(self) -> dict[str, Callable[[], None]]:
        """What the actions do."""
        levels = {f"level_{n}": (lambda n=n: self.select(self.selection.with_level(n))) for n in (1, 2, 3)}
        scales = {str(scale): (lambda scale=scale: self._set(scale=scale)) for scale in Scale}
        steps = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
        moves = {
            f"{prefix}{name}": (lambda step=step: self._move_cursor(*step))
            for prefix in ("", "map_")
            for name, step in steps.items()
        }
        walks = {
            f"{prefix}{name}": (lambda step=step: self._step_cluster(step))
            for prefix in ("", "map_")
            for name, step in (("next", 1), ("previous", -1))
        }
        return {
            **levels,
            **scales,
            **moves,
            **walks,
            "labels": lambda: self._set(show_labels=not self.options.show_labels),
            "outlines": lambda: self._set(show_outlines=not self.options.show_outlines),
            "blend": lambda: self._set(blends_bright_field=not self.options.blends_bright_field),
            "autoscale_once": lambda: self._set(kept_levels=self._window.state().pattern.levels),
            "autoscale_always": lambda: self._set(kept_levels=None),
            "pin": lambda: self.select(self.selection.toggled_pin()),
            "descend": lambda: self._select_relative(node_below),
            "ascend": lambda: self._select_relative(node_above),
        }

    def connect(self, panes: Panes) -> None:
        """Follow the widgets."""
        on_map = (panes.cluster_map.canvas, *panes.virtual.canvases)
        for canvas in (*on_map, panes.lattice.canvas, panes.manifold):
            self._follow_mouse(canvas)
        for row in (panes.virtual, panes.alignment):
            row.canvas_added.connect(self._follow_mouse)
        for canvas in on_map:
            canvas.compared.connect(lambda y, x: self.select(self.selection.compared_with((y, x))))
        for canvas in (panes.cluster_map.canvas, panes.manifold):
            canvas.marked.connect(lambda mask: self.select(self.selection.with_region(mask)))
        panes.lattice.quantity_chosen.connect(lambda quantity: self._set(lattice=quantity))
        panes.cluster_map.level_chosen.connect(lambda level: self.select(self.selection.with_level(level)))
        panes.cluster_map.labels_toggled.connect(lambda on: self._set(show_labels=on))
        panes.cluster_map.outlines_toggled.connect(lambda on: self._set(show_outlines=on))
        panes.cluster_map.blend_toggled.connect(lambda on: self._set(blends_bright_field=on))
        panes.pattern.scale_chosen.connect(lambda scale: self._set(scale=scale))
        for nodes in (panes.tiles, panes.tree):
            nodes.node_clicked.connect(self._toggle_node)
            nodes.node_compared.connect(lambda node: self.select(self.selection.compared_with(node_id=node)))
        panes.momentum.grid.node_clicked.connect(lambda n: self.select(self.selection.toggled_momentum(n)))
        panes.momentum.canvas.clicked.connect(self._click_momentum)
        panes.table.node_chosen.connect(lambda node: self.select(self.selection.with_node(node)))

    def _set(self, **changes: Any) -> None:
        self.options = replace(self.options, **changes)
        self._window.refresh()

    def _follow_mouse(self, canvas: Any) -> None:
        """A canvas of the scan, or of points that belong to its positions."""
        canvas.hovered.connect(lambda yx: self.select(self.selection.with_hover(yx)))
        canvas.clicked.connect(self._click_position)

    def _click_position(self, y: int, x: int, keep_single: bool) -> None:
        """A click selects the cluster there; with Shift it pins the single pattern."""
        if keep_single:
            self.select(self.selection.with_pin((y, x)))
            return
        node_id = node_at(self._clusters().label_map, (y, x))
        self._toggle_node(node_id if node_id >= 0 else None)

    def _click_momentum(self, y: int, x: int, _: bool) -> None:
        node_id = momentum_node_at(self._window.source.latest(), y, x)
        self.select(self.selection.toggled_momentum(node_id))

    def _toggle_node(self, node_id: int | None) -> None:
        self.select(self.selection.toggled_node(node_id))

    def _move_cursor(self, step_y: int, step_x: int) -> None:
        scan = self._window.source.latest().status.scan
        if scan is None:
            return
        far = bool(QtWidgets.QApplication.keyboardModifiers() & QtCore.Qt.KeyboardModifier.ShiftModifier)
        n_px = FAR if far else 1
        self.select(self.selection.moved((n_px * step_y, n_px * step_x), scan.scan_shape))

    def _clusters(self) -> Clusters:
        return self._window.state().clusters

    def _step_cluster(self, step: int) -> None:
        self.select(self.selection.with_node(node_beside(self._clusters(), step)))

    def _select_relative(self, find: Callable[[Clusters], int | None]) -> None:
        node_id = find(self._clusters())
        if node_id is not None:
            self.select(self.selection.with_node(node_id))
