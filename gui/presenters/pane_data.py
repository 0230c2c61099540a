"""The numbers behind a pane, to be saved or copied: as arrays, and the hierarchy as a table."""

import csv
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gui.presenters.lattice_pane import lattice_constant
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Snapshot
from streamer.look.palette import children_of, node_colours

ARRAYS_OF_PANE = {
    "cluster map": ("label_maps", "received"),
    "virtual images": ("bright_field", "annular_dark_field", "virtual_images"),
    "tiles": ("cluster_patterns",),
    "manifold": ("manifold", "manifold_index"),
    "rings": ("radial_std",),
    "elbow": ("elbow",),
    "alignment": ("com_yx", "residual_yx"),
    "lattice": (
        "lattice_constant_nm", "lattice_spacing_px", "lattice_rotation_rad", "lattice_strain", "lattice_quality",
        "lattice_width",
    ),
    "k-space": ("momentum_labels", "momentum_images"),
}  # fmt: skip
CSV_COLUMNS = ("number", "title", "level", "parent", "patterns", "share", "colour")


def pane_arrays(name: str, snapshot: Snapshot, selection: Selection) -> dict[str, NDArray[Any]]:
    """Arrays of a pane by the names of docs/protocol.md, with node ids beside those that have some; {} for none."""
    if name == "pattern":
        return _pattern_arrays(snapshot, selection)
    if name in ("stream", "stream tab"):
        history = snapshot.history
        names = ("age_s", "receive_hz", "lag_s")
        return {part: np.array(getattr(history, part)) for part in names} if history.age_s else {}
    arrays: dict[str, NDArray[Any]] = {}
    for array in ARRAYS_OF_PANE.get(name, ()):
        values = lattice_constant(snapshot) if array == "lattice_constant_nm" else snapshot.values(array)
        if values is None:
            continue
        arrays[array] = values
        if array in snapshot.arrays and (ids := snapshot.arrays[array].meta.get("ids")):
            arrays[f"{array}_ids"] = np.array(ids)
    return arrays


def _pattern_arrays(snapshot: Snapshot, selection: Selection) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, answer in (("pattern", snapshot.pattern), ("compared", snapshot.compared)):
        wanted_yx = selection.position_yx if name == "pattern" else selection.compared_yx
        if wanted_yx is not None and answer is not None and answer.values is not None:
            arrays[name], arrays[f"{name}_position_yx"] = answer.values, np.array(answer.position_yx)
    mean = snapshot.values("mean_pattern")
    if mean is not None:
        arrays["mean_pattern"] = mean
    return arrays


def hierarchy_csv(snapshot: Snapshot) -> str:
    """The hierarchy as a table: one line for each node, parents before their children."""
    tree = snapshot.status.tree
    n_all = next((node.n_patterns for node in tree if node.level == 0), 0)
    colours, children = node_colours(tree), children_of(tree)
    by_id = {node.id: node for node in tree}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    waiting = [node for node in tree if node.level == 0]
    while waiting:
        node = waiting.pop(0)
        waiting[:0] = children.get(node.id, [])
        parent = by_id[node.parent].name if node.level and node.parent in by_id else ""
        share = f"{node.n_patterns / n_all:.6f}" if n_all else ""
        colour = "#{:02X}{:02X}{:02X}".format(*colours[node.id]) if node.id in colours else ""
        writer.writerow((node.name, node.title, node.level, parent, node.n_patterns, share, colour))
    return text.getvalue()
