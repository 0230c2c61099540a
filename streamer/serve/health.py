"""What a facility's monitoring asks of an engine: is it alive, and can it take a scan."""

from typing import TYPE_CHECKING, Any

from streamer.model import EngineState
from streamer.serve.publish import constant_fields, disk_free
from streamer.wire import control, messages

if TYPE_CHECKING:
    from streamer.serve.engine import Engine

LEAST_FREE_BYTES = 1 << 30


def health_of(engine: "Engine", now: float) -> dict[str, Any]:
    """The reply to `health`; ``ok`` is False where somebody should look, and ``why`` says what at."""
    run, free = engine.run_in_hand, disk_free(engine.options.record_dir)
    is_running = engine.state in (EngineState.RUNNING, EngineState.DRAINING)
    why = [problem.text for problem in engine.problems]
    if engine.options.record_dir is not None and (free is None or free < LEAST_FREE_BYTES):
        why.append(
            f"{engine.options.record_dir} has {0 if free is None else free} bytes free. "
            f"Expected at least {LEAST_FREE_BYTES}. Free some space before the next scan."
        )
    return {
        **constant_fields(),
        "ok": not why,
        "why": why,
        "state": engine.state.value,
        "kernels_share": engine.kernels_share,
        "uptime_s": now - engine.started_s,
        "versions": {"stream": [messages.VERSION], "control": [control.VERSION]},
        "endpoints": engine.endpoints,
        "is_protected": engine.options.security is not None,
        "n_scans": engine.n_scans,
        "scan_id": run.info.scan_id if run and is_running else None,
        "recording": str(run.path) if run and run.path and is_running else None,
        "record_dir": str(engine.options.record_dir) if engine.options.record_dir else None,
        "disk_free_bytes": free,
    }
