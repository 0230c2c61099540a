"""Changes of the hierarchy: the question that each begins with, and the request that its answer makes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from gui.presenters import texts
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Request, Snapshot
from gui.presenters.status import EngineStatus
from gui.presenters.tree_layout import branch_of, visible
from streamer.look.palette import children_of
from streamer.model import ClusterNode

TINY_SHARE, TINY_PATTERNS = 0.005, 50
"""A cluster below either is offered for a merge with its nearest sister."""


class PromptKind(StrEnum):
    """What the line under the hierarchy asks for."""

    SPLIT = "split"
    MERGE = "merge"
    RENAME = "rename"
    MOVE = "move"
    LOCATE = "locate"
    REGION = "region"


@dataclass(frozen=True)
class Prompt:
    """One question, answered in a line of its own: never a dialog.

    ``choices`` are names of nodes; ``number`` and ``text`` what the field begins with.
    """

    kind: PromptKind
    node: str
    question: str
    choices: tuple[str, ...] = ()
    number: int | None = None
    text: str | None = None
    roi: tuple[int, int, int, int] | None = None


def prompt_for(
    kind: PromptKind, snapshot: Snapshot, node_id: int | None, compared_id: int | None
) -> Prompt | None:
    """The question that an action of the hierarchy begins with; None where it cannot be asked."""
    status = snapshot.status
    node = status.node(node_id)
    if kind is PromptKind.SPLIT:
        node = node or next((entry for entry in status.tree if entry.level == 0), None)
        if node is None:
            return None
        return Prompt(kind, node.name, texts.split_question(node), number=max(2, node.k, node.k_auto))
    if kind is PromptKind.LOCATE:
        path = status.source.path if status.source else ""
        return Prompt(kind, "", texts.LOCATE_QUESTION, text=path)
    if node is None or node.level == 0:
        return None
    if kind is PromptKind.RENAME:
        return Prompt(kind, node.name, texts.rename_question(node), text=node.title)
    if kind is PromptKind.MERGE:
        choices = [sister.name for sister in nearest_first(snapshot, node)]
    else:
        below, parent = branch_of(status.tree, node.id), node.parent
        outside = [entry for entry in visible(status.tree) if entry.id not in below and entry.id != parent]
        choices = [entry.name for entry in outside]
    other = status.node(compared_id)
    if other is not None and other.name in choices:
        choices = [other.name, *(name for name in choices if name != other.name)]
    if not choices:
        return None
    question = texts.merge_question(node) if kind is PromptKind.MERGE else texts.move_question(node)
    return Prompt(kind, node.name, question, tuple(choices))


def drop_prompt(snapshot: Snapshot, dragged_id: int, onto_id: int) -> Prompt | None:
    """A node was dropped on another: sisters merge, across parents it moves; either is asked for."""
    status = snapshot.status
    dragged, onto = status.node(dragged_id), status.node(onto_id)
    if dragged is None or onto is None or dragged.level == 0 or onto_id in branch_of(status.tree, dragged_id):
        return None
    if onto.id == dragged.parent:
        return None
    if onto.level and dragged.parent == onto.parent:
        return Prompt(PromptKind.MERGE, dragged.name, texts.merge_question(dragged), (onto.name,))
    leaf = onto.id not in children_of(status.tree)
    parent = status.node(onto.parent) if leaf else onto
    question = texts.move_and_merge(dragged, parent or onto, onto if leaf else None)
    return Prompt(PromptKind.MOVE, dragged.name, question, (onto.name,))


def region_prompt(selection: Selection) -> Prompt | None:
    """An analysis takes rectangles: before one around a free line, what else it takes in is said."""
    roi, region = selection.roi, selection.region
    if roi is None or region is None:
        return None
    return Prompt(PromptKind.REGION, "", texts.region_question(roi, int(region.sum())), roi=roi)


def region_request(roi: tuple[int, int, int, int]) -> Request:
    """An analysis of this rectangle alone."""
    return Request("analyze", {"roi": list(roi)})


def prompt_request(prompt: Prompt, answer: Any) -> Request | None:
    """The request that an answer makes; None for an answer that is none."""
    if prompt.kind is PromptKind.REGION:
        return None if prompt.roi is None else region_request(prompt.roi)
    if answer in ("", None) and prompt.kind is not PromptKind.RENAME:
        return None
    match prompt.kind:
        case PromptKind.SPLIT:
            return Request("split", {"node": prompt.node, "k": int(answer or 0)})
        case PromptKind.MERGE:
            return Request("merge", {"nodes": [prompt.node, str(answer)]})
        case PromptKind.RENAME:
            return Request("rename", {"node": prompt.node, "title": str(answer).strip()[:60]})
        case PromptKind.MOVE:
            return Request("move", {"node": prompt.node, "onto": str(answer)})
        case PromptKind.LOCATE:
            return Request("locate", {"path": str(answer).strip()})


def hide_request(node: ClusterNode) -> Request:
    """Leave a branch out of what is shown."""
    return Request("hide", {"nodes": [node.name], "hidden": True})


def show_request(status: EngineStatus) -> Request:
    """Show everything that is hidden again."""
    return Request("hide", {"nodes": [node.name for node in status.tree if node.hidden], "hidden": False})


def sisters_of(tree: tuple[ClusterNode, ...], node: ClusterNode) -> tuple[ClusterNode, ...]:
    """The other children of its parent."""
    return tuple(
        other for other in tree if other.level and other.parent == node.parent and other.id != node.id
    )


def nearest_first(snapshot: Snapshot, node: ClusterNode) -> list[ClusterNode]:
    """Sisters, that with the most similar mean pattern first."""
    sisters = list(sisters_of(snapshot.status.tree, node))
    entry = snapshot.arrays.get("cluster_patterns")
    if entry is None:
        return sisters
    rows = {node_id: row for row, node_id in enumerate(entry.meta.get("ids", ()))}
    if node.id not in rows:
        return sisters
    own = entry.values[rows[node.id]]

    def distance(other: ClusterNode) -> float:
        return float(((entry.values[rows[other.id]] - own) ** 2).sum()) if other.id in rows else np.inf

    return sorted(sisters, key=distance)


def tiny_cluster(snapshot: Snapshot) -> tuple[ClusterNode, ClusterNode] | None:
    """The smallest leaf that is hardly worth being one, and its nearest sister; None where there is none."""
    status = snapshot.status
    if status.shows != "final":
        return None
    n_all = next((node.n_patterns for node in status.tree if node.level == 0), 0)
    children = children_of(status.tree)
    leaves = [node for node in visible(status.tree) if node.level and node.id not in children]
    tiny = [
        node
        for node in leaves
        if node.n_patterns < max(TINY_SHARE * n_all, min(TINY_PATTERNS, 0.05 * n_all))
        and sisters_of(status.tree, node)
    ]
    if not tiny:
        return None
    smallest = min(tiny, key=lambda node: node.n_patterns)
    return smallest, nearest_first(snapshot, smallest)[0]
