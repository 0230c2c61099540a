"""Colours of clusters: a hue for each family (level 1), a lightness for each child, the same at every update.

The palettes are frozen results of a search (dashboard.md, part 5.5) for the largest smallest CIEDE2000
difference over normal, protan, deutan and tritan sight. Colours follow from the order of node ids alone,
so a family keeps its colour as long as the number of families stays. Beyond six families or three
children colour alone fails for everyone: families then take flat colours from the palette of six, further
children equal steps of lightness, and the numbers printed on map, tree and frames tell them apart.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.model import ClusterNode

Rgb = tuple[int, int, int]

NOT_VISITED: Rgb = (0x20, 0x23, 0x29)
ROOT: Rgb = (0xB4, 0xB8, 0xBF)

PALETTES: dict[int, tuple[str, ...]] = {
    2: ("#665D00 #9F9200 #D9CC36", "#873087 #C167C0 #FEA0FC"),
    3: ("#615E00 #999500 #D2CE3C", "#006D5B #00A88F #00E8C7", "#7C3696 #B46DD0 #EDA8FF"),
    4: (
        "#A1243B #CF5160 #FF7B88",
        "#7C6F00 #A89800 #D4C227",
        "#00858B #00B3BA #00E2EB",
        "#5945AE #7E6EDB #A698FF",
    ),
    5: (
        "#6E8000 #A0B729 #D7F06C",
        "#007006 #46A546 #7FDD7C",
        "#008469 #00BF9B #31FBD2",
        "#5547AF #847CE9 #BBB9FF",
        "#B64F99 #F184D0 #FFD3FA",
    ),
    6: (
        "#A1281B #D35746 #FF8471",
        "#A18F00 #D0BC18 #FFEB5C",
        "#008C55 #00BB7C #52EBA8",
        "#006A6D #00999D #00CACF",
        "#6444AC #8D6FDC #B79EFF",
        "#AA3260 #DB5F8A #FF91B6",
    ),
}
"""Dark, middle and light shade of each family, by number of families."""

FAMILY_SHADES: dict[int, tuple[int, ...]] = {
    2: (2, 0),
    3: (1, 2, 0),
    4: (0, 2, 2, 0),
    5: (2, 0, 1, 1, 2),
    6: (0, 1, 0, 2, 0, 1),
}
"""Which of its shades each family itself has: those that differ most side by side. A colour of its own would differ
more, but a family without children stands among the children of others, from which its shades are known to differ."""

_TO_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                    [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip
_SHADE_STEP = 0.13
"""Step of OKLab lightness between the shades of a flat family colour."""


def children_of(tree: Sequence[ClusterNode]) -> dict[int, list[ClusterNode]]:
    """Children by parent id, in order of id; hidden nodes are left out, and the root is nobody's child."""
    children: dict[int, list[ClusterNode]] = {}
    for node in sorted(tree, key=lambda node: node.id):
        if node.level > 0 and node.parent != node.id and not node.hidden:
            children.setdefault(node.parent, []).append(node)
    return children


def node_colours(tree: Sequence[ClusterNode]) -> dict[int, Rgb]:
    """Colour of every node by id; a colour that the tree brings wins over the palette."""
    children = children_of(tree)
    colours: dict[int, Rgb] = {}
    for root in (node for node in tree if node.level == 0):
        colours[root.id] = ROOT
        families = children.get(root.id, [])
        shades_of = family_shades(len(families))
        for family, colour, shades in zip(families, family_colours(len(families)), shades_of, strict=True):
            _colour_branch(family, colour, shades, children, colours)
    colours.update({node.id: parse_colour(node.colour) for node in tree if node.colour})
    return colours


def family_shades(n_families: int) -> list[tuple[Rgb, Rgb, Rgb]]:
    """Dark, middle and light shade of each of `n_families` families."""
    if n_families <= max(PALETTES):
        table = PALETTES[max(n_families, min(PALETTES))]
        return [_three(family) for family in table[:n_families]]
    six = [_three(family) for family in PALETTES[6]]
    flat = [shades[which] for which in (1, 2, 0) for shades in six]
    return [_shades_around(flat[index % len(flat)]) for index in range(n_families)]


def family_colours(n_families: int) -> list[Rgb]:
    """The colour of each of `n_families` families itself: one of its shades."""
    shades = family_shades(n_families)
    chosen = FAMILY_SHADES.get(max(n_families, min(FAMILY_SHADES)), (1,) * n_families)
    return [three[which] for three, which in zip(shades, chosen, strict=False)]


def child_colours(shades: tuple[Rgb, Rgb, Rgb], n_children: int) -> list[Rgb]:
    """Colours of the children of a node with these shades, dark to light; a single one has the middle."""
    dark, middle, light = shades
    if n_children <= 3:
        return [[], [middle], [dark, light], [dark, middle, light]][n_children]
    return [_mix(dark, light, index / (n_children - 1)) for index in range(n_children)]


def parse_colour(text: str) -> Rgb:
    """``#RRGGBB`` as three bytes; the colour of the root where it is not one."""
    try:
        value = int(text.removeprefix("#"), 16)
    except ValueError:
        return ROOT
    return (value >> 16 & 255, value >> 8 & 255, value & 255)


def dimmed(colour: Rgb, share: float = 0.38) -> Rgb:
    """A colour that steps back: `share` of it on the neutral ground. The number beside it stays."""
    red, green, blue = (
        round(share * channel + (1 - share) * ground)
        for channel, ground in zip(colour, NOT_VISITED, strict=True)
    )
    return (red, green, blue)


def _colour_branch(
    node: ClusterNode,
    colour: Rgb,
    shades: tuple[Rgb, Rgb, Rgb],
    children: dict[int, list[ClusterNode]],
    colours: dict[int, Rgb],
) -> None:
    colours[node.id] = colour
    below = children.get(node.id, [])
    # An only child is all of its parent, and looks like it.
    of_children = [colour] if len(below) == 1 else child_colours(shades, len(below))
    for child, child_colour in zip(below, of_children, strict=True):
        # Below the second level a shade is split around itself, by half the step: it stays near its parent.
        _colour_branch(child, child_colour, _shades_around(child_colour, _SHADE_STEP / 2), children, colours)


def _three(family: str) -> tuple[Rgb, Rgb, Rgb]:
    dark, middle, light = (parse_colour(text) for text in family.split())
    return dark, middle, light


def _shades_around(colour: Rgb, step: float = _SHADE_STEP) -> tuple[Rgb, Rgb, Rgb]:
    lab = _oklab(colour)
    # The middle moves only where a neighbour would leave the range seen on the dark ground.
    middle = float(np.clip(lab[0], 0.47 + step, 0.95 - step))
    dark, light = (_rgb(np.array([middle + sign * step, lab[1], lab[2]])) for sign in (-1, 1))
    return dark, colour, light


def _mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    return _rgb((1 - share) * _oklab(first) + share * _oklab(second))


def _oklab(colour: Rgb) -> NDArray[np.float64]:
    """OKLab of an sRGB colour (B. Ottosson, 2020)."""
    encoded = np.array(colour) / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return _TO_LAB @ np.cbrt(_TO_LMS @ linear)


def _rgb(lab: NDArray[np.float64]) -> Rgb:
    linear = np.clip(np.linalg.solve(_TO_LMS, np.linalg.solve(_TO_LAB, lab) ** 3), 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (round(255 * channel) for channel in encoded)
    return (red, green, blue)
