"""From arrays to what is painted: levels, label maps, places of numbers, tree layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.presenters.image_panes import paint_labels
from gui.presenters.levels import Scale, image_bytes, percentile_levels, to_bytes
from gui.presenters.map_labels import place_labels
from gui.presenters.outlines import border_edges
from gui.presenters.tree_layout import branch_of, layout, path_to_root
from streamer.look.palette import NOT_VISITED, dimmed
from streamer.model import ClusterNode


def test_levels_are_percentiles_of_what_is_finite():
    values = np.full((50, 50), np.nan, dtype=np.float32)
    values[:20] = np.linspace(0, 1000, 1000, dtype=np.float32).reshape(20, 50)
    lower, upper = percentile_levels(values, 1, 99)
    assert lower == pytest.approx(10, abs=3)
    assert upper == pytest.approx(990, abs=3)


@pytest.mark.parametrize(
    "values", [np.full((4, 5), np.nan), np.zeros((0, 3)), np.full((4, 5), 7.0), np.zeros((2, 2))]
)
def test_levels_are_always_apart(values):
    lower, upper = percentile_levels(values)
    assert lower < upper


def test_no_value_is_byte_0_and_darkest_is_byte_1():
    values = np.array([[np.nan, 0.0], [1.0, 5.0]], dtype=np.float32)
    assert to_bytes(values, 0.0, 1.0).tolist() == [[0, 1], [255, 255]]


@pytest.mark.parametrize("scale", list(Scale))
def test_every_scale_keeps_the_order_of_intensity(scale):
    values = np.linspace(-5, 1000, 300, dtype=np.float32).reshape(15, 20)
    painted = image_bytes(values, scale)
    assert painted.shape == (15, 20)
    assert (np.diff(painted.ravel().astype(int)) >= 0).all()
    assert painted.max() == 255


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("value", [0.0, -3.0, np.nan, 1e-30])
def test_flat_and_empty_images_are_painted_without_a_warning(scale, value):
    assert image_bytes(np.full((4, 6), value, dtype=np.float32), scale).shape == (4, 6)


def test_log_shows_weak_spots_that_linear_hides():
    values = np.zeros((20, 20), dtype=np.float32)
    values[:2], values[10] = 1000.0, 20.0
    assert image_bytes(values, Scale.LOG)[10, 0] > 4 * image_bytes(values, Scale.LINEAR)[10, 0]


def test_a_label_map_is_painted_by_node_and_unvisited_or_unknown_is_neutral():
    labels = np.array([[3, 3, -1], [8, 99, -1]], dtype=np.int32)
    rgba = paint_labels(labels, {3: (10, 20, 30), 8: (200, 100, 50)}, None)
    neutral = [*NOT_VISITED, 255]
    assert rgba.tolist() == [[[10, 20, 30, 255]] * 2 + [neutral], [[200, 100, 50, 255], neutral, neutral]]


def test_what_is_not_selected_or_not_marked_steps_back():
    labels = np.zeros((9, 11), dtype=np.int32)
    labels[2:8, 3:10] = 1
    colours = {0: (200, 0, 0), 1: (0, 200, 0)}
    rgba = paint_labels(labels, colours, frozenset({1}))
    assert tuple(rgba[0, 0, :3]) == dimmed((200, 0, 0))
    assert tuple(rgba[2, 5, :3]) == (0, 200, 0)
    region = np.zeros(labels.shape, bool)
    region[:4, :5] = True
    rgba = paint_labels(labels, colours, region=region)
    assert tuple(rgba[3, 4, :3]) == (0, 200, 0)
    assert tuple(rgba[4, 4, :3]) == dimmed((0, 200, 0))


def test_a_blended_map_takes_its_brightness_from_the_image():
    labels = np.zeros((4, 6), dtype=np.int32)
    blend = np.arange(24, dtype=np.float32).reshape(4, 6)
    rgba = paint_labels(labels, {0: (200, 100, 50)}, blend=blend)
    assert rgba[3, 5, 0] == 200
    assert 60 < rgba[0, 0, 0] < 80
    assert (np.diff(rgba[..., 0].ravel().astype(int)) >= 0).all()


def test_borders_are_joined_lines_between_pixels_that_differ():
    regions = np.zeros((5, 7), dtype=np.int32)
    regions[1:3, 2:6] = 1
    assert sorted(border_edges(regions).tolist()) == [[2, 1, 2, 3], [2, 1, 6, 1], [2, 3, 6, 3], [6, 1, 6, 3]]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_borders_are_as_long_as_the_number_of_differing_neighbours(height, width, seed):
    regions = np.random.default_rng(seed).integers(0, 3, (height, width))
    edges = border_edges(regions)
    length = np.abs(edges[:, 2:] - edges[:, :2]).sum()
    differing = (regions[1:] != regions[:-1]).sum() + (regions[:, 1:] != regions[:, :-1]).sum()
    assert length == differing


def test_numbers_stand_well_inside_their_cluster():
    labels = np.zeros((40, 60), dtype=np.int32)
    labels[10:30, 35:55] = 7
    labels[0, 0] = -1
    places = place_labels(labels)
    assert set(places) == {0, 7}
    y, x = places[7]
    assert abs(y - 20) < 4
    assert abs(x - 45) < 4
    assert labels[int(places[0][0]), int(places[0][1])] == 0


def test_a_number_stays_while_its_cluster_grows_a_little():
    labels = np.full((40, 60), -1, dtype=np.int32)
    labels[:12] = 2
    first = place_labels(labels)
    labels[12:15] = 2
    assert place_labels(labels, first) == first
    labels[:] = 2
    assert place_labels(labels, first) != first, "but not for ever"


def test_a_cluster_of_a_few_positions_has_no_number():
    labels = np.zeros((100, 100), dtype=np.int32)
    labels[50, 50] = 4
    assert set(place_labels(labels)) == {0}


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 2), (500, 3)])
def test_places_lie_on_the_map_whatever_its_shape(shape):
    for y, x in place_labels(np.zeros(shape, dtype=np.int32)).values():
        assert 0 <= y < shape[0]
        assert 0 <= x < shape[1]


TREE = (
    ClusterNode(0, -1, 0, "all", 10),
    ClusterNode(2, 0, 1, "2", 4),
    ClusterNode(1, 0, 1, "1", 6),
    ClusterNode(3, 1, 2, "1.1", 3),
    ClusterNode(4, 1, 2, "1.2", 3),
)


def test_leaves_stand_evenly_and_parents_above_their_children():
    places = {placed.node.id: placed for placed in layout(TREE)}
    assert [places[node_id].x for node_id in (3, 4, 2)] == pytest.approx([1 / 6, 3 / 6, 5 / 6])
    assert places[1].x == pytest.approx(2 / 6)
    assert [places[node_id].y for node_id in (0, 1, 3)] == [0, 0.5, 1]
    assert places[0].parent_xy is None
    assert places[3].parent_xy == (places[1].x, places[1].y)


def test_no_tree_and_a_lonely_root_are_laid_out():
    assert layout(()) == ()
    assert [placed.node.id for placed in layout(TREE[:1])] == [0]


def test_paths_and_branches():
    assert path_to_root(TREE, 4) == (4, 1, 0)
    assert path_to_root(TREE, 99) == ()
    assert branch_of(TREE, 1) == {1, 3, 4}


def test_a_tree_that_bites_its_tail_ends():
    loop = (ClusterNode(0, 1, 0, "all", 1), ClusterNode(1, 0, 1, "1", 1))
    assert path_to_root(loop, 1) == (1, 0)
    assert len(layout(loop)) == 2
