"""A finished result as the starting model of the next scan."""

from pathlib import Path

import numpy as np

from streamer.analysis.result_file import AnalysisResult, open_result
from streamer.kernels.mask import FeatureMask
from streamer.live.start_model import StartModel


def load_start_model(path: Path) -> StartModel:
    """Read it from a result file.

    Raises
    ------
    ResultError
        The file cannot be read.
    """
    return start_model(open_result(path))


def start_model(result: AnalysisResult) -> StartModel:
    """Mask, tree and centroids of a result."""
    said = result.array_attrs["mask"]
    features = result.arrays["mask/features"].astype(np.bool_)
    scale = result.arrays.get("mask/scale", np.ones(int(features.sum()), np.float32))
    mask = FeatureMask(
        result.arrays["mask/ring"].astype(np.bool_),
        features,
        float(said["inner_px"]),
        float(said["outer_px"]),
        float(said["threshold"]),
        str(said["rule"]),
        scale.astype(np.float32),
    )
    centroids = result.arrays["hierarchy/centroids"].astype(np.float32)
    return StartModel(mask, tuple(result.nodes), centroids)
