"""The frozen palettes keep their smallest difference, for every sight; the numbers are those of the search."""

from itertools import combinations

import pytest

from streamer.look.colour_difference import SIGHTS, as_seen, ciede2000, contrast, lab
from streamer.look.palette import NOT_VISITED, dimmed, family_colours, family_shades

LEAVES = {2: 15.9, 3: 15.9, 4: 11.5, 5: 7.7, 6: 6.1}
"""Smallest CIEDE2000 between leaves, three children in each family, by number of families."""
FAMILIES = {2: 42.0, 3: 28.0, 4: 32.0, 5: 20.0, 6: 12.5}
"""The same between families alone (level 1). Palettes for families alone reach 43, 40, 26 and 22 for 3 to 6
(dashboard.md, 5.5); these keep the hue of their children, so that nobody has to learn two."""


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_difference_is_that_of_the_published_pairs(first, second, expected):
    assert ciede2000(first, second) == pytest.approx(expected, abs=1e-4)


def smallest(colours, sight):
    seen = [lab(as_seen(colour, sight)) for colour in colours]
    return min(ciede2000(*pair) for pair in combinations(seen, 2))


@pytest.mark.parametrize("sight", list(SIGHTS))
@pytest.mark.parametrize("n_families", list(LEAVES))
def test_leaves_are_told_apart(n_families, sight):
    leaves = [shade for family in family_shades(n_families) for shade in family]
    assert smallest(leaves, sight) >= LEAVES[n_families]


@pytest.mark.parametrize("sight", list(SIGHTS))
@pytest.mark.parametrize("n_families", list(FAMILIES))
def test_families_are_told_apart(n_families, sight):
    assert smallest(family_colours(n_families), sight) >= FAMILIES[n_families]


@pytest.mark.parametrize("n_families", list(LEAVES))
def test_no_leaf_is_lost_on_the_dark_ground(n_families):
    leaves = [shade for family in family_shades(n_families) for shade in family]
    assert min(contrast(leaf, (0x15, 0x17, 0x1B)) for leaf in leaves) >= 2.39
    assert (
        min(ciede2000(lab(as_seen(leaf, "normal")), lab(as_seen(NOT_VISITED, "normal"))) for leaf in leaves)
        > 20
    )


@pytest.mark.parametrize("sight", list(SIGHTS))
def test_what_steps_back_is_darker_than_what_does_not(sight):
    for family in family_shades(3):
        for shade in family:
            full, back = (lab(as_seen(colour, sight))[0] for colour in (shade, dimmed(shade)))
            assert full - back > 13
