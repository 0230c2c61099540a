"""livestem: live hierarchical clustering of 4D-STEM scans.

The three names below are the library's front door; they are loaded when first used, so that
``import streamer`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer.analysis.result_file import open_result
    from streamer.analysis.run import analyze
    from streamer.formats.open_scan import open_scan

__all__ = ["analyze", "open_result", "open_scan"]

_HOMES = {
    "analyze": "streamer.analysis.run",
    "open_result": "streamer.analysis.result_file",
    "open_scan": "streamer.formats.open_scan",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'streamer' has no attribute {name!r}")
