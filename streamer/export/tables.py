"""A result as tables that any program opens: CSV with a head line."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.result_file import AnalysisResult
from streamer.model import ClusterNode

NODE_COLUMNS = (
    "id",
    "name",
    "title",
    "level",
    "parent",
    "n_patterns",
    "share",
    "k",
    "k_auto",
    "inertia",
    "radius",
    "averaging",
)


def node_rows(nodes: tuple[ClusterNode, ...]) -> list[dict[str, Any]]:
    """A row for each node, root first."""
    total = max(nodes[0].n_patterns, 1) if nodes else 1
    return [
        {
            "id": node.id,
            "name": node.name,
            "title": node.title,
            "level": node.level,
            "parent": node.parent,
            "n_patterns": node.n_patterns,
            "share": round(node.n_patterns / total, 6),
            "k": node.k,
            "k_auto": node.k_auto,
            "inertia": node.inertia,
            "radius": node.radius,
            "averaging": node.averaging,
        }
        for node in nodes
    ]


def lattice_rows(result: AnalysisResult) -> list[dict[str, Any]]:
    """Mean and standard deviation of the lattice in every node that has one."""
    if "lattice/rotation_rad" not in result.arrays:
        return []
    constant, rotation = result.arrays["lattice/constant_nm"], result.arrays["lattice/rotation_rad"]
    rows = []
    for node in result.nodes:
        own = _of_node(result, node) & np.isfinite(rotation)
        if own.any():
            degrees = np.rad2deg(rotation[own])
            rows.append(
                {
                    "name": node.name,
                    "n_measured": int(own.sum()),
                    "constant_nm": float(constant[own].mean()),
                    "constant_std_nm": float(constant[own].std()),
                    "rotation_deg": float(degrees.mean()),
                    "rotation_std_deg": float(degrees.std()),
                }
            )
    return rows


def _of_node(result: AnalysisResult, node: ClusterNode) -> np.ndarray:
    if node.level == 0:
        return result.label_maps[0] >= 0
    return result.label_maps[node.level - 1] == node.id


def tables(result: AnalysisResult) -> dict[str, list[dict[str, Any]]]:
    """Rows by the table's name: nodes, lattices, radial STD, elbow curves, points of the manifold; none is empty."""
    found: dict[str, list[dict[str, Any]]] = {
        "nodes": node_rows(result.nodes),
        "momentum_nodes": node_rows(result.momentum_nodes),
        "lattice": lattice_rows(result),
        "radial_std": [
            {"radius_px": radius, "std": float(value)}
            for radius, value in enumerate(result.arrays["mask/radial_std"])
        ],
        "elbow": _elbow_rows(result),
    }
    for name in result.arrays:
        if name.startswith("manifold/") and name.endswith("/points"):
            node_id = int(name.split("/")[1])
            found[f"manifold_{result.nodes[node_id].name}"] = _manifold_rows(result, node_id)
    return {name: rows for name, rows in found.items() if rows}


def write_table(rows: list[dict[str, Any]], path: Path) -> None:
    """CSV with a head line."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_labels(labels: NDArray[np.int32], path: Path) -> None:
    """A label map (scan_y, scan_x) as CSV: a line of the scan a line, node ids, -1 not visited."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(labels.tolist())


def _elbow_rows(result: AnalysisResult) -> list[dict[str, Any]]:
    return [
        {"node": node.name, "k": int(k), "wss": float(wss)}
        for node in result.nodes
        if f"hierarchy/elbow/{node.id}/k" in result.arrays
        for k, wss in zip(
            result.arrays[f"hierarchy/elbow/{node.id}/k"],
            result.arrays[f"hierarchy/elbow/{node.id}/wss"],
            strict=True,
        )
    ]


def _manifold_rows(result: AnalysisResult, node_id: int) -> list[dict[str, Any]]:
    points = result.arrays[f"manifold/{node_id}/points"]
    positions = result.arrays[f"manifold/{node_id}/scan_index"]
    labels = result.label_maps[-1].ravel()[positions]
    n_x = result.label_maps.shape[2]
    names = [f"axis_{number + 1}" for number in range(points.shape[1])]
    return [
        {"scan_y": int(position) // n_x, "scan_x": int(position) % n_x, "label": int(label)}
        | dict(zip(names, map(float, point), strict=True))
        for position, label, point in zip(positions, labels, points, strict=True)
    ]
