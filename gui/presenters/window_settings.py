"""Settings of the window as one typed value: JSON in and out, unknown keys refused, a sentence for what is wrong."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from streamer.errors import SettingsError
from streamer.settings import AnalysisSettings, validated

MAX_BYTES = 1 << 18


class When(StrEnum):
    """From when on a changed setting counts, in words."""

    NOW = "at once"
    NEXT_WINDOW = "from the next start of a window"
    NEXT_MONITOR = "from the next start of livestem monitor"


class WindowSettings(BaseModel):
    """What a person chose for the window; analysis settings stand in a TOML file of their own beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    theme: Literal["dark", "light", "system"] = "dark"
    """Colours: dark, light, or as the system has them, followed where Qt is told of a change."""
    font_percent: Annotated[int, Field(ge=80, le=200)] = 100
    """Size of all words in percent: 80 to 200."""
    name: Annotated[str, Field(max_length=64)] = ""
    """Name that other windows on the same engine see; empty: user and computer."""
    listen: str = ""
    """Where the detector's stream comes in, such as tcp://127.0.0.1:9999; empty: there."""
    record_dir: str = ""
    """Folder for recordings; empty: nothing is recorded unless --record says so."""
    shortcuts: dict[str, tuple[str, ...]] = {}
    """Keys of actions that were given others than at first, by the action's name."""


WHEN: dict[str, When] = {
    "theme": When.NOW,
    "font_percent": When.NOW,
    "name": When.NEXT_WINDOW,
    "listen": When.NEXT_MONITOR,
    "record_dir": When.NEXT_MONITOR,
    "shortcuts": When.NOW,
}


def window_settings(text: str) -> WindowSettings:
    """Read settings.

    Raises
    ------
    SettingsError
        They are no JSON, or hold an unknown key or a wrong value.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"They are no JSON ({error}).") from None
    return validated(WindowSettings, values)


def window_settings_text(settings: WindowSettings) -> str:
    """The same as JSON; what is as at first is left out."""
    return json.dumps(settings.model_dump(mode="json", exclude_defaults=True), indent=1, ensure_ascii=False)


def monitor_options(
    settings: WindowSettings, given: Mapping[str, str | None], analysis_path: str | None
) -> dict[str, str]:
    """Options of `livestem monitor`: those given on the command line win over those of the settings."""
    kept = {"listen": settings.listen, "record": settings.record_dir, "settings": analysis_path}
    return {name: value for name, value in {**kept, **{k: v for k, v in given.items() if v}}.items() if value}


def analysis_toml(settings: AnalysisSettings) -> str:
    """Analysis settings as `livestem analyze --settings` reads them; what is automatic or as at first is left out."""
    values = settings.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    plain = [f"{key} = {_toml(value)}" for key, value in values.items() if not isinstance(value, dict)]
    sections = [
        "\n".join([f"[{key}]", *(f"{_toml_key(name)} = {_toml(entry)}" for name, entry in section.items())])
        for key, section in values.items()
        if isinstance(section, dict)
    ]
    return "\n\n".join(["\n".join(plain)] * bool(plain) + sections) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml_key(key)} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    # Strings, numbers and booleans of JSON are those of TOML, but for one character.
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")


def _toml_key(key: str) -> str:
    return key if key.isascii() and key.isidentifier() else _toml(key)
