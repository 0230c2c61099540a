"""One page for many scans: a thumbnail map of each, and what went wrong. A single file, without network or server."""

import base64
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from streamer.analysis.batch import ScanOutcome
from streamer.analysis.result_file import AnalysisResult
from streamer.export.panels import label_picture
from streamer.export.style import look_of

_SIDE_PX = 180
_CSS = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em; color: #1a1c20; background: #fff; }
h1 { font-size: 1.4em; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(390px, 1fr)); gap: 14px; }
article { border: 1px solid #d4d7dd; border-radius: 4px; padding: 10px 12px; overflow-wrap: anywhere; }
article.failed { border-color: #b3261e; }
h2 { font-size: 1em; margin: 0 0 6px; }
img { width: 180px; height: 180px; object-fit: contain; image-rendering: pixelated; background: #f3f4f6; }
p { margin: 6px 0 0; } .remark { color: #5c6470; } .failed h2 { color: #b3261e; }
"""


def card(outcome: ScanOutcome, folder: Path) -> str:
    """What the page says of one scan.

    Parameters
    ----------
    outcome
        Of the scan.
    folder
        Where the page will lie: links are relative to it where they can be.
    """
    name = escape(_from(folder, outcome.source))
    result = outcome.result
    if result is None:
        return f'<article class="failed"><h2>{name}</h2><p>{escape(outcome.error)}</p></article>'
    field = result.arrays["virtual/annular_dark_field"]
    pictures = "".join(
        f'<img alt="{what}" title="{what}" src="data:image/png;base64,{_png(values)}"> '
        for what, values in (
            ("clusters", label_picture(result, look_of(result), -1)),
            ("dark field", _grey(field)),
        )
    )
    lines = [f"<h2>{name}</h2>", pictures, f"<p>{escape(_in_words(result))}</p>"]
    if result.remark:
        lines.append(f'<p class="remark">{escape(result.remark)}</p>')
    if result.path is not None:
        link = _from(folder, result.path)
        address = Path(link).as_uri() if Path(link).is_absolute() else quote(link)
        lines.append(f'<p><a href="{address}">{escape(link)}</a></p>')
    return f"<article>{''.join(lines)}</article>"


def overview_html(title: str, cards: Sequence[str]) -> str:
    """The whole page as text; the same outcomes give the same text."""
    n_failed = sum(one.startswith('<article class="failed"') for one in cards)
    head = f"{len(cards)} scans" + (f", {n_failed} failed" if n_failed else "")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_CSS}</style></head>\n<body>\n<h1>{escape(title)}: {head}</h1>\n<main>\n"
        + "\n".join(cards)
        + "\n</main>\n</body></html>\n"
    )


def _in_words(result: AnalysisResult) -> str:
    n_y, n_x = result.label_maps.shape[1:]
    clusters = ", ".join(f"{count} at level {level}" for level, count in result.clusters_per_level.items())
    created = datetime.fromisoformat(str(result.attrs["created"])).astimezone(UTC)
    return f"{n_y} x {n_x} positions; clusters: {clusters or 'none'}; analysed {created:%Y-%m-%d %H:%M} UTC."


def _from(folder: Path, path: Path) -> str:
    path, folder = path.resolve(), folder.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _grey(image: NDArray[np.floating]) -> NDArray[np.float64]:
    finite = image[np.isfinite(image)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    shade = np.clip((np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-12), 0.0, 1.0)
    return np.repeat(shade[..., None].astype(np.float64), 3, axis=2)


def _png(picture: NDArray[np.float64]) -> str:
    """Base64 of an RGB picture (y, x, 3), every n-th position where it is larger than a thumbnail need be."""
    step = max(1, max(picture.shape[:2]) // (2 * _SIDE_PX))
    buffer = io.BytesIO()
    imsave(buffer, np.ascontiguousarray(picture[::step, ::step]), format="png")
    return base64.b64encode(buffer.getvalue()).decode()
