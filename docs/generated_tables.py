"""Tables of the site that are read off the program, so that they cannot fall behind it.

In a page, ``{generated}`` with the name of a table (`TABLES`).
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

from gui.actions import ACTIONS
from gui.presenters import texts
from streamer.cli.main import cli
from streamer.settings import AnalysisSettings

SCHEMA = AnalysisSettings.model_json_schema()
TEXTS = ModuleAnalyzer.for_module("streamer.settings").find_attr_docs()
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
KINDS = {"boolean": "true or false", "integer": "whole number", "null": "", "string": "text"}


class Generated(SphinxDirective):
    """Puts a table where it stands."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """What the Markdown of the table gives."""
        return self.parse_text_to_nodes(TABLES[self.arguments[0]](), allow_section_headings=True)


def settings() -> str:
    """A section for what stands at the top of the file, and one for each group."""
    top = {name: value for name, value in SCHEMA["properties"].items() if not list(_models(value))}
    parts = ["## At the top of the file", _settings_table("AnalysisSettings", top)]
    for name, value in SCHEMA["properties"].items():
        for model in _models(value):
            fields = SCHEMA["$defs"][model]["properties"]
            heading = f"`[[{name}]]`" if value.get("type") == "array" else f"`[{name}]`"
            if "edit" in fields:
                heading += f' with `edit = "{fields.pop("edit")["const"]}"`'
            parts += [f"## {heading}", SCHEMA["$defs"][model]["description"], _settings_table(model, fields)]
    return "\n\n".join(parts)


def _models(value: dict[str, Any]) -> Iterable[str]:
    """Names of the groups that a property is, or holds a list of."""
    inner = value.get("items", value)
    for choice in inner.get("oneOf", [inner]):
        if "$ref" in choice:
            yield choice["$ref"].rpartition("/")[2]


def _settings_table(model: str, fields: dict[str, Any]) -> str:
    rows = [
        (f"`{name}`", _kind(value), _default(value), " ".join(TEXTS[model, name]))
        for name, value in fields.items()
    ]
    return _table(("key", "value", "default", "what"), rows)


def _kind(value: dict[str, Any]) -> str:
    if "anyOf" in value:
        return ", or ".join(kind for choice in value["anyOf"] if (kind := _kind(choice)))
    if "enum" in value:
        return ", ".join(f'`"{choice}"`' for choice in value["enum"])
    if value["type"] == "array":
        parts = value.get("prefixItems")
        inner = _kind(parts[0] if parts else value["items"])
        return f"[{inner}] × {len(parts)}" if parts else f"[{inner}, ...]"
    if value["type"] == "object":
        return f"table of {_kind(value['additionalProperties'])}"
    limits = [f"{sign} {value[key]:g}" for key, sign in LIMITS.items() if key in value]
    return " ".join([KINDS.get(value["type"], value["type"]), ", ".join(limits)]).strip()


def _default(value: dict[str, Any]) -> str:
    if "default" not in value:
        return "must be given"
    default = value["default"]
    return "none" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


def commands() -> str:
    """A section for each command: usage, what it does, its options."""
    parts = []
    whole = click.Context(cli, info_name="livestem")
    for name in cli.list_commands(whole):
        command = cli.get_command(whole, name)
        if command is None:
            raise LookupError(f"{name} stands in the help and has no entry point")
        context = click.Context(command, info_name=name, parent=whole)
        usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
        records = [
            record
            for param in command.params
            if isinstance(param, click.Option) and (record := param.get_help_record(context))
        ]
        rows = [(f"`{option}`", _plain(text)) for option, text in records]
        what = [_paragraph(text) for text in inspect.cleandoc(command.help or "").split("\n\n")]
        parts += [f"## {name}", f"```text\n{usage}\n```", *what, _table(("option", "what"), rows)]
    return "\n\n".join(parts)


def _paragraph(text: str) -> str:
    r"""A paragraph of a help; one that begins with \b is shown line by line, as click shows it."""
    return f"```text\n{text[2:]}\n```" if text.startswith("\b\n") else _plain(text)


def _plain(text: str) -> str:
    """Markdown that shows a text of the terminal as it is; what stands in backticks stays code."""
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([\\*_<>\[\]#])", r"\\\1", piece) for piece in pieces
    )


def keys() -> str:
    """Every action of the window that has a key."""
    return _table(
        ("key", "what it does"), [(_key_names(action.keys), action.tip) for action in ACTIONS if action.keys]
    )


def _key_names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def endings() -> str:
    """How a scan can end, as the banner says it, and what can be done."""
    rows = [
        (f"`{reason}`", texts.FINISH_REASONS[reason], texts.NEXT_STEPS[reason])
        for reason in texts.FINISH_REASONS
    ]
    return _table(("reason", "what the window says", "what can be done"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "settings": settings,
    "keys": keys,
    "endings": endings,
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True}
