"""Curves: rings, elbow, stream. Ranges are set from the data, never by automatic ranging, which is slow."""

from dataclasses import replace

import numpy as np
import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.presenters import texts
from gui.presenters.views import ElbowView, RingsView, StreamView
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.k_controls import KControls
from gui.widgets.ring_controls import RingControls
from streamer.look.scale_bar import nice_length

HISTORY_S = 120.0
AXIS_ROOM_PX = 10
"""Below a chart without numbers on its axis, so that the lowest number beside it is whole."""


class Chart(QtWidgets.QWidget):
    """A plot with one line of text above it; the text stands alone where there is nothing to plot."""

    def __init__(self, name: str, axis_x: str, axis_y: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self._note = ElidedLabel("note")
        self._note.setContentsMargins(8, 4, 8, 0)
        self.plot = pg.PlotWidget()
        self.plot.setMinimumSize(120, 40)
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.getViewBox().disableAutoRange()
        self._axes = {self.plot.getAxis(side): text for side, text in (("bottom", axis_x), ("left", axis_y))}
        self.plot.setAccessibleName(name)
        Chart.follow_look(self)
        self._message = QtWidgets.QLabel()
        self._message.setObjectName("message")
        self._message.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(2, 0, 6, 4)
        column.setSpacing(0)
        column.addWidget(self._note)
        self.middle = QtWidgets.QHBoxLayout()
        self.middle.addWidget(self.plot, 2)
        column.addLayout(self.middle, 1)
        column.addWidget(self._message, 1)

    def set_message(self, message: str, note: str = "") -> None:
        """A message in place of the plot, "" for the plot."""
        self._message.setText(message)
        self._message.setVisible(bool(message))
        self.plot.setVisible(not message)
        self._note.set_text(note)
        self._note.setVisible(bool(note))

    def follow_look(self) -> None:
        """Take the colours in use."""
        self.plot.setBackground(theme.look().panel)
        for axis, text in self._axes.items():
            prepare_axis(axis, text)

    @property
    def note_text(self) -> str:
        """The line above the plot."""
        return self._note.full_text


class RingsChart(Chart):
    """Rotational STD against radius; the ring as a band and the threshold as a line, both to be dragged."""

    ring_dragged = QtCore.Signal(float, float)
    ring_dropped = QtCore.Signal()
    threshold_dragged = QtCore.Signal(float)
    threshold_dropped = QtCore.Signal()

    def __init__(self) -> None:
        super().__init__(texts.TABS["rings"], texts.AXIS_RADIUS, texts.AXIS_STD)
        self._curve, self._single = self.plot.plot(), self.plot.plot()
        self.controls = RingControls()
        self.layout().addWidget(self.controls)
        self._band = pg.LinearRegionItem(brush=(47, 128, 200, 60))
        self._threshold = pg.InfiniteLine(angle=0, movable=True)
        self._shown_ring: tuple[float, float] | None = None
        self._drawn: RingsView | None = None
        self._is_showing = False
        self._band.sigRegionChanged.connect(self._report_ring)
        self._band.sigRegionChangeFinished.connect(self._drop_ring)
        self._threshold.sigDragged.connect(lambda line: self.threshold_dragged.emit(float(line.value())))
        self._threshold.sigPositionChangeFinished.connect(lambda _: self.threshold_dropped.emit())
        for item in (self._band, self._threshold):
            self.plot.addItem(item)
        self.follow_look()

    def follow_look(self) -> None:
        """Take the colours in use."""
        super().follow_look()
        now = theme.look()
        for item, colour in (
            (self._curve, now.curve),
            (self._single, now.text_dim),
            (self._threshold, now.amber),
        ):
            item.setPen(_pen(colour))
        for edge in self._band.lines:
            edge.setPen(_pen(now.band))

    def set_view(self, view: RingsView) -> None:
        """Show this profile."""
        self._is_showing = True
        try:
            self._show(view)
        finally:
            self._is_showing = False

    def _show(self, view: RingsView) -> None:
        self.set_message(view.message, view.note)
        self.controls.setVisible(not view.message)
        self.controls.set_view(view)
        if view.radial_std is None:
            return
        self._single.setVisible(bool(view.single))
        self._single.setData(np.asarray(view.single))
        # A hover changes the thin line alone.
        drawn, self._drawn = self._drawn, view
        if drawn is not None and replace(drawn, single=view.single) == view:
            return
        profile = np.nan_to_num(view.radial_std)
        # The direct beam is far above the rest: the scale is that of the ring, where the decision is made.
        inside = profile[int(view.inner_px or 0) : int(view.outer_px) if view.outer_px else None]
        largest = float(inside.max()) if inside.size and inside.max() > 0 else float(profile.max()) or 1.0
        # On a detector with an even number of pixels nothing lies at radius 0.
        first = int(profile[0] == 0.0)
        self._curve.setData(np.arange(first, len(profile)), profile[first:] / largest)
        self.plot.setRange(xRange=(0, len(profile) - 1), yRange=(0, 1.15), padding=0.02)
        has_ring = view.inner_px is not None and view.outer_px is not None
        self._band.setVisible(has_ring)
        self._band.setMovable(view.can_set)
        if has_ring:
            self._shown_ring = (view.inner_px, view.outer_px)
            self._band.setRegion(self._shown_ring)
        self._threshold.setVisible(view.threshold is not None)
        self._threshold.setMovable(view.can_set)
        if view.threshold is not None:
            self._threshold.setValue(view.threshold)

    def ring_point(self, radius_px: float, height: float = 1.0) -> QtCore.QPoint:
        """Where a radius lies in the plot, in its viewport; `height` in units of the left axis."""
        box = self.plot.getViewBox()
        return self.plot.mapFromScene(box.mapViewToScene(QtCore.QPointF(radius_px, height)))

    def _report_ring(self) -> None:
        """Say where the band is dragged; where it is only shown, nothing."""
        region = tuple(float(edge) for edge in self._band.getRegion())
        if self._is_showing:
            return
        if (
            self._shown_ring is not None
            and max(abs(a - b) for a, b in zip(region, self._shown_ring, strict=True)) > 1e-6
        ):
            self.ring_dragged.emit(*region)

    def _drop_ring(self) -> None:
        if not self._is_showing:
            self.ring_dropped.emit()


class ElbowChart(Chart):
    """Inertia against K, with the K in force as a line to be dragged; it snaps to whole numbers."""

    k_dragged = QtCore.Signal(float)
    k_dropped = QtCore.Signal()

    def __init__(self) -> None:
        super().__init__(texts.TABS["elbow"], texts.AXIS_K, texts.AXIS_INERTIA)
        self._curve = self.plot.plot(symbol="o", symbolSize=6, symbolPen=None)
        self.controls = KControls()
        self.middle.addWidget(self.controls.maps, 3)
        self.layout().addWidget(self.controls)
        self._chosen = pg.InfiniteLine(angle=90, movable=True)
        self._chosen.sigDragged.connect(self._drag_k)
        self._chosen.sigPositionChangeFinished.connect(lambda _: self.k_dropped.emit())
        self.plot.addItem(self._chosen)
        self.follow_look()

    def follow_look(self) -> None:
        """Take the colours in use."""
        super().follow_look()
        self._curve.setPen(_pen(theme.look().curve))
        self._curve.setSymbolBrush(theme.look().curve)
        self._chosen.setPen(_pen(theme.look().amber))

    def set_view(self, view: ElbowView) -> None:
        """Show this curve."""
        self.set_message(view.message, " · ".join(part for part in (view.title, view.note) if part))
        self.controls.setVisible(bool(view.node_name))
        self.controls.set_view(view)
        if not view.k:
            return
        self._curve.setData(view.k, view.inertia)
        self.plot.getAxis("bottom").setTicks([[(k, str(k)) for k in view.k]])
        self.plot.setRange(xRange=(min(view.k) - 0.3, max(view.k) + 0.3), yRange=(0, 1.05), padding=0.02)
        shown = view.wanted_k if view.wanted_k is not None else view.chosen_k
        self._chosen.setVisible(shown is not None)
        self._chosen.setMovable(view.can_set)
        if shown is not None:
            self._chosen.setValue(shown)

    @property
    def k_shown(self) -> float:
        """Where the line stands."""
        return float(self._chosen.value())

    def k_point(self, k: float) -> QtCore.QPoint:
        """Where a K lies in the plot, in its viewport."""
        box = self.plot.getViewBox()
        return self.plot.mapFromScene(box.mapViewToScene(QtCore.QPointF(k, 0.5)))

    def _drag_k(self, line: pg.InfiniteLine) -> None:
        whole = round(line.value())
        line.setValue(whole)
        self.k_dragged.emit(whole)


class StreamChart(QtWidgets.QWidget):
    """Rate above, lag below, over the last two minutes."""

    def __init__(self) -> None:
        super().__init__()
        self._rate = Chart(texts.AXIS_RATE, "", texts.AXIS_RATE)
        self._lag = Chart(texts.AXIS_LAG, "", texts.AXIS_LAG)
        self._curves = (self._rate.plot.plot(), self._lag.plot.plot())
        self.follow_look()
        self._rate.plot.getAxis("bottom").setStyle(showValues=False)
        self._rate.plot.getAxis("bottom").setHeight(AXIS_ROOM_PX)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._rate, 3)
        column.addWidget(self._lag, 2)

    def follow_look(self) -> None:
        """Take the colours in use; the charts take theirs."""
        for curve, colour in zip(self._curves, (theme.look().curve, theme.look().amber), strict=True):
            curve.setPen(_pen(colour))

    def set_view(self, view: StreamView) -> None:
        """Show this history."""
        self._rate.set_message(view.message)
        self._lag.set_message("")
        self._lag.setVisible(not view.message)
        if view.message:
            return
        for chart, curve, values, least in (
            (self._rate, self._curves[0], view.receive_hz, 10.0),
            (self._lag, self._curves[1], view.lag_s, 0.1),
        ):
            curve.setData(view.age_s, values)
            top = 1.1 * max(least, *values)
            step = nice_length(top / 2)
            # One at the very top would be cut off.
            ticks = [step * n for n in range(int(0.92 * top / step) + 1)]
            chart.plot.getAxis("left").setTicks([[(tick, f"{tick:g}") for tick in ticks]])
            chart.plot.setRange(xRange=(-HISTORY_S, 0), yRange=(-0.04 * top, top), padding=0.02)


def prepare_axis(axis: pg.AxisItem, text: str) -> None:
    """Label an axis without SI prefixes ("ma.u."), in the small font; the same width for all left axes."""
    axis.enableAutoSIPrefix(False)
    font = QtGui.QFont()
    font.setPixelSize(theme.scaled_px(theme.SMALL_PX))
    axis.setTickFont(font)
    axis.setTextPen(theme.look().text_dim)
    axis.setPen(theme.look().line)
    if text:
        axis.setLabel(
            text, **{"font-size": f"{theme.scaled_px(theme.SMALL_PX)}px", "color": theme.look().text_dim}
        )
    if axis.orientation == "left":
        axis.setWidth(theme.scaled_px(58))


def _pen(colour: str) -> dict[str, str | int]:
    return {"color": colour, "width": 1}
