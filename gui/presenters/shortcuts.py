"""Keys of actions: those at first, those that somebody gave them, and which cannot be given."""

from collections.abc import Mapping, Sequence
from typing import Protocol

MODIFIERS = ("Ctrl", "Alt", "Shift", "Meta")
Keys = dict[str, tuple[str, ...]]
"""Keys by the name of the action."""


class Action(Protocol):
    """An action of the table."""

    @property
    def name(self) -> str:
        """Name in the program."""
        ...

    @property
    def text(self) -> str:
        """Words on a button."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys at first."""
        ...

    @property
    def pane(self) -> str:
        """Where alone they count; "" for everywhere."""
        ...


def keys_of(actions: Sequence[Action], changed: Mapping[str, Sequence[str]]) -> tuple[Keys, tuple[str, ...]]:
    """The keys in force, and a sentence for every change that is passed over: unknown action, or a key taken twice."""
    keys: Keys = {action.name: action.keys for action in actions}
    said = []
    for name, wanted in changed.items():
        if name not in keys:
            said.append(
                f"The settings give keys to the action '{name}', which this version does not have. Passed over."
            )
            continue
        given = with_key(actions, keys, name, wanted[0] if wanted else "")
        if isinstance(given, str):
            said.append(f"{given} The keys at first are used.")
        else:
            keys = given
    return keys, tuple(said)


def with_key(actions: Sequence[Action], keys: Keys, name: str, key: str) -> Keys | str:
    """The keys with another one for an action, "" for none; or why not, in a sentence that names both actions."""
    by_name = {action.name: action for action in actions}
    wanted = _with_twin(by_name[name], normal(key))
    for other, taken in keys.items():
        # In a pane its own keys go before those of the window.
        if other == name or by_name[other].pane != by_name[name].pane:
            continue
        for key in wanted:
            if key.lower() not in {normal(entry).lower() for entry in taken}:
                continue
            return (
                f"{key} is the key of '{_words(by_name[other])}' and cannot be that of '{_words(by_name[name])}' too. "
                f"Choose another key, or give '{_words(by_name[other])}' another one first. Nothing was changed."
            )
    return {**keys, name: wanted}


def at_first(actions: Sequence[Action], keys: Keys, name: str) -> Keys | str:
    """The keys with those of an action as at first; or why not."""
    action = next(action for action in actions if action.name == name)
    checked = with_key(actions, keys, name, action.keys[0] if action.keys else "")
    return checked if isinstance(checked, str) else {**keys, name: action.keys}


def changed_keys(actions: Sequence[Action], keys: Keys) -> Keys:
    """What differs from the keys at first: what is stored."""
    return {action.name: keys[action.name] for action in actions if keys[action.name] != action.keys}


def tip_with_key(tip: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """A tool tip that ends with a key, such as "Linear intensity (N)", with the key that its action has now."""
    words, opening, key = tip.rpartition(" (")
    name = next((name for name, held in before.items() if held and f"{held})" == key), None)
    if not opening or name is None or before[name] == now[name]:
        return tip
    return f"{words} ({now[name]})" if now[name] else words


def normal(key: str) -> str:
    """A key as Qt writes it, whatever the order and case of its parts: "shift+ctrl+z" is "Ctrl+Shift+Z"."""
    key = key.strip()
    if not key:
        return ""
    # The key itself may be a plus sign.
    body, plus, last = key[:-1].rpartition("+") if key.endswith("+") else key.rpartition("+")
    last = "+" if key.endswith("+") else last
    held = {part.strip().title() for part in body.rstrip("+").split("+") if part.strip()} if plus else set()
    name = last.strip() if last.strip() else "+"
    name = name.upper() if len(name) == 1 else name[0].upper() + name[1:]
    return "+".join([*(part for part in MODIFIERS if part in held), name])


def _with_twin(action: Action, key: str) -> tuple[str, ...]:
    """Where an action had a key with and without Shift (arrows: far and near), a new one has both too."""
    if not key:
        return ()
    has_twin = bool(action.keys) and f"Shift+{action.keys[0]}" in action.keys
    return (key, normal(f"Shift+{key}")) if has_twin and not key.startswith("Shift+") else (key,)


def _words(action: Action) -> str:
    return action.text.rstrip("…")
