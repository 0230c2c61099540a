"""Who is in charge of the engine: in words, what can be done about it, and why this window may not change things."""

from dataclasses import dataclass
from enum import StrEnum

from gui.presenters import texts
from gui.presenters.snapshot import Link, Snapshot
from gui.presenters.viewers import Viewers
from gui.presenters.views import Severity


class Step(StrEnum):
    """What can be done about the right; the value is the request's method."""

    TAKE = "take_charge"
    HAND_OVER = "hand_over"
    KEEP = "keep_charge"
    LEAVE = "leave_charge"


@dataclass(frozen=True)
class LineView:
    """One line across the window, and what its buttons do (a name) with their words."""

    text: str
    severity: Severity = Severity.NORMAL
    steps: tuple[tuple[str, str], ...] = ()


def why_watching(snapshot: Snapshot) -> str:
    """Why this window may not change anything, in a sentence; "" where it may, or could at once."""
    viewers = snapshot.status.viewers
    if snapshot.status.read_only:
        return texts.CHARGE_READ_ONLY
    if not snapshot.may_change:
        return texts.ONLY_READS
    if viewers is None or viewers.holder in (None, snapshot.viewer):
        return ""
    return texts.watching(viewers.holder_name)


def in_charge_view(snapshot: Snapshot) -> LineView | None:
    """The line; None where there is nothing to say: alone with the engine, or without one."""
    viewers = snapshot.status.viewers
    if viewers is None or snapshot.viewer is None or snapshot.link is not Link.CONNECTED:
        return None
    if not snapshot.may_change or snapshot.status.read_only:
        who = f"{viewers.holder_name} is in charge. " if viewers.holder is not None else ""
        return LineView(f"{who}{why_watching(snapshot)}")
    if viewers.holder == snapshot.viewer:
        return _holding(viewers)
    if viewers.holder is None:
        take = ((Step.TAKE, texts.TAKE_CHARGE),)
        return LineView(texts.NOBODY_IN_CHARGE, steps=take) if viewers.n_known > 1 else None
    return _watching(viewers, snapshot.viewer)


def _holding(viewers: Viewers) -> LineView | None:
    if viewers.asker is not None:
        text = texts.asks_for_charge(viewers.asker_name, viewers.left_s)
        steps = ((Step.HAND_OVER, texts.HAND_OVER), (Step.KEEP, texts.STAY_IN_CHARGE))
        return LineView(text, Severity.AMBER, steps)
    if viewers.n_known < 2:
        return None
    return LineView(texts.you_are_in_charge(viewers.n_known - 1), steps=((Step.LEAVE, texts.LEAVE_CHARGE),))


def _watching(viewers: Viewers, me: int) -> LineView:
    name = viewers.holder_name
    if viewers.asker == me:
        withdraw = ((Step.LEAVE, texts.WITHDRAW),)
        return LineView(texts.charge_is_asked(name, viewers.left_s), Severity.AMBER, withdraw)
    if me in viewers.refused:
        return LineView(texts.stays_in_charge(name), Severity.AMBER)
    if viewers.asker is not None:
        return LineView(texts.is_in_charge(name, viewers.asker_name))
    return LineView(texts.is_in_charge(name), steps=((Step.TAKE, texts.ASK_FOR_CHARGE),))
