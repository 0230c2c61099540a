"""The hierarchy as a drawing and as a table, and what is asked where it is changed."""

from gui.presenters.numbers import count
from gui.presenters.texts.nodes import node_label
from streamer.model import ClusterNode

TREE_TITLE = "Hierarchy"
TABLE_TITLE = "Hierarchy as a table"
TABLE = "Table"
TABLE_TIP = "The hierarchy as a table, for keyboard and screen reader (Ctrl+T)"
TABLE_COLUMNS = ["Number", "Title", "Patterns", "Share", "Colour"]
TREE_EMPTY = "The hierarchy grows here\nwhen the first clusters are in."
CHARGE_NO_ENGINE = "The engine does not answer; the hierarchy can be changed when it is back."
CHARGE_READ_ONLY = "This window may only look: the engine was started read-only."
CHARGE_SCANNING = "Clusters can be edited once the result of this scan is there; ring and K at any time."
CHARGE_ANALYSING = "The hierarchy can be changed when the analysis that runs has ended, or is cancelled."
CHARGE_NO_RESULT = "The hierarchy can be changed when there is a result: Analyse makes one."
MERGE = "Merge"
LOCATE_QUESTION = "Where is the source of this result now?"


def region_question(roi: tuple[int, int, int, int], n_marked: int) -> str:
    """That the rectangle around a free line is analysed."""
    y0, y1, x0, x1 = roi
    n_inside = (y1 - y0) * (x1 - x0)
    return (
        f"An analysis takes a rectangle: rows {y0}–{y1 - 1}, columns {x0}–{x1 - 1}, {count(n_inside)} positions, "
        f"of which {count(n_marked)} are marked. Analyse it?"
    )


def split_question(node: ClusterNode) -> str:
    """Into how many."""
    what = "the whole scan" if node.level == 0 else f"cluster {node_label(node)}"
    return f"Split {what} into"


def rename_question(node: ClusterNode) -> str:
    """The new title."""
    return f"Title of cluster {node.name}"


def merge_question(node: ClusterNode) -> str:
    """With which sister."""
    return f"Merge {node_label(node)} with"


def move_question(node: ClusterNode) -> str:
    """Onto which node."""
    return f"Move {node_label(node)} onto"


def move_and_merge(node: ClusterNode, parent: ClusterNode, leaf: ClusterNode | None) -> str:
    """Such as "Move 3.1 under 2 and merge with 2.2?"."""
    under = "the whole scan" if parent.level == 0 else node_label(parent)
    merge = f" and merge with {node_label(leaf)}" if leaf is not None else ""
    return f"Move {node_label(node)} under {under}{merge}?"


def tiny_offer(node: ClusterNode, sister: ClusterNode) -> str:
    """That a cluster is hardly one."""
    return f"Cluster {node_label(node)} has only {count(node.n_patterns)} patterns. Merge it with {node_label(sister)}?"


def undo_action(text: str) -> str:
    """Text of the action, such as "Undo merge 2.1 + 2.2"."""
    return f"Undo {text}".strip()


def redo_action(text: str) -> str:
    """Text of the action."""
    return f"Redo {text}".strip()


def saved_as(path: str) -> str:
    """Where the result with its changes is."""
    return f"Saved as {path}. The result that is open stays as it was."
