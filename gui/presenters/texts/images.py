"""Panes that are pictures: cluster map, virtual images, patterns, alignment, lattice, manifold, k-space."""

from gui.presenters.levels import Scale
from gui.presenters.numbers import count
from gui.presenters.selection import LatticeQuantity
from gui.presenters.status import EngineStatus
from gui.presenters.texts.nodes import node_label
from streamer.model import ClusterNode

SCALE_TIPS: dict[Scale, str] = {
    Scale.LINEAR: "Linear intensity (N)",
    Scale.SQRT: "Square root of the intensity (Q)",
    Scale.LOG: "Logarithm of the intensity (L)",
}
SCALES: dict[Scale, str] = {Scale.LINEAR: "Lin", Scale.SQRT: "√", Scale.LOG: "Log"}
PATTERN_TITLE = "Pattern at cursor"
CLUSTER_PATTERN_TITLE = "Mean pattern of cluster"
MEAN_PATTERN_TITLE = "Mean pattern of the scan"
TILES_TITLE = "Mean pattern of each cluster"
PINNED_TITLE = "Pinned pattern"
OUTLINES = "Outlines"
OUTLINES_TIP = "Draw the borders of the clusters (O)"
BLEND = "Blend BF"
BLEND_TIP = "Brightness of the map from the bright field (B)"
KEPT_LEVELS = "brightness kept"
COMPARED = "Compared"
DIFFERENCE = "Difference"
MAP_TITLE = "Cluster map"
VIRTUAL_TITLE = "Virtual images"
LEVEL = "Level"
LABELS = "Numbers"
LABELS_TIP = "Print the number of each cluster on the map (T)"
BRIGHT_FIELD = "Bright field"
DARK_FIELD = "Annular dark field"
RESIDUAL = "Residual"
MANIFOLD_TITLE = "Manifold"
MANIFOLD_METHODS = {"pca": "principal components", "umap": "UMAP"}
MANIFOLD_EMPTY = "This result holds no manifold.\nlivestem analyze --manifold makes one."

MANIFOLD_TIP = (
    "Drag turns, wheel zooms, click selects, Shift and drag marks a region; double-click: as at first"
)
LATTICE_EMPTY = "No lattice here.\nThe analysis measures it where Bragg disks are seen."

LATTICE_QUANTITIES: dict[LatticeQuantity, tuple[str, str]] = {
    LatticeQuantity.CONSTANT: ("a", "Lattice constant"),
    LatticeQuantity.ROTATION: ("θ", "Rotation"),
    LatticeQuantity.STRAIN_YY: ("εyy", "Strain yy"),
    LatticeQuantity.STRAIN_XX: ("εxx", "Strain xx"),
    LatticeQuantity.STRAIN_YX: ("εyx", "Shear strain"),
    LatticeQuantity.QUALITY: ("Q", "Quality"),
}


def lattice_axis(quantity: LatticeQuantity, unit: str, width: float) -> str:
    """Such as "Lattice constant (nm), averaged over ± 1.2 positions"."""
    parts = [LATTICE_QUANTITIES[quantity][1] + f" ({unit})" * bool(unit)]
    if width:
        parts.append(f"averaged over ± {width:.2g} positions")
    return ", ".join(parts)


AXIS_SHARE = "share"
MAP_WAITING = "Waiting for the detector.\nThe map fills in here when the first row arrives."
MAP_HOW_TO_SEND = "\n\nTo send a file as a detector would:\nlivestem replay FILE --to {listen}"
MAP_CONNECTING = "Connecting to the engine…"
MAP_EMPTY = "No cluster map yet."
PATTERN_EMPTY = "Move the mouse over the map:\nthe pattern of that position appears here."
PATTERN_WAITING = "The first pattern appears here."
TILES_EMPTY = "The mean pattern of each cluster appears here\nwhen the first clusters are in."
TILES_NONE = "No mean patterns here.\nAn analysis of the recording makes them."
IMAGE_EMPTY = "No data yet"
ALIGNMENT_EMPTY = "No alignment yet."
MOMENTUM_TITLE = "k-space: clusters of detector pixels"
MOMENTUM_MAP_TITLE = "Clusters of the detector"
MOMENTUM_TILES_TITLE = "Real-space image of each"


def map_waiting(status: EngineStatus) -> str:
    """The empty map: what will come, and how to make it come."""
    how = MAP_HOW_TO_SEND.format(listen=status.listen) if status.listen and status.scan is None else ""
    return f"{MAP_WAITING}{how}"


def manifold_title(node: ClusterNode | None) -> str:
    """Whose patterns the points are."""
    if node is None or node.level == 0:
        return MANIFOLD_TITLE
    return f"{MANIFOLD_TITLE} of cluster {node_label(node)}"


def level_tip(level: int) -> str:
    """Tool tip of a level button."""
    return f"Colour the map by level {level} of the hierarchy ({level})"


def momentum_map_title(node: ClusterNode) -> str:
    """What stands in for the cluster map while a cluster of detector pixels is selected."""
    return f"Image of k-space cluster {node_label(node)}"


SPOT_COMES = "The image of this spot is on its way."


def tiles_title(level: int, branch: ClusterNode | None) -> str:
    """Which clusters stand side by side: those of a level, or the children of a branch."""
    if branch is not None:
        return f"{TILES_TITLE} in {node_label(branch)}"
    return f"{TILES_TITLE}, level {level}"


def lattice_rescaled(before_inv_nm: float | None, now_inv_nm: float) -> str:
    """That lattice constants on the screen follow a calibration that was entered after the analysis."""
    was = "none" if before_inv_nm is None else f"{before_inv_nm / 10:.4g}"
    return (
        f"Rescaled: 1 px was {was}, now {now_inv_nm / 10:.4g} Å⁻¹. The file changes with the next analysis."
    )


def region_title(n_positions: int) -> str:
    """Title of the mean pattern of what is marked."""
    return f"Mean of {count(n_positions)} marked positions"


def spot_title(name: str, *, conjugate: bool) -> str:
    """Title of an image of a spot that was clicked."""
    return f"{name.replace('_', ' ')}{' and conjugate' if conjugate else ''}"
