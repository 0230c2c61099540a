"""Snapshots of what is finished: a result file, or a recording with its last live labels."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.editing import EditSession
from streamer.analysis.result_file import AnalysisResult
from streamer.formats.recording import RecordingReader
from streamer.live.snapshot import LiveSnapshot
from streamer.model import Calibration, ClusterNode
from streamer.wire.control import NamedArray

_RESULT_ARRAYS = {
    "label_maps": "hierarchy/labels",
    "cluster_patterns": "hierarchy/patterns",
    "mean_pattern": "mask/mean_pattern",
    "std_pattern": "mask/std_pattern",
    "radial_std": "mask/radial_std",
    "ring": "mask/ring",
    "features": "mask/features",
    "bright_field": "virtual/bright_field",
    "annular_dark_field": "virtual/annular_dark_field",
    "com_yx": "alignment/com_yx",
    "residual_yx": "alignment/residual_yx",
    "lattice_constant_nm": "lattice/constant_nm",
    "lattice_spacing_px": "lattice/spacing_px",
    "lattice_rotation_rad": "lattice/rotation_rad",
    "lattice_quality": "lattice/quality",
    "lattice_strain": "lattice/strain",
    "lattice_width": "lattice/width",
    "momentum_labels": "momentum/labels",
    "momentum_images": "momentum/images",
}


def snapshot_of_result(
    result: AnalysisResult, version: int, received: NDArray[np.uint8] | None
) -> LiveSnapshot:
    """Everything a viewer shows of a result; every array gets `version`."""
    lattice = result.array_attrs.get("lattice", {})
    meta = {
        "cluster_patterns": {"ids": [node.id for node in result.nodes]},
        "momentum_images": {"ids": [node.id for node in result.momentum_nodes]},
        "lattice_rotation_rad": {"is_hexagonal": bool(lattice.get("is_hexagonal", False))},
        "lattice_constant_nm": {
            "q_per_px_inv_nm": Calibration.from_json(result.attrs.get("calibration") or {}).q_per_px_inv_nm
        },
    }
    arrays = {
        name: NamedArray(name, result.arrays[path], version, meta.get(name, {}))
        for name, path in _RESULT_ARRAYS.items()
        if path in result.arrays
    }
    arrays["elbow"] = NamedArray("elbow", _elbow(result), version)
    arrays |= {array.name: array for array in (*_manifold(result, version), *_virtual(result, version))}
    if received is not None:
        arrays["received"] = NamedArray("received", received, version)
    return LiveSnapshot(
        version=version,
        arrays=arrays,
        tree=result.nodes,
        momentum_tree=result.momentum_nodes,
        n_analysed=int((result.label_maps[0] >= 0).sum()),
        settings=_settings(result),
        settings_id=str(result.attrs["settings_id"]),
        settled=True,
    )


def snapshot_of_edits(before: LiveSnapshot, session: EditSession, version: int) -> LiveSnapshot:
    """The same result with its hierarchy as an edit left it; what an edit cannot change keeps its version."""
    tree = tuple(session.hierarchy.tree.nodes)
    elbows = [
        (node_id, *pair)
        for node_id, elbow in sorted(session.hierarchy.elbows.items())
        for pair in zip(elbow.k_values, elbow.wss, strict=True)
    ]
    changed = {
        "label_maps": (session.label_maps(), {}),
        "cluster_patterns": (session.cluster_patterns(), {"ids": [node.id for node in tree]}),
        "elbow": (np.array(elbows, np.float64).reshape(-1, 3), {}),
    }
    arrays = before.arrays | {
        name: NamedArray(name, values, version, meta) for name, (values, meta) in changed.items()
    }
    settings = before.settings | {
        "in_force": before.settings["in_force"] | {"k": {node.name: node.k for node in tree}},
        "auto": before.settings["auto"] | {"k": {node.name: node.k_auto for node in tree}},
    }
    return replace(
        before,
        version=version,
        arrays=arrays,
        tree=tree,
        settings=settings,
        settings_id=session.settings.settings_id,
    )


def snapshot_of_recording(recording: RecordingReader, version: int) -> LiveSnapshot:
    """What a recording without a result can show: what was received, and the last live labels."""
    arrays = {"received": NamedArray("received", recording.received, version)}
    labels = recording.live_label_maps()
    tree: tuple[ClusterNode, ...] = ()
    if (labels >= 0).any():
        arrays["label_maps"] = NamedArray("label_maps", labels, version)
        tree = _tree_of_labels(labels)
    return LiveSnapshot(
        version=version, arrays=arrays, tree=tree, n_analysed=int((labels[0] >= 0).sum()), settled=True
    )


def _tree_of_labels(labels: NDArray[np.int32]) -> tuple[ClusterNode, ...]:
    """Nodes of two label maps; a level-1 leaf keeps its id at level 2."""
    nodes = [ClusterNode(0, 0, 0, "all", int((labels[0] >= 0).sum()))]
    first = np.unique(labels[0][labels[0] >= 0]).tolist()
    for position, node_id in enumerate(first, start=1):
        inside = labels[1][labels[0] == node_id]
        children = [child for child in np.unique(inside).tolist() if child != node_id and child >= 0]
        nodes.append(ClusterNode(node_id, 0, 1, str(position), len(inside), k=max(1, len(children))))
        nodes.extend(
            ClusterNode(child, node_id, 2, f"{position}.{index}", int((inside == child).sum()))
            for index, child in enumerate(children, start=1)
        )
    nodes[0] = replace(nodes[0], k=max(1, len(first)))
    return tuple(nodes)


def _elbow(result: AnalysisResult) -> NDArray[np.float64]:
    rows = []
    for node in result.nodes:
        k = result.arrays.get(f"hierarchy/elbow/{node.id}/k")
        wss = result.arrays.get(f"hierarchy/elbow/{node.id}/wss")
        if k is not None and wss is not None:
            rows.extend((node.id, *pair) for pair in zip(k, wss, strict=True))
    return np.array(rows, np.float64).reshape(-1, 3)


def _manifold(result: AnalysisResult, version: int) -> list[NamedArray]:
    """Points of all embedded nodes one after the other, and the flat scan index of each."""
    parts, nodes, start = [], [], 0
    for node in result.nodes:
        points = result.arrays.get(f"manifold/{node.id}/points")
        index = result.arrays.get(f"manifold/{node.id}/scan_index")
        if points is None or index is None:
            continue
        method = str(result.array_attrs.get(f"manifold/{node.id}", {}).get("method", ""))
        nodes.append({"id": node.id, "method": method, "start": start, "stop": start + len(points)})
        parts.append((points, index))
        start += len(points)
    if not parts:
        return []
    points, index = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return [
        NamedArray("manifold", points.astype(np.float32, copy=False), version, {"nodes": nodes}),
        NamedArray("manifold_index", index.astype(np.int64, copy=False), version),
    ]


def _virtual(result: AnalysisResult, version: int) -> list[NamedArray]:
    """Images of the further virtual detectors, in the order of the settings."""
    chosen = [str(detector["name"]) for detector in result.attrs["settings"].get("virtual", [])]
    names = [name for name in chosen if f"virtual/{name}" in result.arrays]
    if not names:
        return []
    images = np.stack([result.arrays[f"virtual/{name}"] for name in names]).astype(np.float32)
    return [NamedArray("virtual_images", images, version, {"names": names})]


def _settings(result: AnalysisResult) -> dict[str, Any]:
    mask = result.array_attrs.get("mask", {})
    auto = dict(result.attrs["automatic"])
    in_force = {name: mask.get(name) for name in ("inner_px", "outer_px", "threshold", "n_features")}
    chosen = result.attrs["settings"]
    manual = {
        name: value
        for name, value in {
            "disk_radius_px": chosen["alignment"]["disk_radius_px"],
            "inner_px": chosen["mask"]["inner_px"],
            "outer_px": chosen["mask"]["outer_px"],
            "threshold": chosen["mask"]["threshold"],
            "k": chosen["cluster"]["k"] or None,
        }.items()
        if value is not None
    }
    return {
        "in_force": {
            "disk_radius_px": mask.get("disk_radius_px", auto["disk_radius_px"]),
            **in_force,
            "k": {node.name: node.k for node in result.nodes},
        },
        "auto": {**auto, "k": {node.name: node.k_auto for node in result.nodes}},
        "manual": manual,
    }
