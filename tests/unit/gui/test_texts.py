"""Every state, phase and finish reason has its words; a new member without a text fails here."""

from dataclasses import replace

import pytest

from gui.presenters import texts
from gui.presenters.header_panes import banner_view, header_view
from gui.presenters.levels import Scale
from gui.presenters.phase import FAULTS, Phase, engine_phase, phase_of
from gui.presenters.snapshot import Link, Notice, Snapshot
from gui.presenters.status import EngineStatus, Source
from gui.presenters.views import Severity
from streamer.model import EngineState, FinishReason, FrameCounters, Problem, ProblemCode
from tests.widgets.fake_scan import FakeScan, phases


def snapshot_of(state, /, **changes) -> Snapshot:
    return Snapshot(1, link=Link.CONNECTED, status=replace(EngineStatus.from_json(state), **changes))


@pytest.fixture
def scan() -> FakeScan:
    return FakeScan((8, 10), (12, 14), share=0.5)


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_a_pill_and_a_sentence(scan, phase):
    icon, word = texts.PILLS[phase]
    assert icon
    assert word == word.upper()
    reason = FinishReason(phase) if phase in list(FinishReason) else FinishReason.COMPLETED
    status = replace(EngineStatus.from_json(scan.state()), finish_reason=reason)
    sentence = texts.pill_sentence(phase, status, has_labels=True, endpoint="tcp://x:1", attempt=2)
    assert len(sentence) > 10


@pytest.mark.parametrize("state", list(EngineState))
@pytest.mark.parametrize("reason", [None, *FinishReason])
@pytest.mark.parametrize("shows", ["nothing", "live", "final"])
@pytest.mark.parametrize("has_scan", [True, False])
def test_every_state_of_an_engine_has_a_header(scan, state, reason, shows, has_scan):
    changes = {} if has_scan else {"scan": None, "tree": ()}
    snapshot = snapshot_of(scan.state(), state=state, finish_reason=reason, shows=shows, **changes)
    view = header_view(snapshot)
    assert view.word
    assert view.sentence
    assert "None" not in view.sentence + view.summary
    assert 0 <= view.fraction <= 1


@pytest.mark.parametrize("reason", list(FinishReason))
def test_every_finish_reason_says_what_happened_what_is_kept_and_what_to_do(scan, reason):
    status = replace(EngineStatus.from_json(scan.state()), finish_reason=reason)
    assert texts.FINISH_REASONS[reason].endswith(".")
    assert "40 patterns are kept in 20261123-194300_3f2b8c1e.h5" in texts.ended_sentence(status)
    assert texts.NEXT_STEPS[reason] in texts.ended_sentence(status)


@pytest.mark.parametrize("reason", list(FinishReason))
def test_without_a_recording_nobody_is_told_that_something_is_on_disk(scan, reason):
    status = replace(EngineStatus.from_json(scan.state()), finish_reason=reason, recording=None)
    assert "No recording was asked for" in texts.ended_sentence(status)


@pytest.mark.parametrize("scale", list(Scale))
def test_every_scale_has_a_button(scale):
    assert texts.SCALES[scale]
    assert texts.SCALE_TIPS[scale]


@pytest.mark.parametrize(
    ("link", "state", "reason", "shows", "phase"),
    [
        (Link.CONNECTING, EngineState.RUNNING, None, "live", Phase.CONNECTING),
        (Link.GONE, EngineState.RUNNING, None, "live", Phase.ENGINE_GONE),
        (Link.CONNECTED, EngineState.IDLE, None, "nothing", Phase.IDLE),
        (Link.CONNECTED, EngineState.LISTENING, None, "nothing", Phase.WAITING),
        (Link.CONNECTED, EngineState.RUNNING, FinishReason.COMPLETED, "live", Phase.SCANNING),
        (Link.CONNECTED, EngineState.DRAINING, None, "live", Phase.SAVING),
        (Link.CONNECTED, EngineState.ANALYSING, FinishReason.STOPPED, "live", Phase.ANALYSING),
        (Link.CONNECTED, EngineState.LISTENING, FinishReason.COMPLETED, "final", Phase.DONE),
        (Link.CONNECTED, EngineState.LISTENING, FinishReason.STREAM_LOST, "final", Phase.DONE),
        (Link.CONNECTED, EngineState.LISTENING, FinishReason.COMPLETED, "live", Phase.RECORDED),
        (Link.CONNECTED, EngineState.LISTENING, FinishReason.STREAM_LOST, "live", Phase.STREAM_LOST),
        (Link.CONNECTED, EngineState.IDLE, FinishReason.OVERRUN, "live", Phase.OVERRUN),
        (Link.CONNECTED, EngineState.IDLE, FinishReason.FAILED, "nothing", Phase.FAILED),
        (Link.CONNECTED, EngineState.IDLE, FinishReason.STOPPED, "live", Phase.STOPPED),
    ],
)
def test_the_pill_follows_connection_state_and_finish_reason(scan, link, state, reason, shows, phase):
    snapshot = snapshot_of(scan.state(), state=state, finish_reason=reason, shows=shows)
    assert phase_of(replace(snapshot, link=link)) is phase


def test_lag_is_said_in_seconds_with_what_is_queued(scan):
    status = replace(EngineStatus.from_json(scan.state("RUNNING")), lag_s=3.1, n_queued=3600)
    said = "Analysis is 3.1 s behind the detector. Nothing is lost: 3\u2009600 patterns are queued."
    assert texts.scanning_sentence(status, has_labels=True) == said


def test_lag_does_not_say_that_nothing_is_lost_when_something_is(scan):
    counters = FrameCounters(frames_missing=2)
    status = replace(EngineStatus.from_json(scan.state("RUNNING")), lag_s=3.1, counters=counters)
    assert "Nothing is lost" not in texts.scanning_sentence(status, has_labels=True)


def test_before_the_first_clusters_and_when_settled(scan):
    status = EngineStatus.from_json(scan.state("RUNNING"))
    assert texts.scanning_sentence(status, has_labels=False) == texts.FIRST_CLUSTERS
    settled = replace(status, settled=True, settled_share=0.62)
    assert "settled since 62% of the scan" in texts.scanning_sentence(settled, has_labels=True)
    assert texts.scanning_sentence(replace(status, stalled=True), has_labels=True) == texts.STALLED


def test_a_first_start_says_how_far_the_kernels_are():
    waiting = EngineStatus(state=EngineState.LISTENING, listen="tcp://127.0.0.1:9")
    assert "Kernels" not in texts.waiting_sentence(waiting)
    assert "compiled, 40%" in texts.waiting_sentence(replace(waiting, kernels_share=0.4))


def test_a_result_of_a_scan_that_was_lost_says_so(scan):
    status = EngineStatus.from_json(scan.state(finish_reason="STREAM_LOST", shows="final"))
    assert texts.done_sentence(status).startswith("The detector stream was lost. 3 clusters, 7 sub-clusters")


@pytest.mark.parametrize("phase", sorted(FAULTS))
def test_every_fault_has_a_banner_that_says_what_is_kept(scan, phase):
    reason = None if phase is Phase.ENGINE_GONE else FinishReason(phase)
    snapshot = snapshot_of(scan.state(), state=EngineState.LISTENING, finish_reason=reason, shows="live")
    if phase is Phase.ENGINE_GONE:
        snapshot = replace(snapshot, link=Link.GONE)
    banner = banner_view(snapshot, frozenset())
    assert banner.title
    assert "kept" in banner.text or "stays shown" in banner.text


@pytest.mark.parametrize("code", list(ProblemCode))
def test_every_problem_has_a_title_and_a_weight(scan, code):
    said = "3 of them were left out. The recording is kept. Try again."
    banner = banner_view(snapshot_of(scan.state(), problems=(Problem(code, said),)), frozenset())
    severity, title = texts.PROBLEMS[code]
    assert (banner.title, banner.severity, banner.text) == (title, severity, said)
    assert title.endswith(".")
    assert severity is not Severity.NORMAL


def test_banners_come_in_order_of_weight_and_closed_ones_stay_away(scan):
    problems = (Problem("a", "First problem."), Problem("b", "Second problem.", 3))
    snapshot = replace(snapshot_of(scan.state(), problems=problems), notice=Notice(1, "Refused."))
    closed: frozenset[str] = frozenset()
    said = []
    while (banner := banner_view(snapshot, closed)) is not None:
        said.append(banner.text)
        closed |= {banner.key}
    assert said == ["Refused.", "Second problem. (3 times)", "First problem."]


@pytest.mark.parametrize("name", ["waiting", "scanning", "analysing", "done", "fault"])
def test_buttons_are_on_where_they_do_something(name):
    view = header_view(snapshot_of(phases(scan_shape=(8, 10), detector_shape=(12, 14))[name][1]))
    on = (view.can_stop, view.can_analyze, view.can_cancel)
    assert (
        on
        == {
            "waiting": (False, False, False),
            "scanning": (True, False, False),
            "analysing": (False, False, True),
            "done": (False, True, False),
            "fault": (False, True, False),
        }[name]
    )


def test_engine_phase_knows_every_state_and_reason(scan):
    for state in EngineState:
        for reason in (None, *FinishReason):
            status = EngineStatus.from_json(scan.state(str(state), reason and str(reason), "live"))
            assert engine_phase(status) in texts.PILLS


def test_a_title_is_said_only_where_somebody_gave_one(scan):
    node = EngineStatus.from_json(scan.state()).tree[-1]
    assert texts.node_label(node) == "3.2"
    assert texts.node_label(replace(node, title="3.2")) == "3.2"
    assert texts.node_label(replace(node, title="film")) == "3.2 film"


def test_a_served_file_is_analysed_again_where_its_source_is():
    state = phases(scan_shape=(8, 10), detector_shape=(12, 14))["done"][1]
    snapshot = snapshot_of(state)
    served = replace(snapshot.status, listen=None)
    assert header_view(snapshot).can_analyze
    assert header_view(replace(snapshot, status=served)).can_analyze
    moved = replace(served, source=Source("/data/scan.h5", is_there=False))
    assert not header_view(replace(snapshot, status=moved)).can_analyze


def test_what_is_stale_is_said_with_the_time_that_following_it_takes():
    state = phases(scan_shape=(8, 10), detector_shape=(12, 14))["done"][1]
    view = header_view(snapshot_of({**state, "stale": ["features", "hierarchy"]}))
    assert view.sentence.startswith(
        "Stale: features, hierarchy. Analyse follows what you have set, about 26 s"
    )
    assert view.severity == "amber"
