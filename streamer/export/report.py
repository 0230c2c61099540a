"""The report: one HTML file with everything in it, which needs no network and no server."""

import base64
import io
import json
from html import escape
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from streamer.analysis.result_file import AnalysisResult
from streamer.export import figures, panels
from streamer.export.methods import methods_text
from streamer.export.plan import COLUMN_WIDTHS_MM
from streamer.export.style import MM, Look, look_of, save_figure, style
from streamer.export.tables import lattice_rows, node_rows
from streamer.look.palette import children_of
from streamer.model import ClusterNode

_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; color: #1a1c20; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: 2px 10px; text-align: right; }
td:first-child, th:first-child { text-align: left; } tr:nth-child(even) { background: #f3f4f6; }
img { max-width: 100%; } pre { background: #f3f4f6; padding: 1em; overflow-x: auto; }
.swatch { display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.4em; }
"""


def report_html(result: AnalysisResult) -> str:
    """The whole report as text."""
    look = look_of(result)
    name = result.path.name if result.path else str(result.attrs.get("source", "result"))
    parts = [
        f"<h1>{escape(name)}</h1>",
        f"<p>{escape(methods_text(result))}</p>",
        _section("Overview", _picture(figures.overview(result))),
        _section("Clusters", _node_table(result, look)),
        _section("Cluster maps by level", _picture(_maps(result, look))),
        _section("Mean patterns of the leaves", _picture(_patterns(result, look))),
    ]
    if differences := _differences(result, look):
        parts.append(_section("Differences of siblings from their parent's mean", _picture(differences)))
    if _elbow_nodes(result):
        parts.append(_section("Number of clusters", _picture(_elbows(result))))
    if panels.manifold_ids(result):
        parts.append(_section("Manifold", _picture(_manifold(result, look))))
    if result.momentum_nodes:
        parts.append(
            _section(
                "Momentum space: apertures and their real-space images", _picture(_momentum(result, look))
            )
        )
    if rows := lattice_rows(result):
        parts.append(_section("Lattice", _table(rows) + _picture(_lattice(result, look))))
    parts.append(_section("Virtual images", _picture(_virtual(result, look))))
    parts.append(_section("Alignment", _picture(_alignment(result, look))))
    parts.append(_section("Settings and provenance", f"<pre>{escape(_provenance(result))}</pre>"))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f"<style>{_CSS}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{body}"


def _picture(figure: Figure) -> str:
    buffer = io.BytesIO()
    save_figure(figure, buffer, "png", dpi=160)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def _table(rows: list[dict[str, Any]], first: dict[str, str] | None = None) -> str:
    """`first`: markup before a row's name."""
    head = "".join(f"<th>{escape(column.replace('_', ' '))}</th>" for column in rows[0])
    lines = []
    for row in rows:
        cells = [f"{value:.5g}" if isinstance(value, float) else str(value) for value in row.values()]
        mark = (first or {}).get(str(row["name"]), "")
        lines.append(
            "<tr>"
            + "".join(
                f"<td>{mark if index == 0 else ''}{escape(cell)}</td>" for index, cell in enumerate(cells)
            )
            + "</tr>"
        )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _node_table(result: AnalysisResult, look: Look) -> str:
    kept = ("name", "title", "n_patterns", "share", "k", "k_auto", "radius")
    rows = [{column: row[column] for column in kept} for row in node_rows(result.nodes)]
    marks = {}
    for node in result.nodes:
        red, green, blue = (round(255 * part) for part in look.colours.get(node.id, (1, 1, 1)))
        indent = 1.2 * node.level
        style = f"margin-left:{indent:.1f}em;background:#{red:02x}{green:02x}{blue:02x}"
        marks[node.name] = f'<span class="swatch" style="{style}"></span>'
    return _table(rows, marks)


def _grid(n: int, columns: int, height_mm: float) -> tuple[Figure, list[Any]]:
    rows = -(-n // columns)
    with rc_context(style()):
        figure = Figure(
            figsize=(COLUMN_WIDTHS_MM["double"] * MM, rows * height_mm * MM), layout="constrained"
        )
        axes = [figure.add_subplot(rows, columns, index + 1) for index in range(n)]
    return figure, axes


def _maps(result: AnalysisResult, look: Look) -> Figure:
    n_levels = len(result.label_maps)
    figure, axes = _grid(n_levels, min(n_levels, 3), 62)
    with rc_context(style()):
        for level, place in enumerate(axes):
            panels.draw_map(place, result, look, level)
            place.set_title(f"level {level + 1}")
    return figure


def _patterns(result: AnalysisResult, look: Look) -> Figure:
    leaves = panels.largest_leaves(result, 16)
    figure, axes = _grid(len(leaves), 4, 48)
    with rc_context(style()):
        for place, node in zip(axes, leaves, strict=True):
            panels.draw_pattern(place, result.cluster_patterns[node.id], look)
            place.set_title(node.title or node.name)
    return figure


def _differences(result: AnalysisResult, look: Look) -> Figure | None:
    pairs = [
        (parent, child)
        for parent, children in children_of(result.nodes).items()
        for child in children
        if len(children) > 1
    ][:16]
    if not pairs:
        return None
    figure, axes = _grid(len(pairs), 4, 48)
    with rc_context(style()):
        for place, (parent, child) in zip(axes, pairs, strict=True):
            panels.draw_difference(
                place, result.cluster_patterns[child.id] - result.cluster_patterns[parent], look
            )
            place.set_title(f"{child.name} - {result.nodes[parent].name}")
    return figure


def _elbow_nodes(result: AnalysisResult) -> list[ClusterNode]:
    return [node for node in result.nodes if f"hierarchy/elbow/{node.id}/k" in result.arrays][:12]


def _elbows(result: AnalysisResult) -> Figure:
    nodes = _elbow_nodes(result)
    figure, axes = _grid(len(nodes), 4, 42)
    with rc_context(style()):
        for place, node in zip(axes, nodes, strict=True):
            panels.draw_elbow(place, result, node)
    return figure


def _manifold(result: AnalysisResult, look: Look) -> Figure:
    ids, views = panels.manifold_ids(result), ((0, 1), (0, 2), (1, 2))
    figure, axes = _grid(3 * len(ids), 3, 56)
    with rc_context(style()):
        for number, place in enumerate(axes):
            node_id = ids[number // 3]
            panels.draw_manifold(place, result, look, node_id, views[number % 3])
            place.set_title(f"node {result.nodes[node_id].name}")
    return figure


def _momentum(result: AnalysisResult, look: Look) -> Figure:
    parents = {node.parent for node in result.momentum_nodes if node.level > 0}
    leaves = [node for node in result.momentum_nodes if node.id not in parents][:11]
    figure, axes = _grid(len(leaves) + 1, 4, 48)
    with rc_context(style()):
        panels.draw_momentum_map(axes[0], result, look)
        axes[0].set_title("apertures, level 1")
        row_of = {node.id: row for row, node in enumerate(result.momentum_nodes)}
        for place, node in zip(axes[1:], leaves, strict=True):
            panels.draw_image(
                place, result.arrays["momentum/images"][row_of[node.id]], look.scan, look, "gray"
            )
            place.set_title(f"{node.name}: {node.n_patterns} px")
    return figure


def _lattice(result: AnalysisResult, look: Look) -> Figure:
    strain = result.arrays["lattice/strain"] * 100
    maps = [
        (result.arrays["lattice/constant_nm"], "constant (nm)", "viridis"),
        (np.rad2deg(result.arrays["lattice/rotation_rad"]), "rotation (degrees)", "RdBu_r"),
        (result.arrays["lattice/quality"], "quality", "viridis"),
        (strain[..., 0], "strain yy (%)", "RdBu_r"),
        (strain[..., 1], "strain xx (%)", "RdBu_r"),
        (strain[..., 2], "strain yx (%)", "RdBu_r"),
    ]
    figure, axes = _grid(len(maps), 3, 56)
    with rc_context(style()):
        for place, (image, title, colour_map) in zip(axes, maps, strict=True):
            artist = panels.draw_image(place, image, look.scan, look, colour_map)
            figure.colorbar(artist, ax=place, shrink=0.8)
            place.set_title(title)
    return figure


def _virtual(result: AnalysisResult, look: Look) -> Figure:
    names = [name for name in result.arrays if name.startswith("virtual/") and not name.endswith("_mask")]
    figure, axes = _grid(len(names), 4, 48)
    with rc_context(style()):
        for place, name in zip(axes, names, strict=True):
            panels.draw_image(place, result.arrays[name], look.scan, look, "gray")
            place.set_title(name.removeprefix("virtual/").replace("_", " "))
    return figure


def _alignment(result: AnalysisResult, look: Look) -> Figure:
    centres = result.arrays["alignment/com_yx"]
    figure, axes = _grid(4, 4, 48)
    with rc_context(style()):
        for place, axis, name in ((axes[0], 0, "y"), (axes[1], 1, "x")):
            artist = panels.draw_image(place, centres[..., axis], look.scan, look, "viridis")
            figure.colorbar(artist, ax=place, shrink=0.8)
            place.set_title(f"direct beam {name} (px)")
        panels.draw_image(axes[2], result.arrays["virtual/bright_field"], look.scan, look, "gray")
        axes[2].set_title("bright field")
        panels.draw_radial_std(axes[3], result)
    return figure


def _provenance(result: AnalysisResult) -> str:
    kept = (
        "livestem_version",
        "source",
        "source_checksum",
        "scan_id",
        "settings_id",
        "seed",
        "created",
        "seconds",
    )
    shown = {name: result.attrs[name] for name in kept} | {
        "calibration": result.attrs["calibration"],
        "automatic": result.attrs.get("automatic", {}),
        "settings": result.attrs["settings"],
    }
    return json.dumps(shown, indent=2)
