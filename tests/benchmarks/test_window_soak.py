"""`make soak`: 200 simulated scans one after the other in one window; nothing may grow or stay behind."""

import gc
import os
import threading
import uuid
from dataclasses import replace

import pytest
import zmq
from pyqtgraph.Qt import QtCore

from gui.refresh import RefreshThread
from gui.snapshot_picture import is_loaded, wait_until
from tests.benchmarks.test_soak import resident_bytes
from tests.widgets.conftest import _look, open_window, start_engine  # noqa: F401
from tests.widgets.fake_scan import phases

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

N_SCANS, N_WARM = 200, 20
ORDER = ("waiting", "scanning", "analysing", "done", "fault")
MOST_GROWTH = 30 << 20


def counted():
    """Threads, running timers and open sockets of this process."""
    gc.collect()
    entries = gc.get_objects()
    timers = [entry for entry in entries if isinstance(entry, QtCore.QTimer)]
    return (
        len(threading.enumerate()),
        sum(timer.isActive() for timer in timers),
        sum(isinstance(entry, zmq.Socket) and not entry.closed for entry in entries),
    )


def test_two_hundred_scans(open_window, start_engine):  # noqa: F811
    before = counted()
    variants = [phases(scan_shape=(48, 64), seed=seed) for seed in range(3)]
    engine = start_engine(*variants[0]["waiting"])
    refresh = RefreshThread(engine.publish, engine.control)
    refresh.start()
    window = open_window(refresh, (1600, 1000))
    sizes, version = [], 1
    try:
        for number in range(N_SCANS):
            for phase in ORDER:
                scan, state, arrays = variants[number % 3][phase]
                version += 1
                fresh = {name: replace(entry, version=version) for name, entry in arrays.items()}
                if state["scan"]:
                    state = {**state, "scan": {**state["scan"], "scan_id": str(uuid.UUID(int=number))}}
                engine.follow(scan, state, fresh)
                wait_until(
                    lambda fresh=fresh: (
                        refresh.latest().status.array_versions == {n: e.version for n, e in fresh.items()}
                        and is_loaded(refresh.latest())
                    ),
                    20,
                )
                if phase != "waiting":
                    tab = ("rings", "elbow", "alignment", "lattice", "momentum", "log")[number % 6]
                    window.panes.show_tab(tab if phase == "done" else "rings")
                    window.select(window.selection.with_hover((number % 20, number % 64)))
                    window.tick()
            if number >= N_WARM:
                sizes.append(resident_bytes(os.getpid()))
    finally:
        refresh.stop()
        engine.close()
        window.close()
    growth = sizes[-1] - sizes[0]
    print(f"\n{N_SCANS} scans: {sizes[0] / 2**20:.0f} MiB after {N_WARM}, {sizes[-1] / 2**20:.0f} at the end, "
          f"growth {growth / 2**20:+.1f} MiB")  # fmt: skip
    assert window.errors.newest() is None
    assert growth < MOST_GROWTH
    assert counted() == before
