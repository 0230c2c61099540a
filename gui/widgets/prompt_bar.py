"""A question under the hierarchy, answered in its own line: Enter applies, Esc leaves. Never a dialog."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui.presenters import texts
from gui.presenters.tree_prompts import Prompt, PromptKind
from gui.widgets.typing_keys import TypingKeys

MAX_NUMBER = 32


class PromptBar(QtWidgets.QFrame):
    """Question, one field of the kind that it needs, Apply and Leave."""

    answered = QtCore.Signal(object)
    left = QtCore.Signal()
    changed = QtCore.Signal(object)
    """The answer as it stands in the field, while it is being made."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("prompt")
        self._prompt: Prompt | None = None
        self.question = QtWidgets.QLabel()
        self.question.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.number, self.text, self.choice = (
            QtWidgets.QSpinBox(),
            QtWidgets.QLineEdit(),
            QtWidgets.QComboBox(),
        )
        for field in (self.number, self.text, self.choice):
            field.setAccessibleName(texts.ANSWER)
        self.number.setRange(1, MAX_NUMBER)
        self.browse = QtWidgets.QPushButton(texts.BROWSE)
        self.browse.clicked.connect(self._browse)
        self.apply = QtWidgets.QPushButton(texts.APPLY)
        self.leave = QtWidgets.QPushButton(texts.CANCEL_PROMPT)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(6, 2, 6, 2)
        row.addWidget(self.question)
        row.addWidget(self.number)
        row.addWidget(self.text, 1)
        row.addWidget(self.choice, 1)
        row.addStretch()
        row.addWidget(self.browse)
        row.addWidget(self.apply)
        row.addWidget(self.leave)
        for button in (self.browse, self.apply, self.leave):
            button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Fixed, QtWidgets.QSizePolicy.Policy.Fixed)
        self.text.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        self.apply.clicked.connect(self._answer)
        self.leave.clicked.connect(self.left)
        self.text.returnPressed.connect(self._answer)
        self.number.valueChanged.connect(lambda number: self.changed.emit(number))
        self._typing = TypingKeys(self.number, self.text, self.choice, self.browse, self.apply, self.leave)
        self.hide()

    @property
    def prompt(self) -> Prompt | None:
        """What is asked."""
        return self._prompt

    def set_view(self, prompt: Prompt | None) -> None:
        """Ask this, or nothing."""
        if prompt == self._prompt:
            return
        self._prompt = prompt
        self.setVisible(prompt is not None)
        if prompt is None:
            return
        self.question.setText(prompt.question)
        self.question.setAccessibleName(prompt.question)
        self.question.setToolTip(prompt.question)
        self.browse.setVisible(prompt.kind is PromptKind.LOCATE)
        fields = (
            (self.number, prompt.number is not None),
            (self.text, prompt.text is not None),
            (self.choice, bool(prompt.choices)),
        )
        for widget, is_wanted in fields:
            widget.setVisible(is_wanted)
            if is_wanted:
                widget.setAccessibleName(prompt.question)
        if prompt.number is not None:
            self.number.setValue(prompt.number)
        self.text.setText(prompt.text or "")
        self.choice.clear()
        self.choice.addItems(list(prompt.choices))
        self.choice.setEnabled(len(prompt.choices) > 1)
        wanted = [widget for widget, is_wanted in fields if is_wanted and widget.isEnabled()]
        (wanted[0] if wanted else self.apply).setFocus()
        if prompt.text is not None:
            self.text.selectAll()

    @property
    def answer(self) -> object:
        """What stands in the field."""
        prompt = self._prompt
        if prompt is None:
            return None
        if prompt.number is not None:
            return self.number.value()
        return self.choice.currentText() if prompt.choices else self.text.text()

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Enter applies, or leaves where Leave has the focus."""
        if event.key() in (QtCore.Qt.Key.Key_Return, QtCore.Qt.Key.Key_Enter):
            if self.leave.hasFocus():
                self.left.emit()
            elif self.browse.hasFocus():
                self._browse()
            else:
                self._answer()
        else:
            super().keyPressEvent(event)

    def _browse(self) -> None:
        """Choose the file beside the window; its path is then in the field."""
        dialog = QtWidgets.QFileDialog(self, texts.LOCATE_QUESTION, self.text.text())
        dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setModal(False)
        dialog.fileSelected.connect(self.text.setText)
        dialog.show()

    def _answer(self) -> None:
        if self._prompt is not None:
            self.number.interpretText()
            self.answered.emit(self.answer)
