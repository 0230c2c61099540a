"""Colours of clusters: stable, distinct, and sensible where the frozen palettes end."""

from itertools import combinations, pairwise

import pytest

from streamer.look.palette import (
    NOT_VISITED,
    PALETTES,
    child_colours,
    dimmed,
    family_colours,
    family_shades,
    node_colours,
    parse_colour,
)
from streamer.model import ClusterNode


def tree(families: dict[int, int]) -> list[ClusterNode]:
    """A hierarchy of two levels; ids in order of appearance."""
    nodes = [ClusterNode(0, -1, 0, "all", 0)]
    nodes += [ClusterNode(index, 0, 1, str(index), 0) for index in families]
    for family, n_children in families.items():
        nodes += [
            ClusterNode(len(nodes) + child, family, 2, f"{family}.{child + 1}", 0)
            for child in range(n_children)
        ]
    return nodes


def apart(first, second) -> int:
    """Largest difference of a channel."""
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def test_the_frozen_table():
    assert set(PALETTES) == {2, 3, 4, 5, 6}
    assert family_shades(3)[1] == (parse_colour("#006D5B"), parse_colour("#00A88F"), parse_colour("#00E8C7"))


@pytest.mark.parametrize("n_families", [1, 2, 3, 4, 5, 6, 9, 18])
def test_all_leaves_of_a_level_are_distinct(n_families):
    nodes = tree(dict.fromkeys(range(1, n_families + 1), 3 if n_families <= 6 else 1))
    colours = node_colours(nodes)
    for level in (1, 2):
        shown = [colours[node.id] for node in nodes if node.level == level]
        assert min((apart(*pair) for pair in combinations(shown, 2)), default=99) > 8
        assert all(apart(colour, NOT_VISITED) > 40 for colour in shown), "never the neutral ground"


def test_colours_follow_from_ids_not_from_order():
    nodes = tree({1: 3, 2: 2, 3: 2})
    assert node_colours(nodes) == node_colours(list(reversed(nodes)))


def test_a_new_child_leaves_every_other_family_alone():
    before, after = node_colours(tree({1: 2, 2: 2})), node_colours(tree({1: 2, 2: 3}))
    assert all(after[node_id] == before[node_id] for node_id in (1, 2, 3, 4))


def test_families_have_one_of_their_shades_and_children_run_from_dark_to_light():
    colours = node_colours(tree({1: 3, 2: 1, 3: 2}))
    dark, middle, light = family_shades(3)[0]
    assert [colours[node_id] for node_id in (1, 4, 5, 6)] == [middle, dark, middle, light]
    assert [colours[node_id] for node_id in (1, 2, 3)] == family_colours(3)
    assert all(colour in shades for colour, shades in zip(family_colours(3), family_shades(3), strict=True))
    assert colours[7] == colours[2], "an only child keeps the colour of its family"


@pytest.mark.parametrize("n_children", [4, 5, 8])
def test_many_children_are_steps_between_dark_and_light(n_children):
    shades = family_shades(4)[0]
    steps = child_colours(shades, n_children)
    assert (steps[0], steps[-1]) == (shades[0], shades[2])
    assert len(set(steps)) == n_children
    assert all(sum(darker) < sum(lighter) for darker, lighter in pairwise(steps))


def test_a_third_level_stays_near_its_parent():
    nodes = [*tree({1: 2, 2: 2}), ClusterNode(20, 3, 3, "1.1.1", 0), ClusterNode(21, 3, 3, "1.1.2", 0)]
    colours = node_colours(nodes)
    assert colours[20] != colours[21]
    assert max(apart(colours[20], colours[3]), apart(colours[21], colours[3])) < 80


def test_a_colour_that_the_tree_brings_wins():
    nodes = [*tree({1: 1, 2: 1}), ClusterNode(9, 1, 2, "1.2", 0, colour="#123456")]
    assert node_colours(nodes)[9] == (0x12, 0x34, 0x56)


def test_stepping_back_keeps_the_order_of_brightness():
    dark, _, light = family_shades(2)[0]
    assert sum(dimmed(dark)) < sum(dimmed(light)) < sum(light)
