"""Scale bars of a length that people can read: 1, 2 or 5 times a power of ten."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ImageScale:
    """Size of one image pixel: `per_px` of `unit`; ("px", 1) where nothing is known."""

    per_px: float = 1.0
    unit: str = "px"


def nice_length(longest: float) -> float:
    """The largest of 1, 2, 5 x 10^n that is not above `longest`.

    Raises
    ------
    ValueError
        `longest` is not a positive number.
    """
    if not (math.isfinite(longest) and longest > 0):
        raise ValueError(f"A scale bar of at most {longest!r} has no length. Expected a positive number.")
    decade = 10.0 ** math.floor(math.log10(longest))
    for step in (5.0, 2.0):
        if step * decade <= longest * (1 + 1e-9):
            return step * decade
    return decade


def scale_bar(
    scale: ImageScale, screen_px_per_image_px: float, longest_screen_px: float
) -> tuple[float, str] | None:
    """Length on the screen in pixels and text of the bar; None where there is no room or no size yet."""
    if screen_px_per_image_px <= 0 or longest_screen_px <= 0 or scale.per_px <= 0:
        return None
    length = nice_length(longest_screen_px / screen_px_per_image_px * scale.per_px)
    if scale.unit == "px" and length < 1:
        return None
    return length / scale.per_px * screen_px_per_image_px, f"{length:g} {scale.unit}"
