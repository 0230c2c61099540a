"""The strip of the scans before, from the published state."""

import base64

import pytest

from gui.presenters.history import history_tiles
from gui.presenters.past_scans import past_scans
from gui.presenters.views import Severity


def entry(**changes):
    picture = bytes(range(18))
    return {
        "scan_id": "a",
        "scan_shape": [20, 30],
        "ended": "2026-11-26T23:05:00+01:00",
        "finish_reason": "COMPLETED",
        "recording": "/night/20261126-230000_aaaa.h5",
        "result": "/night/20261126-230000_aaaa.result.h5",
        "n_clusters": 3,
        "error": "",
        "map": {"shape": [2, 3], "rgb": base64.b64encode(picture).decode()},
        **changes,
    }


def test_one_scan_needs_no_strip_two_have_one():
    assert past_scans(None) == ()
    assert history_tiles(past_scans([entry()])) == ()
    first, second = history_tiles(past_scans([entry(), entry(ended="2026-11-26T23:40:00+01:00")]))
    assert (first.label, second.label) == ("23:05", "23:40")
    assert first.picture == (2, 3, bytes(range(18)))
    assert first.severity is Severity.NORMAL
    for text in ("20 × 30", "3 clusters at level 1", "20261126-230000_aaaa.result.h5"):
        assert text in first.tip


def test_what_went_wrong_is_said_in_words_too():
    lost = entry(finish_reason="STREAM_LOST", result=None, map={}, n_clusters=None)
    failed = entry(result=None, map={}, n_clusters=None, error="The analysis failed: no space.")
    first, second = history_tiles(past_scans([lost, failed]))
    assert (first.label, first.severity, first.picture) == ("23:05 stream lost", Severity.ORANGE, None)
    assert (second.label, second.severity) == ("23:05 no result", Severity.ORANGE)
    assert "The analysis failed: no space." in second.tip


@pytest.mark.parametrize("broken", [{"shape": [2, 3], "rgb": "AAAA"}, {"shape": [2, 3], "rgb": "?"}])
def test_a_picture_that_is_none_is_left_out(broken):
    assert past_scans([entry(map=broken)])[0].picture is None
