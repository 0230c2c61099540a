"""What all panels of one figure share: colours or hatches of clusters, scales, type, and how a figure is saved."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from streamer.analysis.result_file import AnalysisResult
from streamer.errors import SettingsError
from streamer.export.plan import FigurePlan
from streamer.look.palette import node_colours
from streamer.look.scale_bar import ImageScale
from streamer.model import Calibration

MM = 1 / 25.4
NO_COLOUR = (1.0, 1.0, 1.0)
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "||||", "++++", "oooo", "**", "///...", "OO")
_GREYS = (0.96, 0.8, 0.64)

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """What every panel of one result shares: node colours (0 to 1) and hatches, the scale of scan and detector.

    Attributes
    ----------
    colours, hatches
        By node id; without `hatches` colours alone tell clusters apart.
    scan, detector
        Size of a pixel.
    bar
        Colour of scale bars; None: none.
    numbers
        Whether the map says the clusters' numbers.
    font_pt
        Size of the type.
    """

    colours: dict[int, Rgb]
    scan: ImageScale
    detector: ImageScale
    hatches: dict[int, str] = field(default_factory=dict)
    bar: str | None = "white"
    numbers: bool = True
    font_pt: float = 7.0

    @property
    def small_pt(self) -> float:
        """Size of what stands inside pictures."""
        return self.font_pt - 1.0


def style(font_pt: float = 7.0) -> Any:
    """Matplotlib's settings: white ground, text as text, the same bytes each time."""
    return {
        "font.size": font_pt,
        "axes.titlesize": font_pt,
        "axes.linewidth": 0.5,
        "hatch.linewidth": 0.4,
        "svg.fonttype": "none",
        "svg.hashsalt": "livestem",
        "pdf.fonttype": 42,
        "lines.linewidth": 1.0,
        "image.interpolation": "nearest",
    }


def look_of(result: AnalysisResult, plan: FigurePlan | None = None) -> Look:
    """Colours and scales of a result; sizes in pixels where there is no calibration.

    Raises
    ------
    SettingsError
        The scale bar's colour is none.
    """
    plan = plan or FigurePlan()
    calibration = Calibration.from_json(result.attrs["calibration"])
    steps = calibration.scan_step_yx_nm
    q = calibration.q_per_px_inv_nm
    colours: dict[int, Rgb] = {
        node: (colour[0] / 255, colour[1] / 255, colour[2] / 255)
        for node, colour in node_colours(result.nodes).items()
    }
    hatches: dict[int, str] = {}
    if plan.hatches:
        colours, hatches = _hatched(result, map_level(result, plan))
    return Look(
        colours,
        ImageScale(steps[1], "nm") if steps else ImageScale(),
        ImageScale(q, "1/nm") if q else ImageScale(),
        hatches,
        _bar_colour(plan.scale_bar),
        plan.numbers,
        plan.font_pt,
    )


def map_level(result: AnalysisResult, plan: FigurePlan) -> int:
    """Index into the label maps of the level that is drawn.

    Raises
    ------
    SettingsError
        The result has no such level.
    """
    n_levels = len(result.label_maps)
    if plan.level is None:
        return n_levels - 1
    if plan.level > n_levels:
        raise SettingsError(
            f"There is no level {plan.level}: the result has {n_levels}. Expected 1 to {n_levels}. "
            "Choose another level."
        )
    return plan.level - 1


def write_on(
    axes: Axes, x: float, y: float, text: str, look: Look, colour: str = "white", **place: Any
) -> None:
    """Words that are read on any ground: with an outline of the other lightness beneath, as live text above."""
    ground = "black" if is_bright(colour) else "white"
    stroke = [withStroke(linewidth=1.2, foreground=ground)]  # matplotlib draws what has an effect as a path
    for effects in (stroke, []):
        axes.text(x, y, text, color=colour, path_effects=effects, fontsize=look.small_pt, **place)


def write_number(axes: Axes, x: float, y: float, text: str, look: Look) -> None:
    """A cluster's number about its point; on hatches it needs a ground of its own."""
    middle: dict[str, Any] = {"ha": "center", "va": "center"}
    if not look.hatches:
        write_on(axes, x, y, text, look, **middle)
        return
    ground = {"boxstyle": "round,pad=0.15", "fc": "white", "lw": 0}
    axes.text(x, y, text, color="black", bbox=ground, fontsize=look.small_pt, **middle)


def is_bright(colour: str) -> bool:
    """Whether black is read better on it than white."""
    return sum(to_rgb(colour)) > 1.2


def save_figure(figure: Figure, path: Any, kind: str, dpi: int = 300, font_pt: float = 7.0) -> None:
    """Write a figure as png, svg, pdf or tiff; the same result gives the same bytes where the format allows."""
    # Dates would make every file another one.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with rc_context(style(font_pt)):
        FigureCanvasAgg(figure)
        figure.savefig(path, format=kind, dpi=dpi, metadata=metadata)


def _hatched(result: AnalysisResult, level: int) -> tuple[dict[int, Rgb], dict[int, str]]:
    """Greys and hatches by node: those on the map first, so that 36 clusters beside one another all differ."""
    on_map = [int(label) for label in np.unique(result.label_maps[level]) if label >= 0]
    others = [node.id for node in result.nodes if node.id not in on_map and node.level > 0]
    colours: dict[int, Rgb] = {node.id: (0.9, 0.9, 0.9) for node in result.nodes}
    hatches = {}
    for number, node in enumerate([*on_map, *others]):
        grey = _GREYS[number // len(_HATCHES) % len(_GREYS)]
        colours[node] = (grey, grey, grey)
        hatches[node] = _HATCHES[number % len(_HATCHES)]
    return colours, hatches


def _bar_colour(name: str) -> str | None:
    if name == "none":
        return None
    try:
        to_rgb(name)
    except ValueError:
        raise SettingsError(
            f"The scale bar's colour {name!r} is none. Expected white, black, none or #RRGGBB."
        ) from None
    return name
