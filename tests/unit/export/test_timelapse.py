"""The live map over the scan as a moving picture."""

from dataclasses import replace

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from streamer import open_scan
from streamer.errors import FileFormatError, RecordingError, SettingsError
from streamer.export import timelapse
from streamer.export.export import export
from streamer.export.plan import ExportPlan, Kind, MoviePlan
from streamer.formats.frame_order import frame_indices_of
from streamer.look.palette import node_colours
from streamer.look.scale_bar import ImageScale
from streamer.model import ScanOrder
from streamer.settings import analysis_settings

MOVIE = MoviePlan(n_frames=8, fps=5)


@pytest.fixture(scope="module")
def moments(written_result):
    with open_scan(written_result.attrs["source"]) as scan:
        scan.info = replace(scan.info, order=ScanOrder.SERPENTINE)
        settings = analysis_settings(written_result.attrs["settings"])
        return scan.info, list(timelapse.moments(scan, settings, MOVIE.n_frames))


def test_the_map_fills_as_the_scan_goes(moments):
    info, told = moments
    assert len(told) == MOVIE.n_frames
    order = frame_indices_of(info, np.arange(info.n_positions))
    for number, moment in enumerate(told, 1):
        n = info.n_positions * number // MOVIE.n_frames
        seen = (moment.labels >= 0).ravel()
        assert not seen[order >= n].any(), "the future is shown"
        if number > 1:
            assert seen[order < n].all()
    assert told[-1].share == 1.0
    assert len(np.unique(told[-1].labels)) > 3


def test_a_picture_shows_every_label_in_the_windows_colour(moments):
    moment = moments[1][-1]
    scale = ImageScale(3.0, "nm")
    drawn = np.asarray(timelapse.picture(moment, scale).convert("RGB"))
    zoom = timelapse.LARGEST_PX // max(moment.labels.shape)
    shown = drawn[zoom // 2 : zoom * 24 : zoom, zoom // 2 : zoom * 36 : zoom]
    colours = node_colours(moment.nodes)
    np.testing.assert_array_equal(shown, [[colours[label] for label in row] for row in moment.labels])
    bar = (drawn[-7] == 255).all(axis=1)
    assert bar.sum() == pytest.approx(20 / 3.0 * zoom, abs=1)


def test_a_large_scan_stays_a_small_picture(moments):
    moment = moments[1][-1]
    large = replace(moment, labels=np.kron(moment.labels, np.ones((60, 40), np.int32)))
    drawn = timelapse.picture(large, ImageScale(3.0, "nm"))
    assert max(drawn.size) <= timelapse.LARGEST_PX + timelapse.STRIP_PX + 1


def test_gif_and_mp4_have_every_moment_and_repeat_to_the_byte(written_result, moments, tmp_path, monkeypatch):
    monkeypatch.setattr(timelapse, "moments", lambda *_: iter(moments[1]))
    plan = ExportPlan(kinds=(Kind.GIF, Kind.MP4), movie=MOVIE)
    shares = []
    gif, mp4 = export(written_result, plan, tmp_path / "a", progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 2 * MOVIE.n_frames
    with Image.open(gif) as picture:
        # Pictures that are alike are one that stays longer.
        assert 2 < picture.n_frames <= MOVIE.n_frames
        durations = []
        for number in range(picture.n_frames):
            picture.seek(number)
            durations.append(picture.info["duration"])
    n_shown = MOVIE.n_frames - 1 + timelapse.LAST_S * MOVIE.fps
    assert sum(durations) == pytest.approx(1000 / MOVIE.fps * n_shown)
    assert imageio_ffmpeg.count_frames_and_secs(str(mp4)) == (n_shown, pytest.approx(n_shown / MOVIE.fps))
    again = export(written_result, plan, tmp_path / "b")
    assert [path.read_bytes() for path in again] == [gif.read_bytes(), mp4.read_bytes()]


def test_without_the_scan_it_is_said(written_result, tmp_path):
    moved = replace(
        written_result, path=tmp_path / "x.result.h5", attrs={**written_result.attrs, "source": "gone.raw"}
    )
    with pytest.raises(FileFormatError, match=r"gone\.raw is not where it was"):
        export(moved, ExportPlan(kinds=(Kind.GIF,)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_ffmpeg_gif_is_offered(written_result, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(SettingsError, match="MP4 needs imageio-ffmpeg"):
        export(written_result, ExportPlan(kinds=(Kind.MP4,)), tmp_path)


def test_what_ffmpeg_says_is_said(written_result, moments, tmp_path, monkeypatch):
    monkeypatch.setattr(timelapse, "moments", lambda *_: iter(moments[1]))
    monkeypatch.setattr(
        timelapse, "picture", lambda *_: Image.new("RGB", (33, 20))
    )  # an odd width: H.264 has none
    with pytest.raises(RecordingError, match="ffmpeg ended with code"):
        export(written_result, ExportPlan(kinds=(Kind.MP4,)), tmp_path)
    assert list(tmp_path.iterdir()) == []
