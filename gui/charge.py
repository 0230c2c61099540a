"""Taking charge: turns drags, clicks and keys into drafts and requests, and follows what the engine answers.

What is possible, refused and asked is decided by `gui.presenters`; this only connects.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.panes import Panes
from gui.presenters import charge, spots, texts, tree_prompts
from gui.presenters.calibration import CalibrationEntry, calibration_request, entry_of
from gui.presenters.charge import Draft
from gui.presenters.memo import Memo
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Link, Request, Snapshot, SnapshotSource
from gui.presenters.status import EngineStatus
from gui.presenters.tree_prompts import Prompt, PromptKind
from gui.widgets.calibration_panel import CalibrationPanel
from streamer.model import ClusterNode

MAX_SPOTS = 4


class Looks(Protocol):
    """What it needs of the window."""

    @property
    def source(self) -> SnapshotSource:
        """Where state comes from and requests go."""
        ...

    @property
    def selection(self) -> Selection:
        """What the operator looks at."""
        ...

    def refresh(self) -> None:
        """Show what has changed."""
        ...


class Charge:
    """One window's drafts."""

    def __init__(self, window: Looks) -> None:
        self._window = window
        self.draft = Draft()
        self.panel = CalibrationPanel()
        self._awaited: tuple[str, int] | None = None
        self._asked: dict[str, Any] = {}
        self._followed: object = None
        self._memo = Memo()
        self._panes: Panes | None = None
        self._actions: dict[str, QtWidgets.QAction] = {}

    def slots(self) -> dict[str, Callable[[], None]]:
        """What the actions do."""
        step = charge.RING_STEP_PX
        prompts = {
            name: (lambda kind=kind: self.ask_for(kind))
            for name, kind in (
                ("split", PromptKind.SPLIT),
                ("merge", PromptKind.MERGE),
                ("rename", PromptKind.RENAME),
                ("move", PromptKind.MOVE),
                ("locate", PromptKind.LOCATE),
            )
        }
        steps = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
        moves = {f"spot_{name}": (lambda step=step: self._move_spot(*step)) for name, step in steps.items()}
        return {
            **prompts,
            "hide": self._hide,
            "show_hidden": lambda: self._ask(tree_prompts.show_request(self._status)),
            "undo": lambda: self._ask(Request("undo")),
            "redo": lambda: self._ask(Request("redo")),
            "save_result": lambda: self._ask(Request("save")),
            "inner_less": lambda: self._step_ring(-step, 0.0),
            "inner_more": lambda: self._step_ring(step, 0.0),
            "outer_less": lambda: self._step_ring(0.0, -step),
            "outer_more": lambda: self._step_ring(0.0, step),
            "threshold_less": lambda: self._step_threshold(-charge.THRESHOLD_STEP),
            "threshold_more": lambda: self._step_threshold(charge.THRESHOLD_STEP),
            "automatic": self._release,
            "k_less": lambda: self._step_k(-1),
            "k_more": lambda: self._step_k(1),
            "apply_k": self._apply_k,
            "lock_k": self._lock_k,
            **moves,
            "analyze_region": self._analyze_region,
            "calibrate": self._calibrate,
            "clear_spots": lambda: self._ask(Request("release", {"name": "virtual"})),
        }

    def connect(self, panes: Panes, actions: dict[str, QtWidgets.QAction]) -> None:
        """Follow the widgets."""
        self._panes, self._actions = panes, actions
        rings, controls = panes.rings, panes.rings.controls
        rings.ring_dragged.connect(self._drag_ring)
        rings.ring_dropped.connect(self._drop_mask)
        rings.threshold_dragged.connect(self._drag_threshold)
        rings.threshold_dropped.connect(self._drop_mask)
        controls.ring_entered.connect(self._enter_ring)
        controls.threshold_entered.connect(self._enter_threshold)
        controls.mask_toggled.connect(self._show_mask)
        controls.automatic.clicked.connect(lambda: self._release())
        elbow = panes.elbow
        elbow.k_dragged.connect(self._drag_k)
        elbow.k_dropped.connect(self._preview_k)
        buttons = elbow.controls
        for button, name in (
            (buttons.less, "k_less"),
            (buttons.more, "k_more"),
            (buttons.apply, "apply_k"),
            (buttons.lock, "lock_k"),
        ):
            button.clicked.connect(actions[name].trigger)
        panes.tree.node_dropped.connect(self._drop_node)
        panes.hierarchy.prompt.answered.connect(self._answer_prompt)
        panes.hierarchy.prompt.left.connect(lambda: self._window.refresh() if self.escape() else None)
        panes.hierarchy.prompt.changed.connect(self._follow_prompt)
        panes.hierarchy.offer_taken.connect(self._take_offer)
        panes.pattern.canvas.clicked.connect(self._click_spot)
        self.panel.entered.connect(self._enter_calibration)
        self.panel.left.connect(self.panel.hide)

    def follow(self, snapshot: Snapshot) -> None:
        """Take over what the engine has answered, and ask for what is wanted now."""
        self._settle(snapshot)
        selection = self._window.selection
        seen = (snapshot.sequence, selection, self.draft)
        if seen == self._followed:
            return
        self._followed = seen
        if snapshot.link is Link.CONNECTED:
            if selection.region is not None and snapshot.values("com_yx") is not None:
                self._ask_once(spots.region_request(selection.region, selection.region_key))
            for request in spots.virtual_requests(snapshot):
                self._ask_once(request)
        self._show_possible(snapshot)

    def leave_calibration(self) -> bool:
        """Leave the line of sizes; False where it is not open."""
        if self.panel.isHidden():
            return False
        self.panel.hide()
        return True

    def escape(self) -> bool:
        """Leave what is being asked or tried; False where there is nothing of that kind."""
        draft = self.draft
        if draft.k is not None and self._snapshot.n_waiting:
            # Of a slot: where the previews have just ended, that there is nothing to cancel is no news.
            self._ask(Request("cancel", {}, "cancel"))
        if draft.prompt is None and draft.k is None and not draft.hint:
            return False
        self._set(replace(draft, prompt=None, k=None, k_node="", hint=""))
        return True

    def ask_for(self, kind: PromptKind) -> None:
        """Open the line that an action of the hierarchy begins with."""
        selection = self._window.selection
        self._open(tree_prompts.prompt_for(kind, self._snapshot, selection.node_id, selection.compared_id))

    # How it is done.

    @property
    def _snapshot(self) -> Snapshot:
        return self._window.source.latest()

    @property
    def _status(self) -> EngineStatus:
        return self._snapshot.status

    def _set(self, draft: Draft) -> None:
        if draft != self.draft:
            self.draft = draft
            self._window.refresh()

    def _ask(self, request: Request | None) -> None:
        if request is not None:
            self._window.source.ask(request)

    def _ask_once(self, request: Request) -> None:
        """Ask for something that stays wanted, until it is another thing."""
        if self._asked.get(request.slot) != request.tag:
            self._asked[request.slot] = request.tag
            self._window.source.ask(request)

    def _settle(self, snapshot: Snapshot) -> None:
        """Once the engine has taken a value over, or refused it, the draft of it is let go."""
        if snapshot.link is not Link.CONNECTED:
            self._asked.clear()
        if self._awaited is None:
            return
        method, seen = self._awaited
        answer = snapshot.answers.get(method)
        if answer is not None and answer.number > seen and not snapshot.n_waiting:
            self._awaited = None
            self.draft = replace(self.draft.without_mask(), k=None, k_node="")

    def _await(self, method: str) -> None:
        answer = self._snapshot.answers.get(method)
        self._awaited = (method, answer.number if answer else 0)

    def _show_possible(self, snapshot: Snapshot) -> None:
        if self._panes is None:
            return
        selection, status = self._window.selection, snapshot.status
        can = charge.possible(snapshot, selection.node_id, selection.region is not None)
        for name in CHARGE_ACTIONS:
            is_on = name in can
            if name == "apply_k":
                is_on = self.draft.k is not None
            if name in SPOT_ACTIONS:
                is_on = bool(status.manual.get("virtual")) and "calibrate" in can
            if self._actions[name].isEnabled() != is_on:
                self._actions[name].setEnabled(is_on)
        for name, text in (("undo", texts.undo_action), ("redo", texts.redo_action)):
            what = getattr(status.edits, f"{name}_text", "") if status.edits else ""
            self._actions[name].setToolTip(text(what))
        tiny = self._tiny(snapshot) if "split" in can else None
        offer = texts.tiny_offer(*tiny) if tiny is not None else ""
        note = charge.why_not(snapshot) if status.tree else ""
        saved = snapshot.answers.get("save")
        if not note and saved is not None and saved.fields.get("result"):
            note = texts.saved_as(str(saved.fields["result"]))
        panel = self._panes.hierarchy
        panel.prompt.set_view(self.draft.prompt)
        if panel.lines != (offer, note):
            panel.set_lines(offer, note)

    def _tiny(self, snapshot: Snapshot) -> tuple[ClusterNode, ClusterNode] | None:
        key = (snapshot.status.tree, snapshot.status.shows, snapshot.version("cluster_patterns"))
        return self._memo.get("tiny", key, lambda: tree_prompts.tiny_cluster(snapshot))

    # Ring and threshold.

    def _drag_ring(self, inner_px: float, outer_px: float) -> None:
        self._try(charge.with_ring(self.draft, self._status, inner_px, outer_px))

    def _drag_threshold(self, threshold: float) -> None:
        self._try(charge.with_threshold(self.draft, threshold))

    def _try(self, draft: Draft) -> None:
        """Show a mask that is being tried, and ask what it would do."""
        draft = replace(draft, shows_mask=True)
        if not draft.hint:
            self._ask(charge.mask_preview(self._status, draft))
        self._set(draft)

    def _drop_mask(self) -> None:
        for request in charge.mask_requests(self._status, self.draft):
            self._await("set")
            self._ask(request)

    def _enter_ring(self, inner_px: float, outer_px: float) -> None:
        self._drag_ring(inner_px, outer_px)
        if not self.draft.hint:
            self._drop_mask()

    def _enter_threshold(self, threshold: float) -> None:
        self._drag_threshold(threshold)
        if not self.draft.hint:
            self._drop_mask()

    def _step_ring(self, inner_px: float, outer_px: float) -> None:
        ring = charge.ring_of(self._status, self.draft)
        if ring is not None:
            self._enter_ring(ring[0] + inner_px, ring[1] + outer_px)

    def _step_threshold(self, by: float) -> None:
        threshold = charge.threshold_of(self._status, self.draft)
        if threshold is not None:
            self._enter_threshold(threshold + by)

    def _release(self) -> None:
        for name in ("ring", "threshold"):
            self._ask(Request("release", {"name": name}))
        self._set(replace(self.draft.without_mask(), hint="", shows_mask=self.draft.pins_mask))

    def _show_mask(self, shows: bool) -> None:
        draft = replace(self.draft, shows_mask=shows, pins_mask=shows)
        if shows:
            self._ask(charge.mask_preview(self._status, draft))
        self._set(draft)

    # K.

    def _drag_k(self, k: float) -> None:
        node = charge.elbow_node(self._status, self._window.selection.node_id)
        if node is not None:
            self._set(charge.with_k(self.draft, node, k))

    def _step_k(self, by: int) -> None:
        node = charge.elbow_node(self._status, self._window.selection.node_id)
        if node is None:
            return
        now = self.draft.k if self.draft.k is not None and self.draft.k_node == node.name else node.k
        self._set(charge.with_k(self.draft, node, now + by))
        self._preview_k()

    def _preview_k(self) -> None:
        status = self._status
        node = next((node for node in status.tree if node.name == self.draft.k_node), None)
        if node is None or self.draft.k is None or charge.why_not(self._snapshot):
            return
        for request in charge.k_previews(node, self.draft.k):
            self._ask(request)

    def _apply_k(self) -> None:
        request = charge.k_request(self._status, self.draft)
        if request is not None:
            self._await(request.method)
            self._ask(request)

    def _lock_k(self) -> None:
        node = charge.elbow_node(self._status, self._window.selection.node_id)
        if node is not None:
            k = self.draft.k if self.draft.k is not None and self.draft.k_node == node.name else node.k
            self._ask(charge.lock_request(self._status, node, k))

    # The hierarchy.

    def _open(self, prompt: Prompt | None) -> None:
        draft = replace(self.draft, prompt=prompt)
        if prompt is not None and prompt.kind is PromptKind.SPLIT and prompt.number is not None:
            draft = replace(draft, k=prompt.number, k_node=prompt.node)
        self._set(draft)
        if prompt is not None and prompt.kind is PromptKind.SPLIT:
            if self._panes is not None:
                self._panes.show_tab("elbow")
            self._preview_k()

    def _follow_prompt(self, answer: object) -> None:
        prompt = self.draft.prompt
        if prompt is not None and prompt.kind is PromptKind.SPLIT and isinstance(answer, int):
            self._set(replace(self.draft, k=answer, k_node=prompt.node))
            self._preview_k()

    def _answer_prompt(self, answer: object) -> None:
        prompt = self.draft.prompt
        if prompt is None:
            return
        self._ask(tree_prompts.prompt_request(prompt, answer))
        self._set(replace(self.draft, prompt=None, k=None, k_node=""))

    def _drop_node(self, dragged_id: int, onto_id: int) -> None:
        if not charge.why_not(self._snapshot):
            self._open(tree_prompts.drop_prompt(self._snapshot, dragged_id, onto_id))

    def _hide(self) -> None:
        node = self._status.node(self._window.selection.node_id)
        if node is not None:
            self._ask(tree_prompts.hide_request(node))

    def _take_offer(self) -> None:
        tiny = self._tiny(self._snapshot)
        if tiny is not None:
            self._ask(Request("merge", {"nodes": [tiny[1].name, tiny[0].name]}))

    # Regions, spots, calibration.

    def _analyze_region(self) -> None:
        """A rectangle at once; around anything else the rectangle is asked for first."""
        selection = self._window.selection
        if selection.roi is None or selection.region is None:
            return
        if selection.region_is_rectangle:
            self._ask(tree_prompts.region_request(selection.roi))
        else:
            self._set(replace(self.draft, prompt=tree_prompts.region_prompt(selection)))

    def _move_spot(self, step_y: int, step_x: int) -> None:
        """The newest virtual detector goes by so many px."""
        far = bool(QtWidgets.QApplication.keyboardModifiers() & QtCore.Qt.KeyboardModifier.ShiftModifier)
        self._ask(spots.moved_spot(self._status, step_y, step_x, spots.FAR if far else 1))

    def _click_spot(self, y: int, x: int, conjugate: bool) -> None:
        """A click on the pattern: a virtual detector there; with Shift its conjugate belongs to it."""
        snapshot = self._snapshot
        status, present = snapshot.status, snapshot.status.manual.get("virtual") or {}
        if "calibrate" not in charge.possible(snapshot, None, False) or len(present) >= MAX_SPOTS:
            return
        centre = spots.shown_centre(snapshot, self._window.selection)
        if centre is not None:
            detector = spots.spot_at(status, centre, y, x, conjugate=conjugate)
            self._ask(Request("set", {"name": "virtual", "value": {spots.free_name(status): detector}}))

    def _calibrate(self) -> None:
        self.panel.open_with(entry_of(self._status))

    def _enter_calibration(self, entry: CalibrationEntry) -> None:
        request = calibration_request(self._status, entry)
        if isinstance(request, str):
            self.panel.set_hint(request)
            return
        self._ask(request)
        self.panel.hide()


SPOT_ACTIONS = frozenset({"clear_spots", "spot_up", "spot_down", "spot_left", "spot_right"})
"""Those that need a spot that was clicked."""
CHARGE_ACTIONS = tuple(
    "split merge rename move locate hide show_hidden undo redo save_result inner_less inner_more outer_less outer_more "
    "threshold_less threshold_more automatic k_less k_more apply_k lock_k analyze_region calibrate clear_spots "
    "spot_up spot_down spot_left spot_right".split()
)
"""Names of the actions whose state this decides."""
