"""The export dialog."""

from pathlib import PurePath

EXPORT_TITLE = "Export"
EXPORT_RESULT = "Result"
EXPORT_CHOOSE = "Choose…"
EXPORT_FILTER = "Results (*.result.h5 *.h5)"
EXPORT_FIGURE = "Figure"
EXPORT_FILES = "Files"
EXPORT_PANELS = "Panels"
EXPORT_WIDTH = "Width"
EXPORT_DPI = "Resolution"
EXPORT_FONT = "Type"
EXPORT_LEVEL = "Level of the map"
EXPORT_LAST_LEVEL = "the last"
EXPORT_BAR = "Scale bar"
EXPORT_FOLDER = "Folder"
EXPORT_NAME = "Names begin with"
EXPORT_PREVIEW = "Preview"
EXPORT_WIDTHS = {"single": "1 column, 85 mm", "1.5": "1.5 columns, 120 mm", "double": "2 columns, 180 mm"}
EXPORT_BARS = {"white": "white", "black": "black", "none": "none"}
EXPORT_SWITCHES = {
    "letters": "Letters on panels",
    "numbers": "Numbers on the map",
    "hatches": "Hatches, for black and white",
}
EXPORT_PANEL_NAMES = {
    "map": "Cluster map",
    "bright-field": "Bright field",
    "dark-field": "Dark field",
    "momentum": "Apertures",
    "elbow": "Elbow",
    "ring": "Ring",
    "tree": "Hierarchy",
    "lattice-constant": "Lattice constant",
    "lattice-rotation": "Lattice rotation",
    "manifold": "Manifold",
    "patterns": "Mean patterns",
}
EXPORT_GROUPS = {
    "Figure": ("svg", "pdf", "png", "tiff"),
    "Text": ("html", "methods", "script"),
    "Data": ("csv", "images", "tree", "emd", "hspy", "apertures"),
    "Live map over the scan": ("gif", "mp4"),
}
EXPORT_KINDS = {
    "svg": ("SVG", "Vectors, with live text"),
    "pdf": ("PDF", "Vectors, with live text"),
    "png": ("PNG", "Pixels"),
    "tiff": ("TIFF", "Pixels, as journals ask for"),
    "html": ("Report", "One HTML file with everything in it"),
    "methods": ("Methods", "The paragraph for a paper"),
    "script": ("Script", "A Python program that repeats the analysis"),
    "csv": ("Tables", "CSV: nodes, label maps, curves, lattices, points of the manifold"),
    "images": ("Images", "TIFF of numbers, with the size of a pixel"),
    "tree": ("Tree", "Newick and JSON"),
    "emd": ("EMD", "For py4DSTEM"),
    "hspy": ("HSPY", "For HyperSpy and pyxem"),
    "apertures": ("Apertures", "Momentum-space clusters as masks for other scans"),
    "gif": ("GIF", "Computed once more from the scan: takes a while"),
    "mp4": ("MP4", "Computed once more from the scan: takes a while"),
}
EXPORT_DO = "Export"
EXPORT_CANCEL = "Cancel"
EXPORT_COPY = "Copy figure"
EXPORT_COPY_TIP = "Put the figure onto the clipboard, as PNG and SVG"
EXPORT_OPEN_FOLDER = "Open folder"
EXPORT_CLOSE = "Close"
EXPORT_DRAWING = "Drawing…"
EXPORT_COPIED = "The figure is on the clipboard, as PNG and SVG."
EXPORT_NO_RESULT = (
    "There is no result yet: wait for the analysis, or choose a result file. This may stay open meanwhile."
)
EXPORT_NO_KIND = "Choose at least one kind of file."
EXPORT_GONE = "The export's process ended. Try again. The result is unchanged."
EXPORT_UNSAVED = "Changes by hand that are not saved (Ctrl+S) are not in it."
SIGHT_DIFFERENCE = 10.0
"""CIEDE2000 from which on colours side by side are told apart with comfort (dashboard.md, 5.5)."""


def export_elsewhere(path: str) -> str:
    """That the result lies on another computer."""
    return f"{path} lies on the engine's computer. Run `livestem export {path}` there, or copy it here and choose it."


def export_sights(difference: float | None, hatches: bool) -> str:
    """Whether the map's colours are told apart by every eye."""
    if hatches:
        return "✓ Hatches: read without colour"
    if difference is None:
        return ""
    if difference >= SIGHT_DIFFERENCE:
        return f"✓ Colours differ for every eye (smallest difference {difference:.0f})"
    return f"! Some colours look alike to some eyes (difference {difference:.0f}): keep the numbers, or use hatches"


def export_done(files: tuple[str, ...]) -> str:
    """What was written, and where."""
    if len(files) == 1:
        return f"Written: {files[0]}"
    return f"{len(files)} files written to {PurePath(files[0]).parent}"


def export_progress(share: float) -> str:
    """How far it is."""
    return f"Exporting, {100 * share:.0f} %"
