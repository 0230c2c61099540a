import json
import threading

import numpy as np
import pytest
import zmq

from streamer import analyze, open_result, open_scan
from streamer.analysis.result_file import write_result
from streamer.client import EngineClient
from streamer.errors import LivestemError
from streamer.formats.side_settings import side_path
from streamer.serve.change_texts import not_repeated_text
from streamer.serve.live_hand import LiveHand
from streamer.serve.result_server import ResultServer
from streamer.settings import analysis_settings
from tests.simulated import simulate

FREE = "tcp://127.0.0.1:*"
SETTINGS = analysis_settings({"cluster": {"levels": 2}, "lattice": {"enabled": False}})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    scan = simulate(tmp_path_factory.mktemp("scan"), (30, 36))
    with open_scan(scan.raw) as opened:
        path = write_result(analyze(opened, SETTINGS), scan.raw.with_name("scan.result.h5"))
    return scan.raw, path


class Served:
    """A result behind sockets, and a client."""

    def __init__(self, path, read_only=False):
        self.context = zmq.Context()
        self.server = ResultServer(path, FREE, FREE, self.context, read_only=read_only)
        self.thread = threading.Thread(target=self.server.run, name="result-server")
        self.thread.start()
        endpoints = self.server.endpoints
        self.client = EngineClient(endpoints["publish"], endpoints["control"], self.context)

    def close(self):
        self.client.close()
        self.server.request_quit()
        self.thread.join()
        self.context.term()


@pytest.fixture
def serve():
    opened = []

    def start(path, **options):
        opened.append(Served(path, **options))
        return opened[-1].client

    yield start
    for served in opened:
        served.close()


def tree_of(client):
    return {node["name"]: node for node in client.state()["tree"]}


def undo_depth(client):
    edits = client.state()["edits"]
    return edits["n_undo"], edits["n_redo"]


def wait_idle(client):
    """The state after an analysis that has begun; every published state is awaited, so nothing polls."""
    while (state := client.state())["state"] == "ANALYSING":
        client.wait_state(10)
    return state


def test_a_split_changes_tree_labels_and_patterns_and_nothing_else(made, serve):
    client = serve(made[1])
    names = ["label_maps", "cluster_patterns", "elbow", "bright_field", "momentum_labels"]
    before = client.get(names)
    shown = client.preview("1", 3)
    assert undo_depth(client) == (0, 0)
    client.split("1", 3)
    tree = tree_of(client)
    assert tree["1"]["k"] == 3
    changed = client.get(names, {name: entry.version for name, entry in before.items()})
    assert set(changed) == {"label_maps", "cluster_patterns", "elbow"}
    assert len(changed["cluster_patterns"].values) == len(tree)
    for number in range(3):
        child = tree[f"1.{number + 1}"]["id"]
        assert np.array_equal(changed["label_maps"].values[1] == child, shown == number)


def test_undo_redo_merge_rename_and_save(made, serve):
    _, path = made
    client = serve(path)
    first = client.get(["label_maps"])["label_maps"].values
    client.split("all", 2)
    client.undo()
    assert np.array_equal(client.get(["label_maps"])["label_maps"].values, first)
    client.redo()
    client.rename("2", "crystal")
    client.split("2", 3)
    client.merge(["2.1", "2.3"])
    assert undo_depth(client) == (4, 0)
    assert tree_of(client)["2"]["title"] == "crystal"
    saved = open_result(client.save())
    assert saved.path == path.with_name("scan.edited.result.h5")
    assert np.array_equal(saved.label_maps, client.get(["label_maps"])["label_maps"].values)
    assert [node.name for node in saved.nodes] == list(tree_of(client))
    assert saved.attrs["settings_id"] == client.state()["settings_id"]
    assert client.save().endswith("scan.edited-2.result.h5")
    assert np.array_equal(open_result(path).label_maps, first)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda client: client.split("7"), "no node 7"),
        (lambda client: client.merge(["1"]), "at least 2"),
        (lambda client: client.undo(), "nothing to undo"),
        (lambda client: client.request("split", node="1", k="many"), "k' has the value 'many'"),
        (lambda client: client.request("rename", node="1"), "title"),
        (lambda client: client.request("preview", node="1"), "cannot be used"),
        (lambda client: client.preview("1", 0), "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_done_is_answered_with_a_sentence(made, serve, ask, words):
    client = serve(made[1])
    with pytest.raises(LivestemError, match=words):
        ask(client)
    assert undo_depth(client) == (0, 0)


def test_a_reader_may_preview_and_not_split(made, serve):
    client = serve(made[1], read_only=True)
    assert client.preview("1", 2).shape == (30, 36)
    with pytest.raises(LivestemError, match="'split' was refused"):
        client.split("1", 2)


def test_without_its_source_a_result_is_shown_and_not_changed(made, serve, tmp_path):
    raw, path = made
    alone = tmp_path / "alone.result.h5"
    alone.write_bytes(path.read_bytes())
    away = raw.with_suffix(".away")
    raw.rename(away)
    try:
        client = serve(alone)
        with pytest.raises(LivestemError, match="is not where it was"):
            client.split("1", 2)
        assert "label_maps" in client.get(["label_maps"])
    finally:
        away.rename(raw)


def test_values_set_by_hand_make_stages_stale_and_nothing_else_until_they_are_asked_for(made, serve):
    client = serve(made[1])
    before = client.get(["label_maps", "features"])
    auto = client.state()["settings"]["auto"]
    client.set("ring", [auto["inner_px"] + 6, auto["outer_px"] - 8])
    client.set("threshold", 0.4)
    client.set("K", {"1": 3})
    state = client.state()
    assert state["stale"] == ["features", "hierarchy", "patterns", "manifold"]
    assert state["settings"]["manual"] == {
        "inner_px": auto["inner_px"] + 6, "outer_px": auto["outer_px"] - 8, "threshold": 0.4, "k": {"1": 3},
    }  # fmt: skip
    assert state["settings"]["in_force"]["inner_px"] == auto["inner_px"]
    records = {record["parameter"]: record for record in state["overrides"]}
    assert records["inner_px"]["automatic"] == auto["inner_px"]
    assert records["k 1"]["automatic"] == auto["k"]["1"]
    assert records["threshold"]["time"].endswith("+00:00")
    versions = {name: entry.version for name, entry in before.items()}
    assert client.get(["label_maps", "features"], versions) == {}, "nothing is recomputed behind the back"
    client.undo()
    assert client.state()["settings"]["manual"]["threshold"] == 0.4
    assert "k" not in client.state()["settings"]["manual"]
    client.release("threshold")
    client.release("ring")
    assert client.state()["stale"] == []


def test_a_re_run_follows_the_values_and_undo_brings_the_analysis_before_back(made, serve):
    client = serve(made[1])
    labels = client.get(["label_maps"])["label_maps"].values
    client.rename("1", "film")
    client.set("K", {"all": 2})
    client.analyze()
    state = wait_idle(client)
    assert state["stale"] == []
    assert state["settings"]["in_force"]["k"]["all"] == 2
    assert [problem["code"] for problem in state["problems"]] == ["edits_not_repeated"]
    by_hand = analysis_settings({**SETTINGS.model_dump(), "cluster": {"levels": 2, "k": {"all": 2}}})
    with open_scan(made[0]) as opened:
        expected = analyze(opened, by_hand).label_maps
    assert np.array_equal(client.get(["label_maps"])["label_maps"].values, expected)
    client.undo()
    state = client.state()
    assert np.array_equal(client.get(["label_maps"])["label_maps"].values, labels)
    assert state["stale"] == ["hierarchy", "patterns", "manifold"]
    assert [node["title"] for node in state["tree"] if node["title"]] == ["film"]


def test_a_region_is_analysed_alone_and_saved_with_its_records(made, serve):
    client = serve(made[1])
    client.set("outer", 40.0)
    client.analyze((4, 22, 6, 30))
    state = wait_idle(client)
    assert state["edits"]["undo_text"] == "region"
    labels = client.get(["label_maps"])["label_maps"].values
    assert (labels[:, 4:22, 6:30] >= 0).all()
    assert (labels >= 0).sum() == labels.shape[0] * 18 * 24
    saved = open_result(client.save())
    assert saved.path.name == "scan.region.result.h5"
    assert saved.attrs["settings"]["roi"] == [4, 22, 6, 30]
    assert [record["parameter"] for record in saved.attrs["overrides"]] == ["outer_px"]
    assert saved.array_attrs["mask"]["outer_px"] == 40.0
    again = serve(saved.path)
    again.rename("1", "part")
    again.set("inner", 20.0)
    assert [record["parameter"] for record in again.state()["overrides"]] == [
        "inner_px",
        "outer_px",
        "rename 1",
    ]


def test_an_analysis_that_is_cancelled_leaves_what_was_there(made, serve):
    client = serve(made[1])
    before = client.get(["label_maps"])["label_maps"]
    client.set("disk", 9.0)
    client.analyze()
    with pytest.raises(LivestemError, match="An analysis is running"):
        client.split("1", 2)
    client.cancel()
    state = wait_idle(client)
    assert state["problems"][-1]["code"] == "analysis_cancelled"
    assert client.get(["label_maps"], {"label_maps": before.version}) == {}
    assert state["stale"][0] == "align"


def test_hide_and_move_are_edits_like_the_others(made, serve):
    client = serve(made[1])
    client.split("1", 2)
    client.hide(["1.1"])
    assert tree_of(client)["1.1"]["hidden"]
    client.move("1.2", "2")
    assert not any(name.startswith("1.") for name in tree_of(client))
    assert client.state()["edits"]["undo_text"] == "move 1.2 onto 2"
    client.undo()
    assert tree_of(client)["1.1"]["hidden"]


def test_the_preview_of_a_mask_counts_pixels_and_estimates_what_would_change(made, serve):
    client = serve(made[1])
    in_force = client.state()["settings"]["in_force"]
    same = client.preview_mask()
    assert same.header["changed_share"] == 0.0
    assert same.header["n_features"] == in_force["n_features"]
    other = client.preview_mask(
        inner=in_force["inner_px"] + 5, outer=in_force["inner_px"] + 12, threshold=0.5
    )
    ring = other.array("ring")
    assert other.header["n_ring"] == ring.sum() < same.header["n_ring"]
    assert (other.array("features") & ~ring).sum() == 0
    assert 0.0 <= other.header["changed_share"] <= 1.0
    assert other.header["n_sample"] == 1024
    with pytest.raises(LivestemError, match="too thin"):
        client.preview_mask(inner=30.0, outer=31.0)


def test_the_estimate_is_near_what_a_re_run_changes(made, serve):
    client = serve(made[1])
    before = client.get(["label_maps"])["label_maps"].values[0]
    in_force = client.state()["settings"]["in_force"]
    inner = in_force["inner_px"] + 8
    said = client.preview_mask(inner=inner).header["changed_share"]
    client.set("inner", inner)
    client.set("K", {"all": in_force["k"]["all"]})
    client.analyze()
    wait_idle(client)
    after = client.get(["label_maps"])["label_maps"].values[0]
    mapped = {old: np.bincount(after[before == old]).argmax() for old in np.unique(before)}
    changed = np.mean([mapped[old] != new for old, new in zip(before.ravel(), after.ravel(), strict=True)])
    assert said == pytest.approx(changed, abs=0.15)


def test_a_calibration_wins_and_is_kept_beside_the_file(made, serve):
    raw, path = made
    client = serve(path)
    client.calibrate((2.0, 3.0), 0.25)
    try:
        state = client.state()
        assert state["scan"]["calibration"]["scan_step_yx_nm"] == [2.0, 3.0]
        assert (state["q_per_px_inv_nm"], state["scan"]["calibration"]["q_source"]) == (0.25, "user")
        client.set("threshold", 0.4)
        client.rename("1", "film")
        while len(json.loads(side_path(path).read_text()).get("overrides", [])) < 2:
            client.wait_state(10)
        kept = json.loads(side_path(path).read_text())["overrides"]
        assert [(record["parameter"], record["automatic"]) for record in kept] == [
            ("threshold", 0.3),
            ("rename 1", None),
        ]
        again = serve(path).state()
        assert again["q_per_px_inv_nm"] == 0.25
        with open_scan(raw) as scan:
            assert scan.info.calibration.q_per_px_inv_nm == 0.25
            scan.refresh()
            assert scan.info.calibration.scan_step_yx_nm == (2.0, 3.0)
        with pytest.raises(LivestemError, match="positive number in 1/nm"):
            client.calibrate(None, -1.0)
    finally:
        for file in raw.parent.glob("*.session.json"):
            file.unlink()


def test_a_source_that_has_moved_is_located(made, serve, tmp_path):
    raw, path = made
    alone = tmp_path / "alone.result.h5"
    alone.write_bytes(path.read_bytes())
    away = raw.with_name("elsewhere_x36_y30.raw")
    raw.rename(away)
    try:
        client = serve(alone)
        assert client.state()["source"]["is_there"] is False
        other = simulate(tmp_path, (30, 36), seed=5)
        with pytest.raises(LivestemError, match="is not what the result was made of"):
            client.locate(str(other.raw))
        client.locate(str(away))
        assert client.state()["source"] == {"path": str(away), "is_there": True}
        assert client.state()["problems"] == []
        client.split("1", 2)
        assert serve(alone).state()["source"]["is_there"], "it is remembered"
    finally:
        away.rename(raw)


def test_requests_can_be_sent_without_waiting(made, serve):
    client = serve(made[1])
    number, wrong = client.submit("preview", node="1", k=2), client.submit("preview", node="9", k=2)
    assert client.state()["shows"] == "final", "others are answered meanwhile"
    replies = {}
    while len(replies) < 2:
        client.wait_state(10)
        replies |= client.replies()
    assert replies[number].array("labels").shape == (30, 36)
    assert "no node 9" in str(replies[wrong])


def test_an_engine_repeats_edits_where_they_still_fit_and_names_those_it_drops(made):
    raw, path = made
    with open_scan(raw) as scan:
        hand = LiveHand(SETTINGS)
        hand.take_result(open_result(path), scan, 1)
        hand.session.answer("split", {"node": "1", "k": 3})
        hand.session.answer("rename", {"node": "2", "title": "crystal"})
        settings, records, dropped = hand.analysis_settings(None)
        assert [edit.edit for edit in settings.edits] == ["split", "rename"]
        assert [record.parameter for record in records] == ["split 1 into 3", "rename 2"]
        assert dropped == ()
        hand.set_value("K", {"1": 2}, hand.session.snapshot)
        settings, records, dropped = hand.analysis_settings(None)
        assert [edit.edit for edit in settings.edits] == ["rename"]
        assert [record.parameter for record in records] == ["k 1", "rename 2"]
        assert not_repeated_text(dropped).startswith(
            "This change of the hierarchy was made on other clusters and not repeated: split 1 into 3. Undo"
        )
        hand.set_value("threshold", 0.4, hand.session.snapshot)
        dropped = hand.analysis_settings(None)[2]
        assert "not repeated: split 1 into 3, rename 2. Undo brings back" in not_repeated_text(dropped)
        whole = hand.session.result
        hand.session.adopt(whole)
        assert {record["parameter"] for record in hand.session.fields()["overrides"]} == {"k 1", "threshold"}
