"""The dark look: colours for a dim room, text contrast of at least 4.5:1."""

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.presenters.phase import Phase
from gui.presenters.views import Severity
from streamer.look.palette import NOT_VISITED

WINDOW = "#1B1E23"
PANEL = "#15171B"
PATTERN_GROUND = "#0E1013"
LINE = "#31363F"
TEXT = "#E6E8EB"
TEXT_DIM = "#A9AFB8"
ACCENT = "#2F80C8"
CURVE = "#7CC4F0"
RING = "#8FC7EE"
AMBER = "#F0B040"
ORANGE = "#FF9A5C"

FONT_PX = 13
SMALL_PX = 12

PILL_COLOURS: dict[Phase, str] = {
    Phase.CONNECTING: "#565C66",
    Phase.ENGINE_GONE: "#B4501B",
    Phase.IDLE: "#565C66",
    Phase.WAITING: "#565C66",
    Phase.SCANNING: "#1F6DB5",
    Phase.SAVING: "#1F6DB5",
    Phase.ANALYSING: "#7B52B9",
    Phase.DONE: "#2A7A50",
    Phase.RECORDED: "#2A7A50",
    Phase.STOPPED: "#6B6420",
    Phase.STREAM_LOST: "#B4501B",
    Phase.OVERRUN: "#B4501B",
    Phase.FAILED: "#B4501B",
}

SEVERITY_COLOURS: dict[Severity, str] = {
    Severity.NORMAL: TEXT,
    Severity.AMBER: AMBER,
    Severity.ORANGE: ORANGE,
}

STYLE = f"""
* {{ font-size: {FONT_PX}px; }}
QWidget {{ color: {TEXT}; }}
QMainWindow, QDialog {{ background: {WINDOW}; }}
QFrame#pane {{ background: {PANEL}; border: 1px solid {LINE}; border-radius: 4px; }}
QLabel#title {{ font-weight: 600; }}
QLabel#note, QLabel#sentence {{ color: {TEXT_DIM}; font-size: {SMALL_PX}px; }}
QLabel#tag {{ color: {AMBER}; font-size: {SMALL_PX}px; border: 1px solid {AMBER}; }}
QLabel#tag {{ border-radius: 3px; padding: 0 5px; }}
QLabel#message {{ color: {TEXT_DIM}; }}
QPushButton, QToolButton {{ background: #2A2F37; border: 1px solid #3E4550; border-radius: 4px; }}
QPushButton {{ padding: 4px 11px; }}
QToolButton {{ padding: 2px 7px; }}
QPushButton:hover, QToolButton:hover {{ background: #343B45; }}
QPushButton:focus, QToolButton:focus {{ border-color: {CURVE}; }}
QPushButton:disabled, QToolButton:disabled {{ color: #6A717B; background: #22262C; border-color: #2E333B; }}
QToolButton:checked {{ background: {ACCENT}; border-color: {ACCENT}; color: white; }}
QProgressBar {{ background: {PANEL}; border: 1px solid #3E4550; border-radius: 4px; }}
QProgressBar {{ text-align: center; color: {TEXT}; }}
QProgressBar::chunk {{ background: {ACCENT}; border-radius: 3px; }}
QTabWidget::pane {{ border: 1px solid {LINE}; background: {PANEL}; top: -1px; }}
QTabBar::tab {{ background: #22262C; border: 1px solid {LINE}; padding: 4px 6px; color: {TEXT_DIM}; font-size: {SMALL_PX}px; }}
QTabBar::tab:selected {{ background: {PANEL}; color: {TEXT}; border-bottom-color: {PANEL}; }}
QTabBar::tab:focus {{ border-color: {CURVE}; }}
QSplitter::handle {{ background: {WINDOW}; }}
QFrame#banner {{ background: #4A2A17; border: 1px solid #B4501B; border-radius: 4px; }}
QFrame#banner[severity="amber"] {{ background: #3B331C; border-color: #8C7024; }}
QPlainTextEdit, QTableWidget {{ background: {PANEL}; border: none; }}
QHeaderView::section {{ background: #22262C; border: none; padding: 4px; }}
QScrollArea {{ border: none; background: {PANEL}; }}
QScrollBar:vertical {{ background: {PANEL}; width: 10px; }}
QScrollBar::handle:vertical {{ background: #3E4550; border-radius: 4px; min-height: 24px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
"""


def enable_high_dpi() -> None:
    """Sharp pictures on dense screens; called before the application is made."""
    attributes = QtCore.Qt.ApplicationAttribute
    for attribute in (attributes.AA_EnableHighDpiScaling, attributes.AA_UseHighDpiPixmaps):
        QtWidgets.QApplication.setAttribute(attribute)
    policy = QtCore.Qt.HighDpiScaleFactorRoundingPolicy.PassThrough
    QtGui.QGuiApplication.setHighDpiScaleFactorRoundingPolicy(policy)


def apply(app: QtWidgets.QApplication) -> None:
    """Give the application its look; called once, before any widget is made."""
    pg.setConfigOptions(
        imageAxisOrder="row-major", antialias=False, background=PANEL, foreground=TEXT_DIM, useOpenGL=False
    )
    app.setStyle("Fusion")
    roles = QtGui.QPalette.ColorRole
    palette = QtGui.QPalette()
    for role, colour in (
        (roles.Window, WINDOW), (roles.WindowText, TEXT), (roles.Base, PANEL), (roles.Text, TEXT),
        (roles.Button, "#2A2F37"), (roles.ButtonText, TEXT), (roles.Highlight, ACCENT),
        (roles.ToolTipBase, "#2A2F37"), (roles.ToolTipText, TEXT),
    ):  # fmt: skip
        palette.setColor(role, QtGui.QColor(colour))
    app.setPalette(palette)
    app.setStyleSheet(STYLE)


def lookup_table(name: str) -> NDArray[np.uint8]:
    """Colours (256, 3) for images of bytes: entry 0 is "no value", the rest runs through the map."""
    if name == "gray":
        steps = np.linspace(0, 255, 255).astype(np.uint8)
        colours = np.stack([steps, steps, steps], axis=1)
    else:
        colour_map = pg.colormap.get(name)
        if colour_map is None:
            raise KeyError(f"pyqtgraph has no colour map {name!r}.")
        colours = colour_map.getLookupTable(nPts=255, alpha=False)
    return np.concatenate([np.array([NOT_VISITED], dtype=np.uint8), colours]).astype(np.uint8)
