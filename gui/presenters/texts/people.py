"""Who is in charge, what can be gone on with, settings and keys."""

from gui.presenters.numbers import duration

ONLY_READS = "Your key may only read: this window watches."
NOBODY_IN_CHARGE = "Nobody is in charge: the first change takes charge."
TAKE_CHARGE, ASK_FOR_CHARGE = "Take charge", "Ask to be in charge"
HAND_OVER, STAY_IN_CHARGE = "Hand over", "Stay in charge"
LEAVE_CHARGE, WITHDRAW = "Leave charge", "Withdraw"
CONTINUE, NOT_NOW = "Continue", "Not now"
SETTINGS_TITLE = "Settings"
SETTINGS_TABS = {"window": "Window", "analysis": "Analysis", "keys": "Keys"}
SETTINGS_APPLY, SETTINGS_CLOSE = "Apply", "Close"
SETTINGS_KEPT = "Kept."
SETTINGS_NOT_KEPT = "Nothing is remembered in this window, so nothing can be kept."
FIELD_LABELS = {"theme": "look", "record_dir": "recordings"}
KEY_COLUMNS = ["Key", "Action", "What it does"]
KEY_GIVE, KEY_NONE, KEY_FIRST, KEYS_FIRST = "Give this key", "No key", "As at first", "All keys as at first"
KEY_HOW = (
    "Choose an action, press its new key in the field, then give it. It counts at once; F1 lists the keys."
)


def watching(name: str) -> str:
    """Why nothing can be changed here."""
    return f"{name} is in charge: this window watches until it is put in charge."


def is_in_charge(name: str, asker: str = "") -> str:
    """Who is, seen by somebody who watches."""
    if asker:
        return f"{name} is in charge; {asker} asks for it. This window watches."
    return f"{name} is in charge; this window watches."


def you_are_in_charge(n_others: int) -> str:
    """With how many others."""
    others = "1 other window watches" if n_others == 1 else f"{n_others} other windows watch"
    return f"You are in charge; {others}."


def asks_for_charge(name: str, left_s: float) -> str:
    """What happens without an answer."""
    return f"{name} asks to be in charge, and will be in {duration(left_s)} if nobody answers."


def charge_is_asked(name: str, left_s: float) -> str:
    """What happens without an answer, seen by who asks."""
    return f"{name} is asked to hand over; you are in charge in {duration(left_s)} if nobody answers."


def stays_in_charge(name: str) -> str:
    """That a request was refused."""
    return f"{name} stays in charge. Ask again in a moment."


def continue_here(name: str) -> str:
    """What was looked at in this scan the last time."""
    return f"Continue with {name} where you were?"


def continue_file(name: str, share: str) -> str:
    """The scan before, such as "Continue 20261126-101500_3f2b8c1e.h5 (62 % received)?"."""
    return f"Continue {name}{f' ({share} received)' if share else ''}?"


def session_broken(path: str, why: str) -> str:
    """That a session could not be read, and what became of it."""
    return f"The session in {path} cannot be used. {why} It was put aside as {path}.broken; nothing else is affected."


def session_not_kept(path: str, why: str) -> str:
    """That a session could not be written."""
    return (
        f"The session cannot be kept in {path}: {why}. What is shown goes on; free space or check the folder."
    )


def settings_broken(path: str, why: str) -> str:
    """That settings could not be read, and what became of them."""
    return f"The settings in {path} cannot be used. {why} They were put aside as {path}.broken; the first ones count."


def settings_not_kept(path: str, why: str) -> str:
    """That settings could not be written."""
    return f"The settings cannot be kept in {path}: {why}. They count until this window is closed."


def analysis_where(path: str, when: str) -> str:
    """Where analysis settings stand and when they count."""
    return f"What is empty is automatic, or as shown. Counts {when}; `livestem analyze --settings` takes it too: {path}"
