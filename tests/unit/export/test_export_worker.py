"""The export's process: describes, writes, says what goes wrong, can be cancelled."""

import pytest

from streamer.export import worker
from streamer.export.plan import ExportPlan, Kind


@pytest.fixture
def said(monkeypatch):
    events = []
    monkeypatch.setattr(worker, "say", lambda **fields: events.append(fields))
    return events


def request(written, folder, *kinds, **more):
    plan = ExportPlan(kinds=kinds).model_dump(mode="json")
    return {
        "id": 7,
        "do": "write",
        "result": str(written.path),
        "plan": plan,
        "out": str(folder),
        "name": "n",
        **more,
    }


def test_a_result_is_described(said, written_result):
    worker.Exporter().answer({"id": 3, "do": "describe", "result": str(written_result.path)})
    (described,) = said
    assert (described["id"], described["event"], described["name"]) == (3, "described", "scan")
    assert set(described["default"]) < set(described["panels"])
    assert len(described["differences"]) == len(written_result.label_maps)
    assert all(5 < difference < 100 for difference in described["differences"])


def test_files_are_written_and_named(said, written_result, tmp_path):
    worker.Exporter().answer(request(written_result, tmp_path, Kind.METHODS, Kind.TREE))
    assert said[-1]["event"] == "written"
    assert sorted(said[-1]["files"]) == sorted(str(path) for path in tmp_path.iterdir())
    assert [fields["id"] for fields in said] == [7] * len(said)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"result": "/no/such.result.h5"}, "does not exist"),
        ({"plan": {"kinds": ["jpeg"]}}, "kinds.0 = 'jpeg' is not possible"),
        ({"plan": 3}, "not possible"),
    ],
)
def test_what_goes_wrong_is_a_sentence(said, written_result, tmp_path, changes, sentence):
    worker.Exporter().answer(request(written_result, tmp_path, Kind.METHODS, **changes))
    assert said[-1]["event"] == "failed"
    assert sentence in said[-1]["error"]
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_export_leaves_whole_files_alone(said, written_result, tmp_path, monkeypatch):
    exporter = worker.Exporter()

    def say(**fields):
        said.append(fields)
        if fields.get("share", 0) > 0:
            exporter.cancelled = 7

    monkeypatch.setattr(worker, "say", say)
    exporter.answer(request(written_result, tmp_path, Kind.METHODS, Kind.TREE, Kind.SCRIPT))
    assert said[-1]["event"] == "failed"
    assert "cancelled" in said[-1]["error"]
    assert {path.name for path in tmp_path.iterdir()} == {"n.methods.txt", "n.tree.nwk"}
    exporter.answer({**request(written_result, tmp_path / "again", Kind.METHODS), "id": 8})
    assert said[-1]["event"] == "written"
