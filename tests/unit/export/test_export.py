"""Figures, tables and report of a small result."""

import csv
from html.parser import HTMLParser

import h5py
import numpy as np
import pytest

from streamer import analyze, open_scan
from streamer.export import figures, panels
from streamer.export.export import export
from streamer.export.interop import write_emd
from streamer.export.methods import methods_text
from streamer.export.plan import ExportPlan, FigurePlan, Kind
from streamer.export.report import report_html
from streamer.export.style import look_of, save_figure
from streamer.settings import analysis_settings
from tests.simulated import simulate

SHAPE = (24, 36)


@pytest.fixture
def result(written_result):
    return written_result


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """One homogeneous film, without momentum and lattice."""
    scan = simulate(tmp_path_factory.mktemp("film"), (8, 12), "film")
    off = {"enabled": False}
    with open_scan(scan.raw) as opened:
        return analyze(opened, analysis_settings({"momentum": off, "lattice": off}))


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_figures_are_the_same_bytes_every_time(result, kind, tmp_path):
    """With every panel; pixels are compared between window and command."""
    everything = FigurePlan(panels=figures.possible_panels(result))
    for name in "ab":
        save_figure(figures.overview(result, everything), tmp_path / name, kind, dpi=60)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_map_shows_every_label_in_its_colour(result):
    look = look_of(result)
    picture = panels.label_picture(result, look, 0)
    assert picture.shape == (*SHAPE, 3)
    for label in np.unique(result.label_maps[0]):
        np.testing.assert_allclose(
            picture[result.label_maps[0] == label],
            [look.colours[int(label)]] * (result.label_maps[0] == label).sum(),
        )


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.sources, self.seen = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_is_one_whole_file_that_needs_no_network(result):
    tags = Tags()
    text = report_html(result)
    tags.feed(text)
    assert tags.open == []
    assert "script" not in tags.seen
    assert tags.seen.count("img") == 10
    assert all(source.startswith("data:image/png;base64,") for source in tags.sources)
    for words in (
        result.attrs["settings_id"],
        "Momentum space",
        "Manifold",
        "Lattice",
        "&quot;seed&quot;: 0",
        "2.1",
    ):
        assert words in text


def test_a_homogeneous_region_has_a_report_too(plain):
    text = report_html(plain)
    assert "the region is homogeneous" in text
    assert "Momentum space" not in text
    figures.overview(plain)


def test_methods_give_the_numbers_of_the_result(result):
    text = methods_text(result)
    mask = result.array_attrs["mask"]
    for words in (
        "24 x 36",
        f"{mask['n_features']} detector pixels",
        f"{mask['inner_px']:.1f}",
        "nominal camera",
    ):
        assert words in text


def test_tables_hold_what_the_result_holds(result, tmp_path):
    plan = ExportPlan(kinds=(Kind.CSV,))
    written = {path.name: path for path in export(result, plan, tmp_path, "s")}
    with written["s.nodes.csv"].open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [node.name for node in result.nodes]
    assert sum(float(row["share"]) for row in rows if row["level"] == "1") == pytest.approx(1, abs=1e-5)
    labels = np.loadtxt(written["s.labels_level_1.csv"], delimiter=",", dtype=int)
    np.testing.assert_array_equal(labels, result.label_maps[0])
    with written["s.lattice.csv"].open() as file:
        lattices = {row["name"]: row for row in csv.DictReader(file)}
    assert float(lattices["all"]["constant_nm"]) == pytest.approx(0.32, abs=0.01)
    with written["s.manifold_all.csv"].open() as file:
        points = list(csv.DictReader(file))
    expected = result.arrays["manifold/0/points"]
    np.testing.assert_allclose([float(row["axis_2"]) for row in points], expected[:, 1], rtol=1e-6)
    at = [(int(row["scan_y"]), int(row["scan_x"])) for row in points]
    assert [int(row["label"]) for row in points] == [result.label_maps[-1][place] for place in at]


def test_patterns_are_exported_with_the_direct_beam_at_zero(result, tmp_path):
    write_emd(result, tmp_path / "r.emd")
    with h5py.File(tmp_path / "r.emd") as file:
        stack = file["livestem/cluster_patterns"]
        np.testing.assert_array_equal(stack["data"][()], result.cluster_patterns)
        offset, second = stack["dim0"][()]
        scale = result.attrs["calibration"]["angle_per_px_mrad"] * 1e-3 / 0.041757
        assert second - offset == pytest.approx(scale, rel=1e-3)
        assert offset == pytest.approx(-63.5 * (second - offset))
        assert [name.decode() for name in stack["dim2"][()]] == [node.name for node in result.nodes]
        np.testing.assert_array_equal(file["livestem/labels_level_2/data"], result.label_maps[1])
