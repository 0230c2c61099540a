"""Panels of figures with matplotlib: each function draws a part of a result into the axes that it is given.

Nothing here depends on a screen: figures are made without pyplot.
"""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from streamer.analysis.result_file import AnalysisResult
from streamer.export.style import NO_COLOUR, Look, Rgb, is_bright, write_number, write_on
from streamer.look.palette import children_of
from streamer.look.scale_bar import ImageScale, nice_length
from streamer.model import ClusterNode

MAX_TILES = 8


def label_picture(result: AnalysisResult, look: Look, level: int) -> NDArray[np.float64]:
    """The cluster map of a level as RGB, (scan_y, scan_x, 3), white where nothing was measured."""
    labels = result.label_maps[level]
    table = np.array([look.colours.get(node.id, NO_COLOUR) for node in result.nodes] + [NO_COLOUR])
    return table[labels]


def draw_map(axes: Axes, result: AnalysisResult, look: Look, level: int) -> None:
    """Cluster map of a level with the clusters' numbers, and a scale bar."""
    axes.imshow(label_picture(result, look, level))
    labels = result.label_maps[level]
    names = {node.id: node.name for node in result.nodes}
    for node in np.unique(labels[labels >= 0]):
        _hatch(axes, labels == node, look.hatches.get(int(node), ""))
    for node in np.unique(labels[labels >= 0]) if look.numbers else ():
        y, x, depth = _inner_point(labels == node)
        if depth < 2:
            continue  # specks: a number would hide them
        write_number(axes, x, y, names[int(node)], look)
    _finish_image(axes, labels.shape, look.scan, look)


def draw_image(
    axes: Axes, image: NDArray[Any], scale: ImageScale, look: Look, colour_map: str = "magma"
) -> Any:
    """An intensity image, stretched between its 1st and 99th percentile, with a scale bar; returns the artist."""
    finite = image[np.isfinite(image)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    artist = axes.imshow(image, cmap=colour_map, vmin=low, vmax=max(high, low + 1e-12))
    _finish_image(axes, image.shape, scale, look)
    return artist


def draw_pattern(axes: Axes, pattern: NDArray[Any], look: Look) -> None:
    """A mean pattern on a logarithmic scale from its median up."""
    positive = pattern[pattern > 0]
    floor = 0.5 * float(np.median(positive)) if positive.size else 1e-6
    axes.imshow(np.log10(np.maximum(pattern, floor)), cmap="magma")
    _finish_image(axes, pattern.shape, look.detector, look)


def draw_difference(axes: Axes, difference: NDArray[Any], look: Look) -> None:
    """Difference of two mean patterns: red more, blue less, symmetric about zero."""
    bound = float(np.percentile(np.abs(difference), 99.5)) or 1.0
    axes.imshow(difference, cmap="RdBu_r", vmin=-bound, vmax=bound)
    _finish_image(axes, difference.shape, look.detector, look)


def draw_tree(axes: Axes, result: AnalysisResult, look: Look) -> None:
    """The hierarchy as an icicle: width of a node is its number of patterns, a level a row."""
    children = children_of(result.nodes)
    depth = max(node.level for node in result.nodes) + 1
    root = next(node for node in result.nodes if node.level == 0)
    edge: dict[str, Any] = {"ec": "black" if look.hatches else "white", "lw": 0.4}

    def place(node: ClusterNode, left: float) -> None:
        width = node.n_patterns / max(root.n_patterns, 1)
        axes.add_patch(
            Rectangle(
                (left, node.level),
                width,
                0.92,
                fc=look.colours[node.id],
                hatch=look.hatches.get(node.id),
                **edge,
            )
        )
        if width > 0.022 * len(node.name):
            text = f"{node.name}\n{100 * width:.0f} %" if width > 0.08 else node.name
            write_number(axes, left + width / 2, node.level + 0.46, text, look)
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
    # Apertures are too small for hatches: greys, from light to dark.
    greys = [(grey, grey, grey) for grey in np.linspace(0.92, 0.15, len(found))] if look.hatches else []
    colours = np.array(greys or [_momentum_colour(number) for number in range(len(found))])
    table = np.vstack([NO_COLOUR, colours.reshape(-1, 3)])
    axes.imshow(table[np.where(labels < 0, 0, np.searchsorted(found, labels) + 1)])
    _finish_image(axes, labels.shape, look.detector, look)


def manifold_ids(result: AnalysisResult) -> list[int]:
    """Nodes of which the result has points in three dimensions."""
    return [int(name.split("/")[1]) for name in result.arrays if name.endswith("/points")]


def draw_manifold(
    axes: Axes, result: AnalysisResult, look: Look, node_id: int, of_axes: tuple[int, int]
) -> None:
    """Two of the three dimensions of a node's points, coloured by leaf; drawn as pixels in any format."""
    points = result.arrays[f"manifold/{node_id}/points"]
    labels = result.label_maps[-1].ravel()[result.arrays[f"manifold/{node_id}/scan_index"]]
    colours = np.array([look.colours.get(int(label), NO_COLOUR) for label in np.unique(labels)])
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
                lw=0.3,
                fc=look.colours[int(node)],
                hatch=look.hatches.get(int(node)),
                ec="black" if look.hatches else None,
                label=names[int(node)],
            )
        axes.legend(frameon=False, fontsize=look.small_pt)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.set_xlabel(text, loc="right")  # centred, it would run out of a narrow figure
    axes.set_ylabel("patterns")


def draw_leaf_patterns(figure: Any, place: Any, result: AnalysisResult, look: Look, n_columns: int) -> Axes:
    """Mean patterns of the largest leaves, `n_columns` in a row; returns the axes of the first."""
    leaves = largest_leaves(result)
    tiles = place.subgridspec(-(-len(leaves) // n_columns), n_columns)
    drawn = []
    for number, node in enumerate(leaves):
        axes = figure.add_subplot(tiles[number // n_columns, number % n_columns])
        draw_pattern(axes, result.cluster_patterns[node.id], look)
        colour = "black" if look.hatches else look.colours[node.id]
        axes.set_title(node.title or node.name, color=colour, fontweight="bold")
        drawn.append(axes)
    return drawn[0]


def largest_leaves(result: AnalysisResult, most: int = MAX_TILES) -> list[ClusterNode]:
    """The leaves with most patterns, in the order of their names."""
    parents = {node.parent for node in result.nodes if node.level > 0}
    leaves = [node for node in result.nodes if node.id not in parents and not node.hidden]
    chosen = sorted(leaves, key=lambda node: -node.n_patterns)[:most]
    return sorted(chosen, key=lambda node: node.name)


def _inner_point(mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    """A point of the mask that lies well inside it, and how far."""
    from scipy.ndimage import distance_transform_edt

    depth = np.asarray(distance_transform_edt(np.pad(mask, 1)))[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), mask.shape)
    return float(y), float(x), float(depth[y, x])


def _finish_image(axes: Axes, shape: tuple[int, ...], scale: ImageScale, look: Look) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    if look.bar is None:
        return
    length = nice_length(0.3 * shape[1] * scale.per_px)
    width, height = length / scale.per_px, max(shape[0] * 0.022, 0.3)
    left, top = 0.05 * shape[1] - 0.5, 0.93 * shape[0] - 0.5
    # The rim lies around the bar, so that the bar itself is as long as it says.
    rim = withStroke(linewidth=0.8, foreground="black" if is_bright(look.bar) else "white")
    axes.add_patch(
        Rectangle((left, top), width, height, fc=look.bar, lw=0, gid="scale-bar", path_effects=[rim])
    )
    text = f"{length:g} {scale.unit}".replace("1/nm", "nm⁻¹")
    write_on(axes, left, top - 0.01 * shape[0], text, look, look.bar, ha="left", va="bottom")


def _hatch(axes: Axes, mask: NDArray[np.bool_], hatch: str) -> None:
    """Hatch the pixels of a mask, to their very borders."""
    if not hatch:
        return
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(padded, axis=1)
    (rows, starts), (_, stops) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    corners = [(starts, rows), (stops, rows), (stops, rows + 1), (starts, rows + 1), (starts, rows)]
    points = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1).reshape(-1, 2) - 0.5
    codes = [Outline.MOVETO, Outline.LINETO, Outline.LINETO, Outline.LINETO, Outline.CLOSEPOLY] * len(rows)
    axes.add_patch(PathPatch(Outline(points, codes), fill=False, lw=0, hatch=hatch, rasterized=True))


def _momentum_colour(number: int) -> Rgb:
    red, green, blue, _ = colormaps["tab20"](number % 20)
    return red, green, blue
