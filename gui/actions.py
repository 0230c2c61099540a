"""Every action of the window with its words and keys, in one table."""

from collections.abc import Callable
from dataclasses import dataclass

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets


@dataclass(frozen=True)
class ActionSpec:
    """Name in the program, text on a button, what it does in words, its keys, and the pane where alone they count.

    "map": cluster map, mean patterns and hierarchy; "pattern": the pattern at the cursor; "": everywhere.
    """

    name: str
    text: str
    tip: str
    keys: tuple[str, ...]
    pane: str = ""


ACTIONS = (
    ActionSpec("stop", "Stop", "Stop the scan; what was received is kept", ("Shift+F5",)),
    ActionSpec("analyze", "Analyse", "Analyse the recording", ("F6",)),
    ActionSpec("cancel", "Cancel", "Cancel the analysis; finished steps are kept", ("Shift+F6",)),
    ActionSpec("open", "Open…", "Open a result or a recording in a new window", ("Ctrl+O",)),
    ActionSpec("simulate", "Simulated scan", "Send a simulated scan to this engine", ("Ctrl+Shift+D",)),
    ActionSpec("level_1", "Level 1", "Colour the map by level 1", ("1",)),
    ActionSpec("level_2", "Level 2", "Colour the map by level 2", ("2",)),
    ActionSpec("level_3", "Level 3", "Colour the map by level 3", ("3",)),
    ActionSpec("log", "Logarithm", "Logarithmic intensity", ("L",)),
    ActionSpec("sqrt", "Square root", "Square root of the intensity", ("Q",)),
    ActionSpec("linear", "Linear", "Linear intensity", ("N",)),
    ActionSpec("autoscale_once", "Scale once", "Keep the brightness of the pattern that is shown", ("A",)),
    ActionSpec(
        "autoscale_always", "Scale always", "Brightness of each pattern by itself again", ("Shift+A",)
    ),
    ActionSpec("labels", "Numbers", "Numbers on the map on and off", ("T",)),
    ActionSpec("outlines", "Outlines", "Borders of the clusters on and off", ("O",)),
    ActionSpec("blend", "Blend BF", "Brightness of the map from the bright field, on and off", ("B",)),
    ActionSpec("pin", "Pin", "Keep the pattern under the cursor, or let it go", ("Space",)),
    ActionSpec("up", "Cursor up", "Move the pinned position up by 1 (Shift: 10)", ("Up", "Shift+Up")),
    ActionSpec(
        "down", "Cursor down", "Move the pinned position down by 1 (Shift: 10)", ("Down", "Shift+Down")
    ),
    ActionSpec(
        "left", "Cursor left", "Move the pinned position left by 1 (Shift: 10)", ("Left", "Shift+Left")
    ),
    ActionSpec(
        "right", "Cursor right", "Move the pinned position right by 1 (Shift: 10)", ("Right", "Shift+Right")
    ),
    ActionSpec("map_up", "Cursor up", "On the map: position up, as in py4D-browser", ("I", "Shift+I"), "map"),
    ActionSpec("map_left", "Cursor left", "On the map: position left", ("J", "Shift+J"), "map"),
    ActionSpec("map_down", "Cursor down", "On the map: position down", ("K", "Shift+K"), "map"),
    ActionSpec(
        "map_right",
        "Cursor right",
        "On the map: position right (elsewhere L is the logarithm)",
        ("L", "Shift+L"),
        "map",
    ),
    ActionSpec(
        "spot_up", "Spot up", "On the pattern: newest spot up by 1 px (Shift: 5)", ("W", "Shift+W"), "pattern"
    ),
    ActionSpec(
        "spot_left",
        "Spot left",
        "On the pattern: newest spot left (A scales elsewhere)",
        ("A", "Shift+A"),
        "pattern",
    ),
    ActionSpec(
        "spot_down",
        "Spot down",
        "On the pattern: newest spot down (S splits elsewhere)",
        ("S", "Shift+S"),
        "pattern",
    ),
    ActionSpec("spot_right", "Spot right", "On the pattern: newest spot right", ("D", "Shift+D"), "pattern"),
    ActionSpec("next", "Next cluster", "Select the next cluster of the level", ("PgDown",)),
    ActionSpec("previous", "Previous cluster", "Select the cluster before", ("PgUp",)),
    ActionSpec(
        "map_next",
        "Next cluster",
        "On map, tiles and tree: next cluster (Ctrl+Tab leaves them)",
        ("Tab",),
        "map",
    ),
    ActionSpec(
        "map_previous",
        "Previous cluster",
        "On map, tiles and tree: the cluster before",
        ("Shift+Tab",),
        "map",
    ),
    ActionSpec("focus_next", "Next control", "The keyboard goes on to the next control", ("Ctrl+Tab",)),
    ActionSpec(
        "focus_previous",
        "Previous control",
        "The keyboard goes back to the control before",
        ("Ctrl+Shift+Tab",),
    ),
    ActionSpec("descend", "Into the branch", "Select the first child", ("Return", "Enter")),
    ActionSpec("ascend", "Out of the branch", "Select the parent", ("Backspace",)),
    ActionSpec(
        "clear",
        "Clear",
        "Cancel what runs; then clear selection, pin, region and comparison; then leave a large pane",
        ("Esc",),
    ),
    ActionSpec("table", "Table", "The hierarchy as a table, or as a drawing", ("Ctrl+T",)),
    ActionSpec(
        "maximise", "Maximise pane", "The pane under the mouse as large as the window, or back", ("F",)
    ),
    ActionSpec(
        "copy", "Copy pane", "Copy the pane under the mouse as a picture with its scale bar", ("Ctrl+C",)
    ),
    ActionSpec("copy_table", "Copy table", "Copy the hierarchy as CSV", ("Ctrl+Shift+C",)),
    ActionSpec("export", "Export…", "Figures, texts and data of the result, for a paper", ("Ctrl+E",)),
    ActionSpec(
        "save_window", "Save picture", "Save the whole window as a picture with the time", ("Ctrl+P",)
    ),
    ActionSpec("split", "Split…", "Split the selected cluster, with a preview", ("S",)),
    ActionSpec("merge", "Merge…", "Merge the selected cluster with a sister", ("M",)),
    ActionSpec("rename", "Rename…", "Give the selected cluster a title", ("R",)),
    ActionSpec("hide", "Hide", "Leave the selected cluster out of what is shown", ("H",)),
    ActionSpec("show_hidden", "Show hidden", "Show everything that is hidden again", ("Shift+H",)),
    ActionSpec("move", "Move…", "Move the selected cluster onto another one", ("Shift+M",)),
    ActionSpec("undo", "Undo", "Take the last change back", ("Ctrl+Z",)),
    ActionSpec("redo", "Redo", "Make the change that was taken back again", ("Ctrl+Shift+Z",)),
    ActionSpec("save_result", "Save", "Save the result with its changes as a new file", ("Ctrl+S",)),
    ActionSpec("inner_less", "Inner −", "Inner radius of the ring smaller by 1 px", ("[",)),
    ActionSpec("inner_more", "Inner +", "Inner radius of the ring larger by 1 px", ("]",)),
    ActionSpec("outer_less", "Outer −", "Outer radius of the ring smaller by 1 px", ("{", "Shift+{")),
    ActionSpec("outer_more", "Outer +", "Outer radius of the ring larger by 1 px", ("}", "Shift+}")),
    ActionSpec("threshold_less", "Threshold −", "Threshold lower by 1 %", ("-",)),
    ActionSpec("threshold_more", "Threshold +", "Threshold higher by 1 %", ("=",)),
    ActionSpec("automatic", "Back to auto", "Ring and threshold back to the automatic choice", ("Ctrl+R",)),
    ActionSpec("k_less", "K −1", "Try one cluster fewer", ("Shift+-", "_", "Shift+_")),
    ActionSpec("k_more", "K +1", "Try one cluster more", ("Shift+=", "+", "Shift++")),
    ActionSpec("apply_k", "Apply K", "Put the K that is tried in force", ("Ctrl+Return",)),
    ActionSpec("lock_k", "Lock K", "Keep K of this branch in every analysis, or let it go", ("Ctrl+K",)),
    ActionSpec("analyze_region", "Analyse this region", "Analyse the marked region alone", ("F7",)),
    ActionSpec("calibrate", "Calibrate…", "Enter sizes that were measured", ("F8",)),
    ActionSpec("locate", "Locate file…", "Say where the source of this result is now", ("Ctrl+Shift+O",)),
    ActionSpec("clear_spots", "Clear spots", "Take away the images of spots that were clicked", ("Ctrl+D",)),
    ActionSpec("show_log", "Show log", "Open the Log tab", ("Ctrl+L",)),
    ActionSpec(
        "larger_text", "Larger text", "All words larger by a tenth, up to 200 %", ("Ctrl++", "Ctrl+=")
    ),
    ActionSpec("smaller_text", "Smaller text", "All words smaller by a tenth, down to 80 %", ("Ctrl+-",)),
    ActionSpec("normal_text", "Normal text", "All words in their normal size", ("Ctrl+0",)),
    ActionSpec("full_screen", "Full screen", "Full screen on and off", ("F11",)),
    ActionSpec("settings", "Settings…", "Look, name, keys, and how scans are analysed", ("Ctrl+,",)),
    ActionSpec("keys", "Keys", "List the keys", ("F1",)),
    ActionSpec("quit", "Quit", "Close the window; the engine finishes what it does", ("Ctrl+Q",)),
)


def add_actions(
    window: QtWidgets.QMainWindow, slots: dict[str, Callable[[], None]]
) -> dict[str, QtWidgets.QAction]:
    """Make every action of the table, with the slot of its name.

    Raises
    ------
    KeyError
        An action has no slot.
    """
    made = {}
    for spec in ACTIONS:
        action = QtWidgets.QAction(spec.text, window)
        action.setShortcuts([QtGui.QKeySequence(key) for key in spec.keys])
        action.setShortcutContext(QtCore.Qt.ShortcutContext.WindowShortcut)
        action.setIconText(spec.text.rstrip("…"))
        action.setToolTip(spec.tip)
        slot = slots[spec.name]
        action.triggered.connect(lambda _checked=False, slot=slot: slot())
        if not spec.pane:  # keys of a pane are taken by its `PaneKeys`
            window.addAction(action)
        made[spec.name] = action
    return made
