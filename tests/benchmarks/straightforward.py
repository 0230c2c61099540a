"""The published method as one would write it first with numpy, scipy and scikit-learn: the yardstick.

Blocks of 1,024 frames, so that it measures the method and not page faults. Alignment by the centre of mass of the
direct beam and scipy's shift; mask by the 30 % rule; at every node an elbow of MiniBatchKMeans for K = 1..8 and
KMeans with 10 starts; three levels.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.ndimage import center_of_mass, shift
from sklearn.cluster import KMeans, MiniBatchKMeans

BLOCK = 1024
WINDOW_PX = 8
RING_PX = (22.0, 56.5)
SHARE = 0.30
MIN_PATTERNS = 64


def align(frame: np.ndarray, middle: np.ndarray) -> np.ndarray:
    y, x = middle.round().astype(int)
    corner = np.array([y - WINDOW_PX, x - WINDOW_PX])
    window = frame[corner[0] : y + WINDOW_PX + 1, corner[1] : x + WINDOW_PX + 1]
    centre = np.array(center_of_mass(np.where(window > 0.2 * window.max(), window, 0))) + corner
    return shift(frame, (np.array(frame.shape) - 1) / 2 - centre, order=1)


def elbow(features: np.ndarray) -> int:
    """The K that lies farthest below the chord of the WSS curve."""
    k_values = np.arange(1, min(8, len(features) - 1) + 1)
    wss = np.array(
        [MiniBatchKMeans(k, n_init=3, random_state=0).fit(features).inertia_ for k in k_values.tolist()]
    )
    chord = np.linspace(wss[0], wss[-1], len(wss))
    return max(2, int(k_values[(chord - wss).argmax()]))


def divide(features: np.ndarray, rows: np.ndarray, level: int, labels: np.ndarray) -> None:
    if level == len(labels) or len(rows) < MIN_PATTERNS:
        return
    inside = features[rows]
    found = KMeans(elbow(inside), n_init=10, random_state=0).fit(inside).labels_
    for cluster in np.unique(found):
        own = rows[found == cluster]
        labels[level:, own] = labels[level:].max() + 1
        divide(features, own, level + 1, labels)


def analyse(raw: Path, n_frames: int, n_levels: int = 3) -> tuple[np.ndarray, dict[str, float]]:
    """Labels (levels, n), seconds by stage."""
    records = np.memmap(raw, "<f4", "r", shape=(n_frames, 130, 128))
    begin = time.perf_counter()
    middle = np.array(np.unravel_index(records[:64, :128].mean(axis=0).argmax(), (128, 128)), float)
    total, squares = np.zeros((128, 128)), np.zeros((128, 128))
    y, x = np.indices((128, 128))
    radius = np.hypot(y - 63.5, x - 63.5)
    ring = (radius >= RING_PX[0]) & (radius < RING_PX[1])
    kept = np.empty((n_frames, int(ring.sum())), np.float32)
    for start in range(0, n_frames, BLOCK):
        block = np.array([align(frame[:128], middle) for frame in records[start : start + BLOCK]])
        total += block.sum(axis=0, dtype=np.float64)
        squares += (block.astype(np.float64) ** 2).sum(axis=0)
        kept[start : start + BLOCK] = block[:, ring]
    std = np.sqrt(np.maximum(squares / n_frames - (total / n_frames) ** 2, 0))[ring]
    features = np.ascontiguousarray(kept[:, std > SHARE * std.max()])
    aligned = time.perf_counter()
    labels = np.zeros((n_levels, n_frames), np.int32)
    divide(features, np.arange(n_frames), 0, labels)
    return labels, {"align": aligned - begin, "hierarchy": time.perf_counter() - aligned}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found, seconds = analyse(Path(sys.argv[1]), int(sys.argv[2]))
    print(len(np.unique(found[-1])), seconds["align"], seconds["hierarchy"])
