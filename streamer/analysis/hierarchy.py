"""Third pass, once the leaves are known: mean patterns of nodes, real-space images of pixel clusters, lattices."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.lattice import LatticeFit, LatticeStage, no_lattices
from streamer.analysis.passes import Arrays, Block, Cancel, PassJob, run_job
from streamer.analysis.preprocess import Aligned
from streamer.cluster.tree import ClusterTree
from streamer.formats.scan_file import ScanFile
from streamer.kernels.frame_pass import FramePass, FramePlan, detectors_of, frame_plan
from streamer.kernels.spots import Lattices
from streamer.kernels.virtual import VirtualDetectors
from streamer.settings import AnalysisSettings


@dataclass(frozen=True)
class NodeMeans:
    """`patterns` (n_nodes, det_y, det_x) float32; `images` (n, m) float32, one column a weight, NaN not usable."""

    patterns: NDArray[np.float32]
    images: NDArray[np.float32]


def mean_by_node(
    scan: ScanFile,
    settings: AnalysisSettings,
    aligned: Aligned,
    leaf_of: NDArray[np.int32],
    tree: ClusterTree,
    weights: NDArray[np.float32],
    lattice: LatticeStage,
    executor: Executor,
    progress: Callable[[float], None],
    cancel: Cancel,
) -> NodeMeans:
    """Mean aligned pattern of every node, and a virtual image for every weight.

    Parameters
    ----------
    leaf_of
        (n,) int32, id of the leaf of each scan position; -1 left out.
    weights
        (m, det_y * det_x) float32.
    lattice
        Measures the same blocks; its maps are complete afterwards.
    """
    plan = _plan(scan, settings, aligned)
    fit = lattice.fit
    job = GroupsJob(
        scan.info.detector_shape, plan, len(tree.nodes), aligned.centres_yx, leaf_of, weights, fit
    )
    found = run_job(scan, job, executor, progress, cancel)
    lattice.take(Lattices(*(found.arrays[name] for name in Lattices._fields)) if fit else None)
    sums = found.total("groups")
    # A child's id is larger than its parent's: from the last to the first, every node is complete when added.
    for node in reversed(tree.nodes[1:]):
        sums[node.parent] += sums[node.id]
    counts = np.array([max(node.n_patterns, 1) for node in tree.nodes])
    means = (sums / counts[:, None]).astype(np.float32)
    return NodeMeans(means.reshape(-1, *scan.info.detector_shape), found.arrays["images"])


def sums_of_groups(
    scan: ScanFile,
    settings: AnalysisSettings,
    aligned: Aligned,
    group_of: NDArray[np.int32],
    n_groups: int,
    executor: Executor,
    progress: Callable[[float], None] = lambda fraction: None,
    cancel: Cancel | None = None,
) -> NDArray[np.float64]:
    """Sum of the aligned patterns of each group, (n_groups, det_y * det_x).

    Parameters
    ----------
    group_of
        (n,) int32, group of each scan position; -1 left out, and not read.
    """
    job = GroupsJob(
        scan.info.detector_shape, _plan(scan, settings, aligned), n_groups, aligned.centres_yx, group_of
    )
    return run_job(scan, job, executor, progress, cancel or Cancel()).total("groups")


def _plan(scan: ScanFile, settings: AnalysisSettings, aligned: Aligned) -> FramePlan:
    return frame_plan(
        aligned.beam,
        scan.info.detector_shape,
        settings.alignment.max_iterations,
        aligned.look.defects,
        measure=False,
    )


@dataclass(frozen=True)
class GroupsJob(PassJob):
    """Sums of the aligned patterns of groups; with `weights` virtual images, with `lattice` the lattices too.

    Attributes
    ----------
    centres_yx, group_of
        (n, ...) by position; group -1: left out, and not read where groups are all that is asked for.
    weights
        (m, n_pixels) of virtual detectors; None: none.
    """

    shape: tuple[int, int]
    plan: FramePlan
    n_groups: int
    centres_yx: NDArray[np.float64]
    group_of: NDArray[np.int32]
    weights: NDArray[np.float32] | None = None
    lattice: LatticeFit | None = None

    @property
    def n(self) -> int:
        """Positions."""
        return len(self.group_of)

    @cached_property
    def _detectors(self) -> VirtualDetectors | None:
        return None if self.weights is None else detectors_of(self.weights, self.shape)

    @property
    def wanted(self) -> NDArray[np.bool_] | None:
        """See `PassJob`."""
        return self.group_of >= 0 if self.weights is None else None

    def rooms(self, with_kept: bool = True) -> Arrays:
        """`images` (n, m), NaN not usable; the fields of `Lattices`."""
        rooms: Arrays = {}
        if self.weights is not None:
            rooms["images"] = np.full((self.n, len(self.weights)), np.nan, np.float32)
        if self.lattice is not None:
            rooms |= no_lattices(self.n)._asdict()
        return rooms

    def part(self, start: int, stop: int) -> Self:
        """See `PassJob`."""
        return replace(self, centres_yx=self.centres_yx[start:stop], group_of=self.group_of[start:stop])

    def sums(self) -> Arrays:
        """`groups` (n_groups, n_pixels) float32."""
        return {"groups": np.zeros((self.n_groups, self.shape[0] * self.shape[1]), np.float32)}

    def step(self, block: Block, out: Arrays, sums: Arrays) -> None:
        """See `PassJob`."""
        frame_pass = FramePass(self.shape, self.plan, detectors=self._detectors, room=block.room)
        found = frame_pass.outcome(len(block.positions))
        groups = self.group_of[block.positions]
        found.centres_yx[:] = self.centres_yx[block.positions]
        frame_pass.run(block.frames, found, binned=sums["groups"], bins=groups.astype(np.int64))
        if self.weights is not None:
            out["images"][block.positions] = found.virtual
        if self.lattice is not None:
            measured = self.lattice.measure(block, groups, found)
            for name, values in measured._asdict().items():
                out[name][block.positions] = values
