"""A result in the files of other programs: EMD 1.0 for py4DSTEM, .hspy for HyperSpy and pyxem.

Written with h5py alone, as those programs read it. Patterns are aligned: the direct beam lies in the detector's
middle, which is the zero of the reciprocal axes. The data cube itself is not copied: recordings open as they are.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from streamer.analysis.result_file import AnalysisResult
from streamer.model import Calibration

HSPY_VERSION = "3.3"


@dataclass(frozen=True)
class Axis:
    """One axis: value of index i is ``offset + i * scale``."""

    name: str
    size: int
    scale: float
    offset: float
    units: str


@dataclass(frozen=True)
class Exported:
    """One array with its axes; `kind` is "map" (scan), "patterns" (node, detector) or "pattern"."""

    name: str
    title: str
    kind: str
    values: NDArray[Any]


def exported_arrays(result: AnalysisResult) -> list[Exported]:
    """Label maps of every level, virtual images, mean patterns of all nodes, mean and STD of the scan."""
    found = [
        Exported(f"labels_level_{level}", f"Clusters, level {level}", "map", values)
        for level, values in enumerate(result.label_maps, 1)
    ]
    for path, values in sorted(result.arrays.items()):
        if path.startswith("virtual/") and not path.endswith("_mask"):
            found.append(Exported(path.partition("/")[2], path.partition("/")[2], "map", values))
    found += [
        Exported("cluster_patterns", "Mean patterns of the clusters", "patterns", result.cluster_patterns),
        Exported("mean_pattern", "Mean pattern", "pattern", result.arrays["mask/mean_pattern"]),
        Exported("std_pattern", "STD of the patterns", "pattern", result.arrays["mask/std_pattern"]),
    ]
    return found


def write_emd(result: AnalysisResult, path: Path) -> None:
    """EMD 1.0: label maps and virtual images as RealSlice, patterns as DiffractionSlice, a Calibration for all.

    OSError where the disk refuses.
    """
    _write(path, lambda file: _fill_emd(result, file))


def write_hspy(result: AnalysisResult, path: Path) -> None:
    """HyperSpy's own format: every array a signal; patterns are ElectronDiffraction2D where pyxem is installed.

    OSError where the disk refuses.
    """
    _write(path, lambda file: _fill_hspy(result, file))


def _write(path: Path, fill: Callable[[h5py.File], None]) -> None:
    try:
        with h5py.File(path, "w", libver=("earliest", "v108")) as file:
            fill(file)
    except RuntimeError as error:  # how h5py says that the disk is full
        raise OSError(str(error)) from error


def _fill_emd(result: AnalysisResult, file: h5py.File) -> None:
    file.attrs.update(
        emd_group_type="file",
        version_major=1,
        version_minor=0,
        UUID=str(result.attrs["scan_id"]),
        authoring_program="livestem",
        authoring_user="",
    )
    root = file.create_group("livestem")
    root.attrs.update(emd_group_type="root", python_class="Root")
    bundle = root.create_group("metadatabundle")
    bundle.attrs["emd_group_type"] = "metadatabundle"
    items = exported_arrays(result)
    _fill_calibration(bundle.create_group("calibration"), result, [item.name for item in items])
    _fill_metadata(bundle.create_group("livestem"), result)
    labels = np.array([node.name.encode() for node in result.nodes])
    for item in items:
        group = root.create_group(item.name)
        kind = "RealSlice" if item.kind == "map" else "DiffractionSlice"
        group.attrs.update(emd_group_type="array", python_class=kind)
        group.create_dataset("data", data=item.values).attrs["units"] = (
            "" if item.kind == "map" else "intensity"
        )
        for number, axis in enumerate(plane_axes(result, item.kind, emd=True)):
            ends = np.array([axis.offset, axis.offset + axis.scale])
            group.create_dataset(f"dim{number}", data=ends).attrs.update(name=axis.name, units=axis.units)
        if item.kind == "patterns":  # the first axis of the data, and described last
            group.create_dataset("dim2", data=labels).attrs.update(name="_labels_", units="")


def _fill_calibration(group: h5py.Group, result: AnalysisResult, targets: list[str]) -> None:
    """What py4DSTEM's Calibration holds: sizes, units, and how the detector lies against the scan."""
    group.attrs.update(emd_group_type="metadata", python_class="Calibration")
    scan, detector = plane_axes(result, "map", emd=True), plane_axes(result, "pattern", emd=True)
    orientation = result.attrs.get("orientation") or {}
    numbers = {"Q_pixel_size": detector[1].scale, "R_pixel_size": scan[1].scale}
    rotation = orientation.get("scan_rotation_rad")
    if rotation is not None:
        numbers |= {"QR_rotation": rotation, "QR_rotation_degrees": float(np.degrees(rotation))}
    for name, value in numbers.items():
        group.create_dataset(name, data=value).attrs["type"] = "number"
    texts = {"Q_pixel_units": detector[1].units, "R_pixel_units": scan[1].units, "_root_treepath": ""}
    for name, text in texts.items():
        group.create_dataset(name, data=np.bytes_(text.encode())).attrs["type"] = "string"
    paths = group.create_group("_target_paths")
    paths.attrs.update(type="list_of_strings", length=len(targets))
    for number, name in enumerate(targets):
        paths.create_dataset(str(number), data=f"/{name}".encode())


def _fill_metadata(group: h5py.Group, result: AnalysisResult) -> None:
    group.attrs.update(emd_group_type="metadata", python_class="Metadata")
    for name, text in _said(result).items():
        group.create_dataset(name, data=np.bytes_(text.encode())).attrs["type"] = "string"


def _fill_hspy(result: AnalysisResult, file: h5py.File) -> None:
    file.attrs.update(file_format="HyperSpy", file_format_version=HSPY_VERSION)
    experiments = file.create_group("Experiments")
    for item in exported_arrays(result):
        group = experiments.create_group(item.title)
        group.attrs.update(package="hyperspy", package_version="2.3.0")
        # Chunked: HyperSpy opens contiguous data not lazily.
        chunks = (1, *item.values.shape[1:]) if item.kind == "patterns" else item.values.shape
        group.create_dataset("data", data=item.values, chunks=chunks)
        axes = plane_axes(result, item.kind, emd=False)
        if item.kind == "patterns":
            axes = [Axis("node", len(item.values), 1.0, 0.0, ""), *axes]
        for number, axis in enumerate(axes):
            group.create_group(f"axis-{number}").attrs.update(
                _type="UniformDataAxis",
                name=axis.name,
                scale=axis.scale,
                offset=axis.offset,
                units=axis.units,
                size=axis.size,
                navigate=axis.name == "node",
                is_binned=False,
            )
        metadata = group.create_group("metadata")
        metadata.create_group("General").attrs["title"] = item.title
        is_map = item.kind == "map"
        metadata.create_group("Signal").attrs["signal_type"] = "" if is_map else "electron_diffraction"
        original = group.create_group("original_metadata").create_group("livestem")
        original.attrs.update(_said(result))
        original.attrs["nodes"] = json.dumps([node.to_json() for node in result.nodes])
        group.create_group("learning_results")
        group.create_group("attributes").attrs.update(_lazy=False, ragged=False)


def _said(result: AnalysisResult) -> dict[str, str]:
    """What the arrays were made of and with, as text."""
    names = (
        "livestem_version",
        "source",
        "settings_id",
        "seed",
        "created",
        "orientation",
        "calibration",
        "settings",
    )
    values = {name: result.attrs[name] for name in names if name in result.attrs}
    return {
        name: json.dumps(value) if isinstance(value, dict) else str(value) for name, value in values.items()
    }


def plane_axes(result: AnalysisResult, kind: str, emd: bool) -> list[Axis]:
    """The two axes of a map or a pattern, slow one first; in pixels where a scale is not known."""
    calibration = Calibration.from_json(result.attrs["calibration"])
    if kind == "map":
        names, shape = ("Rx", "Ry") if emd else ("y", "x"), result.label_maps.shape[1:]
        steps, units = calibration.scan_step_yx_nm or (1.0, 1.0), "nm"
        if calibration.scan_step_yx_nm is None:
            units = "pixels" if emd else "px"
        return [
            Axis(name, size, step, 0.0, units) for name, size, step in zip(names, shape, steps, strict=True)
        ]
    names, shape = ("Qx", "Qy") if emd else ("ky", "kx"), result.cluster_patterns.shape[1:]
    q, angle = calibration.q_per_px_inv_nm, calibration.angle_per_px_mrad
    if q is not None:
        scale, units = (q / 10.0, "A^-1") if emd else (q, "1/nm")
    elif angle is not None:
        scale, units = angle, "mrad"
    else:
        scale, units = 1.0, "pixels" if emd else "px"
    return [
        Axis(name, size, scale, -(size - 1) / 2 * scale, units)
        for name, size in zip(names, shape, strict=True)
    ]
