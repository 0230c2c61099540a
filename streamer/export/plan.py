"""What is to be exported, and how figures look: the one description that the command and the window share.

Needs pydantic alone, so that the window can fill one in without loading what draws.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.errors import SettingsError

COLUMN_WIDTHS_MM = {"single": 85.0, "1.5": 120.0, "double": 180.0}
"""Widths of figures in journals of one and two columns, and between."""
BARS = ("white", "black", "none")


class Panel(StrEnum):
    """A part of a figure."""

    MAP = "map"
    BRIGHT_FIELD = "bright-field"
    DARK_FIELD = "dark-field"
    MOMENTUM = "momentum"
    ELBOW = "elbow"
    RING = "ring"
    TREE = "tree"
    LATTICE_CONSTANT = "lattice-constant"
    LATTICE_ROTATION = "lattice-rotation"
    MANIFOLD = "manifold"
    PATTERNS = "patterns"


class Kind(StrEnum):
    """A kind of file, or of files that belong together."""

    SVG = "svg"
    PDF = "pdf"
    PNG = "png"
    TIFF = "tiff"
    HTML = "html"
    CSV = "csv"
    IMAGES = "images"
    TREE = "tree"
    METHODS = "methods"
    SCRIPT = "script"
    EMD = "emd"
    HSPY = "hspy"
    APERTURES = "apertures"
    GIF = "gif"
    MP4 = "mp4"


FIGURES = (Kind.SVG, Kind.PDF, Kind.PNG, Kind.TIFF)


class _Plan(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FigurePlan(_Plan):
    """How a figure looks.

    Attributes
    ----------
    panels
        In the order in which they are set; empty: everything that the result has.
    width_mm
        Of the figure; `COLUMN_WIDTHS_MM` are those of journals.
    dpi
        Of PNG and TIFF, and of what is drawn as pixels in SVG and PDF.
    font_pt
        Size of words and numbers.
    level
        Of the cluster map, 1 the first; None: the last.
    scale_bar
        Its colour; "none": no scale bar.
    letters, numbers
        A letter for each panel; the clusters' numbers on the map.
    hatches
        Grey with hatches instead of colours, for printing in black and white.
    """

    panels: tuple[Panel, ...] = ()
    width_mm: Annotated[float, Field(ge=60.0, le=500.0)] = COLUMN_WIDTHS_MM["double"]
    dpi: Annotated[int, Field(ge=50, le=1200)] = 300
    font_pt: Annotated[float, Field(ge=5.0, le=14.0)] = 7.0
    level: Annotated[int, Field(ge=1)] | None = None
    scale_bar: str = "white"
    letters: bool = True
    numbers: bool = True
    hatches: bool = False


class MoviePlan(_Plan):
    """How the time-lapse runs: `n_frames` pictures over the scan, `fps` a second."""

    n_frames: Annotated[int, Field(ge=2, le=300)] = 120
    fps: Annotated[int, Field(ge=1, le=50)] = 10


class ExportPlan(_Plan):
    """Which files, and how they look."""

    kinds: tuple[Kind, ...] = ()
    figure: FigurePlan = FigurePlan()
    movie: MoviePlan = MoviePlan()


def export_plan(values: dict[str, Any]) -> ExportPlan:
    """A plan from plain values.

    Raises
    ------
    SettingsError
        A value is not possible; the first of them is named.
    """
    try:
        return ExportPlan.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{name} = {first['input']!r} is not possible: {first['msg']}.") from None
