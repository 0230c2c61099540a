"""What is kept of a session, what is offered of it, and what becomes of files that are none. Without Qt windows."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.presenters.levels import Scale
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.session import (
    AUTOSAVE_S,
    MAX_BYTES,
    Kind,
    offer_of,
    read_session,
    restored,
    session_of,
    session_text,
)
from gui.presenters.snapshot import Link
from gui.session_keeper import MOST_KEPT, SessionKeeper
from streamer.errors import SettingsError
from streamer.model import EngineState
from tests.fakes import Clock
from tests.unit.gui.test_charge import snapshot_in

SCAN_ID = "3f2b8c1e-0000-4000-8000-{:012x}"
SAVED = "2026-11-26T10:00:00+00:00"
LOOKING = Selection(level=1, node_id=2, pinned_yx=(3, 5))
DRAWN = ViewOptions(scale=Scale.SQRT, show_outlines=True)


def scan(number=1, phase="done", **changes):
    """A snapshot of a scan with an id that can be told from others."""
    snapshot = snapshot_in(phase, **changes)
    status = snapshot.status
    return replace(
        snapshot, status=replace(status, scan=replace(status.scan, scan_id=SCAN_ID.format(number)))
    )


def session(number=1, selection=LOOKING, phase="done"):
    made = session_of(scan(number, phase), selection, DRAWN, SAVED)
    assert made is not None
    return made


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keeper(tmp_path, clock):
    moments = iter(range(10_000))
    return SessionKeeper(tmp_path / "sessions", clock, lambda: datetime.fromtimestamp(next(moments), UTC))


def files(keeper):
    return sorted(path.name for path in keeper._folder.iterdir())


def test_a_session_comes_back_as_it_was():
    assert read_session(session_text(session())) == session()
    assert restored(session(), scan()) == (LOOKING, DRAWN)


def test_what_is_no_longer_there_is_left_out():
    kept = session().model_copy(update={"view": session().view.model_copy(update={"pinned_yx": (24, 0)})})
    without = replace(scan(), status=replace(scan().status, tree=()))
    assert restored(kept, without)[0] == Selection(level=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({"version": 1}),
        session_text(session()).replace('"version": 1', '"version": 2'),
        session_text(session()).replace('"version": 1', '"version": true'),
        session_text(session()).replace('"log"', '"purple"').replace('"sqrt"', '"purple"'),
        session_text(session()).replace('"level": 1', '"level": 99'),
        session_text(session()).replace('"file"', '"fiel"'),
        session_text(session()).replace(SCAN_ID.format(1), "../../etc/passwd"),
    ],
)
def test_what_is_no_session_is_a_sentence_put_aside_and_told_once(keeper, text):
    with pytest.raises(SettingsError):
        read_session(text)
    keeper._folder.mkdir()
    path = keeper._folder / f"{SCAN_ID.format(1)}.json"
    path.write_text(text)
    assert keeper.newest() is None
    (said,) = keeper.take_problems()
    assert str(path) in said
    assert "nothing else is affected" in said
    assert files(keeper) == [f"{path.name}.broken"]
    assert keeper.of_scan(SCAN_ID.format(1)) is None
    assert keeper.take_problems() == []


@given(st.binary(max_size=200))
def test_no_bytes_whatsoever_are_a_crash(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("s")
    (folder / "x.json").write_bytes(content)
    keeper = SessionKeeper(folder)
    assert keeper.newest() is None
    assert len(keeper.take_problems()) == 1


def test_a_file_that_is_too_long_is_not_read(keeper):
    keeper._folder.mkdir()
    (keeper._folder / "x.json").write_text(session_text(session()) + " " * MAX_BYTES)
    assert keeper.newest() is None
    assert f"more than {MAX_BYTES} bytes" in keeper.take_problems()[0]


def test_it_is_saved_every_30_s_and_at_once_when_the_state_changes(keeper, clock):
    def node():
        return keeper.of_scan(SCAN_ID.format(1)).view.node

    keeper.follow(scan(), Selection(), DRAWN)
    assert node() == ""
    keeper.follow(scan(), LOOKING, DRAWN)
    clock.now += AUTOSAVE_S - 1
    keeper.follow(scan(), LOOKING, DRAWN)
    assert node() == "", "not yet"
    clock.now += 1
    keeper.follow(scan(), LOOKING, DRAWN)
    assert node() == "2"
    keeper.follow(scan(state=EngineState.ANALYSING.value), Selection(), DRAWN)
    assert node() == ""
    assert files(keeper) == [f"{SCAN_ID.format(1)}.json"], "nothing half written is left"


def test_nothing_is_written_where_nothing_has_changed(keeper, clock):
    keeper.save(scan(), LOOKING, DRAWN)
    saved = keeper.of_scan(SCAN_ID.format(1)).saved
    keeper.save(scan(), LOOKING, DRAWN)
    assert keeper.of_scan(SCAN_ID.format(1)).saved == saved


def test_the_newest_are_kept_and_the_newest_is_offered(keeper):
    for number in range(MOST_KEPT + 3):
        keeper.save(scan(number), LOOKING, DRAWN)
    assert len(files(keeper)) == MOST_KEPT
    assert keeper.newest().scan_id == SCAN_ID.format(MOST_KEPT + 2)
    assert keeper.of_scan(SCAN_ID.format(0)) is None
    assert keeper.of_scan("../settings") is None


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    keeper = SessionKeeper(tmp_path / "file")
    keeper.save(scan(), LOOKING, DRAWN)
    assert "cannot be kept" in keeper.take_problems()[0]


def test_a_scan_without_a_proper_id_is_not_kept(keeper):
    status = scan().status
    for name in ("x", "../../x", ""):
        snapshot = replace(scan(), status=replace(status, scan=replace(status.scan, scan_id=name)))
        assert session_of(snapshot, LOOKING, DRAWN, SAVED) is None
    assert session_of(snapshot_in("waiting"), LOOKING, DRAWN, SAVED) is None


def test_the_scan_that_is_shown_is_gone_on_with_where_it_was_left():
    offer = offer_of(session(), scan(), file_is_here=False)
    assert offer is not None
    assert offer.kind is Kind.HERE
    assert offer.text == f"Continue with {session().name} where you were?"
    assert offer_of(session(2), scan(1), file_is_here=True) is None, "another scan is none of its business"
    plain = session_of(scan(), Selection(), ViewOptions(), SAVED)
    assert offer_of(plain, scan(), file_is_here=True) is None, "nothing to go back to"
    assert offer_of(None, scan(), file_is_here=True) is None


def test_without_a_scan_the_last_file_is_offered_with_its_share():
    waiting = snapshot_in("waiting")
    partial = session(phase="scanning")
    assert 0 < partial.received_share < 1
    offer = offer_of(partial, waiting, file_is_here=True)
    assert offer is not None
    assert offer.kind is Kind.FILE
    assert f"({round(100 * partial.received_share)} % received)" in offer.text.replace("\u202f", " ").replace(
        "\xa0", " "
    )
    assert "received" not in offer_of(session(), waiting, file_is_here=True).text
    assert offer_of(partial, waiting, file_is_here=False) is None
    assert offer_of(partial, replace(waiting, link=Link.GONE), file_is_here=True) is None
