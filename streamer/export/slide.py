"""The one-slide picture that lies beside every result."""

from pathlib import Path

from streamer.analysis.result_file import AnalysisResult
from streamer.export.export import default_stem, write_whole
from streamer.export.figures import SLIDE_DPI, slide
from streamer.export.style import save_figure


def write_slide(result: AnalysisResult) -> Path:
    """Draw a written result as ``<name>.slide.png`` beside it.

    Raises
    ------
    FileExistsError, OSError
        There is one already; the disk refused.
    """
    if result.path is None:
        raise ValueError("A slide lies beside its result, and this result was not written.")
    stem = default_stem(result)
    figure = slide(result, stem)
    return write_whole(
        result.path.with_name(f"{stem}.slide.png"),
        lambda part: save_figure(figure, part, "png", SLIDE_DPI),
    )
