"""Settings of the window and of its analyses on disk: `settings.json` and `analysis.toml` in the folder of settings."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gui.kept_files import put_aside, read_text, write_text
from gui.presenters import texts
from gui.presenters.window_settings import (
    MAX_BYTES,
    WindowSettings,
    analysis_toml,
    window_settings,
    window_settings_text,
)
from streamer.errors import SettingsError
from streamer.settings import AnalysisSettings, analysis_settings

Kept = TypeVar("Kept")


class SettingsStore:
    """One folder; what cannot be read is put aside and told, never in the way.

    Parameters
    ----------
    folder
        None: nothing is read or kept, as for a picture.

    Attributes
    ----------
    problems
        Sentences that nobody has taken yet.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problems: list[str] = []
        self._window_path, self.analysis_path = (
            (None, None) if folder is None else (folder / "settings.json", folder / "analysis.toml")
        )
        self.window = self._read(self._window_path, window_settings, WindowSettings())
        self.analysis = self._read(
            self.analysis_path, lambda text: analysis_settings(tomllib.loads(text)), AnalysisSettings()
        )

    def keep_window(self, settings: WindowSettings) -> None:
        """Take over and write settings of the window."""
        self.window = settings
        self._write(self._window_path, window_settings_text(settings))

    def keep_analysis(self, settings: AnalysisSettings) -> None:
        """Take over and write analysis settings."""
        self.analysis = settings
        self._write(self.analysis_path, analysis_toml(settings))

    def take_problems(self) -> list[str]:
        """The problems since the last call."""
        taken, self.problems = self.problems, []
        return taken

    def _read(self, path: Path | None, parse: Callable[[str], Kept], otherwise: Kept) -> Kept:
        if path is None:
            return otherwise
        try:
            text = read_text(path, MAX_BYTES)
            return otherwise if text is None else parse(text)
        except (OSError, ValueError, SettingsError) as error:
            put_aside(path)
            self.problems.append(texts.settings_broken(str(path), str(error)))
            return otherwise

    def _write(self, path: Path | None, text: str) -> None:
        if path is None:
            return
        try:
            write_text(path, text)
        except OSError as error:
            self.problems.append(texts.settings_not_kept(str(path), error.strerror or str(error)))
