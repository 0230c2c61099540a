"""The hierarchy for other programs: Newick for those that draw trees, JSON for all others."""

import json
import re
from typing import Any

from streamer.analysis.result_file import AnalysisResult
from streamer.export.tables import node_rows
from streamer.model import ClusterNode

_PLAIN = re.compile(r"[A-Za-z0-9.\-+]+")


def newick(nodes: tuple[ClusterNode, ...]) -> str:
    """The tree in Newick's notation, names in quotes where they need them; some readers want no end of line."""
    below = _children(nodes)

    def written(node: ClusterNode) -> str:
        inside = ",".join(written(child) for child in below.get(node.id, []))
        return f"({inside}){_quoted(node.name)}" if inside else _quoted(node.name)

    return f"{written(_root(nodes))};"


def tree_json(result: AnalysisResult) -> str:
    """The tree as nested objects with everything that the table of nodes has."""
    rows = {row["id"]: row for row in node_rows(result.nodes)}
    below = _children(result.nodes)

    def nested(node: ClusterNode) -> dict[str, Any]:
        return {**rows[node.id], "children": [nested(child) for child in below.get(node.id, [])]}

    return json.dumps(nested(_root(result.nodes)), indent=1, ensure_ascii=False) + "\n"


def _children(nodes: tuple[ClusterNode, ...]) -> dict[int, list[ClusterNode]]:
    """As `look.palette.children_of`, the hidden ones too: nothing is left out of data."""
    below: dict[int, list[ClusterNode]] = {}
    for node in nodes:
        if node.level > 0:
            below.setdefault(node.parent, []).append(node)
    return below


def _root(nodes: tuple[ClusterNode, ...]) -> ClusterNode:
    return next(node for node in nodes if node.level == 0)


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else "'" + name.replace("'", "''") + "'"
