"""A memo with one entry per name: what was computed for a key is computed again only when the key changes."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Memo:
    """Keeps the newest value of each name: it changes how often a value is computed, never what it is."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Hashable, Any]] = {}

    def get(self, name: str, key: Hashable, compute: Callable[[], Value]) -> Value:
        """The value of `name` for `key`, computed where the key differs from the last one."""
        entry = self._entries.get(name)
        if entry is None or entry[0] != key:
            entry = (key, compute())
            self._entries[name] = entry
        return entry[1]

    def last(self, name: str) -> Any:
        """The value computed last for `name` under any key, None at first."""
        entry = self._entries.get(name)
        return None if entry is None else entry[1]
