"""What each pane shows: frozen values, compared to find out whether a pane must be painted again.

Arrays take no part in the comparison; `key` (version, level, scale, ...) stands for them. Images are uint8:
0 is "no value", 1..255 brightness; or RGBA. Positions are (y, x) in pixels of the image, pixel centres whole.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from gui.presenters.levels import Scale
from gui.presenters.phase import Phase
from gui.presenters.selection import LatticeQuantity
from streamer.look.palette import Rgb
from streamer.look.scale_bar import ImageScale

Image = NDArray[np.uint8]
UNCALIBRATED = ImageScale()


class Severity(StrEnum):
    """How much something matters; never shown by colour alone."""

    NORMAL = "normal"
    AMBER = "amber"
    ORANGE = "orange"


class Emphasis(StrEnum):
    """How a cluster stands out against the others."""

    NORMAL = "normal"
    HOVERED = "hovered"
    SELECTED = "selected"
    DIMMED = "dimmed"


@dataclass(frozen=True)
class HeaderView:
    """Pill, two lines of text, progress and which buttons work."""

    phase: Phase
    icon: str
    word: str
    summary: str
    sentence: str
    severity: Severity
    fraction: float
    progress: str
    can_stop: bool
    can_analyze: bool
    can_cancel: bool


@dataclass(frozen=True)
class BannerView:
    """Something that needs the operator; `key` is the same as long as it is the same matter."""

    key: str
    severity: Severity
    title: str
    text: str
    offers_analyze: bool = False


@dataclass(frozen=True)
class StatusField:
    """One figure of the status bar."""

    name: str
    value: str
    severity: Severity = Severity.NORMAL


@dataclass(frozen=True)
class StatusView:
    """The status bar: what is under the cursor, and the figures of the stream."""

    left: str
    fields: tuple[StatusField, ...]


@dataclass(frozen=True)
class ImageView:
    """One image with its title; `message` stands in its place where there is none.

    ``colours`` names a colour map other than that of the place where it is shown; ``ends`` are the values of its
    darkest and brightest colour in words, printed at a colour bar.
    """

    key: Hashable
    image: Image | None = field(compare=False)
    title: str = ""
    note: str = ""
    message: str = ""
    scale: ImageScale = UNCALIBRATED
    crosshair_yx: tuple[int, int] | None = None
    colours: str = ""
    ends: tuple[str, str] | None = None


@dataclass(frozen=True)
class Outline:
    """Edges of pixels to be drawn as lines: (n, 4) int32 rows x0, y0, x1, y1, corner (0, 0) above pixel (0, 0)."""

    key: Hashable
    edges: NDArray[np.int32] = field(compare=False)


@dataclass(frozen=True)
class MapLabel:
    """The number of a cluster, printed on the map at (y, x)."""

    y: float
    x: float
    text: str
    emphasis: Emphasis = Emphasis.NORMAL


@dataclass(frozen=True)
class MapView:
    """The cluster map, RGBA; before the first labels the bright field stands in for it."""

    picture: ImageView
    labels: tuple[MapLabel, ...] = ()
    outline: Outline | None = None
    newest_row: int | None = None
    levels: tuple[int, ...] = ()
    level: int = 1
    tag: str = ""
    title: str = ""
    has_numbers: bool = True
    has_outlines: bool = False
    is_blended: bool = False
    is_provisional: bool = False
    is_waiting: bool = False


@dataclass(frozen=True)
class Circle:
    """A circle drawn on a pattern."""

    centre_yx: tuple[float, float]
    radius_px: float
    is_faint: bool = False


@dataclass(frozen=True)
class KeptPixels:
    """Feature pixels to be painted over a pattern, RGBA, and in words how many and what they would change."""

    key: Hashable
    image: Image = field(compare=False)
    note: str = ""


@dataclass(frozen=True)
class PatternView:
    """One diffraction pattern with its rings."""

    picture: ImageView
    circles: tuple[Circle, ...] = ()
    intensity: Scale = Scale.LOG
    outline: Outline | None = None
    compared: ImageView | None = None
    difference: ImageView | None = None
    kept: KeptPixels | None = None
    levels: tuple[float, float] | None = None


@dataclass(frozen=True)
class TileView:
    """The picture of one cluster in a coloured frame."""

    node_id: int
    key: Hashable
    image: Image | None = field(compare=False)
    colour: Rgb = (0, 0, 0)
    name: str = ""
    share: str = ""
    caption: str = ""
    emphasis: Emphasis = Emphasis.NORMAL


@dataclass(frozen=True)
class TilesView:
    """All clusters of a level side by side."""

    tiles: tuple[TileView, ...] = ()
    title: str = ""
    message: str = ""


@dataclass(frozen=True)
class TreeNodeView:
    """A node of the hierarchy at (x, y), both 0..1; ``share_marked`` of it lies in the marked region."""

    node_id: int
    x: float
    y: float
    parent_xy: tuple[float, float] | None
    colour: Rgb
    name: str
    caption: str
    emphasis: Emphasis = Emphasis.NORMAL
    share_marked: float | None = None
    parent_id: int | None = None
    number: str = ""
    title: str = ""
    share: str = ""


@dataclass(frozen=True)
class TreeView:
    """The hierarchy; `level_y` is where the cut of the shown level lies, 0..1."""

    nodes: tuple[TreeNodeView, ...] = ()
    level_y: float | None = None
    selected_id: int | None = None
    message: str = ""


@dataclass(frozen=True)
class RingsView:
    """Rotational mean of the STD pattern against radius, with the ring and the threshold in force.

    ``single`` is the rotational mean of the pattern under the cursor, relative to its largest value. ``effect`` says
    what another ring or threshold would do, ``hint`` why one was refused.
    """

    key: Hashable
    radial_std: NDArray[np.float32] | None = field(compare=False)
    inner_px: float | None = None
    outer_px: float | None = None
    threshold: float | None = None
    single: tuple[float, ...] = ()
    note: str = ""
    message: str = ""
    effect: str = ""
    hint: str = ""
    can_set: bool = False
    is_manual: bool = False
    shows_mask: bool = False
    largest_px: float = 0.0


@dataclass(frozen=True)
class ElbowView:
    """Inertia against K for one node, relative to its largest value; ``previews`` are small maps of other K."""

    key: Hashable
    k: tuple[int, ...] = field(compare=False, default=())
    inertia: tuple[float, ...] = field(compare=False, default=())
    chosen_k: int | None = None
    title: str = ""
    note: str = ""
    message: str = ""
    node_name: str = ""
    wanted_k: int | None = None
    previews: tuple[ImageView, ...] = ()
    can_set: bool = False
    is_locked: bool = False


@dataclass(frozen=True)
class StreamView:
    """Rate and lag of the last two minutes."""

    version: int
    age_s: tuple[float, ...] = field(compare=False, default=())
    receive_hz: tuple[float, ...] = field(compare=False, default=())
    lag_s: tuple[float, ...] = field(compare=False, default=())
    message: str = ""


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points (n, 3) float32 within about 1 of the origin.

    ``rows`` (n,) int32 give each its line in ``colours`` (rows, 3) uint8 and ``rank`` (rows,) float32; points of
    higher rank cover the others. ``scan_index`` (n,) is the flat position of each in the scan of ``scan_shape``.
    """

    points: NDArray[np.float32]
    rows: NDArray[np.int32]
    colours: NDArray[np.uint8]
    rank: NDArray[np.float32]
    scan_index: NDArray[np.int64]
    scan_shape: tuple[int, int]


@dataclass(frozen=True)
class ManifoldView:
    """Points in three dimensions; ``marker`` is the number of the one under the mouse or pinned."""

    key: Hashable
    cloud: PointCloud | None = field(compare=False, default=None)
    marker: int | None = None
    title: str = ""
    note: str = ""
    message: str = ""


@dataclass(frozen=True)
class HistogramCurve:
    """How often each value occurs in one cluster, relative to the commonest."""

    node_id: int
    name: str
    colour: Rgb
    heights: tuple[float, ...] = field(compare=False, default=())
    emphasis: Emphasis = Emphasis.NORMAL


@dataclass(frozen=True)
class LatticeView:
    """One quantity of the lattice: its map, and its histogram in every cluster of the shown level."""

    picture: ImageView
    quantity: LatticeQuantity = LatticeQuantity.CONSTANT
    axis: str = ""
    centres: tuple[float, ...] = field(compare=False, default=())
    curves: tuple[HistogramCurve, ...] = ()
    quantities: tuple[LatticeQuantity, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class MomentumView:
    """Clusters of detector pixels: their map in reciprocal space, and the real-space image of each."""

    label_map: ImageView
    tiles: TilesView

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return self.label_map.image is None


@dataclass(frozen=True)
class LogView:
    """What was reported, oldest first: (severity, text)."""

    lines: tuple[tuple[Severity, str], ...] = ()
    message: str = ""
