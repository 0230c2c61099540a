"""THE export: a result and a plan become files, the same for the command and for the window.

Every file is written under another name until it is whole, and nothing that exists is replaced.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamer.analysis.result_file import AnalysisResult
from streamer.errors import RecordingError, SettingsError
from streamer.export import figures
from streamer.export.apertures import aperture_masks, aperture_settings, write_mask
from streamer.export.images import image_arrays, write_image
from streamer.export.interop import write_emd, write_hspy
from streamer.export.methods import methods_text, reproduce_script
from streamer.export.plan import FIGURES, ExportPlan, Kind
from streamer.export.report import report_html
from streamer.export.style import save_figure
from streamer.export.tables import tables, write_labels, write_table
from streamer.export.trees import newick, tree_json

Progress = Callable[[float], None]
"""Told the share of the work that is done."""


@dataclass(frozen=True)
class Product:
    """One file to come: its name, and how it is written."""

    name: str
    write: Callable[[Path, Progress], object]


def export(
    result: AnalysisResult,
    plan: ExportPlan,
    folder: Path,
    stem: str = "",
    progress: Progress = lambda share: None,
) -> list[Path]:
    """Write what the plan says; returns the files.

    Parameters
    ----------
    result
        What was found.
    plan
        Which files, and how they look.
    folder
        Made where it does not exist.
    stem
        What file names begin with; default: the name of the result.
    progress
        Told how far it is.

    Raises
    ------
    SettingsError
        A file exists (then none is written), or the result lacks what is asked for.
    RecordingError
        The disk refused.
    """
    made = products(result, plan, stem or default_stem(result))
    taken = [folder / product.name for product in made if (folder / product.name).exists()]
    if taken:
        raise SettingsError(
            f"{taken[0]} exists and is not replaced. Choose another folder or name, or move it away. "
            "Nothing was written."
        )
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, product in enumerate(made):

            def told(share: float, number: int = number) -> None:
                progress((number + share) / len(made))

            told(0.0)
            path = folder / product.name
            written.append(write_whole(path, lambda part, p=product, told=told: p.write(part, told)))
    except OSError as error:
        raise RecordingError(
            f"The export to {folder} failed: {error.strerror or error}. {len(written)} files were written before. "
            "Free some space or choose another folder. The result is unchanged."
        ) from error
    progress(1.0)
    return written


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file under another name until it is whole.

    Raises
    ------
    FileExistsError, OSError
        `path` exists; the disk refused.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        write(part)
        if path.exists():
            raise FileExistsError(17, os.strerror(17), str(path))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def default_stem(result: AnalysisResult) -> str:
    """What names of exported files begin with."""
    return result.path.name.removesuffix(".h5").removesuffix(".result") if result.path else "livestem"


def products(result: AnalysisResult, plan: ExportPlan, stem: str) -> list[Product]:
    """The files of a plan; nothing is drawn or written yet.

    Raises
    ------
    SettingsError
        The result lacks what is asked for.
    """
    made: list[Product] = []
    for kind in dict.fromkeys(plan.kinds):
        made += _products_of(kind, result, plan, stem)
    return made


def _products_of(kind: Kind, result: AnalysisResult, plan: ExportPlan, stem: str) -> list[Product]:
    look = plan.figure
    if kind in FIGURES:

        def draw(path: Path) -> None:
            save_figure(figures.overview(result, look), path, kind, look.dpi, look.font_pt)

        return [_plain(f"{stem}.{kind}", draw)]
    if kind in (Kind.GIF, Kind.MP4):
        from streamer.export.timelapse import write_timelapse  # the live analysis: much to load

        movie = plan.movie
        return [
            Product(f"{stem}.{kind}", lambda path, told: write_timelapse(result, path, kind, movie, told))
        ]
    if kind is Kind.CSV:
        return _tables(result, stem)
    if kind is Kind.IMAGES:
        return [
            _plain(f"{stem}.{item.name}.tif", lambda path, item=item: write_image(result, item, path))
            for item in image_arrays(result)
        ]
    if kind is Kind.APERTURES:
        return _apertures(result, stem)
    if kind is Kind.TREE:
        return [
            _text(f"{stem}.tree.nwk", lambda: newick(result.nodes)),
            _text(f"{stem}.tree.json", lambda: tree_json(result)),
        ]
    if kind is Kind.METHODS:
        return [_text(f"{stem}.methods.txt", lambda: methods_text(result) + "\n")]
    if kind is Kind.SCRIPT:
        name = f"{stem}.reproduce.py"
        return [_text(name, lambda: reproduce_script(result, name))]
    if kind is Kind.HTML:
        return [_text(f"{stem}.html", lambda: report_html(result))]
    write = write_emd if kind is Kind.EMD else write_hspy
    return [_plain(f"{stem}.{kind}", lambda path: write(result, path))]


def _plain(name: str, write: Callable[[Path], object]) -> Product:
    return Product(name, lambda path, told: write(path))


def _text(name: str, text: Callable[[], str]) -> Product:
    return _plain(name, lambda path: path.write_bytes(text().encode()))


def _tables(result: AnalysisResult, stem: str) -> list[Product]:
    made = [
        _plain(f"{stem}.{name}.csv", lambda path, rows=rows: write_table(rows, path))
        for name, rows in tables(result).items()
    ]
    for level, labels in enumerate(result.label_maps, 1):
        made.append(
            _plain(f"{stem}.labels_level_{level}.csv", lambda path, labels=labels: write_labels(labels, path))
        )
    return made


def _apertures(result: AnalysisResult, stem: str) -> list[Product]:
    masks = aperture_masks(result)
    file_of = {name: f"{stem}.{name}.npy" for name in masks}
    own_name = f"{stem}.apertures.toml"
    made = [
        _plain(file_of[name], lambda path, mask=mask: write_mask(mask, path)) for name, mask in masks.items()
    ]
    return [*made, _text(own_name, lambda: aperture_settings(file_of, own_name))]
