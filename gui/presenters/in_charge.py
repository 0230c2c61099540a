"""Who is in charge of the engine: in words, what can be done about it, and why this window may not change things."""

from dataclasses import dataclass
from enum import StrEnum

from gui.presenters import texts
from gui.presenters.numbers import duration
from gui.presenters.snapshot import Link, Snapshot
from gui.presenters.viewers import Viewers
from gui.presenters.views import Severity

ONLY_READS = "Your key may only read: this window watches."
NOBODY = "Nobody is in charge: the first change takes charge."
STAYS = "{name} stays in charge. Ask again in a moment."


class Step(StrEnum):
    """What can be done about the right; the value is the request's method."""

    TAKE = "take_charge"
    HAND_OVER = "hand_over"
    KEEP = "keep_charge"
    LEAVE = "leave_charge"


@dataclass(frozen=True)
class InChargeView:
    """One line, and the steps that its buttons offer with their words."""

    text: str
    severity: Severity = Severity.NORMAL
    steps: tuple[tuple[Step, str], ...] = ()


def why_watching(snapshot: Snapshot) -> str:
    """Why this window may not change anything, in a sentence; "" where it may, or could at once."""
    viewers = snapshot.status.viewers
    if snapshot.status.read_only:
        return texts.CHARGE_READ_ONLY
    if not snapshot.may_change:
        return ONLY_READS
    if viewers is None or viewers.holder in (None, snapshot.viewer):
        return ""
    return f"{viewers.holder_name} is in charge: this window watches until it is put in charge."


def in_charge_view(snapshot: Snapshot) -> InChargeView | None:
    """The line; None where there is nothing to say: alone with the engine, or without one."""
    viewers = snapshot.status.viewers
    if viewers is None or snapshot.viewer is None or snapshot.link is not Link.CONNECTED:
        return None
    if not snapshot.may_change or snapshot.status.read_only:
        who = f"{viewers.holder_name} is in charge. " if viewers.holder is not None else ""
        return InChargeView(f"{who}{why_watching(snapshot)}")
    if viewers.holder == snapshot.viewer:
        return _holding(viewers)
    if viewers.holder is None:
        return InChargeView(NOBODY, steps=((Step.TAKE, "Take charge"),)) if viewers.n_known > 1 else None
    return _watching(viewers, snapshot.viewer)


def _holding(viewers: Viewers) -> InChargeView | None:
    if viewers.asker is not None:
        text = (
            f"{viewers.asker_name} asks to be in charge, and will be in {duration(viewers.left_s)} "
            "if nobody answers."
        )
        steps = ((Step.HAND_OVER, "Hand over"), (Step.KEEP, "Stay in charge"))
        return InChargeView(text, Severity.AMBER, steps)
    n_others = viewers.n_known - 1
    if n_others < 1:
        return None
    others = "1 other window watches" if n_others == 1 else f"{n_others} other windows watch"
    return InChargeView(f"You are in charge; {others}.", steps=((Step.LEAVE, "Leave charge"),))


def _watching(viewers: Viewers, me: int) -> InChargeView:
    name = viewers.holder_name
    if viewers.asker == me:
        text = f"{name} is asked to hand over; you are in charge in {duration(viewers.left_s)} if nobody answers."
        return InChargeView(text, Severity.AMBER, ((Step.LEAVE, "Withdraw"),))
    if me in viewers.refused:
        return InChargeView(STAYS.format(name=name), Severity.AMBER)
    if viewers.asker is not None:
        return InChargeView(f"{name} is in charge; {viewers.asker_name} asks for it. This window watches.")
    return InChargeView(
        f"{name} is in charge; this window watches.", steps=((Step.TAKE, "Ask to be in charge"),)
    )
