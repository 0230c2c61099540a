"""What the pill says: one word for engine state, finish reason and connection together."""

from enum import StrEnum

from gui.presenters.snapshot import Link, Snapshot
from gui.presenters.status import EngineStatus
from streamer.model import EngineState, FinishReason


class Phase(StrEnum):
    """Where the operator stands."""

    CONNECTING = "CONNECTING"
    ENGINE_GONE = "ENGINE_GONE"
    IDLE = "IDLE"
    WAITING = "WAITING"
    SCANNING = "SCANNING"
    SAVING = "SAVING"
    ANALYSING = "ANALYSING"
    DONE = "DONE"
    RECORDED = "RECORDED"
    STOPPED = "STOPPED"
    STREAM_LOST = "STREAM_LOST"
    OVERRUN = "OVERRUN"
    FAILED = "FAILED"


FAULTS = frozenset({Phase.ENGINE_GONE, Phase.STREAM_LOST, Phase.OVERRUN, Phase.FAILED})

_BUSY = {
    EngineState.RUNNING: Phase.SCANNING,
    EngineState.DRAINING: Phase.SAVING,
    EngineState.ANALYSING: Phase.ANALYSING,
}
_ENDED = {
    FinishReason.COMPLETED: Phase.RECORDED,
    FinishReason.STOPPED: Phase.STOPPED,
    FinishReason.STREAM_LOST: Phase.STREAM_LOST,
    FinishReason.OVERRUN: Phase.OVERRUN,
    FinishReason.FAILED: Phase.FAILED,
}


def phase_of(snapshot: Snapshot) -> Phase:
    """The phase of a snapshot: the connection counts first, then what runs, then how the last scan ended."""
    if snapshot.link is Link.CONNECTING:
        return Phase.CONNECTING
    if snapshot.link is Link.GONE:
        return Phase.ENGINE_GONE
    return engine_phase(snapshot.status)


def engine_phase(status: EngineStatus) -> Phase:
    """The phase of an engine that answers."""
    if status.state in _BUSY:
        return _BUSY[status.state]
    if status.shows == "final":
        return Phase.DONE
    if status.finish_reason is not None:
        return _ENDED[status.finish_reason]
    return Phase.WAITING if status.state is EngineState.LISTENING else Phase.IDLE
