"""Manifold, lattice, alignment and virtual images of a result, without Qt."""

from dataclasses import replace

import numpy as np
import pytest

from gui.presenters import texts
from gui.presenters.clusters import node_at
from gui.presenters.lattice_pane import lattice_constant
from gui.presenters.pane_data import pane_arrays
from gui.presenters.selection import LatticeQuantity, Selection, ViewOptions
from gui.presenters.views import Emphasis
from streamer.look.palette import dimmed
from streamer.wire.control import NamedArray
from tests.unit.gui.test_ui_state import SIZES, shown, snapshot_of
from tests.widgets.fake_scan import phases


@pytest.fixture(scope="module")
def parts():
    return phases(**SIZES)


def colours_of_points(state):
    cloud = state.manifold.cloud
    return [tuple(cloud.colours[row]) for row in cloud.rows]


def test_points_have_the_colours_of_the_map(parts):
    state = shown(snapshot_of(parts, "done"))
    labels, cloud = state.clusters.label_map, state.manifold.cloud
    assert cloud.points.shape == (20 * 28, 3)
    assert np.linalg.norm(cloud.points, axis=1).max() < 1.5
    expected = [state.clusters.colours[labels.flat[index]] for index in cloud.scan_index]
    assert colours_of_points(state) == expected
    assert state.manifold.note == "principal components · 560 points"


def test_points_of_other_clusters_step_back_and_lie_behind(parts):
    state = shown(snapshot_of(parts, "done"), Selection(node_id=8))
    cloud, labels = state.manifold.cloud, state.clusters.label_map
    is_lit = np.array([labels.flat[index] == 8 for index in cloud.scan_index])
    assert cloud.rank[cloud.rows[is_lit]].min() > cloud.rank[cloud.rows[~is_lit]].max()
    other = int(np.flatnonzero(~is_lit)[0])
    colour = state.clusters.colours[labels.flat[cloud.scan_index[other]]]
    assert colours_of_points(state)[other] == dimmed(colour)


def test_points_outside_a_marked_region_step_back(parts):
    region = np.zeros((20, 28), bool)
    region[3:9, 4:12] = True
    state = shown(snapshot_of(parts, "done"), Selection().with_region(region))
    cloud = state.manifold.cloud
    inside = region.ravel()[cloud.scan_index]
    assert cloud.rank[cloud.rows[inside]].min() > cloud.rank[cloud.rows[~inside]].max()


def test_the_point_under_the_mouse_is_marked(parts):
    state = shown(snapshot_of(parts, "done"), Selection(hover_yx=(4, 6)))
    assert state.manifold.cloud.scan_index[state.manifold.marker] == 4 * 28 + 6
    assert node_at(state.clusters.label_map, (4, 6)) == state.clusters.hovered.id


def test_a_result_without_manifold_says_how_to_get_one(parts):
    assert shown(snapshot_of(parts, "scanning")).manifold.message == texts.MANIFOLD_EMPTY


def test_a_manifold_whose_two_arrays_have_not_both_come_is_waited_for(parts):
    snapshot = snapshot_of(parts, "done")
    arrays = {name: entry for name, entry in snapshot.arrays.items() if name != "manifold_index"}
    assert shown(snapshot_of(parts, "done", arrays=arrays)).manifold.cloud is None


@pytest.mark.parametrize("quantity", list(LatticeQuantity))
def test_every_lattice_quantity_has_words_a_map_and_a_histogram_of_each_cluster(parts, quantity):
    assert all(texts.LATTICE_QUANTITIES[quantity])
    view = shown(snapshot_of(parts, "done"), options=ViewOptions(lattice=quantity)).lattice
    assert view.quantity is quantity
    assert view.picture.image.shape == (20, 28)
    assert view.picture.image.min() == 0, "where nothing was measured"
    assert {curve.name for curve in view.curves} == {"1.2", "1.3", "2.1", "2.2", "3.1", "3.2"}
    assert all(max(curve.heights) == 1.0 for curve in view.curves)
    assert view.axis.startswith(texts.LATTICE_QUANTITIES[quantity][1])


def test_the_histogram_of_a_cluster_is_that_of_its_positions(parts):
    state = shown(snapshot_of(parts, "done"))
    values = snapshot_of(parts, "done").values("lattice_constant_nm")
    curve = state.lattice.curves[-1]
    middle = np.nanmedian(values[state.clusters.label_map == curve.node_id])
    assert abs(state.lattice.centres[int(np.argmax(curve.heights))] - middle) < 0.001


def test_a_calibration_entered_later_rescales_the_constants_and_says_so(parts):
    snapshot = snapshot_of(parts, "done")
    before, values = shown(snapshot).lattice, lattice_constant(snapshot)
    assert before.note == ""
    later = replace(snapshot, status=replace(snapshot.status, q_per_px_inv_nm=0.84))
    after = shown(later).lattice
    assert np.allclose(lattice_constant(later), values / 2, equal_nan=True)
    assert np.allclose(
        pane_arrays("lattice", later, Selection())["lattice_constant_nm"], values / 2, equal_nan=True
    )
    assert after.centres == pytest.approx([centre / 2 for centre in before.centres])
    assert [float(end) for end in after.picture.ends] == pytest.approx(
        [float(e) / 2 for e in before.picture.ends], rel=1e-3
    )
    assert after.note == "Rescaled: 1 px was 0.042, now 0.084 Å⁻¹. The file changes with the next analysis."
    rotated = shown(later, options=ViewOptions(lattice=LatticeQuantity.ROTATION)).lattice
    assert rotated.note == "", "angles have no scale"


def test_a_result_without_a_scale_gets_constants_from_the_first_calibration(parts):
    snapshot = snapshot_of(parts, "done")
    constant = snapshot.arrays["lattice_constant_nm"]
    unknown = np.full_like(constant.values, np.nan)
    arrays = {
        **snapshot.arrays,
        "lattice_constant_nm": NamedArray(constant.name, unknown, 1, {"q_per_px_inv_nm": None}),
    }
    bare = replace(snapshot, arrays=arrays, status=replace(snapshot.status, q_per_px_inv_nm=None))
    assert shown(bare).lattice.axis == "Lattice constant (px)"
    known = replace(bare, status=snapshot.status)
    view, spacing = shown(known).lattice, snapshot.values("lattice_spacing_px")
    assert view.axis == "Lattice constant (nm)"
    assert "was none, now 0.042" in view.note
    assert np.allclose(lattice_constant(known), 1 / (0.42 * spacing), equal_nan=True)


def test_strain_is_spread_evenly_about_zero(parts):
    view = shown(snapshot_of(parts, "done"), options=ViewOptions(lattice=LatticeQuantity.STRAIN_YY)).lattice
    assert float(view.picture.ends[0]) == -float(view.picture.ends[1])
    assert view.axis == "Strain yy (%)"


def test_a_selected_cluster_stands_out_in_the_histogram(parts):
    view = shown(snapshot_of(parts, "done"), Selection(node_id=8)).lattice
    assert {curve.name for curve in view.curves if curve.emphasis is Emphasis.SELECTED} == {"2.2"}


def test_without_a_lattice_the_tab_says_so(parts):
    assert shown(snapshot_of(parts, "scanning")).lattice.picture.message == texts.LATTICE_EMPTY


def test_alignment_shows_beam_y_beam_x_and_residual(parts):
    views = shown(snapshot_of(parts, "done")).alignment
    assert [view.title for view in views] == ["Beam y (px)", "Beam x (px)", "Residual (px)"]
    assert len(shown(snapshot_of(parts, "scanning")).alignment) == 2
    assert shown(snapshot_of(parts, "waiting")).alignment[0].message == texts.ALIGNMENT_EMPTY


def test_further_virtual_detectors_stand_beside_bright_and_dark_field(parts):
    views = shown(snapshot_of(parts, "done")).virtual_images
    assert [view.title for view in views] == [
        texts.BRIGHT_FIELD,
        texts.DARK_FIELD,
        "first spot",
        "second spot",
    ]
    assert all(view.image is not None for view in views)
