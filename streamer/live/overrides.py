"""Values that an operator sets by hand, during a scan or on its result, and gives back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from streamer.errors import LivestemError
from streamer.settings import AnalysisSettings, analysis_settings, virtual_detector

NAMES = ("disk", "inner", "outer", "ring", "threshold", "K", "virtual")
MIN_RING_PX = 2.0
"""A thinner ring holds no feature pixels worth the name."""
MAX_RADIUS_PX = 4096.0


@dataclass(frozen=True)
class OverrideRecord:
    """One value in force by hand: what the automatic choice was when it was set, and when that was (UTC)."""

    parameter: str
    automatic: Any
    manual: Any
    time: str

    def to_json(self) -> dict[str, Any]:
        """Fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Overrides:
    """Values set by hand; None or absent: automatic.

    Attributes
    ----------
    virtual
        Further virtual detectors by name, as the fields of `streamer.settings.VirtualDetector` without it. They
        take no part in a comparison: no label depends on them.
    records
        Of every value set.
    """

    disk: float | None = None
    inner: float | None = None
    outer: float | None = None
    threshold: float | None = None
    k: dict[str, int] = field(default_factory=dict)
    virtual: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)
    records: tuple[OverrideRecord, ...] = field(default=(), compare=False)

    def to_json(self) -> dict[str, Any]:
        """Only what is set."""
        named = {
            "disk_radius_px": self.disk,
            "inner_px": self.inner,
            "outer_px": self.outer,
            "threshold": self.threshold,
            "k": self.k or None,
            "virtual": self.virtual or None,
        }
        return {name: value for name, value in named.items() if value is not None}

    def flat(self) -> dict[str, Any]:
        """Every value that is set, by the name of its parameter: "inner_px", "k 2.1", "virtual spot_1"."""
        named = self.to_json()
        numbers, detectors = named.pop("k", {}), named.pop("virtual", {})
        return (
            named
            | {f"k {node}": k for node, k in numbers.items()}
            | {f"virtual {name}": entry for name, entry in detectors.items()}
        )


def overrides_of(settings: AnalysisSettings) -> Overrides:
    """What settings have set by hand."""
    return Overrides(
        settings.alignment.disk_radius_px,
        settings.mask.inner_px,
        settings.mask.outer_px,
        settings.mask.threshold,
        dict(settings.cluster.k),
        {
            entry.name: entry.model_dump(mode="json", exclude={"name"}, exclude_none=True)
            for entry in settings.virtual
        },
    )


def settings_with(settings: AnalysisSettings, manual: Overrides, *, releases: bool) -> AnalysisSettings:
    """Settings with the values set by hand.

    `releases`: what is not set by hand is automatic, else as in the settings.
    """
    values = settings.model_dump(mode="json")
    if releases or manual.disk is not None:
        values["alignment"]["disk_radius_px"] = manual.disk
    named = {"inner_px": manual.inner, "outer_px": manual.outer, "threshold": manual.threshold}
    values["mask"] |= {name: value for name, value in named.items() if releases or value is not None}
    values["cluster"]["k"] = {**({} if releases else values["cluster"]["k"]), **manual.k}
    others = [] if releases else [entry for entry in values["virtual"] if entry["name"] not in manual.virtual]
    values["virtual"] = [*others, *({"name": name, **entry} for name, entry in manual.virtual.items())]
    return analysis_settings(values)


def overrides_with(
    present: Overrides,
    name: str,
    value: Any,
    settings: Mapping[str, Any] | None = None,
    now: str = "",
) -> Overrides:
    """A copy of the overrides with one value set, or given back to the automatic choice (None).

    Parameters
    ----------
    name, value
        "disk", "inner", "outer": px; "ring": [inner, outer] px; "threshold": 0..1; "K": {node name: number, or
        None}; "virtual": {detector name: its fields, or None}.
    settings
        ``in_force`` and ``auto`` of the state: the other edge of the ring, and what is recorded.
    now
        Time of the record.

    Raises
    ------
    LivestemError
        Unknown name, or a value out of range; nothing is changed.
    """
    settings = settings or {}
    key = name.lower()
    if key == "k":
        changed = replace(present, k=_numbers(present.k, value))
    elif key == "virtual":
        changed = replace(present, virtual=_detectors(present.virtual, value))
    elif key == "ring":
        inner, outer = _pair(value)
        changed = replace(present, inner=inner, outer=outer)
    elif key in ("disk", "inner", "outer", "threshold"):
        _check_number(name, value)
        changed = replace(present, **{key: value})
    else:
        raise LivestemError(f"'{name}' cannot be set. Expected one of {', '.join(NAMES)}.")
    if key in ("inner", "outer", "ring") and value is not None:
        _check_ring(changed, settings.get("in_force") or {})
    return replace(changed, records=_recorded(present, changed, settings.get("auto") or {}, now))


def _check_number(name: str, value: Any) -> None:
    bound = 1 if name.lower() == "threshold" else MAX_RADIUS_PX
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (is_number and 0 < value < bound):
        raise LivestemError(f"{name} was set to {value!r}. Expected a positive number (threshold: below 1).")


def _pair(value: Any) -> tuple[float | None, float | None]:
    if value is None:
        return None, None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise LivestemError(f"ring was set to {value!r}. Expected the inner and the outer radius in px.")
    for name, radius in zip(("inner", "outer"), value, strict=True):
        _check_number(name, radius)
    return value[0], value[1]


def _check_ring(changed: Overrides, in_force: Mapping[str, Any]) -> None:
    inner = changed.inner if changed.inner is not None else in_force.get("inner_px")
    outer = changed.outer if changed.outer is not None else in_force.get("outer_px")
    if inner is not None and outer is not None and outer - inner < MIN_RING_PX:
        raise LivestemError(
            f"The ring from {inner:g} to {outer:g} px is too thin. Expected an outer radius at least "
            f"{MIN_RING_PX:g} px above the inner one. The ring is as it was."
        )


def _numbers(present: dict[str, int], value: Any) -> dict[str, int]:
    if value is None:
        return {}
    is_good = isinstance(value, dict) and all(
        k is None or (isinstance(k, int) and not isinstance(k, bool) and 1 <= k <= 32) for k in value.values()
    )
    if not is_good:
        raise LivestemError(f"K was set to {value!r}. Expected node names with whole numbers from 1 to 32.")
    return {node: k for node, k in {**present, **value}.items() if k is not None}


def _detectors(present: dict[str, dict[str, Any]], value: Any) -> dict[str, dict[str, Any]]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LivestemError(
            f"virtual was set to {value!r}. Expected names with spots_yx, radius_px and conjugate."
        )
    wanted = {name: entry for name, entry in {**present, **value}.items() if entry is not None}
    return {
        name: virtual_detector({"name": name, **dict(entry)}).model_dump(
            mode="json", exclude={"name"}, exclude_none=True
        )
        for name, entry in wanted.items()
    }


def _recorded(
    before: Overrides, after: Overrides, auto: Mapping[str, Any], now: str
) -> tuple[OverrideRecord, ...]:
    """The records of what is set: kept where a value is as before, new where it is another."""
    kept = {record.parameter: record for record in before.records}
    old = before.flat()
    records = []
    for parameter, value in after.flat().items():
        if parameter in kept and old.get(parameter) == value:
            records.append(kept[parameter])
        else:
            records.append(OverrideRecord(parameter, _automatic(parameter, auto), value, now))
    return tuple(records)


def _automatic(parameter: str, auto: Mapping[str, Any]) -> Any:
    kind, _, which = parameter.partition(" ")
    return (auto.get("k") or {}).get(which) if kind == "k" else auto.get(kind)
