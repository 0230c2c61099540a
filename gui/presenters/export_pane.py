"""What the export dialog shows and asks for, decided without Qt."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gui.presenters import texts
from gui.presenters.snapshot import Snapshot
from streamer.errors import SettingsError
from streamer.export.plan import ExportPlan, FigurePlan, Kind, export_plan

PREVIEW_PX = 900
"""Width of the preview's picture."""
FIRST_KINDS = (Kind.SVG, Kind.PNG)


@dataclass(frozen=True)
class Described:
    """What the export's process said of a result: panels (possible, usual), name, colour difference by level."""

    panels: tuple[str, ...] = ()
    default: tuple[str, ...] = ()
    name: str = ""
    differences: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class ExportState:
    """Everything that the dialog is about.

    Attributes
    ----------
    result
        The file; None: there is none yet, and `hint` says so.
    plan
        As it is chosen.
    folder, name
        Where files go, and what their names begin with; "": as the result.
    described
        None until the process has said it.
    share
        Of an export that runs; None: none does.
    """

    result: Path | None = None
    hint: str = ""
    plan: ExportPlan = field(default_factory=lambda: ExportPlan(kinds=FIRST_KINDS))
    folder: str = ""
    name: str = ""
    described: Described | None = None
    share: float | None = None
    said: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportView:
    """What the dialog shows."""

    result: str
    hint: str
    panels: tuple[str, ...]
    n_levels: int
    sights: str
    said: str
    share: float | None
    can_export: bool
    can_copy: bool
    can_open_folder: bool


def result_of(snapshot: Snapshot) -> tuple[Path | None, str]:
    """The file of the result that the window shows, and what the operator should know of it."""
    status = snapshot.status
    saved = snapshot.answers.get("save")
    said = str(saved.fields["result"]) if saved is not None and saved.fields.get("result") else status.result
    if not said or status.shows != "final":
        return None, texts.EXPORT_NO_RESULT
    path = Path(said)
    if not path.is_file():
        return None, texts.export_elsewhere(said)
    has_edits = status.edits is not None and status.edits.n_undo > 0
    return path, texts.EXPORT_UNSAVED if has_edits and saved is None else ""


def chosen(plan: ExportPlan, described: Described | None) -> ExportPlan:
    """The plan, without panels where those are chosen that a figure has anyway: another result has others."""
    if described is None or plan.figure.panels != described.default:
        return plan
    return plan.model_copy(update={"figure": plan.figure.model_copy(update={"panels": ()})})


def shown_panels(plan: ExportPlan, described: Described) -> tuple[str, ...]:
    """Panels that are checked for a result."""
    wanted = tuple(str(panel) for panel in plan.figure.panels if panel in described.panels)
    return wanted or described.default


def view_of(state: ExportState) -> ExportView:
    """The dialog for a state."""
    described = state.described or Described()
    is_busy, is_ready = state.share is not None, state.result is not None
    said = texts.export_progress(state.share) if state.share is not None else state.said
    if not said and is_ready and not state.plan.kinds:
        said = texts.EXPORT_NO_KIND
    return ExportView(
        result=str(state.result) if state.result else "",
        hint=state.hint,
        panels=described.panels,
        n_levels=len(described.differences),
        sights=_sights(state.plan.figure, described),
        said=said,
        share=state.share,
        can_export=is_busy or (is_ready and bool(state.plan.kinds)),
        can_copy=is_ready and not is_busy,
        can_open_folder=bool(state.files),
    )


def write_request(state: ExportState) -> dict[str, Any]:
    """The request that writes what is chosen."""
    if state.result is None:
        raise ValueError("Nothing can be exported without a result.")
    folder = state.folder or str(state.result.parent)
    return _request(state, state.plan, folder, state.name)


def preview_request(state: ExportState, folder: str, name: str) -> dict[str, Any]:
    """The request that draws the figure small, into a folder of our own."""
    dpi = round(PREVIEW_PX * 25.4 / state.plan.figure.width_mm)
    figure = state.plan.figure.model_copy(update={"dpi": dpi})
    return _request(state, ExportPlan(kinds=(Kind.PNG,), figure=figure), folder, name)


def copy_request(state: ExportState, folder: str, name: str) -> dict[str, Any]:
    """The request that makes what goes onto the clipboard."""
    return _request(state, ExportPlan(kinds=(Kind.PNG, Kind.SVG), figure=state.plan.figure), folder, name)


def remembered_plan(text: str) -> ExportPlan:
    """The plan of last time; that of the first time where it cannot be read, levels as the result has them."""
    try:
        plan = export_plan(json.loads(text))
    except (SettingsError, ValueError):
        return ExportPlan(kinds=FIRST_KINDS)
    return plan.model_copy(update={"figure": plan.figure.model_copy(update={"level": None})})


def _request(state: ExportState, plan: ExportPlan, folder: str, name: str) -> dict[str, Any]:
    return {
        "do": "write",
        "result": str(state.result),
        "plan": plan.model_dump(mode="json"),
        "out": folder,
        "name": name,
    }


def _sights(look: FigurePlan, described: Described) -> str:
    if not described.differences:
        return ""
    level = len(described.differences) if look.level is None else look.level
    return texts.export_sights(
        described.differences[min(level, len(described.differences)) - 1], look.hatches
    )
