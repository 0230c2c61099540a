"""Sessions on disk: one small file for each scan, the newest kept, written every 30 s and when the state changes."""

import contextlib
import time
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from pathlib import Path

from gui.kept_files import put_aside, read_text, write_text
from gui.presenters import texts
from gui.presenters.selection import Selection, ViewOptions
from gui.presenters.session import (
    AUTOSAVE_S,
    MAX_BYTES,
    Session,
    read_session,
    session_of,
    session_text,
    state_key,
)
from gui.presenters.snapshot import Snapshot
from streamer.errors import SettingsError

MOST_KEPT = 16


class SessionKeeper:
    """Sessions of one person.

    Attributes
    ----------
    problems
        Sentences that nobody has taken yet.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder, self._clock, self._now = folder, clock, now
        self._saved_s = 0.0
        self._key: Hashable = None
        self._last: Session | None = None
        self.problems: list[str] = []

    def follow(self, snapshot: Snapshot, selection: Selection, options: ViewOptions) -> None:
        """Save what is due; costs nothing where nothing is."""
        if state_key(snapshot) != self._key or self._clock() - self._saved_s >= AUTOSAVE_S:
            self.save(snapshot, selection, options)

    def save(self, snapshot: Snapshot, selection: Selection, options: ViewOptions) -> None:
        """Save now, where something has changed."""
        self._key, self._saved_s = state_key(snapshot), self._clock()
        last_saved = self._last.saved if self._last else ""
        session = session_of(snapshot, selection, options, last_saved)
        if session is None or session == self._last:
            return
        session = session.model_copy(update={"saved": self._now().isoformat(timespec="seconds")})
        self._last = session
        path = self._path(session.scan_id)
        try:
            write_text(path, session_text(session))
        except OSError as error:
            self._say(texts.session_not_kept(str(path), error.strerror or str(error)))
            return
        for old in self._files()[MOST_KEPT:]:
            old.unlink(missing_ok=True)

    def newest(self) -> Session | None:
        """The session that was saved last, None without one that can be used."""
        return next((session for path in self._files() if (session := self._read(path)) is not None), None)

    def of_scan(self, scan_id: str) -> Session | None:
        """The session of a scan, None without one that can be used."""
        path = self._path(scan_id)
        # Ids come from the engine: only names of files that are there are ever opened.
        return self._read(path) if path in self._files() else None

    def take_problems(self) -> list[str]:
        """The problems since the last call."""
        taken, self.problems = self.problems, []
        return taken

    def _path(self, scan_id: str) -> Path:
        return self._folder / f"{scan_id}.json"

    def _files(self) -> list[Path]:
        found = []
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(OSError):  # another window may tidy up
                found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found, reverse=True)]

    def _read(self, path: Path) -> Session | None:
        try:
            text = read_text(path, MAX_BYTES)
            return None if text is None else read_session(text)
        except (OSError, ValueError, SettingsError) as error:
            put_aside(path)
            self._say(texts.session_broken(str(path), str(error)))
            return None

    def _say(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)
