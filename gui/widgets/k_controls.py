"""K of one node in numbers and small maps: a step less or more, Apply, Lock."""

from pyqtgraph.Qt import QtWidgets

from gui.presenters import texts
from gui.presenters.views import ElbowView
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.image_canvas import ImageCanvas

N_PREVIEWS = 3
PREVIEW_PX = 48


class KControls(QtWidgets.QWidget):
    """Buttons below the elbow curve; the small maps beside it, ``maps``, come when another K is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = QtWidgets.QToolButton()
        self.lock.setText(texts.LOCK_K)
        self.lock.setToolTip(texts.LOCK_K_TIP)
        self.apply = QtWidgets.QToolButton()
        self.apply.setText(texts.APPLY)
        self.less, self.more = QtWidgets.QToolButton(), QtWidgets.QToolButton()
        self.less.setText("K −1")
        self.more.setText("K +1")
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(4)
        for widget in (self.less, self.more, self.apply, self.lock):
            row.addWidget(widget)
        row.addStretch()
        self.canvases = tuple(ImageCanvas(texts.k_preview_title("", n)) for n in range(N_PREVIEWS))
        self.titles = tuple(ElidedLabel("note") for _ in range(N_PREVIEWS))
        self.maps = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(self.maps)
        grid.setContentsMargins(0, 0, 0, 0)
        for place, (canvas, title) in enumerate(zip(self.canvases, self.titles, strict=True)):
            canvas.setMinimumSize(PREVIEW_PX, PREVIEW_PX)
            grid.addWidget(title, 0, place)
            grid.addWidget(canvas, 1, place)
            grid.setColumnStretch(place, 1)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(6, 0, 6, 2)
        column.setSpacing(2)
        column.addLayout(row)

    def set_view(self, view: ElbowView) -> None:
        """Show this node's K."""
        for button in (self.less, self.more, self.lock):
            button.setEnabled(view.can_set and bool(view.node_name))
        self.apply.setEnabled(view.can_set and view.wanted_k is not None and view.wanted_k != view.chosen_k)
        self.lock.setText(texts.UNLOCK_K if view.is_locked else texts.LOCK_K)
        self.maps.setVisible(bool(view.previews))
        for place, (canvas, title) in enumerate(zip(self.canvases, self.titles, strict=True)):
            is_there = place < len(view.previews)
            canvas.setVisible(is_there)
            title.setVisible(is_there)
            if is_there:
                canvas.set_view(view.previews[place])
                title.set_text(view.previews[place].title)
