"""The one selection: every change makes a new one."""

import numpy as np
import pytest

from gui.presenters.selection import Selection


def test_the_mouse_wins_over_the_pin_and_leaves_it_alone():
    selection = Selection().with_pin((1, 2)).with_hover((3, 4))
    assert selection.position_yx == (3, 4)
    assert selection.with_hover(None).position_yx == (1, 2)


def test_a_cluster_takes_the_place_of_a_single_pattern():
    selection = Selection((3, 4), (1, 2), None).with_node(7)
    assert (selection.position_yx, selection.node_id) == (None, 7)


def test_a_second_click_lets_go():
    assert Selection().toggled_node(7).toggled_node(7).node_id is None
    assert Selection().toggled_node(7).toggled_node(8).node_id == 8


def test_space_keeps_what_is_under_the_mouse_and_lets_it_go():
    kept = Selection(hover_yx=(3, 4)).toggled_pin()
    assert kept.pinned_yx == (3, 4)
    assert kept.toggled_pin().pinned_yx is None


@pytest.mark.parametrize(
    ("start", "step", "end"),
    [
        (None, (0, 1), (5, 11)),
        ((0, 0), (-1, -10), (0, 0)),
        ((9, 19), (10, 10), (9, 19)),
        ((4, 4), (1, 0), (5, 4)),
    ],
)
def test_arrows_stay_on_the_map(start, step, end):
    assert Selection(pinned_yx=start).moved(step, (10, 20)).pinned_yx == end


def test_clearing_leaves_the_level_and_the_mouse():
    cleared = Selection((1, 1), (2, 2), 3, 1).cleared()
    assert cleared == Selection((1, 1), None, None, 1)


def test_a_region_is_a_mask_with_the_rectangle_around_it():
    region = np.zeros((6, 9), bool)
    region[1:4, 2:7] = True
    marked = Selection().with_region(region)
    assert marked.region is region
    assert marked.roi == (1, 4, 2, 7)
    assert marked == Selection().with_region(region.copy())
    region = region.copy()
    region[1, 2] = False
    assert marked != Selection().with_region(region), "another mask with the same rectangle"
    assert marked.cleared() == marked.with_region(np.zeros((6, 9), bool)) == Selection()
