"""Figures of a result with matplotlib: one function a panel, each drawing into the axes that it is given.

White ground, text as text (SVG and PDF stay searchable), the colours of the window. Nothing here depends on a
screen: figures are made without pyplot.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from streamer.analysis.result_file import AnalysisResult
from streamer.look.palette import children_of, node_colours
from streamer.look.scale_bar import ImageScale, nice_length
from streamer.model import Calibration, ClusterNode

STYLE: Any = {
    "font.size": 7.0,
    "axes.titlesize": 7.0,
    "axes.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "livestem",
    "pdf.fonttype": 42,
    "lines.linewidth": 1.0,
    "image.interpolation": "nearest",
}
MM = 1 / 25.4
FULL_WIDTH_MM = 180.0
MAX_TILES = 8

_EMPTY = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Look:
    """What every panel of one result shares: node colours (0 to 1), the scale of scan and detector."""

    colours: dict[int, tuple[float, float, float]]
    scan: ImageScale
    detector: ImageScale


def look_of(result: AnalysisResult) -> Look:
    """Colours and scales of a result; sizes in pixels where there is no calibration."""
    calibration = Calibration.from_json(result.attrs["calibration"])
    steps = calibration.scan_step_yx_nm
    scan = ImageScale(steps[1], "nm") if steps else ImageScale()
    q = calibration.q_per_px_inv_nm
    detector = ImageScale(q, "1/nm") if q else ImageScale()
    colours = {
        node: (colour[0] / 255, colour[1] / 255, colour[2] / 255)
        for node, colour in node_colours(result.nodes).items()
    }
    return Look(colours, scan, detector)


def label_picture(result: AnalysisResult, look: Look, level: int) -> NDArray[np.float64]:
    """The cluster map of a level as RGB, (scan_y, scan_x, 3), white where nothing was measured."""
    labels = result.label_maps[level]
    table = np.array([look.colours.get(node.id, _EMPTY) for node in result.nodes] + [_EMPTY])
    return table[labels]


def draw_map(axes: Axes, result: AnalysisResult, look: Look, level: int) -> None:
    """Cluster map of a level with the clusters' numbers, and a scale bar."""
    axes.imshow(label_picture(result, look, level))
    labels = result.label_maps[level]
    names = {node.id: node.name for node in result.nodes}
    for node in np.unique(labels[labels >= 0]):
        y, x, depth = _inner_point(labels == node)
        if depth < 2:
            continue  # specks: a number would hide them
        axes.text(x, y, names[int(node)], ha="center", va="center", color="white", **_OUTLINE)
    _finish_image(axes, labels.shape, look.scan)


def draw_image(axes: Axes, image: NDArray[Any], scale: ImageScale, colour_map: str = "magma") -> Any:
    """An intensity image, stretched between its 1st and 99th percentile, with a scale bar; returns the artist."""
    finite = image[np.isfinite(image)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    artist = axes.imshow(image, cmap=colour_map, vmin=low, vmax=max(high, low + 1e-12))
    _finish_image(axes, image.shape, scale)
    return artist


def draw_pattern(axes: Axes, pattern: NDArray[Any], look: Look) -> None:
    """A mean pattern on a logarithmic scale from its median up."""
    positive = pattern[pattern > 0]
    floor = 0.5 * float(np.median(positive)) if positive.size else 1e-6
    axes.imshow(np.log10(np.maximum(pattern, floor)), cmap="magma")
    _finish_image(axes, pattern.shape, look.detector)


def draw_difference(axes: Axes, difference: NDArray[Any], look: Look) -> None:
    """Difference of two mean patterns: red more, blue less, symmetric about zero."""
    bound = float(np.percentile(np.abs(difference), 99.5)) or 1.0
    axes.imshow(difference, cmap="RdBu_r", vmin=-bound, vmax=bound)
    _finish_image(axes, difference.shape, look.detector)


def draw_tree(axes: Axes, result: AnalysisResult, look: Look) -> None:
    """The hierarchy as an icicle: width of a node is its number of patterns, a level a row."""
    children = children_of(result.nodes)
    depth = max(node.level for node in result.nodes) + 1
    root = next(node for node in result.nodes if node.level == 0)

    def place(node: ClusterNode, left: float) -> None:
        width = node.n_patterns / max(root.n_patterns, 1)
        axes.add_patch(
            Rectangle((left, node.level), width, 0.92, color=look.colours[node.id], ec="white", lw=0.4)
        )
        if width > 0.022 * len(node.name):
            text = f"{node.name}\n{100 * width:.0f} %" if width > 0.08 else node.name
            axes.text(
                left + width / 2, node.level + 0.46, text, ha="center", va="center", color="white", **_OUTLINE
            )
        for child in children.get(node.id, []):
            place(child, left)
            left += child.n_patterns / max(root.n_patterns, 1)

    place(root, 0.0)
    axes.set(xlim=(0, 1), ylim=(depth, 0))
    axes.axis("off")


def draw_elbow(axes: Axes, result: AnalysisResult, node: ClusterNode) -> None:
    """Within-cluster sum of squares of a node against K, and the K that was taken."""
    k = result.arrays[f"hierarchy/elbow/{node.id}/k"]
    wss = result.arrays[f"hierarchy/elbow/{node.id}/wss"]
    axes.plot(k, wss / wss[0], "o-", ms=2.5, color="0.3")
    if node.k in k:
        axes.plot(node.k, wss[list(k).index(node.k)] / wss[0], "o", ms=6, mfc="none", color="#D55E00")
    axes.set(
        xlabel="number of clusters K",
        ylabel="WSS / WSS(1)",
        title=f"node {node.name}: K = {node.k}",
        ylim=(0, 1.05),
    )
    axes.set_xticks(k)


def draw_radial_std(axes: Axes, result: AnalysisResult) -> None:
    """Rotational mean of the STD pattern with the ring and the threshold that led to the features."""
    radial, mask = result.arrays["mask/radial_std"], result.array_attrs["mask"]
    there = np.flatnonzero(radial > 0)
    axes.semilogy(there, radial[there], color="0.3")
    axes.axvspan(mask["inner_px"], mask["outer_px"], color="#009E73", alpha=0.15, lw=0)
    axes.set(xlabel="radius (px)", ylabel="STD", xlim=(0, len(radial)))
    axes.text(0.97, 0.95, f"{mask['n_features']} features", ha="right", va="top", transform=axes.transAxes)


def draw_momentum_map(axes: Axes, result: AnalysisResult, look: Look, level: int = 0) -> None:
    """Clusters of detector pixels."""
    labels = result.arrays["momentum/labels"][level]
    found = np.unique(labels[labels >= 0])
    table = np.vstack([[1, 1, 1, 1], _momentum_colours(len(found))])
    axes.imshow(
        np.searchsorted(found, labels) + 1 - (labels < 0), cmap=ListedColormap(table), vmin=0, vmax=len(found)
    )
    _finish_image(axes, labels.shape, look.detector)


def manifold_ids(result: AnalysisResult) -> list[int]:
    """Nodes of which the result has points in three dimensions."""
    return [int(name.split("/")[1]) for name in result.arrays if name.endswith("/points")]


def draw_manifold(
    axes: Axes, result: AnalysisResult, look: Look, node_id: int, of_axes: tuple[int, int]
) -> None:
    """Two of the three dimensions of a node's points, coloured by leaf; drawn as pixels in any format."""
    points = result.arrays[f"manifold/{node_id}/points"]
    labels = result.label_maps[-1].ravel()[result.arrays[f"manifold/{node_id}/scan_index"]]
    colours = np.array([look.colours.get(int(label), _EMPTY) for label in np.unique(labels)])
    axes.scatter(
        *(points[:, axis] for axis in of_axes),
        c=colours[np.searchsorted(np.unique(labels), labels)],
        s=max(0.3, min(8.0, 4000 / len(points))),
        lw=0,
        rasterized=True,
    )
    kind = "component" if result.array_attrs[f"manifold/{node_id}"]["method"] == "pca" else "UMAP"
    axes.set(xlabel=f"{kind} {of_axes[0] + 1}", ylabel=f"{kind} {of_axes[1] + 1}", xticks=[], yticks=[])
    axes.set_aspect("equal", "datalim")


def draw_lattice_histogram(
    axes: Axes, result: AnalysisResult, look: Look, name: str, text: str, factor: float
) -> None:
    """Histogram of a lattice map, one curve a cluster of the first level that has a lattice."""
    values, labels = (
        result.arrays[f"lattice/{name}"] * factor,
        result.label_maps[min(1, len(result.label_maps) - 1)],
    )
    finite = np.isfinite(values)
    if finite.any():
        low, high = np.percentile(values[finite], [0.2, 99.8])
        bins = np.linspace(low, high + 1e-12, 61)
        names = {node.id: node.name for node in result.nodes}
        for node in np.unique(labels[finite]):
            own = values[finite & (labels == node)]
            axes.hist(
                own,
                bins,
                histtype="stepfilled",
                alpha=0.55,
                color=look.colours[int(node)],
                label=names[int(node)],
            )
        axes.legend(frameon=False, fontsize=6)
    axes.set(xlabel=text, ylabel="patterns")


def overview(result: AnalysisResult, width_mm: float = FULL_WIDTH_MM) -> Figure:
    """The figure of a paper: map, bright field, tree, mean patterns, elbow, ring, momentum map, lattice."""
    look = look_of(result)
    with rc_context(STYLE):
        figure = Figure(figsize=(width_mm * MM, width_mm * 0.92 * MM), layout="constrained")
        grid = figure.add_gridspec(4, 4, height_ratios=[1.5, 1.0, 0.8, 0.95])
        panels: list[tuple[Any, Callable[[Axes], object]]] = [
            (grid[0, :2], lambda axes: draw_map(axes, result, look, -1)),
            (
                grid[0, 2],
                lambda axes: draw_image(axes, result.arrays["virtual/bright_field"], look.scan, "gray"),
            ),
            (grid[0, 3], lambda axes: _draw_momentum_or_dark_field(axes, result, look)),
            (grid[1, :2], lambda axes: draw_tree(axes, result, look)),
            (grid[1, 2], lambda axes: draw_elbow(axes, result, result.nodes[0])),
            (grid[1, 3], lambda axes: draw_radial_std(axes, result)),
        ]
        if "lattice/rotation_rad" in result.arrays:
            q_known = np.isfinite(result.arrays["lattice/constant_nm"]).any()
            name, text, factor = (
                ("constant_nm", "lattice constant (nm)", 1.0)
                if q_known
                else ("spacing_px", "spacing (px)", 1.0)
            )
            panels += [
                (grid[3, :2], lambda axes: draw_lattice_histogram(axes, result, look, name, text, factor)),
                (
                    grid[3, 2:],
                    lambda axes: draw_lattice_histogram(
                        axes, result, look, "rotation_rad", "rotation (degrees)", float(np.rad2deg(1.0))
                    ),
                ),
            ]
        for number, (place, draw) in enumerate(panels):
            axes = figure.add_subplot(place)
            draw(axes)
            axes.set_title(chr(ord("a") + number), loc="left", fontweight="bold", fontsize=8)
        _draw_leaf_patterns(figure, grid[2, :], result, look)
        return figure


def _draw_leaf_patterns(figure: Figure, place: Any, result: AnalysisResult, look: Look) -> None:
    leaves = largest_leaves(result)
    row = place.subgridspec(1, max(len(leaves), 4))
    for column, node in enumerate(leaves):
        axes = figure.add_subplot(row[0, column])
        draw_pattern(axes, result.cluster_patterns[node.id], look)
        axes.set_title(node.title or node.name, color=look.colours[node.id], fontweight="bold")


def _draw_momentum_or_dark_field(axes: Axes, result: AnalysisResult, look: Look) -> None:
    if "momentum/labels" in result.arrays:
        draw_momentum_map(axes, result, look)
    else:
        draw_image(axes, result.arrays["virtual/annular_dark_field"], look.scan, "gray")


def largest_leaves(result: AnalysisResult, most: int = MAX_TILES) -> list[ClusterNode]:
    """The leaves with most patterns, in the order of their names."""
    parents = {node.parent for node in result.nodes if node.level > 0}
    leaves = [node for node in result.nodes if node.id not in parents and not node.hidden]
    chosen = sorted(leaves, key=lambda node: -node.n_patterns)[:most]
    return sorted(chosen, key=lambda node: node.name)


def save_figure(figure: Figure, path: Any, kind: str, dpi: int = 300) -> None:
    """Write a figure as png, svg, pdf or tiff; the same result gives the same bytes where the format allows."""
    # Dates would make every file another one.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with rc_context(STYLE):
        FigureCanvasAgg(figure)
        figure.savefig(path, format=kind, dpi=dpi, metadata=metadata)


def _inner_point(mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    """A point of the mask that lies well inside it, and how far."""
    from scipy.ndimage import distance_transform_edt

    depth = np.asarray(distance_transform_edt(np.pad(mask, 1)))[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), mask.shape)
    return float(y), float(x), float(depth[y, x])


def _finish_image(axes: Axes, shape: tuple[int, ...], scale: ImageScale) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    length = nice_length(0.3 * shape[1] * scale.per_px)
    width, height = length / scale.per_px, max(shape[0] * 0.022, 0.3)
    left, top = 0.05 * shape[1] - 0.5, 0.93 * shape[0] - 0.5
    axes.add_patch(Rectangle((left, top), width, height, fc="white", ec="black", lw=0.4, gid="scale-bar"))
    axes.text(
        left,
        top - 0.01 * shape[0],
        f"{length:g} {scale.unit}".replace("1/nm", "nm⁻¹"),
        ha="left",
        va="bottom",
        color="white",
        **_OUTLINE,
    )


def _momentum_colours(n: int) -> NDArray[np.float64]:
    from matplotlib import colormaps

    return np.array([colormaps["tab20"](index % 20) for index in range(n)])


def _outline() -> dict[str, Any]:
    from matplotlib.patheffects import withStroke

    return {"path_effects": [withStroke(linewidth=1.2, foreground="black")], "fontsize": 6}


_OUTLINE = _outline()
