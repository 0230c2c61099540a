"""The live label map over the scan as a moving picture: the scan is gone through once more, as it came.

Recordings keep the last live labels alone, so that every moment is computed anew by the live analysis itself.
Memory: the live analysis of one scan, and pictures of at most `LARGEST_PX` a side.
"""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from streamer.analysis.result_file import AnalysisResult
from streamer.errors import FileFormatError, SettingsError
from streamer.export.plan import Kind, MoviePlan
from streamer.formats.frame_order import frame_indices_of
from streamer.formats.open_scan import open_scan, opened_with
from streamer.formats.preparation import prepare_scan
from streamer.formats.scan_file import RegionOfScan, ScanFile
from streamer.formats.side_settings import source_places
from streamer.live.overrides import overrides_of
from streamer.live.pipeline import LivePipeline
from streamer.live.revision import BLOCK_FRAMES
from streamer.look.palette import NOT_VISITED, Rgb, node_colours
from streamer.look.scale_bar import ImageScale, scale_bar
from streamer.model import Calibration, ClusterNode
from streamer.settings import AnalysisSettings, analysis_settings

LARGEST_PX = 640
SMALLEST_PX = 320
STRIP_PX = 44
LAST_S = 2.0
"""So long the last picture stays."""
_WHITE: Rgb = (255, 255, 255)
_TRACK: Rgb = (0x3E, 0x45, 0x50)
_GROUND: Rgb = (0x15, 0x17, 0x1B)
_FIXED = (NOT_VISITED, _GROUND, _WHITE, _TRACK)


@dataclass(frozen=True)
class Moment:
    """The live map after some of the patterns: `labels` (scan_y, scan_x) int32, -1 where there is none yet."""

    labels: NDArray[np.int32]
    nodes: tuple[ClusterNode, ...]
    share: float


def write_timelapse(
    result: AnalysisResult, path: Path, kind: Kind, plan: MoviePlan, progress: Callable[[float], None]
) -> None:
    """Write the time-lapse of a result's scan as GIF or MP4.

    Raises
    ------
    FileFormatError
        The scan is not where it was.
    SettingsError
        MP4 is asked for, and what writes it is not installed.
    """
    write = _write_gif if kind is Kind.GIF else _mp4_writer()
    settings = analysis_settings(result.attrs["settings"])
    steps = Calibration.from_json(result.attrs["calibration"]).scan_step_yx_nm
    scale = ImageScale(steps[1], "nm") if steps else ImageScale()
    with _source_of(result) as scan:

        def pictures() -> Iterator[Image.Image]:
            for moment in moments(scan, settings, plan.n_frames):
                progress(moment.share)
                drawn = picture(moment, scale)
                for _ in range(round(LAST_S * plan.fps) if moment.share == 1 else 1):
                    yield drawn

        write(path, pictures(), plan.fps)


def moments(scan: ScanFile, settings: AnalysisSettings, n_moments: int) -> Iterator[Moment]:
    """Go through a scan as it came, and tell the live map after each of `n_moments` equal parts of it."""
    scan = prepare_scan(scan, settings.detector)
    if settings.roi is not None:
        scan = RegionOfScan(scan, settings.roi)
    pipeline = LivePipeline(scan.info, settings, scan)
    pipeline.overrides = overrides_of(settings)
    positions = np.flatnonzero(scan.received.ravel())
    positions = positions[np.argsort(frame_indices_of(scan.info, positions), kind="stable")]
    room = np.empty((BLOCK_FRAMES, *scan.info.detector_shape), scan.info.dtype)
    bounds = np.unique(np.linspace(0, len(positions), n_moments + 1).astype(int))
    for first, last in pairwise(bounds):
        for start in range(first, last, BLOCK_FRAMES):
            block = positions[start : min(start + BLOCK_FRAMES, last)]
            pipeline.add(scan.read_positions(block, room), block)
            pipeline.maintain()
        if last == len(positions):
            pipeline.close()
        yield Moment(pipeline.label_maps()[1], pipeline.nodes(), float(last / len(positions)))


def picture(moment: Moment, scale: ImageScale) -> Image.Image:
    """A moment in the window's colours, with a scale bar and how far the scan is; palette and pixels, no dither."""
    colours = node_colours(moment.nodes)
    entries = [*_FIXED, *(colours[node.id] for node in moment.nodes)][:256]
    entry_of = np.zeros(
        max((node.id for node in moment.nodes), default=0) + 2, np.uint8
    )  # the last is for -1
    for number, node in enumerate(moment.nodes[: 256 - len(_FIXED)], len(_FIXED)):
        entry_of[node.id] = number
    labels, zoom = _zoomed(entry_of[moment.labels])
    height, width = labels.shape
    whole = np.full((height + STRIP_PX + height % 2, max(width + width % 2, SMALLEST_PX)), 1, np.uint8)
    whole[:height, :width] = labels
    drawn = Image.fromarray(whole)
    drawn.putpalette([channel for entry in entries for channel in entry])
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(13)
    right = drawn.width - 8
    pen.rectangle((8, height + 8, right, height + 12), fill=3)
    pen.rectangle((8, height + 8, 8 + round(moment.share * (right - 8)), height + 12), fill=2)
    n_leaves = len(np.unique(moment.labels[moment.labels >= 0]))
    said = f"{100 * moment.share:.0f} % · {n_leaves} clusters" if n_leaves else f"{100 * moment.share:.0f} %"
    pen.text((8, height + 20), said, fill=2, font=font)
    if bar := scale_bar(scale, zoom, width / 4):
        length, text = bar
        pen.rectangle((right - round(length) + 1, height + 36, right, height + 39), fill=2)
        pen.text((right, height + 34), text, fill=2, font=font, anchor="rb")
    return drawn


def _zoomed(labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Every position as a square of pixels; of large scans every nth position; and pixels a position."""
    longest = max(labels.shape)
    if longest > LARGEST_PX:
        every = -(-longest // LARGEST_PX)
        return labels[::every, ::every], 1 / every
    zoom = LARGEST_PX // longest
    return np.repeat(np.repeat(labels, zoom, axis=0), zoom, axis=1), float(zoom)


def _write_gif(path: Path, pictures: Iterator[Image.Image], fps: int) -> None:
    first = next(pictures)
    first.save(
        path,
        "GIF",
        save_all=True,
        append_images=pictures,
        duration=round(1000 / fps),
        loop=0,
        disposal=1,
        optimize=False,
    )


def _mp4_writer() -> Callable[[Path, Iterator[Image.Image], int], None]:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise SettingsError(
            "MP4 needs imageio-ffmpeg, which is not installed. Install it with pip install 'livestem[movie]', or ask "
            "for gif. Nothing was written."
        ) from None

    program = imageio_ffmpeg.get_ffmpeg_exe()

    def write(path: Path, pictures: Iterator[Image.Image], fps: int) -> None:
        first = next(pictures)
        taken = [
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-s",
            "{}x{}".format(*first.size),
            "-r",
            str(fps),
            "-i",
            "-",
        ]
        # Nothing of the day or the program goes into the file, so that it is the same every time.
        exact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart", "-f", "mp4"]
        made = ["-an", "-c:v", "libx264", "-pix_fmt", "yuv420p", *exact, str(path)]
        command = [program, "-y", "-v", "error", *taken, *made]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as ffmpeg:
            try:
                for each in chain([first], pictures):
                    ffmpeg.stdin.write(each.convert("RGB").tobytes())  # type: ignore[union-attr]
            except BrokenPipeError:
                pass  # it says why
            said = ffmpeg.communicate()[1].decode(errors="replace").strip()
        if ffmpeg.returncode:
            raise OSError(
                f"ffmpeg ended with code {ffmpeg.returncode}: {said.splitlines()[-1] if said else ''}"
            )

    return write


def _source_of(result: AnalysisResult) -> ScanFile:
    source = str(result.attrs["source"])
    places = source_places(result.path, source) if result.path else [Path(source)]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise FileFormatError(
            f"The time-lapse needs the scan itself, and {source} is not where it was. Put it back, or beside the "
            "result. The result is unchanged."
        )
    scan = open_scan(found, **opened_with(result.attrs["scan"]["metadata"]))
    if scan.checksum() != result.attrs["source_checksum"]:
        scan.close()
        raise FileFormatError(
            f"{found} is not the scan that {result.path} was made of: its checksum is another. Put the right file "
            "there. The result is unchanged."
        )
    return scan
