"""A result as tables that any program opens: CSV with a head line, and sentences with the numbers in them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

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


def write_tables(result: AnalysisResult, folder: Path, stem: str) -> list[Path]:
    """Write nodes, label maps, radial STD, elbow curves and lattices; returns the files."""
    tables: dict[str, list[dict[str, Any]]] = {
        "nodes": node_rows(result.nodes),
        "momentum_nodes": node_rows(result.momentum_nodes),
        "lattice": lattice_rows(result),
        "radial_std": [
            {"radius_px": radius, "std": float(value)}
            for radius, value in enumerate(result.arrays["mask/radial_std"])
        ],
        "elbow": [
            {"node": node.name, "k": int(k), "wss": float(wss)}
            for node in result.nodes
            if f"hierarchy/elbow/{node.id}/k" in result.arrays
            for k, wss in zip(
                result.arrays[f"hierarchy/elbow/{node.id}/k"],
                result.arrays[f"hierarchy/elbow/{node.id}/wss"],
                strict=True,
            )
        ],
    }
    written = []
    for name, rows in tables.items():
        if rows:
            path = folder / f"{stem}.{name}.csv"
            with path.open("x", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            written.append(path)
    for level, labels in enumerate(result.label_maps, start=1):
        path = folder / f"{stem}.labels_level_{level}.csv"
        with path.open("x", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(labels.tolist())
        written.append(path)
    return written


def methods_text(result: AnalysisResult) -> str:
    """The paragraph for a paper's methods, with the numbers of this result."""
    attrs, alignment, mask = result.attrs, result.array_attrs["alignment"], result.array_attrs["mask"]
    n_y, n_x = result.label_maps.shape[1:]
    rules = {
        "std": f"whose standard deviation over the scan exceeds {100 * mask['threshold']:.0f} % of the largest",
        "spots": "that lie in Bragg disks of the mean pattern or vary beyond shot noise",
        "excess": "that vary beyond shot noise",
        "brightest": "that are brightest, since none varied beyond shot noise",
    }
    n_levels = max(node.level for node in result.nodes)
    counts = [sum(node.level == level for node in result.nodes) for level in range(1, n_levels + 1)]
    sentences = [
        f"The scan of {n_y} x {n_x} positions was analysed with livestem {attrs['livestem_version']} "
        f"(settings {attrs['settings_id']}, seed {attrs['seed']}).",
        "Every pattern was aligned by the centre of mass of its direct beam, iterated on the disk, and resampled once; "
        f"the residual had a standard deviation of {alignment['std_px']:.4f} px and a mean error of "
        f"{alignment['mean_error_px']:.4f} px.",
        f"Features were the aligned intensities of the {mask['n_features']} detector pixels between "
        f"{mask['inner_px']:.1f} and {mask['outer_px']:.1f} px from the direct beam "
        f"{rules.get(mask['rule'], 'chosen by rule ' + mask['rule'])}.",
        "Patterns were divided from the top by K-means, the number of clusters of each node from the gain on held-out "
        "patterns and the agreement of two halves.",
        (
            f"This gave {', '.join(str(count) for count in counts)} nodes at levels 1 to {n_levels}."
            if counts
            else "No division was supported: the region is homogeneous."
        ),
    ]
    if result.momentum_nodes:
        leaves = {node.id for node in result.momentum_nodes} - {node.parent for node in result.momentum_nodes}
        sentences.append(
            f"Detector pixels were clustered by their normalised real-space images into {len(leaves)} apertures."
        )
    if "lattice/rotation_rad" in result.arrays and np.isfinite(result.arrays["lattice/rotation_rad"]).any():
        n = int(np.isfinite(result.arrays["lattice/rotation_rad"]).sum())
        source = result.array_attrs["lattice"]["q_source"]
        known = {"nominal": "from the nominal camera length", "user": "as measured by the user"}
        sentences.append(
            f"The lattice of {n} patterns was fitted to their Bragg disks by maximum likelihood; detector calibration "
            f"{known.get(source, 'unknown')}."
        )
    return " ".join(sentences)
