"""What the operator looks at: one selection that every pane draws from and every pane may set."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gui.presenters.levels import Scale

DEFAULT_LEVEL = 2


class Selected(StrEnum):
    """Kinds of things that can be looked at, pinned, selected, marked or compared, side by side."""

    HOVER = "hover"
    PIN = "pin"
    NODE = "node"
    REGION = "region"
    COMPARED_POSITION = "compared_position"
    COMPARED_NODE = "compared_node"
    MOMENTUM = "momentum"


@dataclass(frozen=True)
class Selection:
    """One value for the whole window; a change makes a new one.

    ``hover_yx`` is the scan position under the mouse, ``pinned_yx`` one that stays when the mouse leaves,
    ``node_id`` the cluster or branch that is selected, ``level`` the depth at which the map is coloured
    (1 = below the root). ``region`` is a part of the scan marked with the mouse, as a mask (scan_y, scan_x),
    ``roi`` the rectangle around it (first row, row after the last, first column, column after the last), and
    ``region_key`` stands for the mask where selections are compared. ``compared_yx`` is a position, ``compared_id``
    a cluster, whose pattern stands beside the shown one; ``momentum_id`` is the selected cluster of detector pixels.
    None means nothing of that kind.
    """

    hover_yx: tuple[int, int] | None = None
    pinned_yx: tuple[int, int] | None = None
    node_id: int | None = None
    level: int = DEFAULT_LEVEL
    region: NDArray[np.bool_] | None = field(default=None, compare=False)
    roi: tuple[int, int, int, int] | None = None
    region_key: bytes = b""
    compared_yx: tuple[int, int] | None = None
    compared_id: int | None = None
    momentum_id: int | None = None

    @property
    def position_yx(self) -> tuple[int, int] | None:
        """The scan position whose pattern is wanted: the hovered one, else the pinned one."""
        return self.hover_yx if self.hover_yx is not None else self.pinned_yx

    def with_hover(self, position_yx: tuple[int, int] | None) -> Self:
        """The mouse is over this scan position, or over none."""
        return replace(self, hover_yx=position_yx)

    def with_pin(self, position_yx: tuple[int, int] | None) -> Self:
        """A position that stays shown when the mouse leaves the map."""
        return replace(self, pinned_yx=position_yx)

    def with_node(self, node_id: int | None) -> Self:
        """A cluster is selected: its mean pattern replaces the single one until the mouse moves."""
        return replace(self, node_id=node_id, hover_yx=None, pinned_yx=None)

    def with_level(self, level: int) -> Self:
        """The map is coloured at this depth."""
        return replace(self, level=level)

    def with_region(self, region: NDArray[np.bool_] | None) -> Self:
        """A part of the scan is marked, True inside; one without a position, or None, marks nothing."""
        if region is None or not region.any():
            return replace(self, region=None, roi=None, region_key=b"")
        rows, columns = (np.flatnonzero(region.any(axis=axis)).tolist() for axis in (1, 0))
        roi = (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)
        return replace(self, region=region, roi=roi, region_key=np.packbits(region).tobytes())

    def toggled_node(self, node_id: int | None) -> Self:
        """A cluster is clicked: selected, or let go where it was selected already."""
        return self.with_node(None if node_id == self.node_id else node_id)

    def toggled_pin(self) -> Self:
        """What is under the mouse stays, or what stayed is let go."""
        return self.with_pin(self.hover_yx if self.pinned_yx is None else None)

    def moved(self, step_yx: tuple[int, int], scan_shape: tuple[int, int]) -> Self:
        """The pinned position goes by a step, from the middle where there is none, and stays on the map."""
        start_yx = self.position_yx or (scan_shape[0] // 2, scan_shape[1] // 2)
        y, x = (
            min(max(start + step, 0), length - 1)
            for start, step, length in zip(start_yx, step_yx, scan_shape, strict=True)
        )
        return self.with_hover(None).with_pin((y, x))

    def compared_with(self, position_yx: tuple[int, int] | None = None, node_id: int | None = None) -> Self:
        """The pattern of a position or cluster stands beside the shown one; the same once more lets it go."""
        same = (position_yx, node_id) == (self.compared_yx, self.compared_id)
        if same:
            position_yx, node_id = None, None
        return replace(self, compared_yx=position_yx, compared_id=node_id)

    def toggled_momentum(self, node_id: int | None) -> Self:
        """A cluster of detector pixels is clicked: selected, or let go where it was selected already."""
        return replace(self, momentum_id=None if node_id == self.momentum_id else node_id)

    @property
    def region_is_rectangle(self) -> bool:
        """Whether all of the rectangle around what is marked is marked."""
        if self.region is None or self.roi is None:
            return False
        y0, y1, x0, x1 = self.roi
        return bool(self.region[y0:y1, x0:x1].all())

    @property
    def parts(self) -> dict[Selected, Any]:
        """What is selected of each kind; kinds of which nothing is are left out."""
        parts = {
            Selected.HOVER: self.hover_yx,
            Selected.PIN: self.pinned_yx,
            Selected.NODE: self.node_id,
            Selected.REGION: self.roi,
            Selected.COMPARED_POSITION: self.compared_yx,
            Selected.COMPARED_NODE: self.compared_id,
            Selected.MOMENTUM: self.momentum_id,
        }
        return {kind: part for kind, part in parts.items() if part is not None}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that `cleared` would take away."""
        return not self.parts.keys() - {Selected.HOVER}

    def cleared(self) -> Self:
        """Nothing pinned, selected, marked or compared; the mouse is where it is."""
        return type(self)(hover_yx=self.hover_yx, level=self.level)


class LatticeQuantity(StrEnum):
    """What the Lattice tab shows."""

    CONSTANT = "constant"
    ROTATION = "rotation"
    STRAIN_YY = "strain_yy"
    STRAIN_XX = "strain_xx"
    STRAIN_YX = "strain_yx"
    QUALITY = "quality"


@dataclass(frozen=True)
class ViewOptions:
    """How things are drawn, as opposed to what is selected."""

    scale: Scale = Scale.LOG
    show_labels: bool = True
    lattice: LatticeQuantity = LatticeQuantity.CONSTANT
    show_outlines: bool = False
    blends_bright_field: bool = False
    kept_levels: tuple[float, float] | None = None
    """Intensities between which patterns are spread; None: each between its own."""
