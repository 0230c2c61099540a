"""A finished analysis whose hierarchy is changed by hand, with previews, undo and redo.

Reads: the result and its source. Writes: nothing; `EditSession.settings` repeats everything that was done, so that
the changed result is an analysis like any other. Thread: one at a time.
"""

import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from streamer.analysis.hierarchy import sums_of_groups
from streamer.analysis.passes import Cancel
from streamer.analysis.preprocess import Aligned, align_scan, choose_mask, extract
from streamer.analysis.result_file import AnalysisResult
from streamer.analysis.run import division_rules
from streamer.cluster.divisive import DivisionRules, Hierarchy
from streamer.cluster.edits import apply_edits, node_named
from streamer.cluster.elbow import Elbow
from streamer.cluster.tree import ClusterTree
from streamer.cluster.vectors import Vectors
from streamer.errors import SettingsError
from streamer.formats.scan_file import RegionOfScan, ScanFile
from streamer.model import LABEL_NOT_VISITED
from streamer.settings import AnalysisSettings, SplitEdit, TreeEdit, analysis_settings

MAX_UNDO = 50


@dataclass(frozen=True)
class EditStep:
    """The hierarchy after some edits; to be gone back to."""

    hierarchy: Hierarchy
    edits: tuple[TreeEdit, ...]


@dataclass(frozen=True)
class _Prepared:
    """What edits compute with: as the analysis had it, since the same code makes it again."""

    aligned: Aligned
    features: NDArray[np.float32] | Vectors
    rules: DivisionRules


class EditSession:
    """Edits of one result.

    Parameters
    ----------
    scan
        The result's source; not closed here.
    result
        From `streamer.open_result`.
    n_threads
        Default: one per processor.
    cancel
        Ends what is computed with ScanStopped; the hierarchy stays as it was.
    progress
        Told the name of a pass over the scan and the share of it that is done; from any thread.

    Attributes
    ----------
    cancel, progress
        May be replaced between edits: a cancel that was requested stays so.

    Raises
    ------
    SettingsError
        The scan is not what the result was made of.
    """

    def __init__(
        self,
        scan: ScanFile,
        result: AnalysisResult,
        n_threads: int | None = None,
        cancel: Cancel | None = None,
        progress: Callable[[str, float], None] = lambda name, fraction: None,
    ) -> None:
        if scan.checksum() != result.attrs["source_checksum"]:
            raise SettingsError(
                f"{scan.path} is not what the result was made of: its checksum is {scan.checksum()}, expected "
                f"{result.attrs['source_checksum']}. Put the right file back. The result is as it was."
            )
        if model := result.array_attrs.get("model"):
            raise SettingsError(
                f"The clusters of this result are those of {model['result']}, and are not changed here. Change them "
                "there, and apply that result again. This one is as it was."
            )
        self._settings = analysis_settings(result.attrs["settings"])
        self._scan = RegionOfScan(scan, self._settings.roi) if self._settings.roi else scan
        self._n_threads = n_threads or os.cpu_count() or 1
        self.cancel, self.progress = cancel or Cancel(), progress
        leaf_map = result.label_maps[-1].ravel()
        self._usable = leaf_map != LABEL_NOT_VISITED
        self._prepared: _Prepared | None = None
        hierarchy = Hierarchy(
            ClusterTree(list(result.nodes)),
            leaf_map[self._usable],
            result.arrays["hierarchy/centroids"],
            _elbows_of(result),
        )
        self._steps = [EditStep(hierarchy, self._settings.edits)]
        self._now = 0
        self._patterns: dict[bytes, NDArray[np.float32]] = {}
        for node in result.nodes:
            self._patterns[self._members_key(hierarchy, node.id)] = result.cluster_patterns[node.id]

    @property
    def hierarchy(self) -> Hierarchy:
        """After the edits so far."""
        return self._steps[self._now].hierarchy

    @property
    def settings(self) -> AnalysisSettings:
        """With these, `analyze` gives the hierarchy as it is now."""
        return self._settings.model_copy(update={"edits": self._steps[self._now].edits})

    @property
    def step(self) -> EditStep:
        """What `restore` takes."""
        return self._steps[self._now]

    @property
    def aligned(self) -> Aligned | None:
        """The first pass over the scan; None where no edit has needed it yet."""
        return self._prepared.aligned if self._prepared else None

    def restore(self, step: EditStep) -> None:
        """Be as at that moment; from here on there is nothing to undo or redo."""
        self._steps, self._now = [step], 0

    def let_go(self) -> None:
        """Forget what edits compute with, which is large; the next one makes it again."""
        self._prepared = None

    @property
    def n_undo(self) -> int:
        """Edits that can be undone."""
        return self._now

    @property
    def n_redo(self) -> int:
        """Edits that can be made again."""
        return len(self._steps) - 1 - self._now

    def apply(self, edit: TreeEdit) -> None:
        """Make one edit; what was undone is forgotten.

        Raises
        ------
        SettingsError
            It names a node that does not exist, or cannot be done.
        """
        with self._working() as executor:
            prepared, seed = self._prepare(executor), self._settings.seed
            hierarchy = apply_edits(
                self.hierarchy, (edit,), prepared.features, prepared.rules, seed, executor
            )
        step = EditStep(hierarchy, (*self._steps[self._now].edits, edit))
        self._steps = [*self._steps[: self._now + 1], step][-MAX_UNDO - 1 :]
        self._now = len(self._steps) - 1

    def undo(self) -> None:
        """Take the last edit back; SettingsError where there is none."""
        if not self.n_undo:
            raise SettingsError("There is nothing to undo.")
        self._now -= 1

    def redo(self) -> None:
        """Make the last edit that was undone again; SettingsError where there is none."""
        if not self.n_redo:
            raise SettingsError("There is nothing to redo.")
        self._now += 1

    def preview(self, node_name: str, k: int) -> NDArray[np.int32]:
        """Which of `k` children each position of a node would belong to, (scan_y, scan_x); -1 elsewhere.

        The children are those that a split into `k` makes.
        """
        edit = SplitEdit(edit="split", node=node_name, k=k)
        node = node_named(self.hierarchy.tree, node_name)
        with self._working() as executor:
            prepared, seed = self._prepare(executor), self._settings.seed
            rules = replace(prepared.rules, levels=node.level + 1)
            hierarchy = apply_edits(self.hierarchy, (edit,), prepared.features, rules, seed, executor)
        node = node_named(hierarchy.tree, node_name)
        children = [child.id for child in hierarchy.tree.children(node.id)] or [node.id]
        child_of = np.full(len(hierarchy.tree.nodes), LABEL_NOT_VISITED, np.int32)
        child_of[children] = np.arange(len(children), dtype=np.int32)
        shown = np.full(len(self._usable), LABEL_NOT_VISITED, np.int32)
        shown[self._usable] = child_of[hierarchy.leaf_of]
        return shown.reshape(self._scan.info.scan_shape)

    def label_maps(self) -> NDArray[np.int32]:
        """As `AnalysisResult.label_maps`."""
        tree = self.hierarchy.tree
        levels = max(self._settings.cluster.levels, tree.depth)
        return tree.label_maps(self._leaf_map(), levels)

    def cluster_patterns(self) -> NDArray[np.float32]:
        """As `AnalysisResult.cluster_patterns`; patterns of new clusters are read from the source."""
        hierarchy = self.hierarchy
        keys = [self._members_key(hierarchy, node.id) for node in hierarchy.tree.nodes]
        missing = [
            node.id for node, key in zip(hierarchy.tree.nodes, keys, strict=True) if key not in self._patterns
        ]
        if missing:
            self._read_patterns(hierarchy, missing)
        return np.stack([self._patterns[key] for key in keys])

    def _read_patterns(self, hierarchy: Hierarchy, missing: list[int]) -> None:
        """One pass over the members of the nodes without a pattern; a parent's is made of its leaves'."""
        shape = self._scan.info.detector_shape
        leaves = sorted({leaf for node in missing for leaf in hierarchy.tree.leaf_ids_below(node)})
        group_of_leaf = np.full(len(hierarchy.tree.nodes) + 1, -1, np.int32)
        group_of_leaf[leaves] = np.arange(len(leaves), dtype=np.int32)
        group_of = group_of_leaf[self._leaf_map().ravel()]
        with self._working() as executor:
            aligned = self._prepare(executor).aligned
            sums = sums_of_groups(
                self._scan, self._settings, aligned, group_of, len(leaves), executor,
                lambda fraction: self.progress("patterns", fraction), self.cancel,
            )  # fmt: skip
        for node in missing:
            rows = [leaves.index(leaf) for leaf in hierarchy.tree.leaf_ids_below(node)]
            mean = sums[rows].sum(axis=0) / max(hierarchy.tree.nodes[node].n_patterns, 1)
            self._patterns[self._members_key(hierarchy, node)] = mean.astype(np.float32).reshape(shape)

    def _leaf_map(self) -> NDArray[np.int32]:
        leaf_map = np.full(len(self._usable), LABEL_NOT_VISITED, np.int32)
        leaf_map[self._usable] = self.hierarchy.leaf_of
        return leaf_map.reshape(self._scan.info.scan_shape)

    @staticmethod
    def _members_key(hierarchy: Hierarchy, node_id: int) -> bytes:
        """The same for nodes with the same patterns, before and after an edit."""
        return np.packbits(np.isin(hierarchy.leaf_of, hierarchy.tree.leaf_ids_below(node_id))).tobytes()

    def _prepare(self, executor: Executor) -> _Prepared:
        if self._prepared is None:
            scan, settings = self._scan, self._settings
            aligned = align_scan(
                scan, settings, executor, lambda fraction: self.progress("align", fraction), self.cancel
            )
            mask = choose_mask(aligned, settings)
            extracted = extract(
                scan, aligned, mask, settings, executor, lambda fraction: self.progress("features", fraction),
                self.cancel,
            )  # fmt: skip
            rules = division_rules(settings, aligned, mask, scan.info.scan_shape)
            self._prepared = _Prepared(aligned, extracted.features, rules)
        return self._prepared

    @contextmanager
    def _working(self):
        with threadpool_limits(1), ThreadPoolExecutor(self._n_threads) as executor:
            yield executor


def _elbows_of(result: AnalysisResult) -> dict[int, Elbow]:
    elbows = {}
    for node in result.nodes:
        where = f"hierarchy/elbow/{node.id}"
        if f"{where}/k" in result.arrays:
            elbows[node.id] = Elbow(node.k_auto, result.arrays[f"{where}/k"], result.arrays[f"{where}/wss"])
    return elbows
