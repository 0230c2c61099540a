"""Momentum-space clusters as masks for other scans of the same detector, with the settings that apply them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.result_file import AnalysisResult
from streamer.errors import SettingsError
from streamer.model import ClusterNode


def aperture_masks(result: AnalysisResult) -> dict[str, NDArray[np.float32]]:
    """A mask (det_y, det_x), 0 = unused, for every cluster below the root, by the detector's name.

    A pixel weighs as in `/momentum/images`, by the inverse of its STD, with mean 1 inside the mask: bright pixels
    would drown the others in a plain sum. Masks are of aligned patterns, whose direct beam stands in the middle of
    the detector: they fit any scan of that detector with the same camera length and orientation.

    Raises
    ------
    SettingsError
        The result has no momentum-space clusters.
    """
    nodes = result.momentum_nodes[1:]
    if not nodes:
        raise SettingsError(
            f"{result.path} has no momentum-space clusters to export. Expected at least one. Analyse the scan with "
            "--momentum first; where it was, its pixels all show the same image."
        )
    return {f"aperture_{node.name.replace('.', '_')}": _weights(result, node) for node in nodes}


def write_mask(mask: NDArray[np.float32], path: Path) -> None:
    """As .npy."""
    with path.open("wb") as file:
        np.save(file, mask)


def aperture_settings(file_of: dict[str, str], own_name: str) -> str:
    """Settings that apply masks to other scans, `file_of` the detectors' names, beside these files."""
    text = "".join(f"[[virtual]]\nname = \"{name}\"\nmask = '{file}'\n\n" for name, file in file_of.items())
    return f"# livestem analyze OTHER_SCAN --settings {own_name}\n\n{text.rstrip()}\n"


def _weights(result: AnalysisResult, node: ClusterNode) -> NDArray[np.float32]:
    inside = result.arrays["momentum/labels"][node.level - 1] == node.id
    weights = np.zeros(inside.shape, np.float32)
    weights[inside] = 1.0 / np.maximum(result.arrays["mask/std_pattern"][inside], np.finfo(np.float32).tiny)
    return weights / weights[inside].mean()
