"""The strip of the scans before, in the window."""

from dataclasses import replace

from gui.presenters.past_scans import past_scans
from tests.unit.gui.test_history import entry


def test_the_strip_comes_with_the_second_scan_and_shows_the_maps(source, open_window):
    window = open_window(source)
    assert not window.history.isVisible()
    for scans in ([entry()], [entry(), entry(finish_reason="STOPPED", map={})]):
        status = replace(source.snapshot.status, history=past_scans(scans))
        source.change(status=status)
        window.tick()
        assert window.history.isVisible() is (len(scans) == 2)
    assert [tile.label for tile in window.history.tiles] == ["23:05", "23:05 stopped"]
    picture = window.history.grab().toImage()
    corner = window.history.children()[1].children()[1]
    where = corner.mapTo(window.history, corner.rect().center())
    colours = {picture.pixelColor(where.x() + x, where.y()).getRgb()[:3] for x in (-12, 0, 12)}
    assert colours & {(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (12, 13, 14), (15, 16, 17)}
