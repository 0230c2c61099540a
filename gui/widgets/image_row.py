"""Images of the scan side by side: virtual detectors (pane B), alignment (a tab)."""

from pyqtgraph.Qt import QtCore, QtWidgets

from gui.presenters.views import ImageView
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.image_canvas import ImageCanvas

MOST_IN_A_ROW = 3


class ImageRow(QtWidgets.QWidget):
    """As many canvases as there are images, each with its title above; further ones in further rows."""

    canvas_added = QtCore.Signal(object)
    """A canvas that was not there before, so that its mouse can be listened to."""

    def __init__(self, names: tuple[str, ...], colours: str) -> None:
        super().__init__()
        self._colours = colours
        self._grid = QtWidgets.QGridLayout(self)
        self._grid.setContentsMargins(4, 0, 4, 4)
        self._grid.setHorizontalSpacing(6)
        self._grid.setVerticalSpacing(2)
        self.canvases: list[ImageCanvas] = []
        self._titles: list[ElidedLabel] = []
        self._columns = 0
        for name in names:
            self._add(name)
        self._place(len(names))

    def set_views(self, views: tuple[ImageView, ...]) -> None:
        """Show these images."""
        while len(self.canvases) < len(views):
            self._add(views[len(self.canvases)].title)
        self._place(len(views))
        for canvas, title, view in zip(self.canvases, self._titles, views, strict=False):
            canvas.setAccessibleName(view.title or canvas.accessibleName())
            canvas.set_view(view)
            title.set_text(view.title)

    def _add(self, name: str) -> None:
        canvas = ImageCanvas(name, self._colours)
        canvas.setParent(self)
        self.canvases.append(canvas)
        self._titles.append(ElidedLabel("note"))
        self.canvas_added.emit(canvas)

    def _place(self, n_shown: int) -> None:
        columns = min(n_shown, MOST_IN_A_ROW)
        for index, (canvas, title) in enumerate(zip(self.canvases, self._titles, strict=True)):
            canvas.setVisible(index < n_shown)
            title.setVisible(index < n_shown)
            if index < n_shown and (columns != self._columns or self._grid.indexOf(canvas) < 0):
                row, column = divmod(index, columns)
                self._grid.addWidget(title, 2 * row, column)
                self._grid.addWidget(canvas, 2 * row + 1, column)
                self._grid.setRowStretch(2 * row + 1, 1)
        for column in range(max(columns, self._columns)):
            self._grid.setColumnStretch(column, int(column < columns))
        self._columns = columns
