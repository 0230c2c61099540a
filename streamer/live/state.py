"""The engine's state machine: a pure function and a table."""

from enum import StrEnum

from streamer.model import EngineState

_S = EngineState


class Event(StrEnum):
    """What moves the engine from one state to another."""

    ARM = "arm"
    START = "start"
    STREAM_ENDED = "stream ended"
    DRAINED = "drained"
    ANALYSIS_BEGAN = "analysis began"
    ANALYSIS_ENDED = "analysis ended"
    DISARM = "disarm"


TRANSITIONS: dict[tuple[EngineState, Event], EngineState] = {
    (_S.IDLE, Event.ARM): _S.LISTENING,
    (_S.LISTENING, Event.START): _S.RUNNING,
    (_S.ANALYSING, Event.START): _S.RUNNING,
    (_S.RUNNING, Event.STREAM_ENDED): _S.DRAINING,
    (_S.DRAINING, Event.DRAINED): _S.IDLE,
    (_S.IDLE, Event.ANALYSIS_BEGAN): _S.ANALYSING,
    (_S.LISTENING, Event.ANALYSIS_BEGAN): _S.ANALYSING,
    (_S.ANALYSING, Event.ANALYSIS_ENDED): _S.IDLE,
    (_S.LISTENING, Event.DISARM): _S.IDLE,
}
"""Every allowed step; how a scan ended is kept beside it, as the finish reason."""


def next_state(state: EngineState, event: Event) -> EngineState:
    """State after an event.

    Raises
    ------
    ValueError
        The event cannot happen in this state; names both.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ValueError(f"Event '{event}' cannot happen in state {state}.") from None
