"""Guards around every test: nothing may be left behind, no thread, no process, no open socket."""

import contextlib
import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from hypothesis import settings

# Numba compiles at the first call: that one example takes seconds says nothing of the code.
settings.register_profile("livestem", deadline=None)
settings.load_profile("livestem")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """Real EMPAD data beside the project; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real EMPAD data (../shared/data) is not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def _settings_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands that tests start keep their settings in a folder of the tests, not in that of who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVESTEM_CONFIG", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    """A ZeroMQ context of the test's own; a socket left open fails the test instead of hanging it."""
    made = zmq.Context()
    yield made
    left = [socket for socket in gc.get_objects() if isinstance(socket, zmq.Socket) and not socket.closed]
    mine = [socket for socket in left if socket.context is made]
    for socket in mine:
        socket.close(0)
    made.term()
    assert not mine, f"sockets left open: {mine}"


@pytest.fixture(autouse=True)
def _nothing_runs_on() -> Iterator[None]:
    """Fail a test that leaves a thread or a child process."""
    threads, children = set(threading.enumerate()), _children()
    yield
    left = [thread for thread in threading.enumerate() if thread not in threads and not thread.daemon]
    assert not left, f"threads left behind: {left}"
    orphans = _children() - children
    assert not orphans, f"child processes left behind: {orphans}"


def _children() -> set[str]:
    """Process ids of our children, where the system tells."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return set()
    found: set[str] = set()
    for task in tasks.iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread may end while we look
            found.update((task / "children").read_text().split())
    return found


@pytest.fixture(scope="session")
def written_result(tmp_path_factory):
    """The result of one small scan (24, 36) beside it, as read from its file; nobody changes it."""
    from streamer import analyze, open_result, open_scan
    from streamer.analysis.result_file import write_result
    from tests.simulated import simulate

    scan = simulate(tmp_path_factory.mktemp("written"), (24, 36))
    with open_scan(scan.raw) as opened:
        path = write_result(analyze(opened), scan.raw.with_name("scan.result.h5"))
    return open_result(path)
