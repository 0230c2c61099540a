"""What an engine tells of the scans of a night, and when it warns of the disk."""

import base64
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np

from streamer.analysis.result_file import AnalysisResult
from streamer.look.palette import NOT_VISITED, node_colours
from streamer.model import ClusterNode, FinishReason
from streamer.serve import night
from streamer.serve.night import KEPT, Night

NOW = datetime(2026, 11, 26, 23, 5, tzinfo=UTC)


def scan(folder, number, n_bytes=1000):
    path = folder / f"scan{number}.h5"
    path.write_bytes(bytes(n_bytes))
    return SimpleNamespace(path=path, info=SimpleNamespace(scan_id=f"id{number}", scan_shape=(30, 50)))


def result(folder, number):
    nodes = tuple(
        ClusterNode(row, 0, int(row > 0), "all" if row == 0 else str(row), 1, 0.0, 0.0) for row in range(3)
    )
    labels = np.full((2, 30, 50), 1, np.int32)
    labels[0, :, 26:] = 2
    labels[0, 0, 0] = -1
    return AnalysisResult({}, {"hierarchy/labels": labels}, nodes, path=folder / f"scan{number}.result.h5")


def test_every_scan_has_an_entry_with_its_end_its_result_and_a_small_map(tmp_path):
    told = Night(tmp_path, None)
    first, second = scan(tmp_path, 1), scan(tmp_path, 2)
    told.ended(first, FinishReason.COMPLETED, NOW)
    told.ended(second, FinishReason.STREAM_LOST, NOW)
    found = result(tmp_path, 1)
    told.analysed(first, found)
    told.failed(second, "The analysis failed.")
    one, other = told.to_json()
    assert (one["scan_id"], one["ended"], one["finish_reason"]) == (
        "id1",
        "2026-11-26T23:05:00+00:00",
        "COMPLETED",
    )
    assert one["result"] == str(tmp_path / "scan1.result.h5")
    assert one["n_clusters"] == 2
    rows, columns = one["map"]["shape"]
    assert (rows, columns) == (10, 17)
    picture = np.frombuffer(base64.b64decode(one["map"]["rgb"]), np.uint8).reshape(rows, columns, 3)
    colours = node_colours(found.nodes)
    assert tuple(picture[0, 0]) == NOT_VISITED
    assert tuple(picture[5, 1]) == colours[1]
    assert tuple(picture[5, 16]) == colours[2]
    assert (other["result"], other["error"], other["map"]) == (None, "The analysis failed.", {})


def test_only_the_latest_are_kept(tmp_path):
    told = Night(tmp_path, None)
    for number in range(KEPT + 3):
        told.ended(scan(tmp_path, number), FinishReason.COMPLETED, NOW)
    assert [one["scan_id"] for one in told.to_json()] == [f"id{number}" for number in range(3, KEPT + 3)]


def test_the_budget_is_warned_of_with_how_many_scans_are_left(tmp_path):
    told = Night(tmp_path, 4500)
    for number in range(4):
        told.ended(scan(tmp_path, number), FinishReason.COMPLETED, NOW)
    assert told.warning() == ""
    (tmp_path / "scan0.result.h5").write_bytes(bytes(100))
    assert "take 0.0 GB of the budget of 0.0 GB. That is room for 0 more" in told.warning()
    assert "Nothing is deleted or refused" in told.warning()


def test_a_disk_with_room_for_few_scans_is_warned_of(tmp_path, monkeypatch):
    told = Night(tmp_path, None)
    told.ended(scan(tmp_path, 1), FinishReason.COMPLETED, NOW)
    assert told.warning() == ""
    monkeypatch.setattr(night, "disk_free", lambda folder: 2500)
    assert "room for 2 more of the size of the last" in told.warning()
    assert Night(None, None).warning() == ""
