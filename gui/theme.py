"""Dark, light or as the system: colours of the window, text contrast of at least 4.5:1."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.presenters.phase import Phase
from gui.presenters.views import Severity
from streamer.look.palette import NOT_VISITED


class Theme(StrEnum):
    """What can be chosen; a dim room wants the dark one."""

    DARK = "dark"
    LIGHT = "light"
    SYSTEM = "system"


@dataclass(frozen=True)
class Look:
    """Colours by what they are for."""

    window: str = "#1B1E23"
    panel: str = "#15171B"
    tile: str = "#0E1013"
    pattern_ground: str = "#0E1013"
    raised: str = "#22262C"
    button: str = "#2A2F37"
    hover: str = "#343B45"
    edge: str = "#3E4550"
    line: str = "#31363F"
    branch: str = "#5A626D"
    band_faint: str = "#0CFFFFFF"
    text: str = "#E6E8EB"
    text_dim: str = "#A9AFB8"
    text_off: str = "#6A717B"
    accent: str = "#2F80C8"
    chunk: str = "#2F80C8"
    curve: str = "#7CC4F0"
    band: str = "#8FC7EE"
    ring: str = "#8FC7EE"
    amber: str = "#F0B040"
    orange: str = "#FF9A5C"
    banner: str = "#4A2A17"
    banner_amber: str = "#3B331C"


DARK = Look()
LIGHT = Look(
    window="#E9EBEE",
    panel="#FAFBFC",
    tile="#F1F3F5",
    raised="#DDE1E6",
    button="#E1E5EA",
    hover="#D3D9E0",
    edge="#A8B0BB",
    line="#C3C8D0",
    branch="#8A929D",
    band_faint="#12000000",
    text="#1B1E23",
    text_dim="#50565F",
    text_off="#8C939D",
    accent="#1F6DB5",
    chunk="#9CC4E8",
    curve="#14609F",
    band="#1F6DB5",
    amber="#7A5000",
    orange="#A8430F",
    banner="#FBE3D3",
    banner_amber="#F7EDCB",
)
_in_use = [DARK]


def look() -> Look:
    """The colours in use."""
    return _in_use[0]


AMBER_MARK = "#F0B040"
"""Over images, which are dark in every theme."""
FONT_PX, SMALL_PX = 13, 12
FONT_SCALES = (0.8, 2.0)
"""Smallest and largest size of all words, in normal ones."""
_font_scale = [1.0]


def scaled_px(size: float) -> int:
    """A length that belongs to words, as it is at the chosen size of them."""
    return round(size * _font_scale[0])


def font_scale() -> float:
    """The chosen size of all words, in normal ones."""
    return _font_scale[0]


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


def severity_colour(severity: Severity) -> str:
    """Colour of words by how much they matter."""
    now = look()
    return {Severity.NORMAL: now.text, Severity.AMBER: now.amber, Severity.ORANGE: now.orange}[severity]


def style_sheet(now: Look) -> str:
    """The look as Qt's style sheet."""
    return f"""
* {{ font-size: {scaled_px(FONT_PX)}px; }}
QWidget {{ color: {now.text}; }}
QMainWindow, QDialog {{ background: {now.window}; }}
QFrame#pane {{ background: {now.panel}; border: 1px solid {now.line}; border-radius: 4px; }}
QLabel#title {{ font-weight: 600; }}
QLabel#note, QLabel#sentence {{ color: {now.text_dim}; font-size: {scaled_px(SMALL_PX)}px; }}
QLabel#tag {{ color: {now.amber}; font-size: {scaled_px(SMALL_PX)}px; border: 1px solid {now.amber}; }}
QLabel#tag {{ border-radius: 3px; padding: 0 5px; }}
QLabel#message {{ color: {now.text_dim}; }}
QPushButton, QToolButton {{ background: {now.button}; border: 1px solid {now.edge}; border-radius: 4px; }}
QPushButton {{ padding: 4px 11px; }}
QToolButton {{ padding: 2px 7px; }}
QToolButton#corner {{ padding: 0px 6px; font-size: {scaled_px(SMALL_PX)}px; }}
QToolButton#compact, QDoubleSpinBox {{ padding: 1px 4px; font-size: {scaled_px(SMALL_PX)}px; }}
QSpinBox {{ padding: 1px 4px; }}
QDoubleSpinBox, QSpinBox {{ border: 1px solid {now.edge}; border-radius: 3px; background: {now.panel}; }}
QPushButton:hover, QToolButton:hover {{ background: {now.hover}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {now.curve}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {now.text_off}; background: {now.raised}; }}
QPushButton:disabled, QToolButton:disabled {{ border-color: {now.line}; }}
QToolButton:checked {{ background: {now.accent}; border-color: {now.accent}; color: white; }}
QProgressBar {{ background: {now.panel}; border: 1px solid {now.edge}; border-radius: 4px; }}
QProgressBar {{ text-align: center; color: {now.text}; }}
QProgressBar::chunk {{ background: {now.chunk}; border-radius: 3px; }}
QTabWidget::pane {{ border: 1px solid {now.line}; background: {now.panel}; top: -1px; }}
QTabBar::tab {{ background: {now.raised}; border: 1px solid {now.line}; padding: 4px 6px; }}
QTabBar::tab {{ color: {now.text_dim}; font-size: {scaled_px(SMALL_PX)}px; }}
QTabBar::tab:selected {{ background: {now.panel}; color: {now.text}; border-bottom-color: {now.panel}; }}
QTabBar::tab:focus {{ border-color: {now.curve}; }}
QSplitter::handle {{ background: {now.window}; }}
QFrame#banner {{ background: {now.banner}; border: 1px solid #B4501B; border-radius: 4px; }}
QFrame#banner[severity="amber"] {{ background: {now.banner_amber}; border-color: #8C7024; }}
QFrame#offer {{ background: {now.raised}; border: 1px solid {now.edge}; border-radius: 4px; }}
QFrame#offer[severity="amber"] {{ background: {now.banner_amber}; border-color: #8C7024; }}
QLineEdit, QComboBox {{ background: {now.raised}; border: 1px solid {now.edge}; border-radius: 3px; padding: 2px; }}
QLineEdit:focus, QComboBox:focus {{ border-color: {now.curve}; }}
QPlainTextEdit, QTableWidget {{ background: {now.panel}; border: none; }}
QHeaderView::section {{ background: {now.raised}; border: none; padding: 4px; }}
QToolButton::menu-indicator {{ image: none; }}
QMenu {{ background: {now.button}; border: 1px solid {now.edge}; }}
QMenu::item:selected {{ background: {now.accent}; color: white; }}
QMenu::item:disabled {{ color: {now.text_off}; }}
QTreeWidget {{ background: {now.panel}; border: none; }}
QScrollArea {{ border: none; background: {now.panel}; }}
QScrollBar:vertical {{ background: {now.panel}; width: 10px; }}
QScrollBar::handle:vertical {{ background: {now.edge}; border-radius: 4px; min-height: 24px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
"""


def enable_high_dpi() -> None:
    """Sharp pictures on dense screens; called before the application is made."""
    attributes = QtCore.Qt.ApplicationAttribute
    for attribute in (attributes.AA_EnableHighDpiScaling, attributes.AA_UseHighDpiPixmaps):
        QtWidgets.QApplication.setAttribute(attribute)
    policy = QtCore.Qt.HighDpiScaleFactorRoundingPolicy.PassThrough
    QtGui.QGuiApplication.setHighDpiScaleFactorRoundingPolicy(policy)


def set_font_scale(app: QtWidgets.QApplication, scale: float) -> float:
    """Make all words larger or smaller. Returns the scale."""
    _font_scale[0] = min(max(round(scale, 2), FONT_SCALES[0]), FONT_SCALES[1])
    app.setStyleSheet(style_sheet(look()))
    follow_all(app)
    return _font_scale[0]


def system_is_light(app: QtWidgets.QApplication) -> bool:
    """Whether the colours of the system, as far as Qt knows them, are light ones."""
    app.setPalette(QtGui.QPalette())  # takes ours away: what is left is the system's
    return app.palette().color(QtGui.QPalette.ColorRole.Window).lightness() > 127


def switch(app: QtWidgets.QApplication, chosen: Theme) -> None:
    """Give another look to an application that has widgets already."""
    apply(app, chosen)
    follow_all(app)


def follow_all(app: QtWidgets.QApplication) -> None:
    """Let every widget that keeps colours or sizes of its own take those in use."""
    for widget in app.allWidgets():
        follow = getattr(widget, "follow_look", None)
        if follow is not None:
            follow()


THEME_CHANGE = QtCore.QEvent.Type(210)
"""QEvent::ThemeChange, which PyQt5 has no name for."""


class SystemLook(QtCore.QObject):
    """Follows the system's colours while they are what was chosen; Qt tells a window on the screen when they change.

    Parameters
    ----------
    chosen
        The look that is chosen now.
    follow
        Called where the look has to be put in force anew.
    """

    def __init__(self, chosen: Callable[[], Theme], follow: Callable[[], None]) -> None:
        super().__init__()
        self._chosen, self._follow = chosen, follow
        self._watched: QtGui.QWindow | None = None

    def watch(self, window: QtGui.QWindow | None) -> None:
        """Watch this window, and no longer the one before; None: none, before the window goes."""
        if window is self._watched:
            return
        if self._watched is not None:
            self._watched.removeEventFilter(self)
        self._watched = window
        if window is not None:
            window.installEventFilter(self)

    def eventFilter(self, a0: QtCore.QObject | None, a1: QtCore.QEvent | None) -> bool:
        """Notice that the system has other colours."""
        if a1 is not None and a1.type() == THEME_CHANGE and self._chosen() is Theme.SYSTEM:
            self._follow()
        return False


def apply(app: QtWidgets.QApplication, chosen: Theme = Theme.DARK) -> None:
    """Give the application its look: before any widget is made, or by `switch`."""
    if chosen is Theme.SYSTEM:
        chosen = Theme.LIGHT if system_is_light(app) else Theme.DARK
    _in_use[0] = now = LIGHT if chosen is Theme.LIGHT else DARK
    pg.setConfigOptions(
        imageAxisOrder="row-major",
        antialias=False,
        background=now.panel,
        foreground=now.text_dim,
        useOpenGL=False,
    )
    app.setStyle("Fusion")
    roles = QtGui.QPalette.ColorRole
    palette = QtGui.QPalette()
    for role, colour in (
        (roles.Window, now.window), (roles.WindowText, now.text), (roles.Base, now.panel), (roles.Text, now.text),
        (roles.Button, now.button), (roles.ButtonText, now.text), (roles.Highlight, now.accent),
        (roles.ToolTipBase, now.button), (roles.ToolTipText, now.text), (roles.HighlightedText, "white"),
    ):  # fmt: skip
        palette.setColor(role, QtGui.QColor(colour))
    app.setPalette(palette)
    app.setStyleSheet(style_sheet(now))


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
