"""Offers to go on where somebody was: in the scan that is shown, or in the last one's file; and keeps the session."""

from pathlib import Path
from typing import Protocol

from gui.presenters import texts
from gui.presenters.in_charge import LineView
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.session import Kind, Offer, Session, offer_of, restored
from gui.presenters.snapshot import Link, Snapshot
from gui.session_keeper import SessionKeeper
from gui.widgets.offer_line import OfferLine

CONTINUE, NOT_NOW = "continue", "not now"
STEPS = ((CONTINUE, texts.CONTINUE), (NOT_NOW, texts.NOT_NOW))


class Goes(Protocol):
    """What it needs of the window."""

    def look_at(self, selection: Selection, options: ViewOptions) -> None:
        """Look at something else, drawn in another way."""
        ...

    def go_on_with(self, path: Path) -> None:
        """Open a file where somebody was in it."""
        ...


class GoingOn:
    """One window's session.

    Parameters
    ----------
    window
        Where it is gone on.
    keeper
        Of the sessions; None: nothing is kept or offered.
    at_once
        Whether the session of the scan that is shown is gone on with unasked.
    """

    def __init__(self, window: Goes, keeper: SessionKeeper | None, *, at_once: bool = False) -> None:
        self._window, self._keeper, self._at_once = window, keeper, at_once
        self._before: dict[str | None, Session | None] = {}
        self._is_file_here = False
        self._done: set[str | None] = set()
        self._offer: Offer | None = None
        self._now: tuple[Snapshot, Selection, ViewOptions] | None = None
        self.line = OfferLine()
        self.line.chosen.connect(self._choose)

    def follow(self, snapshot: Snapshot, selection: Selection, options: ViewOptions) -> list[str]:
        """Offer what there is, else keep the session; returns sentences about what went wrong."""
        if self._keeper is None or snapshot.link is Link.CONNECTING:
            return []
        self._now = (snapshot, selection, options)
        scan_id = snapshot.status.scan.scan_id if snapshot.status.scan else None
        if scan_id not in self._before:
            self._begin(scan_id)
        offer = None
        if scan_id not in self._done:
            offer = offer_of(self._before[scan_id], snapshot, file_is_here=self._is_file_here)
        has_begun = (selection.with_hover(None), options) != (Selection(), ViewOptions())
        if offer is not None and offer.kind is Kind.HERE and has_begun:
            # Who has begun to work needs no offer.
            self._done.add(scan_id)
            offer = None
        self._show(offer)
        if offer is not None and offer.kind is Kind.HERE:
            if self._at_once:
                self._choose(CONTINUE)
            # What is offered is not written over.
            return self._keeper.take_problems()
        self._keeper.follow(snapshot, selection, options)
        return self._keeper.take_problems()

    def close(self) -> None:
        """Keep the session a last time."""
        if self._keeper is not None and self._now is not None and self._offer is None:
            self._keeper.save(*self._now)

    def _begin(self, scan_id: str | None) -> None:
        """What was kept before this window came to this scan, or before it had one."""
        keeper = self._keeper
        if keeper is None:
            return
        session = keeper.newest() if scan_id is None else keeper.of_scan(scan_id)
        self._before[scan_id] = session
        if scan_id is None:
            self._is_file_here = bool(session and session.file and Path(session.file).is_file())

    def _show(self, offer: Offer | None) -> None:
        if offer != self._offer:
            self._offer = offer
            self.line.set_view(None if offer is None else LineView(offer.text, steps=STEPS))

    def _choose(self, step: str) -> None:
        offer, now = self._offer, self._now
        if offer is None or now is None:
            return
        scan = now[0].status.scan
        self._done.add(scan.scan_id if scan else None)
        self._show(None)
        if step != CONTINUE:
            return
        if offer.kind is Kind.HERE:
            self._window.look_at(*restored(offer.session, now[0]))
        elif offer.session.file is not None:
            self._window.go_on_with(Path(offer.session.file))
