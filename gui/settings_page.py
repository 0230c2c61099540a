"""The settings page: forms filled from the stored settings, validated by their models, stored, and put in force."""

from collections.abc import Callable

from pyqtgraph.Qt import QtGui, QtWidgets

from gui import theme
from gui.actions import ACTIONS
from gui.presenters import texts
from gui.presenters.settings_form import FormField, field_of, filled_in, form_fields
from gui.presenters.shortcuts import Keys, at_first, changed_keys, keys_of, tip_with_key, with_key
from gui.presenters.window_settings import WHEN, When
from gui.settings_store import SettingsStore
from gui.widgets.keys_form import KeysForm
from gui.widgets.settings_dialog import SettingsDialog
from gui.widgets.settings_form import SettingsForm
from streamer.errors import SettingsError


class SettingsPage:
    """Settings of one window, in force and as a page.

    Parameters
    ----------
    parent
        Over which the page opens.
    actions
        By name; they get their keys from here.
    store
        Where settings are kept.
    look_changed
        Called after the colours have changed.
    """

    def __init__(
        self,
        parent: QtWidgets.QWidget,
        actions: dict[str, QtWidgets.QAction],
        store: SettingsStore,
        look_changed: Callable[[], None],
    ) -> None:
        self._parent, self._actions, self._store = parent, actions, store
        self._look_changed = look_changed
        self._dialog: SettingsDialog | None = None
        self._system = theme.SystemLook(
            lambda: theme.Theme(store.window.theme), lambda: self.set_theme(theme.Theme.SYSTEM)
        )
        self.keys, said = keys_of(ACTIONS, store.window.shortcuts)
        store.problems.extend(said)
        if self.keys != {spec.name: spec.keys for spec in ACTIONS}:
            self._give_keys()

    def problems(self) -> list[str]:
        """Sentences since the last call: settings that could not be read or kept."""
        return self._store.take_problems()

    @property
    def dialog(self) -> SettingsDialog | None:
        """The page, None while it is closed."""
        return self._dialog

    def open(self) -> None:
        """Open the page, or bring it to the front."""
        if self._dialog is None:
            self._dialog = self._made()
        self._dialog.show()
        self._dialog.raise_()

    def follow_system(self) -> None:
        """Hear of other colours of the system, now that the window is on the screen."""
        self._system.watch(self._parent.windowHandle())

    def close(self) -> None:
        """Close the page with its window."""
        self._system.watch(None)
        if self._dialog is not None:
            self._dialog.close()

    def set_theme(self, chosen: theme.Theme) -> None:
        """Put other colours in force, and keep them."""
        if chosen != self._store.window.theme:
            self._store.keep_window(self._store.window.model_copy(update={"theme": chosen.value}))
        if self._dialog is not None:
            self._dialog.window_form.set_text("theme", chosen.value)
        app = QtWidgets.QApplication.instance()
        if isinstance(app, QtWidgets.QApplication):
            theme.switch(app, chosen)
            self._look_changed()

    def set_font_percent(self, percent: int) -> None:
        """Put another size of all words in force, and keep it."""
        app = QtWidgets.QApplication.instance()
        if not isinstance(app, QtWidgets.QApplication):
            return
        percent = round(100 * theme.set_font_scale(app, percent / 100))
        if percent != self._store.window.font_percent:
            self._store.keep_window(self._store.window.model_copy(update={"font_percent": percent}))
        if self._dialog is not None:
            self._dialog.window_form.set_text("font_percent", str(percent))
        self._look_changed()

    def _made(self) -> SettingsDialog:
        store = self._store
        self._window_fields, self._analysis_fields = form_fields(store.window), form_fields(store.analysis)
        notes = {path: f"Counts {when}." for path, when in WHEN.items()}
        head = texts.analysis_where(str(store.analysis_path or "–"), When.NEXT_MONITOR)
        rows = [(spec.name, spec.text.rstrip("…"), spec.tip) for spec in ACTIONS]
        dialog = SettingsDialog(
            self._parent,
            SettingsForm(self._window_fields, notes),
            SettingsForm(self._analysis_fields, {}, head),
            KeysForm(rows),
        )
        dialog.keys_form.set_keys(self.keys)
        dialog.keys_form.given.connect(
            lambda name, key: self._change_keys(with_key(ACTIONS, self.keys, name, key))
        )
        dialog.keys_form.reset.connect(self._reset_keys)
        dialog.applied.connect(self._apply)
        dialog.destroyed.connect(self._forget)
        if store.folder is None:
            dialog.say(texts.SETTINGS_NOT_KEPT)
        return dialog

    def _forget(self) -> None:
        self._dialog = None

    def _apply(self) -> None:
        """Take over what is filled in, all of it or nothing."""
        dialog, store = self._dialog, self._store
        if dialog is None:
            return
        try:
            window = filled_in(store.window, dialog.window_form.texts())
        except SettingsError as error:
            self._refuse(dialog.window_form, self._window_fields, error)
            return
        try:
            analysis = filled_in(store.analysis, dialog.analysis_form.texts())
        except SettingsError as error:
            self._refuse(dialog.analysis_form, self._analysis_fields, error)
            return
        is_other_look = window.theme != store.window.theme
        is_other_size = window.font_percent != store.window.font_percent
        store.keep_window(window)
        if analysis != store.analysis:
            store.keep_analysis(analysis)
        if is_other_look:
            self.set_theme(theme.Theme(window.theme))
        if is_other_size:
            self.set_font_percent(window.font_percent)
        dialog.say(" ".join(self.problems()) or texts.SETTINGS_KEPT)

    def _refuse(self, form: SettingsForm, fields: tuple[FormField, ...], error: SettingsError) -> None:
        if self._dialog is not None:
            self._dialog.say(str(error))
            self._dialog.show_page(form)
            form.point_at(field_of(error, fields))

    def _reset_keys(self, name: str) -> None:
        if name:
            self._change_keys(at_first(ACTIONS, self.keys, name))
        else:
            self._change_keys({spec.name: spec.keys for spec in ACTIONS})

    def _change_keys(self, keys: Keys | str) -> None:
        """Other keys count at once; or it is said why they cannot."""
        if isinstance(keys, str):
            if self._dialog is not None:
                self._dialog.say(keys)
            return
        self.keys = keys
        self._give_keys()
        changed = changed_keys(ACTIONS, keys)
        self._store.keep_window(self._store.window.model_copy(update={"shortcuts": changed}))
        if self._dialog is not None:
            self._dialog.keys_form.set_keys(keys)
            self._dialog.say(" ".join(self.problems()) or texts.SETTINGS_KEPT)

    def _give_keys(self) -> None:
        before = {spec.name: self._actions[spec.name].shortcut().toString() for spec in ACTIONS}
        # All are taken away first: no key belongs to two actions for a moment.
        for spec in ACTIONS:
            self._actions[spec.name].setShortcuts([])
        for spec in ACTIONS:
            self._actions[spec.name].setShortcuts([QtGui.QKeySequence(key) for key in self.keys[spec.name]])
        now = {name: keys[0] if keys else "" for name, keys in self.keys.items()}
        for button in self._parent.findChildren(QtWidgets.QAbstractButton):
            button.setToolTip(tip_with_key(button.toolTip(), before, now))
