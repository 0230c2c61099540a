"""Values that an operator sets by hand while a scan runs, and gives back."""

from dataclasses import asdict, dataclass, field
from typing import Any

from streamer.errors import LivestemError


@dataclass
class Overrides:
    """Values set by hand; None or absent: automatic."""

    disk: float | None = None
    inner: float | None = None
    outer: float | None = None
    threshold: float | None = None
    k: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Only what is set."""
        named = {
            "disk_radius_px": self.disk,
            "inner_px": self.inner,
            "outer_px": self.outer,
            "threshold": self.threshold,
        }
        return {name: value for name, value in named.items() if value is not None} | (
            {"k": self.k} if self.k else {}
        )


def overrides_with(present: Overrides, name: str, value: Any) -> Overrides:
    """A copy of the overrides with one value set, or given back to the automatic choice (None).

    Raises
    ------
    LivestemError
        Unknown name, or a value out of range.
    """
    fields = asdict(present)
    key = name.lower()
    if key not in fields:
        raise LivestemError(f"'{name}' cannot be set. Expected one of disk, inner, outer, threshold, K.")
    if key == "k":
        if value is not None and not (
            isinstance(value, dict) and all(isinstance(k, int) and 1 <= k <= 32 for k in value.values())
        ):
            raise LivestemError(
                f"K was set to {value!r}. Expected node names with whole numbers from 1 to 32."
            )
        fields["k"] = {} if value is None else {**present.k, **value}
    elif value is not None and not (
        isinstance(value, int | float) and 0 < value < (1 if key == "threshold" else 4096)
    ):
        raise LivestemError(f"{name} was set to {value!r}. Expected a positive number (threshold: below 1).")
    else:
        fields[key] = value
    return Overrides(**fields)
