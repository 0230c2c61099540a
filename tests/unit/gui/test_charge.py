"""Taking charge, decided without Qt: what is possible, what is asked, and what is refused with a hint."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from gui.presenters import charge, spots, texts, tree_prompts
from gui.presenters.calibration import CalibrationEntry, calibration_request, entry_of
from gui.presenters.charge import Draft
from gui.presenters.chart_panes import elbow_view, rings_view
from gui.presenters.memo import Memo
from gui.presenters.pattern_pane import KEPT_RGBA, paint_kept
from gui.presenters.selection import Selection
from gui.presenters.snapshot import Answer, Link, Request, Snapshot
from gui.presenters.status import EngineStatus
from gui.presenters.tree_prompts import PromptKind
from gui.requests import MAX_UNDER_WAY, MAX_WAITING, RequestQueue
from streamer.errors import LivestemError
from streamer.model import EngineState
from streamer.wire.control import ControlMessage, NamedArray
from tests.widgets.fake_scan import phases

PARTS = phases(scan_shape=(24, 32), detector_shape=(48, 50))


def snapshot_in(phase="done", link=Link.CONNECTED, **changes) -> Snapshot:
    _, state, arrays = PARTS[phase]
    status = EngineStatus.from_json({**state, **changes})
    return Snapshot(1, link=link, status=status, arrays=MappingProxyType(arrays))


def manual(**values):
    return {**PARTS["done"][1]["settings"], "manual": values}


@pytest.mark.parametrize("state", list(EngineState))
@pytest.mark.parametrize("shows", ["nothing", "live", "final"])
def test_the_tree_changes_only_where_a_result_is_at_rest_and_else_it_is_said_when(state, shows):
    snapshot = snapshot_in(state=state.value, shows=shows)
    can = charge.possible(snapshot, 7, True)
    at_rest = shows == "final" and state in (EngineState.IDLE, EngineState.LISTENING)
    assert ("split" in can) == ("merge" in can) == ("analyze_region" in can) == at_rest
    assert "inner_more" in can, "values can be set at any time"
    assert bool(charge.why_not(snapshot)) == (not at_rest)


def test_a_window_that_may_only_look_or_has_lost_its_engine_can_do_nothing():
    assert not charge.possible(snapshot_in(read_only=True), 7, True).names
    assert not charge.possible(snapshot_in(link=Link.GONE), 7, True).names
    assert charge.why_not(snapshot_in(read_only=True)) == texts.CHARGE_READ_ONLY
    assert charge.why_not(snapshot_in(link=Link.GONE)) == texts.CHARGE_NO_ENGINE


@pytest.mark.parametrize(
    ("inner", "outer", "hint"),
    [
        (20, 21, "too thin"),
        (30, 20, "too thin"),
        (-1, 20, "stay on the detector"),
        (5, 30, "stay on the detector"),
    ],
)
def test_a_refused_ring_leaves_the_draft_as_it_was(inner, outer, hint):
    status = snapshot_in().status
    before = charge.with_ring(Draft(), status, 10, 20)
    after = charge.with_ring(before, status, inner, outer)
    assert hint in after.hint
    assert (after.inner_px, after.outer_px) == (10, 20)
    assert charge.with_ring(after, status, 11, 20).hint == ""


def test_what_is_shown_is_the_draft_then_what_is_set_then_what_is_in_force():
    in_force = snapshot_in().status
    by_hand = snapshot_in(settings=manual(inner_px=12.0, threshold=0.4)).status
    draft = Draft(inner_px=15.0)
    assert charge.ring_of(in_force, Draft()) == (18.0, 46.0)
    assert charge.ring_of(by_hand, Draft()) == (12.0, 46.0)
    assert charge.ring_of(by_hand, draft) == (15.0, 46.0)
    assert charge.threshold_of(by_hand, draft) == 0.4
    requests = charge.mask_requests(by_hand, replace(draft, threshold=0.2))
    assert [request.params for request in requests] == [
        {"name": "ring", "value": [15.0, 46.0]},
        {"name": "threshold", "value": 0.2},
    ]
    assert charge.mask_requests(by_hand, Draft()) == ()


def test_rings_say_automatic_and_present_values():
    snapshot = snapshot_in(settings=manual(inner_px=20.0))
    view = rings_view(snapshot, Selection(), Memo())
    assert view.note.startswith("ring: auto 18–46, now 20–46 px · threshold 30 % (auto)")
    assert view.is_manual
    assert rings_view(snapshot_in(), Selection(), Memo()).note.startswith("ring 18–46 px (auto)")
    assert not rings_view(snapshot_in(read_only=True), Selection(), Memo()).can_set


@pytest.mark.parametrize(("wanted", "k"), [(2.4, 2), (2.6, 3), (-3.0, 1), (99.0, charge.MAX_K)])
def test_k_is_a_whole_number_in_its_bounds(wanted, k):
    node = snapshot_in().status.tree[0]
    assert charge.with_k(Draft(), node, wanted).k == k


def test_k_splits_a_result_and_is_set_during_a_scan():
    draft = Draft(k=3, k_node="2")
    assert charge.k_request(snapshot_in().status, draft) == Request("split", {"node": "2", "k": 3})
    live = snapshot_in("scanning").status
    assert charge.k_request(live, draft) == Request("set", {"name": "K", "value": {"2": 3}})
    assert [request.params["k"] for request in charge.k_previews(live.tree[0], 2)] == [2, 3]


def test_a_drafted_k_shows_its_node_even_without_a_curve():
    snapshot = snapshot_in()
    view = elbow_view(snapshot, Selection(), Memo(), Draft(k=3, k_node="2.1"))
    assert (view.node_name, view.wanted_k, view.message) == ("2.1", 3, texts.ELBOW_EMPTY)
    assert "wanted 3" in view.note


@pytest.mark.parametrize("kind", list(PromptKind))
def test_every_prompt_has_a_question_and_makes_its_request(kind):
    if kind is PromptKind.REGION:
        prompt = tree_prompts.region_prompt(Selection().with_region(np.eye(24, 32, dtype=bool)))
    else:
        prompt = tree_prompts.prompt_for(kind, snapshot_in(), 7, None)
    assert prompt is not None
    assert prompt.question
    answer = {PromptKind.SPLIT: 3, PromptKind.RENAME: " x " * 40, PromptKind.LOCATE: "/a"}.get(
        kind, prompt.choices[0] if prompt.choices else None
    )
    request = tree_prompts.prompt_request(prompt, answer)
    assert request is not None
    assert request.method == ("analyze" if kind is PromptKind.REGION else kind.value)
    if kind is PromptKind.REGION:
        assert request.params["roi"] == [0, 24, 0, 24]
    elif kind is PromptKind.RENAME:
        assert len(request.params["title"]) == 60
    else:
        assert tree_prompts.prompt_request(prompt, "") is None


def test_a_leaf_moves_anywhere_but_into_itself_and_to_its_parent():
    prompt = tree_prompts.prompt_for(PromptKind.MOVE, snapshot_in(), 7, None)
    assert prompt.choices == ("all", "1", "3", "1.1", "1.2", "1.3", "2.2", "3.1", "3.2")
    assert tree_prompts.drop_prompt(snapshot_in(), 7, 2) is None, "its parent"
    assert tree_prompts.drop_prompt(snapshot_in(), 2, 7) is None, "its own branch"
    onto = tree_prompts.drop_prompt(snapshot_in(), 7, 1)
    assert onto.question == "Move 2.1 under 1?"


def test_only_tiny_leaves_with_a_sister_are_offered():
    assert tree_prompts.tiny_cluster(snapshot_in()) is None
    tree = [
        {**node, "n_patterns": 3} if node["name"] in ("2.2", "1") else node
        for node in PARTS["done"][1]["tree"]
    ]
    tiny, sister = tree_prompts.tiny_cluster(snapshot_in(tree=tree))
    assert (tiny.name, sister.name) == ("2.2", "2.1")
    assert tree_prompts.tiny_cluster(snapshot_in("scanning", tree=tree)) is None


def test_the_pixels_of_a_spot_and_its_conjugate():
    status = snapshot_in().status
    detector = spots.spot_at(status, (23.5, 24.5), 13, 30, conjugate=True)
    mask = spots.detector_mask({**detector, "radius_px": 2.0}, (48, 50))
    assert mask[13, 30]
    assert mask[34, 19]
    assert not mask[23, 24]
    assert np.array_equal(mask, mask[::-1, ::-1])


def test_feature_pixels_are_a_veil():
    features = np.zeros((4, 5), bool)
    features[1, 2] = True
    veil = paint_kept(features)
    assert tuple(veil[1, 2]) == KEPT_RGBA
    assert veil[0, 0, 3] == 0


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"step_nm": "1.5"}, {"scan_step_yx_nm": [1.5, 1.5], "q_measured_inv_nm": None}),
        ({"full_width_nm": "64"}, {"scan_step_yx_nm": [2.0, 2.0], "q_measured_inv_nm": None}),
        ({"q_per_px_inv_angstrom": "0,04"}, {"scan_step_yx_nm": None, "q_measured_inv_nm": 0.4}),
        ({"ring_px": "20", "spacing_angstrom": "2.5"}, {"scan_step_yx_nm": None, "q_measured_inv_nm": 0.2}),
        ({"ring_px": "20"}, texts.CALIBRATION_RING),
        ({}, texts.CALIBRATION_EMPTY),
        ({"step_nm": "-1"}, "Scan position (nm): '-1' is no size. Expected a positive number."),
        ({"step_nm": "nan"}, "Scan position (nm): 'nan' is no size. Expected a positive number."),
    ],
)
def test_what_is_typed_becomes_sizes_or_a_hint(entry, expected):
    said = calibration_request(snapshot_in().status, CalibrationEntry(**entry))
    if isinstance(said, str):
        assert said == expected
    else:
        assert said.params == expected
    assert entry_of(snapshot_in().status) == CalibrationEntry("1.05", "", "0.042")


class FakeClient:
    """Takes requests, and answers those that it is told to."""

    def __init__(self):
        self.sent, self.ready = [], {}

    def submit(self, method, arrays=(), timeout_s=5.0, **params):
        self.sent.append((method, params))
        return len(self.sent)

    def replies(self):
        replies, self.ready = self.ready, {}
        return replies


def test_of_a_slot_only_the_newest_waits_and_one_is_under_way():
    queue, client = RequestQueue(), FakeClient()
    for value in range(3):
        queue.put(Request("preview_mask", {"inner": value}, "mask"))
    queue.send(client, 1.0)
    queue.put(Request("preview_mask", {"inner": 7}, "mask"))
    queue.put(Request("preview_mask", {"inner": 8}, "mask"))
    queue.put(Request("undo"))
    queue.put(Request("undo"))
    queue.send(client, 1.0)
    assert client.sent == [("preview_mask", {"inner": 2}), ("undo", {}), ("undo", {})]
    client.ready = {
        1: ControlMessage({"ok": True, "n": 1}, (NamedArray("ring", np.ones(2)),)),
        2: LivestemError("no"),
    }
    answers = list(queue.receive(client))
    assert [(answer.request.method, answer.error) for answer in answers] == [
        ("preview_mask", ""),
        ("undo", "no"),
    ]
    assert answers[0].array("ring").tolist() == [1, 1]
    queue.send(client, 1.0)
    assert client.sent[-1] == ("preview_mask", {"inner": 8})
    assert len(queue.clear()) == 2
    assert len(queue) == 0


def test_the_queue_is_bounded():
    queue, client = RequestQueue(), FakeClient()
    assert all(queue.put(Request("undo")) for _ in range(MAX_WAITING))
    assert not queue.put(Request("undo"))
    queue.send(client, 1.0)
    assert len(client.sent) == MAX_UNDER_WAY
    assert Answer(1, Request("undo")).array("ring") is None
