"""The live map of a running engine, for a notebook: run the cell again to see how far the scan is."""

import matplotlib.pyplot as plt
import numpy as np

from streamer.client import EngineClient


def plot_live_map(publish="tcp://127.0.0.1:10000", control="tcp://127.0.0.1:10001", level=1):
    """Figure of the label map (of level 1 or 2) and the bright field, as far as the scan is."""
    with EngineClient(publish, control) as engine:
        state = engine.state()
        arrays = engine.get(["label_maps", "bright_field"])
    figure, axes = plt.subplots(1, len(arrays), squeeze=False)
    for axis, (name, array) in zip(axes[0], arrays.items(), strict=True):
        image = array.values[level - 1] if name == "label_maps" else array.values
        axis.imshow(np.ma.masked_where(~np.isfinite(image) | (image == -1), image))
        axis.set_title(f"{name}, {state['state'].lower()}")
    return figure
