"""Taking charge: what the operator is about to change, which request follows from it, and what is refused.

Pure functions from state and wishes to drafts and requests; a refused wish becomes a hint, never a request.
"""

from dataclasses import dataclass, field, replace

from gui.presenters import texts
from gui.presenters.in_charge import why_watching
from gui.presenters.snapshot import Answer, Link, Request, Snapshot
from gui.presenters.status import EngineStatus
from gui.presenters.tree_layout import path_to_root
from gui.presenters.tree_prompts import Prompt, sisters_of
from streamer.look.palette import children_of
from streamer.model import ClusterNode, EngineState

MIN_RING_PX = 2.0
MAX_K = 32
THRESHOLD_STEP = 0.01
RING_STEP_PX = 1.0
MASK_SLOT = "mask"
PREVIEW_SLOTS = ("k-1", "k", "k+1")


@dataclass(frozen=True)
class Draft:
    """Values under the mouse that the engine has not been asked to follow, and what is being asked.

    ``k`` belongs to the node ``k_node``; ``hint`` says why a wish was refused; ``shows_mask`` paints the feature
    pixels over the pattern as long as another mask than that in force is tried, ``pins_mask`` always.
    """

    inner_px: float | None = None
    outer_px: float | None = None
    threshold: float | None = None
    k: int | None = None
    k_node: str = ""
    prompt: Prompt | None = None
    hint: str = ""
    shows_mask: bool = False
    pins_mask: bool = False

    @property
    def has_mask(self) -> bool:
        """Whether ring or threshold differ from what is in force."""
        return any(value is not None for value in (self.inner_px, self.outer_px, self.threshold))

    def without_mask(self) -> "Draft":
        """Ring and threshold as in force."""
        return replace(self, inner_px=None, outer_px=None, threshold=None)


# What can be done now.


@dataclass(frozen=True)
class Possible:
    """Names of the actions that can be done in this state."""

    names: frozenset[str] = field(default_factory=frozenset)

    def __contains__(self, name: str) -> bool:
        return name in self.names


SETTING = (
    "inner_less",
    "inner_more",
    "outer_less",
    "outer_more",
    "threshold_less",
    "threshold_more",
    "automatic",
)


def possible(snapshot: Snapshot, node_id: int | None, has_region: bool) -> Possible:
    """Which actions work: values can be set in every state, the tree changes where there is a result at rest."""
    status = snapshot.status
    if snapshot.link is not Link.CONNECTED or status.scan is None or why_watching(snapshot):
        return Possible()
    names: set[str] = set()
    if status.in_force.get("inner_px") is not None:
        names |= {*SETTING, "k_less", "k_more", "lock_k"}
    edits = status.edits
    if edits is not None:
        names |= {"undo"} if edits.n_undo else set()
        names |= {"redo"} if edits.n_redo else set()
    names |= {"calibrate"}
    if status.source is not None and not status.source.is_there:
        names |= {"locate"}
    if status.shows == "final" and status.state in (EngineState.IDLE, EngineState.LISTENING):
        names |= {"save_result", "analyze_region"} if has_region else {"save_result"}
        names |= _tree_actions(status, status.node(node_id))
    return Possible(frozenset(names))


def _tree_actions(status: EngineStatus, node: ClusterNode | None) -> set[str]:
    names = {"split"} | ({"show_hidden"} if any(entry.hidden for entry in status.tree) else set())
    if node is not None and node.level > 0:
        names |= {"rename", "hide", "move"}
        if sisters_of(status.tree, node):
            names |= {"merge"}
    return names


def why_not(snapshot: Snapshot) -> str:
    """Why the hierarchy cannot be changed now, in a sentence that says when; "" where it can."""
    status = snapshot.status
    if snapshot.link is not Link.CONNECTED:
        return texts.CHARGE_NO_ENGINE
    if watching := why_watching(snapshot):
        return watching
    if status.state in (EngineState.RUNNING, EngineState.DRAINING):
        return texts.CHARGE_SCANNING
    if status.state is EngineState.ANALYSING:
        return texts.CHARGE_ANALYSING
    return "" if status.shows == "final" else texts.CHARGE_NO_RESULT


# Ring and threshold.


def ring_of(status: EngineStatus, draft: Draft) -> tuple[float, float] | None:
    """Inner and outer radius as shown: the draft's, else those set by hand, else those in force."""
    radii = []
    for name, wanted in (("inner_px", draft.inner_px), ("outer_px", draft.outer_px)):
        value = wanted if wanted is not None else status.manual.get(name, status.in_force.get(name))
        if value is None:
            return None
        radii.append(float(value))
    return radii[0], radii[1]


def threshold_of(status: EngineStatus, draft: Draft) -> float | None:
    """Threshold as shown."""
    if draft.threshold is not None:
        return draft.threshold
    value = status.manual.get("threshold", status.in_force.get("threshold"))
    return None if value is None else float(value)


def with_ring(draft: Draft, status: EngineStatus, inner_px: float, outer_px: float) -> Draft:
    """The ring is dragged here; one that cannot be is refused with a hint, and stays where it was."""
    largest = largest_radius(status)
    if inner_px < 0 or outer_px > largest:
        return replace(draft, hint=texts.ring_outside(largest))
    if outer_px - inner_px < MIN_RING_PX:
        return replace(draft, hint=texts.ring_too_thin(inner_px, outer_px, MIN_RING_PX))
    return replace(draft, inner_px=round(inner_px, 1), outer_px=round(outer_px, 1), hint="")


def with_threshold(draft: Draft, threshold: float) -> Draft:
    """The threshold is dragged here."""
    if not 0.0 < threshold < 1.0:
        return replace(draft, hint=texts.THRESHOLD_REFUSED)
    return replace(draft, threshold=round(threshold, 3), hint="")


def largest_radius(status: EngineStatus) -> float:
    """Radius of the largest circle on the detector, px."""
    return min(status.scan.detector_shape) / 2 if status.scan else 0.0


def mask_requests(status: EngineStatus, draft: Draft) -> tuple[Request, ...]:
    """What makes the engine follow the draft."""
    requests = []
    ring = ring_of(status, draft)
    if ring is not None and (draft.inner_px is not None or draft.outer_px is not None):
        requests.append(Request("set", {"name": "ring", "value": list(ring)}))
    if draft.threshold is not None:
        requests.append(Request("set", {"name": "threshold", "value": draft.threshold}))
    return tuple(requests)


def mask_preview(status: EngineStatus, draft: Draft) -> Request | None:
    """What asks for feature pixels and the share of labels that would change."""
    ring = ring_of(status, draft)
    if ring is None:
        return None
    threshold = draft.threshold if draft.threshold is not None else status.manual.get("threshold")
    params = {"inner": ring[0], "outer": ring[1], "threshold": threshold}
    return Request("preview_mask", params, MASK_SLOT, tag=(*ring, threshold))


def mask_answer(snapshot: Snapshot, draft: Draft) -> Answer | None:
    """The newest preview of a mask; None where there is none, it was refused, or what was tried is in force now."""
    answer = snapshot.answers.get(MASK_SLOT)
    if answer is None or answer.error or not draft.shows_mask or not is_tried(snapshot.status, draft):
        return None
    return answer


def is_tried(status: EngineStatus, draft: Draft) -> bool:
    """Whether ring or threshold, as shown, differ from what the clusters were made with."""
    in_force = (status.in_force.get("inner_px"), status.in_force.get("outer_px"))
    threshold = threshold_of(status, draft)
    return ring_of(status, draft) != in_force or threshold != status.in_force.get("threshold")


def is_manual(status: EngineStatus) -> bool:
    """Whether ring or threshold are set by hand."""
    return any(name in status.manual for name in ("inner_px", "outer_px", "threshold"))


# K.


def elbow_node(status: EngineStatus, node_id: int | None) -> ClusterNode | None:
    """The node whose children are judged: the selected one if it has some, else its parent, else the root."""
    root = next((node for node in status.tree if node.level == 0), None)
    children = children_of(status.tree)
    path = (status.node(step) for step in path_to_root(status.tree, node_id))
    return next((node for node in path if node is not None and node.id in children), root)


def with_k(draft: Draft, node: ClusterNode, k: float) -> Draft:
    """The K line is dragged here: whole numbers, from 1 on."""
    return replace(draft, k=min(MAX_K, max(1, round(k))), k_node=node.name, hint="")


def k_previews(node: ClusterNode, k: int) -> tuple[Request, ...]:
    """What asks for the maps of K-1, K and K+1."""
    wanted = [
        (slot, number) for slot, number in zip(PREVIEW_SLOTS, (k - 1, k, k + 1), strict=True) if number >= 2
    ]
    return tuple(
        Request("preview", {"node": node.name, "k": number}, slot, tag=(node.name, number))
        for slot, number in wanted
    )


def k_request(status: EngineStatus, draft: Draft) -> Request | None:
    """What puts the drafted K in force: a split of a result, a value during a scan."""
    if draft.k is None:
        return None
    if status.shows == "final" and status.state in (EngineState.IDLE, EngineState.LISTENING):
        return Request("split", {"node": draft.k_node, "k": draft.k})
    return Request("set", {"name": "K", "value": {draft.k_node: draft.k}})


def lock_request(status: EngineStatus, node: ClusterNode, k: int) -> Request:
    """Lock K of a branch for every analysis to come, or let it go."""
    is_locked = node.name in (status.manual.get("k") or {})
    return Request("set", {"name": "K", "value": {node.name: None if is_locked else k}})
