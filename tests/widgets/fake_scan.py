"""A scan as an engine would publish it: domains, disks, two levels; state and arrays of any phase."""

from typing import Any

import numpy as np

from streamer.wire.control import NamedArray

SCAN_ID = "3f2b8c1e-0000-4000-8000-000000000042"
TREE_COUNTS = {1: 3, 2: 2, 3: 2}


class FakeScan:
    """``scan_shape`` positions of ``detector_shape`` pixels, of which the first ``share`` were visited."""

    def __init__(
        self, scan_shape=(96, 128), detector_shape=(128, 130), share=1.0, seed=1, families=None
    ) -> None:
        self.scan_shape, self.detector_shape = scan_shape, detector_shape
        self.n_visited = int(share * scan_shape[0] * scan_shape[1])
        self.rng = np.random.default_rng(seed)
        self.families = families or TREE_COUNTS
        self.leaves = [(family, child) for family, n in self.families.items() for child in range(1, n + 1)]
        self.leaf_map = self._domains()
        self.radii = (9.0, 18.0, 46.0)

    def _domains(self) -> np.ndarray:
        height, width = self.scan_shape
        n_seeds = max(12, 3 * len(self.leaves))
        seeds = self.rng.uniform((0, 0), (height, width), (n_seeds, 2))
        owner = self.rng.permutation(np.arange(n_seeds) % len(self.leaves))
        y, x = np.mgrid[:height, :width]
        y, x = y + 3 * np.sin(x / 9), x + 3 * np.sin(y / 7)
        distance = (y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2
        return owner[distance.argmin(axis=-1)]

    @property
    def visited(self) -> np.ndarray:
        """(scan_y, scan_x) bool."""
        return np.arange(self.leaf_map.size).reshape(self.scan_shape) < self.n_visited

    def node_ids(self) -> dict[str, int]:
        """Node id by name; the root is 0, then level 1, then level 2."""
        names = ["all", *(str(family) for family in self.families), *(f"{f}.{c}" for f, c in self.leaves)]
        return {name: index for index, name in enumerate(names)}

    def mean(self, leaf: int) -> np.ndarray:
        """Mean pattern of a leaf, counts."""
        family, child = self.leaves[leaf]
        det_y, det_x = self.detector_shape
        y, x = np.mgrid[:det_y, :det_x]
        cy, cx = (det_y - 1) / 2, (det_x - 1) / 2
        radius = np.hypot(y - cy, x - cx)
        pattern = 60 * np.exp(-radius / 14) + 900 / (1 + np.exp((radius - self.radii[0]) * 2))
        for order, strength in ((1, 60 + 30 * family), (2, 18)):
            for spot in range(6 if family < 3 else 4):
                angle = 2 * np.pi * spot / (6 if family < 3 else 4) + 0.12 * child + 0.3 * family
                distance = order * (30 + 2 * family)
                spot_y, spot_x = cy + distance * np.sin(angle), cx + distance * np.cos(angle)
                value = strength * (1 + 0.6 * np.cos(angle + child))
                pattern += value / (1 + np.exp((np.hypot(y - spot_y, x - spot_x) - 5) * 2))
        return pattern.astype(np.float32)

    def pattern(self, y: int, x: int) -> np.ndarray:
        """One noisy pattern, (det_y, det_x) float32, ADU."""
        rng = np.random.default_rng((y, x))
        counts = rng.poisson(self.mean(int(self.leaf_map[y, x])) * 0.15)
        return (151.0 * counts + rng.normal(0, 12, self.detector_shape)).astype(np.float32)

    def tree(self) -> list[dict[str, Any]]:
        """Nodes as the state has them."""
        ids, leaf_counts = (
            self.node_ids(),
            np.bincount(self.leaf_map[self.visited], minlength=len(self.leaves)),
        )

        def node(name: str, parent: str, level: int, n: int, k: int) -> dict[str, Any]:
            return {"id": ids[name], "parent": ids.get(parent, -1), "level": level, "name": name, "title": "",
                    "colour": "", "hidden": False, "n_patterns": n, "inertia": 1.0, "radius": 1.0, "k": k,
                    "k_auto": k}  # fmt: skip

        nodes = [node("all", "", 0, int(leaf_counts.sum()), len(self.families))]
        for family, n_children in self.families.items():
            n = int(sum(leaf_counts[i] for i, leaf in enumerate(self.leaves) if leaf[0] == family))
            nodes.append(node(str(family), "all", 1, n, n_children))
        for index, (family, child) in enumerate(self.leaves):
            nodes.append(node(f"{family}.{child}", str(family), 2, int(leaf_counts[index]), 1))
        return nodes

    def arrays(self, *, momentum: bool = True, version: int = 1) -> dict[str, NamedArray]:
        """Everything that `get` can give."""
        ids = self.node_ids()
        visited = self.visited
        level_1 = np.array([ids[str(family)] for family, _ in self.leaves], dtype=np.int32)[self.leaf_map]
        level_2 = np.array([ids[f"{f}.{c}"] for f, c in self.leaves], dtype=np.int32)[self.leaf_map]
        label_maps = np.where(visited, np.stack([level_1, level_2]), -1).astype(np.int32)
        means = np.stack([self.mean(leaf) for leaf in range(len(self.leaves))])
        family_means = [
            means[[i for i, leaf in enumerate(self.leaves) if leaf[0] == family]].mean(axis=0)
            for family in self.families
        ]
        patterns = np.stack([means.mean(axis=0), *family_means, *means]).astype(np.float32)
        noise = self.rng.normal(0, 0.1, self.scan_shape)
        bright = np.where(visited, 1 + 0.2 * level_1 + noise, np.nan).astype(np.float32)
        dark = np.where(visited, 2 - 0.3 * level_1 + 0.1 * (level_2 % 3) + noise, np.nan).astype(np.float32)
        y, x = np.mgrid[: self.scan_shape[0], : self.scan_shape[1]]
        centre = np.array([(length - 1) / 2 for length in self.detector_shape])
        drift = np.stack([0.01 * y + 0.003 * x, 0.005 * x], axis=-1) + self.rng.normal(
            0, 0.01, (*self.scan_shape, 2)
        )
        com = np.where(visited[..., None], centre + drift, np.nan).astype(np.float32)
        radius = np.arange(64)
        radial = (
            np.exp(-radius / 4)
            + np.exp(-(((radius - 31) / 5) ** 2))
            + 0.5 * np.exp(-(((radius - 62) / 6) ** 2))
        )
        elbow = [(node_id, k, 100 / k**1.5 + 3 * node_id) for node_id in range(4) for k in range(1, 9)]
        given = {
            "label_maps": label_maps, "cluster_patterns": patterns, "mean_pattern": patterns[0],
            "bright_field": bright, "annular_dark_field": dark, "com_yx": com,
            "radial_std": radial.astype(np.float32), "elbow": np.array(elbow, dtype=np.float64),
            "received": visited.astype(np.uint8),
        }  # fmt: skip
        arrays = {name: NamedArray(name, values, version) for name, values in given.items()}
        arrays["cluster_patterns"] = NamedArray(
            "cluster_patterns", patterns, version, {"ids": list(range(len(patterns)))}
        )
        if momentum:
            arrays.update(self._momentum_arrays(version))
            arrays.update(self._result_arrays(com - centre, version))
        return arrays

    def _result_arrays(self, residual: np.ndarray, version: int) -> dict[str, NamedArray]:
        """Manifold, lattice and further virtual detectors of a finished result."""
        rng = np.random.default_rng(7)
        index = np.flatnonzero(self.visited).astype(np.int64)
        leaf = self.leaf_map.ravel()[index]
        corners = rng.normal(0, 3, (len(self.leaves), 3))
        points = (corners[leaf] + rng.normal(0, 0.3, (len(index), 3))).astype(np.float32)
        nodes = [{"id": 0, "method": "pca", "start": 0, "stop": len(index)}]
        crystal = self.leaf_map > 0
        noise = rng.normal(0, 1, (6, *self.scan_shape))
        constant = 0.32 + 0.002 * self.leaf_map + 0.0005 * noise[0]
        strain = np.stack([0.002 * self.leaf_map * sign + 0.001 * noise[1] for sign in (1, -1, 0)], axis=-1)
        maps = {
            "lattice_constant_nm": constant, "lattice_spacing_px": 1 / constant,
            "lattice_rotation_rad": 0.01 * self.leaf_map + 0.001 * noise[2], "lattice_quality": 1 + 0.1 * noise[3],
        }  # fmt: skip
        given = {name: np.where(crystal, values, np.nan) for name, values in maps.items()}
        given["lattice_strain"] = np.where(crystal[..., None], strain, np.nan)
        given["residual_yx"] = 0.01 * residual
        q_known = {"lattice_constant_nm": {"q_per_px_inv_nm": 0.42}}
        arrays = {
            name: NamedArray(name, values.astype(np.float32), version, q_known.get(name, {}))
            for name, values in given.items()
        }
        images = (self.leaf_map[None] + noise[4:]).astype(np.float32)
        return arrays | {
            "manifold": NamedArray("manifold", points, version, {"nodes": nodes}),
            "manifold_index": NamedArray("manifold_index", index, version),
            "virtual_images": NamedArray(
                "virtual_images", images, version, {"names": ["first_spot", "second_spot"]}
            ),
        }

    def _momentum_arrays(self, version: int) -> dict[str, NamedArray]:
        det_y, det_x = self.detector_shape
        y, x = np.mgrid[:det_y, :det_x]
        radius = np.hypot(y - det_y / 2, x - det_x / 2)
        labels = np.where((radius > 18) & (radius < 60), 1 + ((radius - 18) // 14).astype(int), -1)
        labels = np.stack([labels, labels]).astype(np.int32)
        noise = self.rng.normal(0, 0.2, (4, *self.scan_shape))
        images = np.stack([np.cos(self.leaf_map * node) for node in range(4)]) + noise
        return {
            "momentum_labels": NamedArray("momentum_labels", labels, version),
            "momentum_images": NamedArray(
                "momentum_images", images.astype(np.float32), version, {"ids": [0, 1, 2, 3]}
            ),
        }

    def momentum_tree(self) -> list[dict[str, Any]]:
        """Root and three clusters of detector pixels."""
        return [
            {"id": index, "parent": -1 if not index else 0, "level": min(index, 1), "name": str(index or "all"),
             "n_patterns": 1500 + 900 * index, "k": 1, "k_auto": 1}
            for index in range(4)
        ]  # fmt: skip

    def state(self, state="LISTENING", finish_reason=None, shows="nothing", **changes: Any) -> dict[str, Any]:
        """A published state of this scan; ``scan=None`` for none."""
        total = self.scan_shape[0] * self.scan_shape[1]
        visited = self.n_visited
        values = {
            "snapshot": 1, "livestem_version": "0.1.0", "engine_pid": 4242, "state": state,
            "finish_reason": finish_reason, "shows": shows, "stalled": False,
            "endpoints": {"listen": "tcp://127.0.0.1:9999", "publish": "", "control": ""},
            "scan": {"scan_id": SCAN_ID, "scan_shape": list(self.scan_shape), "dtype": "float32",
                     "detector_shape": list(self.detector_shape), "n_frames": total, "dwell_s": 0.001,
                     "order": "raster", "metadata": {},
                     "calibration": {"voltage_v": 80000.0, "angle_per_px_mrad": 0.18, "q_source": "nominal",
                                     "scan_step_yx_nm": [1.05, 1.05]}},
            "q_per_px_inv_nm": 0.42, "rates": {"receive_hz": 1183.0, "analyse_hz": 1180.0},
            "counters": {"frames_received": visited, "frames_stored": visited, "frames_analysed": visited},
            "lag_s": 0.034, "n_queued": 40, "elapsed_s": 12.0, "left_s": 16.0, "settled": False,
            "settings": {"in_force": {"disk_radius_px": self.radii[0], "inner_px": self.radii[1],
                                      "outer_px": self.radii[2], "threshold": 0.3, "n_features": 1240},
                         "auto": {"inner_px": self.radii[1], "outer_px": self.radii[2], "threshold": 0.3},
                         "manual": {}},
            "stale": [], "overrides": [], "edits": {"n_undo": 0, "n_redo": 0, "undo_text": "", "redo_text": ""},
            "source": {"path": "/data/20261123-194300_3f2b8c1e.h5", "is_there": True},
            "settings_id": "abc", "tree": self.tree(), "momentum_tree": [], "array_versions": {},
            "recording": "/data/20261123-194300_3f2b8c1e.h5", "result": None, "progress": None, "seconds": {},
            "problems": [], "disk_free_bytes": 812_000_000_000,
        }  # fmt: skip
        return {**values, **changes}


def phases(
    share: float = 0.43, **sizes: Any
) -> dict[str, tuple[FakeScan, dict[str, Any], dict[str, NamedArray]]]:
    """Scan, state and arrays of the five pictures: waiting, scanning, analysing, done, fault."""
    whole, part = FakeScan(**sizes), FakeScan(share=share, **sizes)
    live = part.arrays(momentum=False)
    full = whole.arrays(momentum=False)
    waiting = whole.state(scan=None, tree=[], recording=None, settings={})
    scanning = part.state("RUNNING", shows="live")
    analysing = whole.state(
        "ANALYSING", "COMPLETED", "live",
        progress={"step": 2, "n_steps": 4, "name": "level 2, branch 2 of 3", "fraction": 0.55, "left_s": 17.0},
    )  # fmt: skip
    done = whole.state(
        "LISTENING", "COMPLETED", "final", momentum_tree=whole.momentum_tree(),
        seconds={"align": 12.0, "features": 9.0, "hierarchy": 17.0}, rates={},
        result="/data/20261123-194300_3f2b8c1e.result.h5",
    )  # fmt: skip
    fault = part.state("LISTENING", "STREAM_LOST", "live", rates={}, problems=[
        {"code": "stream.silence", "text": "The sender has been silent for 5 s.", "count": 1}])  # fmt: skip
    return {
        "waiting": (whole, waiting, {}),
        "scanning": (part, scanning, live),
        "analysing": (whole, analysing, full),
        "done": (whole, done, whole.arrays()),
        "fault": (part, fault, live),
    }
