"""What a plan asks for is what the files hold: live text, scale bars, hatches, numbers, trees, scripts."""

import json
import re
import subprocess
import sys

import newick
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from matplotlib.image import imread
from pypdf import PdfReader

from streamer import analyze, open_result, open_scan
from streamer.analysis.applied import model_of
from streamer.cli.export import command
from streamer.errors import RecordingError, SettingsError
from streamer.export import figures
from streamer.export import trees as trees_module
from streamer.export.export import export
from streamer.export.plan import ExportPlan, FigurePlan, Kind, Panel, export_plan
from streamer.export.style import look_of, save_figure
from streamer.model import ClusterNode

WORDS = {"number of clusters K", "lattice constant (nm)", "20 nm", "2 nm⁻¹", "2.1", "a", "i"}


def figure_file(result, folder, kind=Kind.PNG, **look):
    (path,) = export(result, ExportPlan(kinds=(kind,), figure=FigurePlan(**look)), folder, "f")
    return path


def test_svg_and_pdf_hold_text_that_can_be_searched(written_result, tmp_path):
    svg = figure_file(written_result, tmp_path, Kind.SVG).read_text()
    assert set(re.findall(r"<text[^>]*>([^<]+)</text>", svg)) >= WORDS
    page = PdfReader(figure_file(written_result, tmp_path, Kind.PDF)).pages[0]
    for word in WORDS:
        assert word in page.extract_text(), word
    assert float(page.mediabox.width) * 25.4 / 72 == pytest.approx(180, abs=0.5)


@pytest.mark.parametrize(("width", "dpi"), [("single", 600), ("1.5", 300), ("double", 300)])
def test_a_figure_is_as_wide_as_a_column(written_result, tmp_path, width, dpi):
    arguments = [str(written_result.path), "--to", "png", "--to", "tiff", "--panels", "map", "--width", width]
    done = CliRunner().invoke(
        command, [*arguments, "--dpi", str(dpi), "--out", str(tmp_path)], standalone_mode=False
    )
    assert done.exception is None
    png, tiff = (imread(path) for path in done.stdout.split())
    expected = {"single": 85, "1.5": 120, "double": 180}[width] / 25.4 * dpi
    assert png.shape[1] == pytest.approx(expected, abs=1)
    assert tiff.shape[1] == png.shape[1]


def test_a_scale_bar_in_a_png_is_as_long_as_it_says(written_result, tmp_path):
    path = figure_file(
        written_result, tmp_path, panels=(Panel.MAP,), scale_bar="#FF00FF", letters=False, numbers=False
    )
    pixels = np.round(imread(path)[..., :3] * 255).astype(int)
    bar = (pixels == (255, 0, 255)).all(axis=2).sum(axis=1).max()
    # The map reaches to the frame: its width in pixels is that of everything that is not white paper.
    drawn = np.flatnonzero((pixels < 250).any(axis=2).any(axis=0))
    map_px = drawn[-1] - drawn[0]
    assert bar / map_px == pytest.approx(20 / (36 * 3), abs=2 / map_px)  # 20 nm of 36 positions of 3 nm


def test_without_scale_bars_numbers_and_letters_there_are_none(written_result, tmp_path):
    svg = figure_file(written_result, tmp_path, Kind.SVG, panels=(Panel.MAP,), scale_bar="none",
                      letters=False, numbers=False).read_text()  # fmt: skip
    assert re.findall(r"<text[^>]*>([^<]+)</text>", svg) == []
    assert "scale-bar" not in svg


def test_on_hatches_every_cluster_of_the_map_differs_without_colour(written_result):
    look = look_of(written_result, FigurePlan(hatches=True))
    shown = [label for label in np.unique(written_result.label_maps[-1]) if label >= 0]
    textures = {(look.colours[label], look.hatches[label]) for label in shown}
    assert len(textures) == len(shown) > 3
    assert all(red == green == blue for red, green, blue in look.colours.values())


def test_a_hatched_map_is_grey_and_textured(written_result, tmp_path):
    path = figure_file(written_result, tmp_path, panels=(Panel.MAP,), hatches=True, numbers=False, dpi=150)
    pixels = imread(path)[..., :3]
    assert np.ptp(pixels, axis=2).max() < 0.02
    assert (pixels[..., 0] < 0.3).mean() > 0.01


def test_panels_come_in_the_order_that_is_asked_for(written_result, tmp_path):
    svg = figure_file(written_result, tmp_path, Kind.SVG, panels=(Panel.RING, Panel.ELBOW)).read_text()
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    assert texts.index("radius (px)") < texts.index("number of clusters K")


@pytest.mark.parametrize("width_mm", [85.0, 120.0])
def test_no_two_panels_share_a_place(written_result, width_mm):
    figure = figures.overview(written_result, FigurePlan(width_mm=width_mm))
    save_figure(figure, "/dev/null", "png", 50)
    boxes = [axes.get_position() for axes in figure.axes]
    assert len(boxes) >= 8 + 2
    for number, box in enumerate(boxes):
        assert box.x0 > -0.01
        assert box.x1 < 1.01
        for other in boxes[number + 1 :]:
            overlap_x = min(box.x1, other.x1) - max(box.x0, other.x0)
            overlap_y = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert overlap_x < 0.001 or overlap_y < 0.001


def test_tiffs_of_numbers_read_back_equal_with_the_size_of_a_pixel(written_result, tmp_path):
    paths = {
        path.name: path for path in export(written_result, ExportPlan(kinds=(Kind.IMAGES,)), tmp_path, "s")
    }
    expected = {
        "s.bright_field.tif": (written_result.arrays["virtual/bright_field"], 3.0, "nm"),
        "s.cluster_patterns.tif": (written_result.cluster_patterns, None, "1/nm"),
        "s.momentum_images.tif": (written_result.arrays["momentum/images"], 3.0, "nm"),
        "s.lattice_rotation_rad.tif": (written_result.arrays["lattice/rotation_rad"], 3.0, "nm"),
    }
    q = look_of(written_result).detector.per_px
    for name, (values, size, unit) in expected.items():
        with tifffile.TiffFile(paths[name]) as file:
            read, tags = file.asarray(), file.pages[0].tags
            assert read.dtype == np.float32
            np.testing.assert_array_equal(read, np.asarray(values, np.float32))
            for tag in ("XResolution", "YResolution"):
                count, per = tags[tag].value
                assert per / count == pytest.approx(size or q, rel=1e-6)
            assert file.imagej_metadata["unit"] == unit
    with tifffile.TiffFile(paths["s.labels_level_2.tif"]) as file:
        labels = file.asarray().astype(int)
        np.testing.assert_array_equal(np.where(labels == 255, -1, labels), written_result.label_maps[1])
        colours = np.reshape(file.imagej_metadata["LUTs"], (3, 256))
    for node, colour in look_of(written_result).colours.items():
        np.testing.assert_allclose(colours[:, node] / 255, colour, atol=1e-6)


def test_the_tree_parses_as_newick_and_as_json(written_result, tmp_path):
    plan = ExportPlan(kinds=(Kind.TREE,))
    as_newick, as_json = export(written_result, plan, tmp_path, "s")
    (root,) = newick.read(as_newick)
    edges = {(node.unquoted_name, child.unquoted_name) for node in root.walk() for child in node.descendants}
    by_id = {node.id: node for node in written_result.nodes}
    expected = {(by_id[node.parent].name, node.name) for node in written_result.nodes if node.level > 0}
    assert edges == expected
    nested = json.loads(as_json.read_text())

    def below(node):
        return {(node["name"], child["name"]) for child in node["children"]}.union(
            *(below(child) for child in node["children"])
        )

    assert below(nested) == expected
    assert nested["n_patterns"] == written_result.nodes[0].n_patterns


def test_names_that_newick_cannot_hold_are_quoted():
    nodes = (
        ClusterNode(0, -1, 0, "all", 3),
        ClusterNode(1, 0, 1, "it's (odd), so", 2),
        ClusterNode(2, 0, 1, "2", 1),
    )
    (root,) = newick.loads(trees_module.newick(nodes))
    assert [child.unquoted_name.replace("''", "'") for child in root.descendants] == ["it's (odd), so", "2"]


def test_the_script_repeats_the_analysis_with_the_same_labels(written_result, tmp_path):
    (script,) = export(written_result, ExportPlan(kinds=(Kind.SCRIPT,)), tmp_path, "s")
    run = [sys.executable, str(script)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "every label as before: yes" in done.stdout
    again = open_result(script.with_suffix(".result.h5"))
    np.testing.assert_array_equal(again.label_maps, written_result.label_maps)
    wrong = subprocess.run(
        [*run, str(written_result.path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert wrong.returncode != 0


def test_nothing_is_written_where_one_file_exists(written_result, tmp_path):
    (tmp_path / "s.png").write_text("mine")
    plan = ExportPlan(kinds=(Kind.CSV, Kind.PNG))
    with pytest.raises(SettingsError, match=r"s\.png exists and is not replaced"):
        export(written_result, plan, tmp_path, "s")
    assert [path.name for path in tmp_path.iterdir()] == ["s.png"]
    assert (tmp_path / "s.png").read_text() == "mine"


def test_a_disk_that_refuses_leaves_no_part(written_result, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streamer.export.export.save_figure", refuse)
    plan = ExportPlan(kinds=(Kind.METHODS, Kind.PNG))
    with pytest.raises(RecordingError, match=r"No space left .* 1 files were written"):
        export(written_result, plan, tmp_path, "s")
    assert [path.name for path in tmp_path.iterdir()] == ["s.methods.txt"]


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        ({"level": 9}, r"no level 9: the result has 3"),
        ({"scale_bar": "blurple"}, "'blurple' is none"),
    ],
)
def test_what_is_not_possible_is_a_sentence(written_result, tmp_path, look, sentence):
    with pytest.raises(SettingsError, match=sentence):
        figure_file(written_result, tmp_path, **look)


def test_a_plan_of_plain_values_is_checked():
    assert export_plan({"kinds": ["svg"], "figure": {"dpi": 600}}).figure.dpi == 600
    with pytest.raises(SettingsError, match=r"figure\.dpi = 7"):
        export_plan({"figure": {"dpi": 7}})


def test_an_applied_result_says_whose_clusters_they_are(written_result, tmp_path):
    with open_scan(written_result.attrs["source"]) as scan:
        model = model_of(written_result)
        applied = analyze(scan, model.settings, model=model)
    plan = ExportPlan(kinds=(Kind.HTML, Kind.METHODS))
    files = export(applied, plan, tmp_path, "s")
    assert "nearest of the clusters of scan.result.h5" in files[-1].read_text()
    with pytest.raises(SettingsError, match=r"livestem apply"):
        export(applied, ExportPlan(kinds=(Kind.SCRIPT,)), tmp_path, "t")
