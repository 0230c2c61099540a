"""Rectangle, lasso, comparison, k-space: each asserts the model and a probed pixel."""

import numpy as np
from pyqtgraph.Qt import QtCore, QtTest

from streamer.look.palette import dimmed
from tests.widgets.mouse import CTRL, LEFT, NONE, SHIFT, drag
from tests.widgets.test_window import click, colours_of, rgb_at

Qt = QtCore.Qt


def point(canvas, y, x):
    return canvas.screen_position(y, x).toPoint()


def test_shift_and_drag_marks_a_rectangle(open_window, source):
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_T)
    canvas = window.panes.cluster_map.canvas
    drag(
        canvas.viewport(), [point(canvas, 9.5, 19.5), point(canvas, 15, 30), point(canvas, 29.5, 39.5)], SHIFT
    )
    assert window.selection.roi == (10, 30, 20, 40)
    labels, colours = source.snapshot.values("label_maps")[1], colours_of(source)
    assert rgb_at(canvas, 20, 24) == colours[labels[20, 24]]
    assert rgb_at(canvas, 40, 10) == dimmed(colours[labels[40, 10]])
    assert "400 positions marked" in window.status_line.words[0]


def test_ctrl_and_drag_marks_a_free_line(open_window, source):
    window = open_window(source)
    canvas = window.panes.cluster_map.canvas
    corners = [(5, 5), (5, 45), (40, 5)]
    drag(canvas.viewport(), [point(canvas, *corner) for corner in corners], CTRL)
    region = window.selection.region
    assert region[8, 10]
    assert not region[38, 40]
    assert abs(int(region.sum()) - 35 * 40 / 2) < 45
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.selection.region is None


def test_a_plain_drag_moves_the_map_and_marks_nothing(open_window, source):
    window = open_window(source)
    canvas = window.panes.cluster_map.canvas
    drag(canvas.viewport(), [point(canvas, 10, 20), point(canvas, 15, 30), point(canvas, 20, 40)])
    assert window.selection.is_empty


def test_ctrl_click_compares_a_position_and_again_lets_it_go(open_window, source):
    window = open_window(source)
    canvas, pattern = window.panes.cluster_map.canvas, window.panes.pattern
    assert not pattern.compared.isVisible()
    click(canvas, 9, 13, CTRL)
    assert window.selection.compared_yx == (9, 13)
    assert pattern.compared.isVisible()
    assert pattern.difference.shown_image.shape == source.scan.detector_shape
    centre = rgb_at(pattern.compared, 62, 63)
    assert min(centre) > 150, "the direct beam is bright"
    click(canvas, 9, 13, CTRL)
    assert not pattern.compared.isVisible()


def test_ctrl_click_on_a_tile_or_a_node_compares_clusters(open_window, source):
    window = open_window(source)
    tiles, tree = window.panes.tiles, window.panes.tree
    QtTest.QTest.mouseClick(tiles.sheet, LEFT, NONE, tiles.tile_centre(6))
    QtTest.QTest.mouseClick(tree, LEFT, CTRL, tree.node_position(4))
    assert (window.selection.node_id, window.selection.compared_id) == (6, 4)
    assert window.panes.pattern.difference.shown_image is not None
    QtTest.QTest.mouseClick(tiles.sheet, LEFT, CTRL, tiles.tile_centre(4))
    assert window.selection.compared_id is None


def test_a_click_on_a_k_space_cluster_puts_its_image_on_the_map(open_window, source):
    window = open_window(source)
    window.panes.show_tab("momentum")
    window.tick()
    canvas = window.panes.momentum.canvas
    labels = source.snapshot.values("momentum_labels")[0]
    y, x = np.argwhere(labels == 1)[len(np.argwhere(labels == 1)) // 2]
    click(canvas, int(y), int(x))
    assert window.selection.momentum_id == 1
    assert window.panes.cluster_map.title == "Image of k-space cluster 1"
    assert window.panes.cluster_map.canvas.shown_image.ndim == 2
    QtTest.QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.panes.cluster_map.title == "Cluster map"


def test_a_selected_cluster_has_a_thin_white_border_on_the_map(open_window, source):
    window = open_window(source)
    QtTest.QTest.keyClick(window, Qt.Key.Key_T)
    window.select(window.selection.with_node(8))
    canvas = window.panes.cluster_map.canvas
    labels = source.snapshot.values("label_maps")[1]
    inside = labels == 8
    y, x = next((y, x) for y, x in np.argwhere(inside[:-12, :-1] & ~inside[:-12, 1:]) if x > 2)
    edge = canvas.screen_position(float(y), float(x) + 0.5)
    picture = canvas.grab().toImage()
    near = [picture.pixelColor(round(edge.x()) + step, round(edge.y())) for step in (-1, 0, 1)]
    assert max(colour.lightness() for colour in near) == 255
    assert rgb_at(canvas, int(y), int(x)) == colours_of(source)[8]


def test_o_and_b_switch_outlines_and_bright_field(open_window, source):
    window = open_window(source)
    before = window.panes.cluster_map.canvas.shown_image
    QtTest.QTest.keyClick(window, Qt.Key.Key_O)
    QtTest.QTest.keyClick(window, Qt.Key.Key_B)
    assert window.options.show_outlines
    assert window.options.blends_bright_field
    assert (window.panes.cluster_map.canvas.shown_image != before).any()
