"""What of a result is served: manifolds, lattice maps and further virtual detectors, with what they mean."""

import numpy as np

from streamer.analysis.result_file import AnalysisResult
from streamer.model import ClusterNode
from streamer.serve.boards import snapshot_of_result

SHAPE = (3, 5)


def result(**arrays):
    nodes = (ClusterNode(0, 0, 0, "all", 15), ClusterNode(1, 0, 1, "1", 9), ClusterNode(2, 0, 1, "2", 6))
    settings = {
        "alignment": {"disk_radius_px": None},
        "mask": {"inner_px": None, "outer_px": None, "threshold": None},
        "cluster": {"k": {}},
        "virtual": [{"name": "spot"}, {"name": "ring"}],
    }
    attrs = {"settings": settings, "settings_id": "x", "automatic": {"disk_radius_px": 3.0}}
    labels = np.ones((1, *SHAPE), np.int32)
    array_attrs = {
        "lattice": {"is_hexagonal": True},
        "manifold/2": {"method": "umap"},
        "manifold/0": {"method": "pca"},
    }
    return AnalysisResult(attrs, {"hierarchy/labels": labels} | arrays, nodes, (), array_attrs)


def test_manifolds_of_several_nodes_are_one_array_with_the_part_of_each():
    points = {node: np.full((n, 3), node, np.float32) for node, n in ((0, 15), (2, 6))}
    index = {0: np.arange(15), 2: np.arange(9, 15)}
    arrays = {f"manifold/{node}/points": values for node, values in points.items()}
    arrays |= {f"manifold/{node}/scan_index": values for node, values in index.items()}
    served = snapshot_of_result(result(**arrays), 4, None).arrays
    assert served["manifold"].meta["nodes"] == [
        {"id": 0, "method": "pca", "start": 0, "stop": 15},
        {"id": 2, "method": "umap", "start": 15, "stop": 21},
    ]
    assert (served["manifold"].values[15:] == 2).all()
    assert served["manifold_index"].values.tolist() == [*range(15), *range(9, 15)]
    assert served["manifold_index"].version == 4


def test_virtual_detectors_come_in_the_order_of_the_settings():
    images = {"virtual/ring": np.ones(SHAPE, np.float32), "virtual/spot": np.zeros(SHAPE, np.float32)}
    served = snapshot_of_result(result(**images), 1, None).arrays["virtual_images"]
    assert served.meta["names"] == ["spot", "ring"]
    assert served.values[1].all()
    assert not served.values[0].any()


def test_lattice_maps_say_whether_rotations_repeat_by_60_degrees():
    maps = {
        "lattice/rotation_rad": np.zeros(SHAPE, np.float32),
        "lattice/strain": np.zeros((*SHAPE, 3), np.float32),
    }
    served = snapshot_of_result(result(**maps), 1, None).arrays
    assert served["lattice_rotation_rad"].meta == {"is_hexagonal": True}
    assert served["lattice_strain"].values.shape == (*SHAPE, 3)


def test_what_a_result_lacks_is_not_served():
    served = snapshot_of_result(result(), 1, None).arrays
    assert not {"manifold", "virtual_images", "lattice_quality"} & set(served)
