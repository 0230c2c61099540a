"""A change in a few words, as undo names it."""

from typing import Any

from streamer.settings import TreeEdit


def edit_text(edit: TreeEdit) -> str:
    """Such as "merge 2.1 + 2.2"."""
    match edit.edit:
        case "split":
            return f"split {edit.node}" + (f" into {edit.k}" if edit.k else "")
        case "merge":
            return f"merge {' + '.join(edit.nodes)}"
        case "rename":
            return f"rename {edit.node}"
        case "hide":
            return f"{'hide' if edit.hidden else 'show'} {', '.join(edit.nodes)}"
        case _:
            return f"move {edit.node} onto {edit.onto}"


def not_repeated_text(edits: tuple[TreeEdit, ...]) -> str:
    """That these were not made again on the clusters of another analysis."""
    said = ", ".join(edit_text(edit) for edit in edits)
    were = "This change of the hierarchy was" if len(edits) == 1 else "These changes of the hierarchy were"
    return (
        f"{were} made on other clusters and not repeated: {said}. Undo brings back the clusters that "
        f"{'it was' if len(edits) == 1 else 'they were'} made on, with {'it' if len(edits) == 1 else 'them'}."
    )


def value_text(name: str, value: Any) -> str:
    """Such as "ring 20–46", "K 2.1 3", "threshold automatic"."""
    if value is None:
        return f"{name} automatic"
    if isinstance(value, dict):
        parts = (key if isinstance(entry, dict) else f"{key} {entry}" for key, entry in value.items())
        return f"{name} {', '.join(parts)}"
    if isinstance(value, list | tuple):
        return f"{name} {'–'.join(f'{entry:.3g}' for entry in value)}"
    return f"{name} {value:.3g}"
