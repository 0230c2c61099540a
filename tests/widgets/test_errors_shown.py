"""Uncaught exceptions: logged, said once, and the program goes on."""

import sys
import threading

import pytest

from gui.errors_shown import ErrorReports


def fail() -> None:
    raise ValueError("a slot broke")


@pytest.fixture
def reports(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    now = [0.0]
    made = ErrorReports(tmp_path / "window.log", clock=lambda: now[0])
    made.now = now
    made.install()
    yield made
    made.uninstall()


def take(reports) -> None:
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)


def test_an_uncaught_exception_is_said_and_logged(reports):
    take(reports)
    assert "a slot broke" in reports.newest()[1]
    assert "go on" in reports.newest()[1]
    assert "Traceback" in reports.log_path.read_text()


def test_the_same_error_is_said_once_in_ten_seconds(reports):
    take(reports)
    take(reports)
    assert reports.newest()[0] == 1
    reports.now[0] = 11.0
    take(reports)
    assert reports.newest()[0] == 2


def test_a_thread_that_breaks_is_said(reports):
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert "a slot broke" in reports.newest()[1]
