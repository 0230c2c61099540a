"""Ctrl+E: what to export, with a preview beside it. Not modal: it may stay open beside a scan."""

from pathlib import Path

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.presenters import texts
from gui.presenters.export_pane import ExportView
from gui.theme import look
from gui.widgets.typing_keys import TypingKeys
from streamer.export.plan import COLUMN_WIDTHS_MM, ExportPlan, FigurePlan, Kind, Panel

PREVIEW_SIZE = (460, 420)
DPIS = (300, 600)


class ExportDialog(QtWidgets.QDialog):
    """Fields for a plan, and what came of it."""

    changed = QtCore.Signal()
    export_asked = QtCore.Signal()
    copy_asked = QtCore.Signal()
    result_asked = QtCore.Signal()
    folder_asked = QtCore.Signal()
    open_folder_asked = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget, plan: ExportPlan) -> None:
        super().__init__(parent)
        self.setWindowTitle(texts.EXPORT_TITLE)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self._movie = plan.movie
        self._picture: QtGui.QPixmap | None = None
        self._make_fields(plan)
        self._make_buttons()
        self._arrange()
        self._typing = TypingKeys(
            self.name, self.folder, self.font, self.width, self.dpi, self.level, self.bar
        )

    # What is chosen.

    def plan(self) -> ExportPlan:
        """As the fields say."""
        kinds = tuple(kind for kind, box in self.kinds.items() if box.isChecked())
        shown = [name for name, box in self.panels.items() if not box.isHidden()]
        chosen = tuple(Panel(name) for name in shown if self.panels[name].isChecked())
        figure = FigurePlan(
            panels=chosen,
            width_mm=COLUMN_WIDTHS_MM[self.width.currentData()],
            dpi=self.dpi.currentData(),
            font_pt=self.font.value(),
            level=self.level.currentData(),
            scale_bar=self.bar.currentData(),
            **{name: box.isChecked() for name, box in self.switches.items()},
        )
        return ExportPlan(kinds=kinds, figure=figure, movie=self._movie)

    def set_view(self, view: ExportView) -> None:
        """Show what can be chosen and what came of it."""
        self.result.setText(view.result or "–")
        self.hint.setText(view.hint)
        self.hint.setVisible(bool(view.hint))
        for name, box in self.panels.items():
            box.setVisible(name in view.panels or not view.panels)
        self._set_levels(view.n_levels)
        self.sights.setText(view.sights)
        self.sights.setVisible(bool(view.sights))
        self.said.setText(view.said)
        is_busy = view.share is not None
        self.bar_of_progress.setVisible(is_busy)
        self.bar_of_progress.setValue(round(100 * (view.share or 0.0)))
        self.export.setText(texts.EXPORT_CANCEL if is_busy else texts.EXPORT_DO)
        self.export.setEnabled(view.can_export)
        self.copy.setEnabled(view.can_copy)
        self.open_folder.setVisible(view.can_open_folder)

    def set_panels(self, names: tuple[str, ...]) -> None:
        """Check these panels."""
        for name, box in self.panels.items():
            with QtCore.QSignalBlocker(box):
                box.setChecked(name in names)

    def set_preview(self, picture: QtGui.QPixmap | None) -> None:
        """Show a picture of the figure, or say that it is being drawn."""
        if picture is not None:
            self._picture = picture
        self._fit_preview()

    def set_place(self, folder: str, name: str) -> None:
        """Say where files go where nothing else is entered."""
        self.folder.setPlaceholderText(folder)
        self.name.setPlaceholderText(name)

    def resizeEvent(self, a0: QtGui.QResizeEvent | None) -> None:
        """The preview has the room that there is."""
        super().resizeEvent(a0)
        self._fit_preview()

    # How it is made.

    def _make_fields(self, plan: ExportPlan) -> None:
        figure = plan.figure
        self.result, self.hint = _words("note"), _words("sentence")
        self.choose = QtWidgets.QPushButton(texts.EXPORT_CHOOSE)
        self.choose.setAccessibleName(f"{texts.EXPORT_RESULT}: {texts.EXPORT_CHOOSE}")
        self.panels = {str(panel): self._box(texts.EXPORT_PANEL_NAMES[panel]) for panel in Panel}
        for name, box in self.panels.items():
            box.setChecked(name in figure.panels)
        names = {mm: name for name, mm in COLUMN_WIDTHS_MM.items()}
        self.width = self._combo(
            texts.EXPORT_WIDTH, texts.EXPORT_WIDTHS, names.get(figure.width_mm, "double")
        )
        self.dpi = self._combo(texts.EXPORT_DPI, {dpi: f"{dpi} dpi" for dpi in DPIS}, figure.dpi)
        self.font = QtWidgets.QDoubleSpinBox()
        self.font.setRange(6.0, 12.0)
        self.font.setSingleStep(0.5)
        self.font.setDecimals(1)
        self.font.setSuffix(" pt")
        self.font.setValue(figure.font_pt)
        self.font.setAccessibleName(texts.EXPORT_FONT)
        self.font.valueChanged.connect(lambda _: self.changed.emit())
        self.level = self._combo(texts.EXPORT_LEVEL, {None: texts.EXPORT_LAST_LEVEL}, None)
        self.bar = self._combo(texts.EXPORT_BAR, texts.EXPORT_BARS, figure.scale_bar)
        self.switches = {}
        for name, text in texts.EXPORT_SWITCHES.items():
            self.switches[name] = self._box(text)
            self.switches[name].setChecked(getattr(figure, name))
        self.kinds = {}
        for kind in Kind:
            name, tip = texts.EXPORT_KINDS[kind]
            self.kinds[kind] = self._box(name)
            self.kinds[kind].setChecked(kind in plan.kinds)
            self.kinds[kind].setToolTip(tip)
            self.kinds[kind].setAccessibleDescription(tip)
        self.folder, self.name = QtWidgets.QLineEdit(), QtWidgets.QLineEdit()
        self.folder.setAccessibleName(texts.EXPORT_FOLDER)
        self.name.setAccessibleName(texts.EXPORT_NAME)
        for field in (self.folder, self.name):
            field.textChanged.connect(lambda _: self.changed.emit())
        self.preview = QtWidgets.QLabel(texts.EXPORT_DRAWING)
        self.preview.setAccessibleName(texts.EXPORT_PREVIEW)
        self.preview.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self.preview.setMinimumSize(*PREVIEW_SIZE)
        self.sights, self.said = _words("note"), _words("sentence")
        self.said.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)

    def _make_buttons(self) -> None:
        self.choose_folder = QtWidgets.QPushButton(texts.EXPORT_CHOOSE)
        self.choose_folder.setAccessibleName(f"{texts.EXPORT_FOLDER}: {texts.EXPORT_CHOOSE}")
        self.export = QtWidgets.QPushButton(texts.EXPORT_DO)
        self.copy = QtWidgets.QPushButton(texts.EXPORT_COPY)
        self.copy.setToolTip(texts.EXPORT_COPY_TIP)
        self.open_folder = QtWidgets.QPushButton(texts.EXPORT_OPEN_FOLDER)
        self.leave = QtWidgets.QPushButton(texts.EXPORT_CLOSE)
        self.bar_of_progress = QtWidgets.QProgressBar()
        self.bar_of_progress.setAccessibleName(texts.EXPORT_TITLE)
        self.bar_of_progress.setTextVisible(False)
        self.bar_of_progress.setFixedHeight(8)
        for button, signal in (
            (self.choose, self.result_asked),
            (self.choose_folder, self.folder_asked),
            (self.export, self.export_asked),
            (self.copy, self.copy_asked),
            (self.open_folder, self.open_folder_asked),
        ):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, signal=signal: signal.emit())
        self.export.setDefault(True)
        self.leave.setAutoDefault(False)
        self.leave.clicked.connect(self.close)

    def _arrange(self) -> None:
        left = QtWidgets.QVBoxLayout()
        left.addLayout(_row(QtWidgets.QLabel(texts.EXPORT_RESULT), self.result, self.choose, stretch=1))
        left.addWidget(self.hint)
        left.addWidget(_titled(texts.EXPORT_PANELS, _grid(list(self.panels.values()), 3)))
        left.addWidget(_titled(texts.EXPORT_FIGURE, self._figure_grid()))
        files = QtWidgets.QGridLayout()
        for row, (group, kinds) in enumerate(texts.EXPORT_GROUPS.items()):
            files.addWidget(QtWidgets.QLabel(group), row, 0)
            files.addLayout(_row(*(self.kinds[Kind(kind)] for kind in kinds), stretch=len(kinds)), row, 1)
        left.addWidget(_titled(texts.EXPORT_FILES, files))
        place = QtWidgets.QGridLayout()
        for row, (text, *widgets) in enumerate(
            ((texts.EXPORT_FOLDER, self.folder, self.choose_folder), (texts.EXPORT_NAME, self.name))
        ):
            label = QtWidgets.QLabel(text)
            label.setBuddy(widgets[0])
            place.addWidget(label, row, 0)
            for column, widget in enumerate(widgets, 1):
                place.addWidget(widget, row, column)
        left.addLayout(place)
        left.addStretch()
        right = QtWidgets.QVBoxLayout()
        right.addWidget(self.preview, 1)
        right.addWidget(self.sights)
        columns = QtWidgets.QHBoxLayout()
        columns.addLayout(left)
        columns.addLayout(right, 1)
        whole = QtWidgets.QVBoxLayout(self)
        whole.addLayout(columns, 1)
        whole.addWidget(self.bar_of_progress)
        whole.addLayout(_row(self.said, self.open_folder, self.copy, self.export, self.leave, stretch=0))

    def _figure_grid(self) -> QtWidgets.QGridLayout:
        grid = QtWidgets.QGridLayout()
        fields = (
            (texts.EXPORT_WIDTH, self.width),
            (texts.EXPORT_DPI, self.dpi),
            (texts.EXPORT_FONT, self.font),
            (texts.EXPORT_LEVEL, self.level),
            (texts.EXPORT_BAR, self.bar),
        )
        for row, (text, widget) in enumerate(fields):
            label = QtWidgets.QLabel(text)
            label.setBuddy(widget)
            grid.addWidget(label, row, 0)
            grid.addWidget(widget, row, 1)
        for row, box in enumerate(self.switches.values()):
            grid.addWidget(box, row, 2)
        return grid

    def _set_levels(self, n_levels: int) -> None:
        if self.level.count() == n_levels + 1:
            return
        chosen = self.level.currentData()
        with QtCore.QSignalBlocker(self.level):
            self.level.clear()
            self.level.addItem(texts.EXPORT_LAST_LEVEL, None)
            for level in range(1, n_levels + 1):
                self.level.addItem(str(level), level)
            self.level.setCurrentIndex(max(self.level.findData(chosen), 0))

    def _fit_preview(self) -> None:
        if self._picture is None:
            return
        ratio = self.devicePixelRatioF()
        picture = self._picture.scaled(
            self.preview.size() * ratio,
            QtCore.Qt.AspectRatioMode.KeepAspectRatio,
            QtCore.Qt.TransformationMode.SmoothTransformation,
        )
        picture.setDevicePixelRatio(ratio)
        self.preview.setPixmap(picture)

    def _box(self, text: str) -> QtWidgets.QCheckBox:
        box = QtWidgets.QCheckBox(text)
        palette = box.palette()  # an empty box is seen on the dark ground too
        palette.setColor(QtGui.QPalette.ColorRole.Base, QtGui.QColor(look().hover))
        box.setPalette(palette)
        box.toggled.connect(lambda _: self.changed.emit())
        return box

    def _combo(self, name: str, items: dict, chosen: object) -> QtWidgets.QComboBox:
        combo = QtWidgets.QComboBox()
        combo.setAccessibleName(name)
        for data, text in items.items():
            combo.addItem(text, data)
        combo.setCurrentIndex(max(combo.findData(chosen), 0))
        combo.currentIndexChanged.connect(lambda _: self.changed.emit())
        return combo


def ask_for_result(parent: QtWidgets.QWidget, then) -> None:
    """Ask for a result file, beside the window."""
    dialog = QtWidgets.QFileDialog(parent, texts.OPEN_TITLE, "", texts.EXPORT_FILTER)
    dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setModal(False)
    dialog.fileSelected.connect(lambda path: then(Path(path)))
    dialog.show()


def ask_for_folder(parent: QtWidgets.QWidget, then) -> None:
    """Ask for a folder, beside the window."""
    dialog = QtWidgets.QFileDialog(parent, texts.EXPORT_FOLDER)
    dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QtWidgets.QFileDialog.FileMode.Directory)
    dialog.setOption(QtWidgets.QFileDialog.Option.ShowDirsOnly)
    dialog.setModal(False)
    dialog.fileSelected.connect(lambda path: then(Path(path)))
    dialog.show()


def _words(name: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(QtCore.Qt.TextFormat.PlainText)
    return label


def _row(*widgets: QtWidgets.QWidget, stretch: int) -> QtWidgets.QHBoxLayout:
    """Widgets beside one another; the one at `stretch` has the room, or nothing behind the last."""
    row = QtWidgets.QHBoxLayout()
    for number, widget in enumerate(widgets):
        row.addWidget(widget, 1 if number == stretch else 0)
    if stretch >= len(widgets):
        row.addStretch(1)
    return row


def _grid(widgets: list[QtWidgets.QCheckBox], n_columns: int) -> QtWidgets.QGridLayout:
    grid = QtWidgets.QGridLayout()
    for number, widget in enumerate(widgets):
        grid.addWidget(widget, number // n_columns, number % n_columns)
    return grid


def _titled(title: str, layout: QtWidgets.QLayout) -> QtWidgets.QGroupBox:
    box = QtWidgets.QGroupBox(title)
    box.setLayout(layout)
    return box
