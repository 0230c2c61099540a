"""Clusters, positions and regions as every pane names them."""

from gui.presenters.numbers import count, percent
from gui.presenters.selection import Selected
from streamer.look.scale_bar import ImageScale
from streamer.model import ClusterNode


def cluster_count(tree: tuple[ClusterNode, ...]) -> str:
    """Such as "3 clusters, 8 sub-clusters"."""
    n_first = sum(node.level == 1 for node in tree)
    n_below = sum(node.level == 2 for node in tree)
    text = f"{n_first} cluster{'s' * (n_first != 1)}"
    return f"{text}, {n_below} sub-cluster{'s' * (n_below != 1)}" if n_below else text


def position(position_yx: tuple[int, int], scale: ImageScale) -> str:
    """A scan position in the unit of the map: "x 152.2 nm, y 29.4 nm"."""
    y, x = position_yx
    if scale.unit == "px":
        return f"x {x}, y {y} px"
    return f"x {x * scale.per_px:.1f} {scale.unit}, y {y * scale.per_px:.1f} {scale.unit}"


SELECTED: dict[Selected, str] = {
    Selected.HOVER: "{what}",
    Selected.PIN: "{what} pinned",
    Selected.NODE: "cluster {what} selected ({n} patterns)",
    Selected.REGION: "{n} positions marked",
    Selected.COMPARED_POSITION: "compared with {what}",
    Selected.COMPARED_NODE: "compared with cluster {what}",
    Selected.MOMENTUM: "k-space cluster {what} selected",
}
"""What the line at the bottom says of each kind of thing that is selected."""


def node_label(node: ClusterNode) -> str:
    """The number of a cluster, with its title where somebody gave it one."""
    return node.name if node.title in ("", node.name) else f"{node.name} {node.title}"


def share(node: ClusterNode, n_all: int) -> str:
    """Share of all patterns, such as "15 %"."""
    return percent(node.n_patterns / n_all if n_all else 0.0)


def members(node: ClusterNode) -> str:
    """Number of patterns, such as "n = 5 445"."""
    return f"n = {count(node.n_patterns)}"
