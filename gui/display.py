"""Whether a window can open here: a display, and the libraries that Qt loads. Each lack is one sentence."""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

from streamer.errors import LivestemError

HEADLESS_PACKAGES = "libglib2.0-0 libgl1 libfontconfig1"
X11_PACKAGES = (
    "libdbus-1-3 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 "
    "libxcb-xinerama0 libxcb-shape0"
)


def has_display() -> bool:
    """Whether there is a screen to open a window on."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def require_display() -> None:
    """Refuse to open a window where there is no screen.

    Raises
    ------
    LivestemError
        No display is known to this session.
    """
    if not has_display():
        raise LivestemError(
            "No display here (DISPLAY and WAYLAND_DISPLAY are empty), so no window can open. "
            "`livestem serve` runs the engine without one; "
            "`livestem view TARGET --snapshot PNG` draws the window to a file."
        )


def prepare_snapshot() -> None:
    """Settings of the environment under which the window is drawn to a file, before Qt is imported."""
    if not has_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    # pyqtgraph turns on fractional scaling; at 96 dpi a 1600 px window makes a 1600 px picture everywhere.
    os.environ.setdefault("QT_FONT_DPI", "96")


def require_qt() -> None:
    """Load Qt and its platform plugin once, to say which library is missing where Qt itself would abort.

    Raises
    ------
    LivestemError
        PyQt5 or one of the libraries that it needs is not installed.
    """
    try:
        import PyQt5.QtWidgets  # noqa: F401
    except ImportError as error:
        raise LivestemError(f"Qt cannot be loaded: {error}. {_advice(HEADLESS_PACKAGES)}") from None
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if not platform and sys.platform.startswith("linux"):
        platform = "xcb" if os.environ.get("DISPLAY") else "wayland"
    plugin = _plugin_folder() / f"libq{platform}.so"
    if not plugin.is_file():
        return
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        packages = f"{HEADLESS_PACKAGES} {X11_PACKAGES}" if platform == "xcb" else HEADLESS_PACKAGES
        raise LivestemError(
            f"Qt's platform {platform!r} cannot be loaded: {error}. {_advice(packages)}"
        ) from None


def _plugin_folder() -> Path:
    spec = importlib.util.find_spec("PyQt5")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0] if places else ".") / "Qt5" / "plugins" / "platforms"


def _advice(packages: str) -> str:
    return f"On Debian or Ubuntu: apt-get install {packages}"
