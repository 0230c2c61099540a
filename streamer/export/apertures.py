"""Momentum-space clusters as masks for other scans of the same detector, with the settings that apply them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.result_file import AnalysisResult
from streamer.errors import SettingsError
from streamer.model import ClusterNode


def write_apertures(result: AnalysisResult, folder: Path, stem: str) -> list[Path]:
    """Write a mask (det_y, det_x) float32, 0 = unused, for every cluster below the root; returns the files.

    A pixel weighs as in `/momentum/images`, by the inverse of its STD, with mean 1 inside the mask: bright pixels
    would drown the others in a plain sum. Masks are of aligned patterns, whose direct beam stands in the middle of
    the detector: they fit any scan of that detector with the same camera length and orientation. The settings name
    them beside their own file.

    Raises
    ------
    SettingsError
        The result has no momentum-space clusters.
    FileExistsError
        A file is there already.
    """
    nodes = result.momentum_nodes[1:]
    if not nodes:
        raise SettingsError(
            f"{result.path} has no momentum-space clusters to export. Expected at least one. Analyse the scan with "
            "--momentum first; where it was, its pixels all show the same image."
        )
    written, text = [], ""
    for node in nodes:
        name = f"aperture_{node.name.replace('.', '_')}"
        path = folder / f"{stem}.{name}.npy"
        with path.open("xb") as file:
            np.save(file, _weights(result, node))
        written.append(path)
        text += f"[[virtual]]\nname = \"{name}\"\nmask = '{path.name}'\n\n"
    path = folder / f"{stem}.apertures.toml"
    with path.open("x", encoding="utf-8") as file:
        file.write(f"# livestem analyze OTHER_SCAN --settings {path.name}\n\n{text.rstrip()}\n")
    return [*written, path]


def _weights(result: AnalysisResult, node: ClusterNode) -> NDArray[np.float32]:
    inside = result.arrays["momentum/labels"][node.level - 1] == node.id
    weights = np.zeros(inside.shape, np.float32)
    weights[inside] = 1.0 / np.maximum(result.arrays["mask/std_pattern"][inside], np.finfo(np.float32).tiny)
    return weights / weights[inside].mean()
