import threading

import numpy as np
import pytest
import zmq

from streamer import analyze, open_result, open_scan
from streamer.analysis.result_file import write_result
from streamer.client import EngineClient
from streamer.errors import LivestemError
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


def test_a_split_changes_tree_labels_and_patterns_and_nothing_else(made, serve):
    client = serve(made[1])
    names = ["label_maps", "cluster_patterns", "elbow", "bright_field", "momentum_labels"]
    before = client.get(names)
    shown = client.preview("1", 3)
    assert client.state()["edits"] == {"n_undo": 0, "n_redo": 0}
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
    assert client.state()["edits"] == {"n_undo": 4, "n_redo": 0}
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
    assert client.state()["edits"] == {"n_undo": 0, "n_redo": 0}


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
