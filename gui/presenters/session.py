"""The session: what somebody looked at in a scan, kept so that it can be gone on with. JSON in and out, versioned."""

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from gui.presenters import texts
from gui.presenters.header_panes import scanned_fraction
from gui.presenters.levels import Scale
from gui.presenters.numbers import percent
from gui.presenters.phase import phase_of
from gui.presenters.selection import DEFAULT_LEVEL, LatticeQuantity, Selection, ViewOptions
from gui.presenters.snapshot import Link, Snapshot
from streamer.errors import SettingsError
from streamer.settings import validated

VERSION = 1
MAX_BYTES = 1 << 16
AUTOSAVE_S = 30.0
_SCAN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Index = Annotated[int, Field(ge=0)]
Position = tuple[Index, Index]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeptView(_Kept):
    """What was selected, and how it was drawn; a marked region is not kept."""

    level: Annotated[int, Field(ge=1, le=6)] = DEFAULT_LEVEL
    node: str = ""
    """Name of the selected cluster: numbers of nodes change from analysis to analysis."""
    pinned_yx: Position | None = None
    scale: Scale = Scale.LOG
    lattice: LatticeQuantity = LatticeQuantity.CONSTANT
    show_labels: bool = True
    show_outlines: bool = False
    blends_bright_field: bool = False


class Session(_Kept):
    """One scan as it was when it was last looked at."""

    version: Literal[1]
    saved: Annotated[str, Field(max_length=40)]
    """UTC."""
    scan_id: Annotated[str, Field(pattern=f"^{_SCAN_ID.pattern}$")]
    name: Annotated[str, Field(max_length=300)]
    state: Annotated[str, Field(max_length=40)]
    received_share: Annotated[float, Field(ge=0, le=1)]
    file: str | None = None
    """Result or recording, on the engine's computer."""
    view: KeptView


class Kind(StrEnum):
    """What going on means."""

    HERE = "here"
    FILE = "file"


@dataclass(frozen=True)
class Offer:
    """What can be gone on with, in words."""

    text: str
    kind: Kind
    session: Session


def session_of(
    snapshot: Snapshot, selection: Selection, options: ViewOptions, saved_utc: str
) -> Session | None:
    """The session of what is shown; None without a scan that can be told from others."""
    status = snapshot.status
    if status.scan is None or not _SCAN_ID.fullmatch(status.scan.scan_id):
        return None
    file = status.result or status.recording
    node = status.node(selection.node_id)
    return Session(
        version=VERSION,
        saved=saved_utc,
        scan_id=status.scan.scan_id,
        name=PurePath(file).name if file else f"scan {status.scan.scan_id[:8]}",
        state=status.state.value,
        received_share=1.0 if status.result else scanned_fraction(status, phase_of(snapshot)),
        file=file,
        view=KeptView(
            level=selection.level,
            node=node.name if node else "",
            pinned_yx=selection.pinned_yx,
            scale=options.scale,
            lattice=options.lattice,
            show_labels=options.show_labels,
            show_outlines=options.show_outlines,
            blends_bright_field=options.blends_bright_field,
        ),
    )


def state_key(snapshot: Snapshot) -> Hashable:
    """What makes a session worth saving at once when it changes."""
    status = snapshot.status
    scan_id = status.scan.scan_id if status.scan else None
    return (scan_id, status.state, status.finish_reason, status.recording, status.result)


def session_text(session: Session) -> str:
    """The session as JSON."""
    return json.dumps(session.model_dump(mode="json"), indent=1, ensure_ascii=False)


def read_session(text: str) -> Session:
    """A session from JSON.

    Raises
    ------
    SettingsError
        It is none, or of another version.
    """
    try:
        values: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"It is no JSON ({error}).") from None
    version = values.get("version") if isinstance(values, dict) else None
    if version != VERSION or version is True:
        raise SettingsError(f"It has version {version!r}. Expected version {VERSION}.")
    return validated(Session, values)


def restored(session: Session, snapshot: Snapshot) -> tuple[Selection, ViewOptions]:
    """Selection and drawing of a session on what is shown now; what is no longer there is left out."""
    view, status = session.view, snapshot.status
    node_id = next((node.id for node in status.tree if node.name == view.node), None)
    pinned_yx = view.pinned_yx
    if status.scan is None or (
        pinned_yx is not None
        and any(at >= length for at, length in zip(pinned_yx, status.scan.scan_shape, strict=True))
    ):
        pinned_yx = None
    options = ViewOptions(
        scale=view.scale,
        show_labels=view.show_labels,
        lattice=view.lattice,
        show_outlines=view.show_outlines,
        blends_bright_field=view.blends_bright_field,
    )
    return Selection(level=view.level, node_id=node_id, pinned_yx=pinned_yx), options


def offer_of(session: Session | None, snapshot: Snapshot, *, file_is_here: bool) -> Offer | None:
    """Whether there is something to go on with: in the scan that is shown, or in a file while there is no scan."""
    if session is None or snapshot.link is not Link.CONNECTED:
        return None
    status = snapshot.status
    if status.scan is not None:
        is_same = status.scan.scan_id == session.scan_id
        if not is_same or restored(session, snapshot) == (Selection(), ViewOptions()):
            return None
        return Offer(texts.continue_here(session.name), Kind.HERE, session)
    if not file_is_here:
        return None
    is_whole = session.received_share >= 1.0
    share = "" if is_whole else percent(session.received_share)
    return Offer(texts.continue_file(session.name, share), Kind.FILE, session)
