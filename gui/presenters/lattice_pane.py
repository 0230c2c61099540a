"""Tab Lattice: constant, rotation, strain or quality as a map, and as a histogram in every cluster."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gui.presenters import texts
from gui.presenters.clusters import Clusters
from gui.presenters.image_panes import scan_image
from gui.presenters.levels import percentile_levels, symmetric_levels, to_bytes
from gui.presenters.memo import Memo
from gui.presenters.selection import LatticeQuantity, Selection, ViewOptions
from gui.presenters.snapshot import Snapshot
from gui.presenters.views import HistogramCurve, ImageView, LatticeView
from streamer.look.palette import NOT_VISITED

N_BINS = 48
Q_KEY = "q_per_px_inv_nm"
HEXAGON_SIDE = np.float32((2.0 / 3.0**0.5) ** 0.5)
"""Side of a hexagonal cell, in roots of its area."""
SAME_SHARE = 1e-6
"""Sizes of a pixel that differ less are the same."""
_STRAINS = (LatticeQuantity.STRAIN_YY, LatticeQuantity.STRAIN_XX, LatticeQuantity.STRAIN_YX)


def lattice_view(
    snapshot: Snapshot, selection: Selection, options: ViewOptions, clusters: Clusters, memo: Memo
) -> LatticeView:
    """The chosen quantity; the first that there is where it is not."""
    there = tuple(quantity for quantity in LatticeQuantity if _source(snapshot, quantity) is not None)
    if not there:
        return LatticeView(ImageView(None, None, message=texts.LATTICE_EMPTY))
    quantity = options.lattice if options.lattice in there else there[0]
    name, values, unit = _source(snapshot, quantity) or ("", np.zeros((1, 1), np.float32), "")
    is_strain = quantity in _STRAINS
    # The scale belongs to the values.
    key = (snapshot.version(name), quantity, snapshot.status.q_per_px_inv_nm)
    lower, upper = memo.get(
        "lattice levels", key, lambda: (symmetric_levels if is_strain else percentile_levels)(values)
    )
    image = memo.get("lattice image", key, lambda: to_bytes(values, lower, upper))
    picture = replace(
        scan_image(snapshot, selection, key, image),
        colours="CET-D1" if is_strain else "viridis",
        ends=(f"{lower:.4g}", f"{upper:.4g}"),
    )
    edges = np.linspace(lower, upper, N_BINS + 1)
    label_map = clusters.label_map
    heights: dict[int, tuple[float, ...]] = {}
    if label_map is not None and label_map.shape == values.shape:
        ids = tuple(node.id for node in clusters.shown)
        heights = memo.get(
            "lattice histograms",
            (key, snapshot.version("label_maps"), clusters.level, ids),
            lambda: {node_id: _heights(values[label_map == node_id], edges) for node_id in ids},
        )
    return LatticeView(
        picture=picture,
        quantity=quantity,
        axis=texts.lattice_axis(quantity, unit, _width(snapshot, quantity)),
        centres=tuple(((edges[1:] + edges[:-1]) / 2).tolist()),
        curves=tuple(
            HistogramCurve(
                node.id,
                texts.node_label(node),
                clusters.colours.get(node.id, NOT_VISITED),
                heights[node.id],
                clusters.emphasis(node.id),
            )
            for node in clusters.shown
            if any(heights.get(node.id, ()))
        ),
        quantities=there,
        note=rescaled_note(snapshot) if quantity is LatticeQuantity.CONSTANT else "",
    )


def _source(snapshot: Snapshot, quantity: LatticeQuantity) -> tuple[str, NDArray[np.float32], str] | None:
    """Array, values (scan_y, scan_x) in the unit, and the unit; None where nothing was measured."""
    if quantity is LatticeQuantity.CONSTANT and (constant := lattice_constant(snapshot)) is not None:
        return "lattice_constant_nm", constant, "nm"
    name, unit, factor = {
        LatticeQuantity.CONSTANT: ("lattice_spacing_px", "px", 1.0),
        LatticeQuantity.ROTATION: ("lattice_rotation_rad", "°", 180.0 / np.pi),
        LatticeQuantity.QUALITY: ("lattice_quality", "", 1.0),
    }.get(quantity, ("lattice_strain", "%", 100.0))
    if not _measured(snapshot, name):
        return None
    values = np.asarray(snapshot.values(name), np.float32)
    if quantity in _STRAINS:
        values = values[..., _STRAINS.index(quantity)]
    return name, values if factor == 1.0 else values * np.float32(factor), unit


def _width(snapshot: Snapshot, quantity: LatticeQuantity) -> float:
    """How wide the quantity was averaged with neighbours at most, in scan positions."""
    values = snapshot.values("lattice_width")
    if values is None or quantity is LatticeQuantity.QUALITY or not np.isfinite(values).any():
        return 0.0
    return float(np.nanmax(values[..., 0 if quantity is LatticeQuantity.ROTATION else 1]))


def lattice_constant(snapshot: Snapshot) -> NDArray[np.float32] | None:
    """Lattice constants in nm by the present size of a detector pixel, (scan_y, scan_x); None: none known."""
    name, q = "lattice_constant_nm", snapshot.status.q_per_px_inv_nm
    values = np.asarray(snapshot.values(name), np.float32) if _measured(snapshot, name) else None
    if not rescaled_note(snapshot) or not q:
        return values
    if values is not None:
        return values * np.float32((_q_of_result(snapshot) or q) / q)
    # The areas of a cell and of its reciprocal one multiply to 1.
    side = np.float32(1.0 / q) / np.asarray(snapshot.values("lattice_spacing_px"), np.float32)
    return side * HEXAGON_SIDE if _is_hexagonal(snapshot) else side


def rescaled_note(snapshot: Snapshot) -> str:
    """That constants do not have the scale of the result any more; "" where they do."""
    entry, q = snapshot.arrays.get("lattice_constant_nm"), snapshot.status.q_per_px_inv_nm
    if entry is None or Q_KEY not in entry.meta or not q or not _measured(snapshot, "lattice_spacing_px"):
        return ""
    of_result = _q_of_result(snapshot)
    is_same = of_result is not None and abs(q / of_result - 1.0) < SAME_SHARE
    return "" if is_same else texts.lattice_rescaled(of_result, q)


def _q_of_result(snapshot: Snapshot) -> float | None:
    """Size of a detector pixel that the analysis knew, None for none."""
    q = snapshot.arrays["lattice_constant_nm"].meta.get(Q_KEY)
    return float(q) if q else None


def _is_hexagonal(snapshot: Snapshot) -> bool:
    entry = snapshot.arrays.get("lattice_rotation_rad")
    return entry is not None and bool(entry.meta.get("is_hexagonal"))


def _measured(snapshot: Snapshot, name: str) -> bool:
    values = snapshot.values(name)
    return values is not None and bool(np.isfinite(values).any())


def _heights(values: NDArray[np.float32], edges: NDArray[np.float64]) -> tuple[float, ...]:
    counts = np.histogram(values[np.isfinite(values)], edges)[0]
    largest = counts.max()
    return tuple((counts / largest).tolist()) if largest else ()
