"""The commands `monitor` and `view` where something is missing, and the child engine that they start."""

import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from gui import app, reach_engine
from gui.app import monitor_command, view_command
from gui.display import require_qt
from gui.engine_process import Endpoints, EngineProcess, EngineStartError
from gui.feed_process import FeedProcess
from gui.presenters.window_settings import WindowSettings
from gui.reach_engine import reachable_control, running_engine
from gui.settings_store import SettingsStore
from streamer.errors import EngineUnreachable, FileFormatError, LivestemError, SettingsError
from streamer.security.keys import load_client_keys, make_keys
from streamer.settings import AnalysisSettings

GOOD_CHILD = """
import json, sys
print(json.dumps({"listen": "tcp://127.0.0.1:1", "publish": "tcp://127.0.0.1:2", "control": "tcp://127.0.0.1:3",
                  "pid": 1, "arguments": sys.argv[1:]}), flush=True)
sys.stdin.read()
"""


def child(text: str) -> EngineProcess:
    return EngineProcess(["--record", "/data"], [sys.executable, "-c", text])


@pytest.fixture
def no_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")


def run(command, *arguments):
    """The exception that a command ends with; the top-level command makes the exit code of it."""
    return CliRunner().invoke(command, list(arguments), standalone_mode=False).exception


def test_a_target_that_does_not_exist_ends_with_6(tmp_path):
    error = run(view_command, str(tmp_path / "none.result.h5"))
    assert isinstance(error, FileFormatError)
    assert error.exit_code == 6
    assert "does not exist" in str(error)


def test_a_folder_is_no_target(tmp_path):
    assert "is a folder" in str(run(view_command, str(tmp_path)))


def test_without_a_display_monitor_ends_with_5_and_says_what_works(no_display):
    error = run(monitor_command)
    assert isinstance(error, LivestemError)
    assert error.exit_code == 5
    assert "--snapshot" in str(error)
    assert "livestem serve" in str(error)


def test_without_a_display_view_says_the_same(no_display, tmp_path):
    path = tmp_path / "scan.h5"
    path.touch()
    assert "--snapshot" in str(run(view_command, str(path)))


def test_keys_are_not_for_files_and_a_folder_without_any_is_refused(tmp_path):
    (tmp_path / "scan.h5").touch()
    error = run(view_command, str(tmp_path / "scan.h5"), "--keys", str(tmp_path))
    assert isinstance(error, SettingsError)
    assert "is a file" in str(error)
    error = run(view_command, "tcp://127.0.0.1:9", "--keys", str(tmp_path))
    assert "reader.key_secret does not exist" in str(error)


@pytest.fixture
def started(monkeypatch):
    """What `monitor` starts: the engine's arguments, and the window's endpoints and keys."""
    seen = {}

    @contextmanager
    def child_engine(arguments):
        seen["arguments"] = arguments
        yield (
            SimpleNamespace(exit_code=lambda: None),
            Endpoints("tcp://0.0.0.0:2", "tcp://*:3", "tcp://0.0.0.0:1"),
        )

    def open_window(endpoints, exit_code, picture, keys, *, can_simulate, is_ours):
        seen["endpoints"], seen["keys"], seen["is_ours"] = endpoints, keys, is_ours

    monkeypatch.setattr(app, "_child_engine", child_engine)
    monkeypatch.setattr(app, "_open_window", open_window)
    return seen


def test_monitor_hands_its_keys_to_engine_and_window_and_reaches_an_open_engine_by_loopback(
    started, tmp_path
):
    make_keys(tmp_path / "k")
    assert run(monitor_command, "--keys", str(tmp_path / "k")) is None
    assert started["arguments"] == ["--keys", str(tmp_path / "k")]
    assert started["keys"] == load_client_keys(tmp_path / "k", "viewer")
    assert started["endpoints"] == Endpoints("tcp://127.0.0.1:2", "tcp://127.0.0.1:3", "tcp://0.0.0.0:1")


def test_monitor_starts_with_the_kept_settings_unless_others_are_given(started, tmp_path, monkeypatch):
    monkeypatch.setenv("LIVESTEM_CONFIG", str(tmp_path))
    store = SettingsStore(tmp_path)
    store.keep_window(WindowSettings(listen="tcp://127.0.0.1:7", record_dir="/kept"))
    store.keep_analysis(AnalysisSettings(seed=5))
    assert run(monitor_command, "--record", "/given") is None
    arguments = dict(zip(started["arguments"][::2], started["arguments"][1::2], strict=True))
    assert arguments == {
        "--listen": "tcp://127.0.0.1:7",
        "--record": "/given",
        "--settings": str(tmp_path / "analysis.toml"),
    }
    (tmp_path / "settings.json").write_text("{")
    done = CliRunner().invoke(monitor_command, [], standalone_mode=False)
    assert "settings.json cannot be used" in done.output
    assert started["arguments"] == ["--settings", str(tmp_path / "analysis.toml")]


def test_monitor_hands_on_that_insecure_was_said(started):
    assert run(monitor_command, "--insecure") is None
    assert started["is_ours"], "the window of monitor is in charge from the start"
    assert started["arguments"] == ["--insecure"]
    assert started["keys"] is None


def test_where_nobody_publishes_view_ends_with_9(monkeypatch):
    monkeypatch.setattr(reach_engine, "FIRST_STATE_S", 0.1)
    with pytest.raises(EngineUnreachable, match="No engine publishes at") as caught:
        running_engine("tcp://127.0.0.1:9", None)
    assert caught.value.exit_code == 9


def test_an_endpoint_that_is_none_ends_with_2():
    with pytest.raises(SettingsError, match="is no endpoint"):
        running_engine("nonsense://x", None)


@pytest.mark.parametrize(
    ("told", "reached"),
    [
        ("tcp://scope.lab:5", "tcp://scope.lab:5"),
        ("tcp://*:5", "tcp://scope.lab:5"),
        ("tcp://0.0.0.0:5", "tcp://scope.lab:5"),
    ],
)
def test_a_wildcard_control_endpoint_is_on_the_host_that_publishes(told, reached):
    assert reachable_control("tcp://scope.lab:4", told) == reached


def test_an_engine_elsewhere_that_takes_requests_on_its_own_computer_alone_is_one_sentence():
    with pytest.raises(EngineUnreachable, match=r"--control tcp://0\.0\.0\.0:5"):
        reachable_control("tcp://scope.lab:4", "tcp://127.0.0.1:5")
    assert reachable_control("tcp://localhost:4", "tcp://127.0.0.1:5") == "tcp://127.0.0.1:5"


def test_qt_libraries_that_are_there_need_no_word():
    require_qt()


def test_a_missing_platform_library_is_one_sentence_with_the_apt_line(monkeypatch):
    def missing(_name):
        raise OSError("libxcb-icccm.so.4: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    with pytest.raises(LivestemError, match=r"libxcb-icccm\.so\.4.*apt-get install .*libxcb-icccm4"):
        require_qt()


def test_a_child_engine_says_its_endpoints_and_ends_when_its_input_closes():
    engine = child(GOOD_CHILD)
    endpoints = engine.wait_ready(20)
    assert (endpoints.listen, endpoints.publish, endpoints.control) == tuple(
        f"tcp://127.0.0.1:{n}" for n in (1, 2, 3)
    )
    assert engine.exit_code() is None
    assert engine.release(20)
    assert engine.exit_code() == 0


def test_a_child_that_fails_hands_its_exit_code_on():
    with child("raise SystemExit(6)") as engine, pytest.raises(EngineStartError) as caught:
        engine.wait_ready(20)
    assert caught.value.exit_code == 6


def test_a_child_that_says_something_else_is_no_engine():
    with child("print('hello')") as engine, pytest.raises(EngineStartError, match="hello"):
        engine.wait_ready(20)


def test_a_child_that_has_something_to_finish_is_left_alone():
    engine = child(GOOD_CHILD.replace("sys.stdin.read()", "sys.stdin.read(); import time; time.sleep(0.5)"))
    engine.wait_ready(20)
    assert not engine.release(0.05)
    assert engine.release(20)


def test_asking_for_help_loads_neither_qt_nor_numpy():
    code = "import sys, gui.app; print({'PyQt5', 'numpy', 'zmq', 'pyqtgraph'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "set()"


def test_monitor_follows_a_folder_with_a_feed_of_its_own(started, tmp_path, monkeypatch):
    fed = []

    class Feed:
        pid = 1

        def __init__(self, *arguments):
            fed.append(arguments)

        def release(self):
            return True

    monkeypatch.setattr("gui.feed_process.FeedProcess", Feed)
    assert (
        run(monitor_command, "--follow", str(tmp_path), "--g2-calibration", "cal", "--silence", "5") is None
    )
    assert fed == [(tmp_path, "tcp://127.0.0.1:1", None, "5")]
    assert started["arguments"] == ["--g2-calibration", "cal"]


def test_a_folder_to_follow_must_be_there(tmp_path):
    with pytest.raises(SettingsError, match="Check --follow"):
        FeedProcess(tmp_path / "nowhere", "tcp://127.0.0.1:1")
