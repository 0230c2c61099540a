"""The published state: the PUB socket, and the engine's state as the fields of docs/protocol.md, part 2."""

import os
import shutil
from collections import deque
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from streamer.live.snapshot import LiveSnapshot
from streamer.model import EngineState, FrameCounters
from streamer.security.curve import VIEW, protect_server
from streamer.security.endpoints import bind
from streamer.security.keys import EngineKeys
from streamer.serve.job_progress import SHOWN_AFTER_S
from streamer.wire.control import ControlMessage, encode

if TYPE_CHECKING:
    from streamer.receive.receiver import ReceiverStatus
    from streamer.serve.engine import Engine

RATE_WINDOW_S = 2.0
MAX_SUBSCRIPTION_BYTES = 4096
"""Of what a viewer may send to the PUB socket: subscriptions, and the handshake of keys."""


class Publisher:
    """The PUB socket. A slow or lost viewer costs nothing: of what waits for it, the newest state alone is kept.

    With `security`, only viewers and readers on its list receive anything.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context[zmq.Socket[bytes]],
        security: EngineKeys | None = None,
    ) -> None:
        self._socket = context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.LINGER, 200)
        # One state waits for each viewer, and a newer one takes its place. A state is one frame: see `encode`.
        self._socket.setsockopt(zmq.CONFLATE, 1)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_SUBSCRIPTION_BYTES)
        protect_server(self._socket, security, VIEW)
        self.endpoint = bind(self._socket, endpoint)

    def publish(self, fields: dict[str, Any]) -> None:
        """Send one state."""
        self._socket.send_multipart(encode(ControlMessage({"type": "state", **fields})))

    def close(self) -> None:
        """Close the socket, after at most 0.2 s for the last state."""
        self._socket.close()


class Rates:
    """Frames per second over the last two seconds, from counts that only grow."""

    def __init__(self) -> None:
        self._history: deque[tuple[float, int, int]] = deque()

    def update(self, now: float, received: int, analysed: int) -> dict[str, float]:
        """Take the counts of now; returns receive_hz and analyse_hz."""
        if self._history and (received < self._history[-1][1] or analysed < self._history[-1][2]):
            self._history.clear()  # another scan
        self._history.append((now, received, analysed))
        while len(self._history) > 2 and now - self._history[0][0] > RATE_WINDOW_S:
            self._history.popleft()
        then, received_then, analysed_then = self._history[0]
        span = max(now - then, 1e-3)
        return {
            "receive_hz": (received - received_then) / span,
            "analyse_hz": (analysed - analysed_then) / span,
        }


def snapshot_fields(snapshot: LiveSnapshot) -> dict[str, Any]:
    """The fields that come from what is shown."""
    return {
        "settled": snapshot.settled,
        "settled_share": snapshot.settled_share,
        "remark": snapshot.remark,
        "settings": snapshot.settings or {"in_force": {}, "auto": {}, "manual": {}},
        "settings_id": snapshot.settings_id,
        "tree": [node.to_json() for node in snapshot.tree],
        "momentum_tree": [node.to_json() for node in snapshot.momentum_tree],
        "array_versions": {name: array.version for name, array in snapshot.arrays.items()},
    }


def constant_fields() -> dict[str, Any]:
    """The fields that never change."""
    return {"livestem_version": version("livestem"), "engine_pid": os.getpid()}


def state_fields(engine: "Engine", status: "ReceiverStatus", now: float) -> dict[str, Any]:
    """The state of an engine that listens."""
    run, snapshot = engine.run_in_hand, engine.snapshot
    counters = _counters(engine, status)
    rates = engine.rates.update(now, counters["frames_received"], counters["frames_analysed"])
    running = engine.state is EngineState.RUNNING
    missing = max(0, run.info.n_positions - counters["frames_received"]) if run else 0
    rate = rates["receive_hz"]
    calibration = run.info.calibration if run else None
    return {
        **constant_fields(),
        **snapshot_fields(snapshot),
        "snapshot": engine.next_snapshot_number(),
        "state": engine.state.value,
        "finish_reason": engine.finish_reason.value if engine.finish_reason else None,
        "shows": "final" if engine.hand.session else ("live" if run else "nothing"),
        "stalled": running and status.stalled,
        "endpoints": engine.endpoints,
        "scan": run.info.to_json() if run else None,
        "q_per_px_inv_nm": calibration.q_per_px_inv_nm if calibration else None,
        "counters": counters,
        "rates": rates,
        "lag_s": snapshot.lag_s if running else 0.0,
        "n_queued": run.n_queued if run and running else 0,
        "elapsed_s": now - run.started_s if run and running else 0.0,
        "left_s": missing / rate if running and rate > 0 else None,
        "recording": str(run.path) if run and run.path else None,
        "result": str(engine.result_path) if engine.result_path else None,
        "progress": engine.progress,
        "seconds": engine.seconds,
        "problems": [problem.to_json() for problem in engine.problems],
        "disk_free_bytes": disk_free(engine.options.record_dir),
        "history": engine.night.to_json(),
        "worker_pids": engine.worker_pids,
        "read_only": engine.options.read_only,
        "kernels_share": engine.kernels_share,
        "source": {"path": str(run.path), "is_there": True} if run and run.path else None,
        **engine.hand.fields(engine.state),
        **_by_hand(engine, snapshot),
    }


def _by_hand(engine: "Engine", snapshot: LiveSnapshot) -> dict[str, Any]:
    """Values set by hand as they are now, and what is being computed on the result."""
    settings = snapshot.settings or {"in_force": {}, "auto": {}}
    fields: dict[str, Any] = {"settings": {**settings, "manual": engine.hand.overrides.to_json()}}
    session = engine.hand.session
    job = (session.progress if session is not None else None) or engine.reading_progress
    if engine.progress is None and job is not None:
        fields["progress"] = job.to_json()
        if job.age_s > SHOWN_AFTER_S and engine.state in (EngineState.IDLE, EngineState.LISTENING):
            fields["state"] = EngineState.ANALYSING.value
    return fields


def _counters(engine: "Engine", status: "ReceiverStatus") -> dict[str, int]:
    run = engine.run_in_hand
    if run is None:
        return FrameCounters().to_json()
    counters = (run.end.counters if run.end else status.counters).to_json()
    live = run.board.newest
    counters["frames_analysed"] = live.n_analysed
    counters["frames_skipped"] = live.n_skipped
    if run.recorder:
        counters["frames_stored"] = run.recorder.status.n_stored
        counters["frames_nonfinite"] = run.recorder.status.n_nonfinite
    return counters


def disk_free(folder: Path | None) -> int | None:
    """Bytes free where recordings go; None where that cannot be told."""
    if folder is None:
        return None
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
