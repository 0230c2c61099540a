"""Two images side by side: bright and dark field (pane B), alignment y and x (a tab)."""

from pyqtgraph.Qt import QtWidgets

from gui.presenters.views import ImageView
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.image_canvas import ImageCanvas


class ImagePair(QtWidgets.QWidget):
    """Two canvases with their titles above."""

    def __init__(self, names: tuple[str, str], colours: str) -> None:
        super().__init__()
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(4, 0, 4, 4)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(2)
        self.canvases = tuple(ImageCanvas(name, colours) for name in names)
        self._titles = tuple(ElidedLabel("note") for _ in names)
        for column, (canvas, title) in enumerate(zip(self.canvases, self._titles, strict=True)):
            grid.setColumnStretch(column, 1)
            grid.addWidget(title, 0, column)
            grid.addWidget(canvas, 1, column)
        grid.setRowStretch(1, 1)

    def set_views(self, views: tuple[ImageView, ImageView]) -> None:
        """Show both images."""
        for canvas, title, view in zip(self.canvases, self._titles, views, strict=True):
            canvas.set_view(view)
            title.set_text(view.title)
