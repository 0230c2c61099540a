"""Typed settings as fields that can be filled in, and back: labels, choices and help come from the model itself."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from streamer.errors import SettingsError
from streamer.settings import validated

AUTOMATIC = "automatic"
YES_NO = ("yes", "no")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class FormField:
    """One field: ``path`` names it in the model ("mask.threshold"), ``text`` is its value as shown.

    ``choices`` are the only values where there are some; ``default`` is shown where ``text`` is empty.
    """

    path: str
    label: str
    text: str
    default: str
    help: str
    choices: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """First part of the path; "" for a field of the model itself."""
        return self.path.rpartition(".")[0]


def form_fields(settings: BaseModel, section: str = "") -> tuple[FormField, ...]:
    """The fields of a model that a line can hold, in order; lists and tables are kept as they are, without a field."""
    fields: list[FormField] = []
    for name, info in type(settings).model_fields.items():
        value, path = getattr(settings, name), f"{section}.{name}" if section else name
        if isinstance(value, BaseModel):
            fields.extend(form_fields(value, path))
            continue
        kinds = _kinds(info.annotation)
        if kinds is None:
            continue
        default = info.get_default(call_default_factory=True)
        text = "" if value == default else _text(value)
        fields.append(
            FormField(
                path,
                name.replace("_", " "),
                text,
                _text(default),
                _help(info.description),
                kinds,
            )
        )
    return tuple(fields)


def filled_in(settings: Model, texts: Mapping[str, str]) -> Model:
    """The settings with what was filled in; an empty text is the default.

    Raises
    ------
    SettingsError
        A value cannot be used; the sentence names the field.
    """
    values = settings.model_dump()
    for path, text in texts.items():
        *sections, name = path.split(".")
        model: Any = type(settings)
        place = values
        for section in sections:
            model, place = model.model_fields[section].annotation, place[section]
        info = model.model_fields[name]
        given = text.strip()
        place[name] = _value(info.annotation, given) if given else info.get_default(call_default_factory=True)
    return validated(type(settings), values)


def field_of(error: SettingsError, fields: tuple[FormField, ...]) -> str:
    """Path of the field that an error is about; "" where it names none."""
    return next((field.path for field in fields if f"'{field.path}'" in str(error)), "")


def _help(description: str | None) -> str:
    """What the model says of a field, in the words of the page."""
    said = " ".join((description or "").split())
    return said.replace("None:", f"{AUTOMATIC}:").replace("(False:", "(no:").replace("`", "")


def _kinds(annotation: Any) -> tuple[str, ...] | None:
    """The choices of a field's type, () for free text, None where a line cannot hold it."""
    parts = _parts(annotation)
    plain = [part for part in parts if part is not type(None)]
    literals = [str(value) for part in plain if get_origin(part) is Literal for value in get_args(part)]
    if literals:
        return tuple(literals)
    if plain == [bool]:
        return YES_NO
    return () if all(part in (int, float, str) for part in plain) else None


def _parts(annotation: Any) -> list[Any]:
    """The members of a union, without what `Annotated` adds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [part for member in get_args(annotation) for part in _parts(member)]
    return [annotation]


def _text(value: Any) -> str:
    if value is None:
        return AUTOMATIC
    if isinstance(value, bool):
        return YES_NO[0] if value else YES_NO[1]
    return str(value).removesuffix(".0")


def _value(annotation: Any, text: str) -> Any:
    """The text as the model takes it: numbers it reads itself."""
    if text == AUTOMATIC and type(None) in _parts(annotation):
        return None
    if _kinds(annotation) == YES_NO and text in YES_NO:
        return text == YES_NO[0]
    return text
