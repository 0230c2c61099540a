"""Menus, files, keys, calibration, and what every pane has."""

from pathlib import PurePath

PANE_PAUSED = "This pane is paused, the others go on."
RETRY = "Retry"

TABS = {
    "rings": "Rings",
    "elbow": "Elbow",
    "alignment": "Alignment",
    "lattice": "Lattice",
    "stream": "Stream",
    "momentum": "k-space",
    "log": "Log",
}
MENU_COPY = "Copy"
MENU_SAVE_PICTURE = "Save picture…"
MENU_SAVE_DATA = "Save data…"
MENU_OWN_WINDOW = "Show in own window"
MENU_MAXIMISE = "Maximise"
NOTHING_TO_SAVE = "There are no numbers here yet. Save again when the pane shows something."
MENU = "☰"
MENU_TIP = "Files, look, keys"
MENU_RECENT = "Open recent"
MENU_NO_RECENT = "No recent files"
MENU_THEME = "Look"
THEMES = {"dark": "Dark", "light": "Light", "system": "As the system"}
OPEN_TITLE = "Open a result or a recording"
OPEN_FILTER = "Results and recordings (*.h5 *.hdf5 *.emd)"
SIMULATE = "Try with a simulated scan"

SIMULATE_STAGES = {
    "making": "Making a specimen…",
    "sending": "Sending the scan…",
    "ended": "Try with a simulated scan",
    "failed": "The simulated scan failed. Try again",
}
TABS_NAME = "Curves and tables"
KEYS_TITLE = "Keys"
KEYS_COLUMNS = ["Key", "What it does"]


def cannot_open(path: PurePath) -> str:
    """That a dropped file is none that the window shows, and what makes one of it."""
    return (
        f"{path.name} is neither a result nor a recording (*.h5). "
        f"Run `livestem analyze {path.name}` and open the result, or `livestem replay` to send it."
    )


ANSWER = "Answer"
BROWSE = "Browse…"
APPLY, CANCEL_PROMPT = "Apply", "Leave"
CALIBRATION_TITLE = "Calibration: what is measured wins over what the file says"

CALIBRATION_FIELDS = {
    "step_nm": "Scan position (nm)",
    "full_width_nm": "or full width of the map (nm)",
    "q_per_px_inv_angstrom": "Detector pixel (1/Å)",
    "ring_px": "or a known ring: radius (px)",
    "spacing_angstrom": "its lattice spacing d (Å)",
}
CALIBRATION_RING = "A known ring needs both its radius in px and its spacing d in Å."

CALIBRATION_EMPTY = (
    "Nothing was entered. Type the size of a scan position or of a detector pixel, or a known ring."
)
CALIBRATION_NO_SCAN = "There is no scan to calibrate yet."


def calibration_refused(field: str, text: str) -> str:
    """Why an entry was refused."""
    return f"{field}: {text!r} is no size. Expected a positive number."
