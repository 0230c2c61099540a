"""Maps and patterns as TIFF files of numbers, with the size of a pixel where ImageJ and HyperSpy look for it."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from streamer.analysis.result_file import AnalysisResult
from streamer.export.interop import Exported, exported_arrays, plane_axes
from streamer.look.palette import node_colours

_LATTICE = ("constant_nm", "rotation_rad", "quality")


def image_arrays(result: AnalysisResult) -> list[Exported]:
    """What the files for other programs hold, the momentum-space images and the lattice."""
    found = exported_arrays(result)
    if result.momentum_nodes:
        images = result.arrays["momentum/images"]
        found.append(Exported("momentum_images", "Images of the apertures", "maps", images))
    found += [
        Exported(f"lattice_{name}", name, "map", result.arrays[f"lattice/{name}"])
        for name in _LATTICE
        if f"lattice/{name}" in result.arrays
    ]
    return found


def write_image(result: AnalysisResult, item: Exported, path: Path) -> None:
    """One array as TIFF: float32; label maps as bytes with the clusters' colours, 255 where nothing was measured.

    Labels are node ids; where there are more than 255 nodes, uint16 and 65535, without colours.
    """
    scale = plane_axes(result, "map" if item.kind in ("map", "maps") else "pattern", emd=False)
    step_y, step_x = scale[0].scale, scale[1].scale
    values = item.values
    metadata: dict[str, Any] = {"axes": "ZYX"[-item.values.ndim :]}
    if scale[0].units != "px":
        metadata["unit"] = scale[0].units
    if item.name.startswith("labels_level_"):
        values, luts = _labels(result, values)
        metadata |= luts
    else:
        values = values.astype(np.float32)
    if item.kind in ("maps", "patterns"):
        nodes = result.momentum_nodes if item.kind == "maps" else result.nodes
        metadata["Labels"] = [node.name for node in nodes]
    tifffile.imwrite(path, values, imagej=True, resolution=(1 / step_x, 1 / step_y), metadata=metadata)


def _labels(result: AnalysisResult, labels: NDArray[np.int32]) -> tuple[NDArray[Any], dict[str, Any]]:
    if len(result.nodes) > 255:
        return np.where(labels < 0, 65535, labels).astype(np.uint16), {}
    colours = np.zeros((3, 256), np.uint8)
    for node, colour in node_colours(result.nodes).items():
        colours[:, node] = colour
    return np.where(labels < 0, 255, labels).astype(np.uint8), {"LUTs": [colours]}
