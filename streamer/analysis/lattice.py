"""Lattice constant, rotation and strain of every pattern, the paper's own check of its clusters.

    mean pattern of a leaf -> Bragg disks -> indexed lattice -> (third pass) the same lattice, deformed, in each pattern

Reads the sums of patches that the second pass left, so that the disks of a leaf are known before the third
pass begins and the file is not read a fourth time.
"""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.bragg import LeafLattice, direct_beam_profile, find_lattice, is_hexagonal
from streamer.analysis.lattice_neighbours import average_with_neighbours
from streamer.analysis.passes import Block
from streamer.analysis.preprocess import Aligned, Extracted
from streamer.cluster.shot_noise import electron_gain
from streamer.cluster.tree import ClusterTree
from streamer.kernels.frame_pass import Measured
from streamer.kernels.spots import Lattices, fit_lattices
from streamer.model import Calibration
from streamer.settings import AnalysisSettings

ROUNDS = 2
"""Of the fit to a pattern."""
MIN_PATTERN_SIGNIFICANCE = 5.0
"""Of the disks' intensity in a pattern, in standard deviations of shot noise."""
QUALITY_HALF_PX = 0.5
"""Root mean square distance of the disks from the lattice, along an axis, at which the quality is a half."""
LARGEST_STRAIN = 0.08
"""No crystal stands more: a basis that would need it is another one of the same lattice."""


@dataclass(frozen=True)
class LatticeValues:
    """Of every position, NaN where there are none.

    Attributes
    ----------
    constant_nm
        (n,) float32: of the two-dimensional cell; hexagonal: its side, otherwise the root of its area. NaN
        throughout where the detector is not calibrated.
    spacing_px
        (n,) float32: root of the area of the reciprocal cell on the detector, which needs no calibration.
    rotation_rad
        (n,) float32, from the reference, positive from x towards y.
    strain
        (n, 3) float32: yy, xx, yx of the real-space lattice, relative to the reference.
    """

    constant_nm: NDArray[np.float32]
    spacing_px: NDArray[np.float32]
    rotation_rad: NDArray[np.float32]
    strain: NDArray[np.float32]


@dataclass(frozen=True)
class LatticeMaps:
    """What was measured.

    Attributes
    ----------
    values
        Averaged with neighbours where that pays.
    alone
        What every pattern says without its neighbours.
    width
        (n, 2) float32: how wide rotation and strain were averaged, in scan positions (0: not); NaN where not measured.
    quality
        (n,) float32, 0 to 1: 1 where the disks lie on a lattice, 1/2 where they are half a pixel off it.
    reference_basis_yx
        (2, 2) px: the mean lattice of the scan; zeros where there is none.
    is_hexagonal
        Whether that lattice is.
    """

    values: LatticeValues
    alone: LatticeValues
    width: NDArray[np.float32]
    quality: NDArray[np.float32]
    reference_basis_yx: NDArray[np.float64]
    is_hexagonal: bool


@dataclass(frozen=True)
class LatticeFit:
    """What measures the patterns of a block: the disks of every leaf, the detector's defects."""

    leaves: dict[int, LeafLattice]
    defects: NDArray[np.int64]

    def measure(self, block: Block, leaves: NDArray[np.int32], found: Measured) -> Lattices:
        """Lattices of a block's patterns, of these leaves (n,), after the frame pass found them usable or not."""
        out = no_lattices(len(leaves))
        for leaf in np.unique(leaves):
            if leaf in self.leaves:
                fit_lattices(
                    block.frames,
                    np.flatnonzero(leaves == leaf),
                    found.centres_yx,
                    found.n_bad,
                    self.defects,
                    self.leaves[leaf].plan,
                    ROUNDS,
                    block.room.mended[0],
                    out,
                )
        return out


def no_lattices(n: int) -> Lattices:
    """Room for n patterns, none measured."""
    return Lattices(np.full((n, 2, 2), np.nan), np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan))


class LatticeStage:
    """Disks of every leaf, made before the third pass, whose blocks `fit` measures; `take` what it found.

    Attributes
    ----------
    fit
        None where no lattice is to be measured.
    """

    def __init__(
        self,
        settings: AnalysisSettings,
        aligned: Aligned,
        extracted: Extracted,
        patches: NDArray[np.int64],
        leaf_of: NDArray[np.int32],
        tree: ClusterTree,
        executor: Executor,
    ) -> None:
        shape = (aligned.mean.shape[0], aligned.mean.shape[1])
        self._aligned, self._leaf_of, self._tree = aligned, leaf_of, tree
        self._average, self._executor = settings.lattice.neighbours == "auto", executor
        self.leaves: dict[int, LeafLattice] = {}
        self.fit: LatticeFit | None = None
        self._out = no_lattices(len(leaf_of))
        if not settings.lattice.enabled:
            return
        disk = direct_beam_profile(aligned)

        def find(leaf: int) -> LeafLattice | None:
            mean, count = _mean_of_leaf(extracted, patches, leaf_of, leaf)
            return find_lattice(mean.reshape(shape), aligned, count, disk, settings) if count else None

        leaves = [node.id for node in tree.leaves()]
        found = zip(leaves, executor.map(find, leaves), strict=True)
        self.leaves |= {leaf: lattice for leaf, lattice in found if lattice is not None}
        self.fit = LatticeFit(self.leaves, aligned.look.defects)

    def take(self, found: Lattices | None) -> None:
        """What the pass measured, for all positions."""
        if found is not None:
            self._out = found

    def maps(self, calibration: Calibration, scan_shape: tuple[int, int]) -> LatticeMaps:
        """After the pass: everything in units, relative to the scan's mean lattice."""
        gain, bases = electron_gain(self._aligned.mean, self._aligned.variance), self._bases()
        is_weak = self._out.mass < MIN_PATTERN_SIGNIFICANCE * np.sqrt(gain * np.maximum(self._out.noise, 0.0))
        bases[is_weak] = np.nan
        measured = np.isfinite(bases[:, 0, 0])
        reference = mean_basis(bases[measured]) if measured.any() else np.zeros((2, 2))
        hexagonal = measured.any() and is_hexagonal(reference)
        rotation, strain = rotation_and_strain(bases, reference)
        values = np.concatenate([rotation[:, None], strain], axis=1)
        smooth, width = values, np.where(measured[:, None], 0.0, np.full((len(values), 2), np.nan))
        if self._average and measured.any():
            smooth, width = average_with_neighbours(
                values, self._variance(), self._groupings(), scan_shape, self._executor
            )
        quality = 1.0 / (1.0 + self._out.residual / QUALITY_HALF_PX**2)
        quality[~measured] = np.nan

        def in_units(values: NDArray[np.float64]) -> LatticeValues:
            yy, xx, yx = values[:, 1:].T
            area = abs(np.linalg.det(reference)) / ((1.0 + yy) * (1.0 + xx) - yx**2)
            constant = np.full(len(values), np.nan)
            if calibration.q_per_px_inv_nm is not None:
                cell = 1.0 / (area * calibration.q_per_px_inv_nm**2)
                constant = np.sqrt(cell / (np.sqrt(0.75) if hexagonal else 1.0))
            return LatticeValues(
                constant.astype(np.float32),
                np.sqrt(area).astype(np.float32),
                values[:, 0].astype(np.float32),
                values[:, 1:].astype(np.float32),
            )

        return LatticeMaps(
            in_units(smooth),
            in_units(values),
            width.astype(np.float32),
            quality.astype(np.float32),
            reference,
            bool(hexagonal),
        )

    def _groupings(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Which positions (n,) count as alike: those of a cluster of level 1, or those of a leaf."""
        return self._tree.label_maps(self._leaf_of, 1)[0], self._leaf_of

    def _variance(self) -> NDArray[np.float64]:
        """Of the noise of rotation and of strain yy, xx, yx (n, 4): from how far disks lie off their lattices."""
        out = np.full((len(self._leaf_of), 4), np.nan)
        for leaf, lattice in self.leaves.items():
            own = self._leaf_of == leaf
            weights, offsets = lattice.plan.information, lattice.plan.offsets_yx
            scatter = (
                np.nanmean(self._out.residual[own]) if np.isfinite(self._out.residual[own]).any() else np.nan
            )
            spread = scatter * weights.mean() * np.linalg.inv((offsets * weights[:, None]).T @ offsets)
            turn = (spread[0, 0] + spread[1, 1]) / 4.0
            out[own] = turn, spread[0, 0], spread[1, 1], turn
        return out

    def _bases(self) -> NDArray[np.float64]:
        """Reciprocal basis of every pattern (n, 2, 2), of equivalent ones that nearest to the largest leaf's."""
        bases = np.full((len(self._leaf_of), 2, 2), np.nan)
        sizes = np.bincount(self._leaf_of[self._leaf_of >= 0])
        largest = max(self.leaves, key=lambda leaf: sizes[leaf], default=-1)
        for leaf, lattice in self.leaves.items():
            own = self._leaf_of == leaf
            turned = nearest_equivalent(lattice.basis_yx, self.leaves[largest].basis_yx)
            bases[own] = np.einsum("nij,vj->nvi", self._out.matrix[own], turned)
        return bases


def _mean_of_leaf(
    extracted: Extracted, patches: NDArray[np.int64], leaf_of: NDArray[np.int32], leaf: int
) -> tuple[NDArray[np.float64], int]:
    """Mean of the patches that lie wholly in a leaf or, where none does, of those that lie mostly there."""
    n_patches = len(extracted.bin_counts)
    own = np.bincount(patches[leaf_of == leaf], minlength=n_patches)
    share = own / np.maximum(extracted.bin_counts, 1)
    chosen = (share == 1.0) & (own > 0)
    if not chosen.any():
        chosen = share >= 0.5
    count = int(extracted.bin_counts[chosen].sum())
    return extracted.binned[chosen].sum(axis=0, dtype=np.float64) / max(count, 1), count


def nearest_equivalent(
    basis_yx: NDArray[np.float64], reference_yx: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The basis of the same lattice that is turned least from the reference, without more strain than is real.

    Of a twin that is the reference's own lattice, turned.
    """
    steps = [(1, 0), (0, 1), (1, 1), (1, -1), (-1, 0), (0, -1), (-1, -1), (-1, 1)]
    vectors = [np.array(step) @ basis_yx for step in steps]
    pairs = np.array([(a, b) for a in vectors for b in vectors])
    same = np.linalg.det(pairs) * np.sign(np.linalg.det(reference_yx)) > 0.5 * abs(np.linalg.det(basis_yx))
    rotation, strain = rotation_and_strain(pairs[same], reference_yx)
    cost = 100.0 * np.maximum(np.abs(strain).max(axis=1) - LARGEST_STRAIN, 0.0) + np.abs(rotation)
    return pairs[same][int(cost.argmin())]


def mean_basis(bases_yx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean rotation and mean stretch of bases (n, 2, 2): a plain mean of turned lattices would be too small."""
    rotation, strain = rotation_and_strain(bases_yx, bases_yx[0])
    angle, (yy, xx, yx) = rotation.mean(), strain.mean(axis=0)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    stretch = np.linalg.inv(np.eye(2) + np.array([[yy, yx], [yx, xx]]))
    return (turn @ stretch @ bases_yx[0].T).T


def rotation_and_strain(
    bases_yx: NDArray[np.float64], reference_yx: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Polar decomposition of what turns a reference lattice into others.

    Parameters
    ----------
    bases_yx
        (n, 2, 2): reciprocal bases, one vector a row; NaN passes through.
    reference_yx
        (2, 2).

    Returns
    -------
    rotation (n,) rad, positive from x towards y; strain (n, 3) yy, xx, yx of the real-space lattice.
    """
    rotation, strain = np.full(len(bases_yx), np.nan), np.full((len(bases_yx), 3), np.nan)
    good = np.isfinite(bases_yx).all(axis=(1, 2))
    # Columns are vectors: deformed = matrix @ reference.
    if not good.any():
        return rotation, strain
    matrix = np.swapaxes(bases_yx[good], 1, 2) @ np.linalg.inv(reference_yx.T)
    rotation[good] = np.arctan2(matrix[:, 0, 1] - matrix[:, 1, 0], matrix[:, 0, 0] + matrix[:, 1, 1])
    cos, sin = np.cos(rotation[good]), np.sin(rotation[good])
    turn = np.stack([np.stack([cos, sin], axis=-1), np.stack([-sin, cos], axis=-1)], axis=-2)
    # The real-space lattice stretches by the inverse of what stretches the reciprocal one.
    stretch = np.linalg.inv(np.swapaxes(turn, 1, 2) @ matrix)
    strain[good] = np.stack(
        [
            stretch[:, 0, 0] - 1,
            stretch[:, 1, 1] - 1,
            0.5 * (stretch[:, 0, 1] + stretch[:, 1, 0]),
        ],
        axis=-1,
    )
    return rotation, strain
