"""Who watches the engine and who may change it, as the published state says."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Viewers:
    """Viewers by number: who is in charge, who asks for it until when, who was refused a moment ago."""

    n_known: int = 0
    holder: int | None = None
    holder_name: str = ""
    asker: int | None = None
    asker_name: str = ""
    left_s: float = 0.0
    refused: frozenset[int] = frozenset()


def viewers_of(state: dict[str, Any]) -> Viewers | None:
    """The viewers of a state; None of an engine that knows nothing of them."""
    values = state.get("in_charge")
    if not values:
        return None
    asked = values.get("asked_by") or {}
    return Viewers(
        n_known=len(state.get("viewers") or ()),
        holder=values.get("viewer"),
        holder_name=str(values.get("name") or ""),
        asker=asked.get("viewer"),
        asker_name=str(asked.get("name") or ""),
        left_s=float(asked.get("left_s") or 0.0),
        refused=frozenset(values.get("refused") or ()),
    )
