"""Whole figures of a result: panels set in columns for a paper, and the one slide that shows a scan at a glance."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from streamer.analysis.result_file import AnalysisResult
from streamer.errors import SettingsError
from streamer.export import panels
from streamer.export.plan import FigurePlan, Panel
from streamer.export.style import MM, Look, look_of, map_level, style
from streamer.model import Calibration

COLUMN_MM = 45.0
"""A figure has about so many columns of panels that words in a small type fit into them."""
TILES_PER_COLUMN = 2
ROOM_FOR_WORDS = 1.5
"""Height in mm a row that titles and axes take, for each pt of the type."""
_SPANS = {Panel.MAP: (2, 2), Panel.TREE: (1, 2)}
"""Rows and columns of panels that are larger than one."""
_GROWING = (Panel.TREE, Panel.ELBOW, Panel.RING, Panel.LATTICE_CONSTANT, Panel.LATTICE_ROTATION)
_SLIDE_INCHES = (12.8, 7.2)
SLIDE_DPI = 150


def possible_panels(result: AnalysisResult) -> tuple[Panel, ...]:
    """What can be drawn of a result, in the order of a figure."""
    absent = set()
    if "momentum/labels" not in result.arrays:
        absent.add(Panel.MOMENTUM)
    if "hierarchy/elbow/0/k" not in result.arrays:
        absent.add(Panel.ELBOW)
    if "lattice/rotation_rad" not in result.arrays:
        absent |= {Panel.LATTICE_CONSTANT, Panel.LATTICE_ROTATION}
    if not panels.manifold_ids(result):
        absent.add(Panel.MANIFOLD)
    return tuple(panel for panel in Panel if panel not in absent)


def default_panels(result: AnalysisResult) -> tuple[Panel, ...]:
    """What a figure shows where nothing else is asked for."""
    possible = possible_panels(result)
    left_out = {Panel.MANIFOLD, Panel.DARK_FIELD if Panel.MOMENTUM in possible else Panel.MOMENTUM}
    return tuple(panel for panel in possible if panel not in left_out)


def overview(result: AnalysisResult, plan: FigurePlan | None = None) -> Figure:
    """The figure of a paper.

    Raises
    ------
    SettingsError
        The result lacks a panel or level that is asked for.
    """
    plan = plan or FigurePlan()
    wanted = plan.panels or default_panels(result)
    if missing := [panel for panel in wanted if panel not in possible_panels(result)]:
        raise SettingsError(
            f"The result has nothing for the panel {missing[0]}. Expected {', '.join(possible_panels(result))}. "
            "Leave it out, or analyse the scan with it."
        )
    look = look_of(result, plan)
    draw = _drawers(result, look, map_level(result, plan))
    n_columns = _n_columns(wanted, plan.width_mm)
    places, n_rows = _packed(wanted, n_columns)
    with rc_context(style(plan.font_pt)):
        heights_mm = _heights_mm(result, places, n_rows, plan.width_mm, n_columns)
        height_mm = sum(heights_mm) + n_rows * ROOM_FOR_WORDS * plan.font_pt
        figure = Figure(figsize=(plan.width_mm * MM, height_mm * MM), layout="constrained")
        grid = figure.add_gridspec(n_rows, n_columns, height_ratios=heights_mm)
        for number, (panel, (rows, columns)) in enumerate(places.items()):
            place = grid[rows, columns]
            if panel is Panel.PATTERNS:
                axes = panels.draw_leaf_patterns(figure, place, result, look, TILES_PER_COLUMN * n_columns)
            else:
                axes = figure.add_subplot(place)
                draw[panel](axes)
            if plan.letters:
                letter = chr(ord("a") + number)
                axes.set_title(letter, loc="left", fontweight="bold", fontsize=plan.font_pt + 1)
        return figure


def slide(result: AnalysisResult, title: str) -> Figure:
    """One slide, 16 by 9, that shows a scan at a glance."""
    plan = FigurePlan(font_pt=11.0)
    look = look_of(result, plan)
    with rc_context(style(plan.font_pt)):
        figure = Figure(figsize=_SLIDE_INCHES, layout="constrained")
        figure.get_layout_engine().set(rect=(0.01, 0.01, 0.98, 0.86))  # type: ignore[union-attr]
        figure.text(0.02, 0.975, title, fontsize=20, fontweight="bold", va="top")
        figure.text(0.02, 0.915, slide_summary(result), fontsize=12, color="0.3", va="top")
        draw = _drawers(result, look, map_level(result, plan))
        image = Panel.MOMENTUM if Panel.MOMENTUM in draw else Panel.DARK_FIELD
        grid = figure.add_gridspec(3, 5, height_ratios=[1.0, 1.0, 0.75], width_ratios=[1, 1, 1, 1, 1])
        places = {
            Panel.MAP: grid[:2, :2],
            Panel.BRIGHT_FIELD: grid[0, 2],
            image: grid[1, 2],
            Panel.TREE: grid[0, 3:],
            Panel.ELBOW: grid[1, 3],
            Panel.RING: grid[1, 4],
        }
        for panel, place in places.items():
            if panel not in draw:
                continue
            axes = figure.add_subplot(place)
            draw[panel](axes)
        panels.draw_leaf_patterns(figure, grid[2, :], result, look, panels.MAX_TILES)
        return figure


def slide_summary(result: AnalysisResult) -> str:
    """What a scan was and what was found, in one line."""
    calibration = Calibration.from_json(result.attrs["calibration"])
    n_y, n_x = result.label_maps.shape[1:]
    parts = [f"{n_y} x {n_x} positions"]
    if steps := calibration.scan_step_yx_nm:
        parts.append(f"{n_y * steps[0]:.4g} x {n_x * steps[1]:.4g} nm")
    if calibration.voltage_v:
        parts.append(f"{calibration.voltage_v / 1000:g} kV")
    counts = ", ".join(map(str, result.clusters_per_level.values()))
    parts.append(f"clusters by level: {counts}" if counts else "one homogeneous region")
    parts.append(f"{result.array_attrs['mask']['n_features']} features")
    return " · ".join(parts)


def _drawers(result: AnalysisResult, look: Look, level: int) -> dict[Panel, Callable[[Axes], object]]:
    """How each panel is drawn that is one pair of axes."""

    def image(name: str) -> Callable[[Axes], object]:
        values: NDArray[Any] = result.arrays[f"virtual/{name}"]
        return lambda axes: panels.draw_image(axes, values, look.scan, look, "gray")

    def histogram(name: str, text: str, factor: float = 1.0) -> Callable[[Axes], object]:
        return lambda axes: panels.draw_lattice_histogram(axes, result, look, name, text, factor)

    constant = ("constant_nm", "lattice constant (nm)")
    if "lattice/constant_nm" in result.arrays and not np.isfinite(result.arrays["lattice/constant_nm"]).any():
        constant = ("spacing_px", "spacing (px)")
    drawers: dict[Panel, Callable[[Axes], object]] = {
        Panel.MAP: lambda axes: panels.draw_map(axes, result, look, level),
        Panel.BRIGHT_FIELD: image("bright_field"),
        Panel.DARK_FIELD: image("annular_dark_field"),
        Panel.MOMENTUM: lambda axes: panels.draw_momentum_map(axes, result, look),
        Panel.ELBOW: lambda axes: panels.draw_elbow(axes, result, result.nodes[0]),
        Panel.RING: lambda axes: panels.draw_radial_std(axes, result),
        Panel.TREE: lambda axes: panels.draw_tree(axes, result, look),
        Panel.LATTICE_CONSTANT: histogram(*constant),
        Panel.LATTICE_ROTATION: histogram("rotation_rad", "rotation (degrees)", float(np.rad2deg(1.0))),
        Panel.MANIFOLD: lambda axes: panels.draw_manifold(
            axes, result, look, panels.manifold_ids(result)[0], (0, 1)
        ),
    }
    return {panel: drawers[panel] for panel in possible_panels(result) if panel in drawers}


def _n_columns(wanted: tuple[Panel, ...], width_mm: float) -> int:
    """As many as have room, and no more than the panels fill."""
    most = max(2, round(width_mm / COLUMN_MM))
    filled = sum(_SPANS.get(panel, (1, 1))[1] for panel in wanted if panel is not Panel.PATTERNS)
    return most if Panel.PATTERNS in wanted else max(1, min(most, filled))


def _heights_mm(
    result: AnalysisResult,
    places: dict[Panel, tuple[slice, slice]],
    n_rows: int,
    width_mm: float,
    n_columns: int,
) -> list[float]:
    """Of each row, without words: as the scan asks for, and of patterns as wide as their tiles."""
    scan_y, scan_x = result.label_maps.shape[1:]
    heights = [0.8 * width_mm / n_columns * float(np.clip(scan_y / scan_x, 0.75, 1.25))] * n_rows
    if Panel.PATTERNS in places:
        per_row = TILES_PER_COLUMN * n_columns
        n_tiles = -(-len(panels.largest_leaves(result)) // per_row)
        heights[places[Panel.PATTERNS][0].start] = n_tiles * 0.95 * width_mm / per_row
    return heights


def _packed(wanted: tuple[Panel, ...], n_columns: int) -> tuple[dict[Panel, tuple[slice, slice]], int]:
    """Rows and columns of each panel: the first place that is free; curves grow to the right; patterns last."""
    taken = np.zeros((4 * len(wanted), n_columns), bool)
    places: dict[Panel, tuple[slice, slice]] = {}
    for panel in dict.fromkeys(wanted):
        if panel is Panel.PATTERNS:
            continue
        height, width = _SPANS.get(panel, (1, 1))
        row, column = next(
            (row, column)
            for row in range(len(taken))
            for column in range(n_columns - width + 1)
            if not taken[row : row + height, column : column + width].any()
        )
        places[panel] = np.s_[row : row + height, column : column + width]
        taken[places[panel]] = True
    for panel in places:
        rows, columns = places[panel]
        if panel in _GROWING and not taken[rows, columns.stop :].any():
            places[panel] = (rows, slice(columns.start, n_columns))
            taken[places[panel]] = True
    n_rows = int(np.flatnonzero(taken.any(axis=1))[-1]) + 1 if places else 0
    if Panel.PATTERNS in wanted:
        places[Panel.PATTERNS] = np.s_[n_rows : n_rows + 1, 0:n_columns]
        n_rows += 1
    return places, n_rows
