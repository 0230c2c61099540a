"""The scans before, in one row above the status line; not there while there is but one."""

from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from gui import theme
from gui.presenters.history import HistoryTile

SIDE_PX = 36


class HistoryStrip(QtWidgets.QWidget):
    """Small maps with the time under them, the latest at the right."""

    def __init__(self) -> None:
        super().__init__()
        self.tiles: tuple[HistoryTile, ...] = ()
        self._row = QtWidgets.QHBoxLayout(self)
        self._row.setContentsMargins(8, 0, 8, 0)
        self._row.setSpacing(8)
        self._row.addStretch(1)
        self.setVisible(False)

    def set_history(self, tiles: tuple[HistoryTile, ...]) -> None:
        """Show these scans."""
        self.tiles = tiles
        while self._row.count() > 1:
            item = self._row.takeAt(1)
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for tile in tiles:
            self._row.addWidget(_tile_widget(tile))
        self.setVisible(bool(tiles))


def _tile_widget(tile: HistoryTile) -> QtWidgets.QWidget:
    widget = QtWidgets.QWidget()
    widget.setToolTip(tile.tip)
    column = QtWidgets.QVBoxLayout(widget)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(_map_label(tile), alignment=QtCore.Qt.AlignmentFlag.AlignHCenter)
    text = QtWidgets.QLabel(tile.label)
    text.setStyleSheet(f"color: {theme.severity_colour(tile.severity)}; font-size: 10px;")
    column.addWidget(text, alignment=QtCore.Qt.AlignmentFlag.AlignHCenter)
    return widget


def _map_label(tile: HistoryTile) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setFixedSize(SIDE_PX, SIDE_PX)
    label.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
    if tile.picture is None:
        label.setText("–")
        return label
    rows, columns, rgb = tile.picture
    image = QtGui.QImage(rgb, columns, rows, 3 * columns, QtGui.QImage.Format.Format_RGB888)
    # Copied: the image does not keep the bytes.
    pixmap = QtGui.QPixmap.fromImage(image.copy())
    label.setPixmap(pixmap.scaled(SIDE_PX, SIDE_PX, QtCore.Qt.AspectRatioMode.KeepAspectRatio))
    return label
