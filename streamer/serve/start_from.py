"""A finished result as the starting model of the next scan."""

from pathlib import Path

import numpy as np

from streamer.analysis.applied import mask_of
from streamer.analysis.result_file import AnalysisResult, open_result
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
    centroids = result.arrays["hierarchy/centroids"].astype(np.float32)
    return StartModel(mask_of(result), tuple(result.nodes), centroids)
