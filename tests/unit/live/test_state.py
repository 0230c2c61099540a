import pytest

from streamer.live.state import TRANSITIONS, Event, next_state
from streamer.model import EngineState

LIFE = [
    (Event.ARM, EngineState.LISTENING),
    (Event.START, EngineState.RUNNING),
    (Event.STREAM_ENDED, EngineState.DRAINING),
    (Event.DRAINED, EngineState.IDLE),
    (Event.ANALYSIS_BEGAN, EngineState.ANALYSING),
    (Event.ANALYSIS_ENDED, EngineState.IDLE),
    (Event.ARM, EngineState.LISTENING),
    (Event.ANALYSIS_BEGAN, EngineState.ANALYSING),
    (Event.START, EngineState.RUNNING),
]


def test_the_life_of_a_scan_and_a_start_while_the_one_before_is_analysed():
    state = EngineState.IDLE
    for event, expected in LIFE:
        state = next_state(state, event)
        assert state is expected


@pytest.mark.parametrize("state", EngineState)
@pytest.mark.parametrize("event", Event)
def test_every_other_step_is_refused_by_name(state, event):
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(ValueError, match=f"'{event}' cannot happen in state {state}"):
            next_state(state, event)
