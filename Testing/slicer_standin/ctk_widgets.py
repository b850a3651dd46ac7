"""Stand-ins for CTK's widgets, with the base classes that CTK gives them."""

from __future__ import annotations

import os
import types

from PySide6 import QtCore, QtGui, QtWidgets

from .api import stands_in
from .pythonqt import PythonQtObject

Property, Signal = QtCore.Property, QtCore.Signal
_HEADER_HEIGHT = 26
_MARGIN = 8


@stands_in
class ctkCollapsibleButton(PythonQtObject, QtWidgets.QAbstractButton):
    """A header that shows and hides what lies below it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._collapsed = False
        self._hidden: list[QtWidgets.QWidget] = []
        self.setContentsMargins(0, _HEADER_HEIGHT, 0, 0)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.toggled.connect(lambda checked: self._collapse(not checked))

    def _collapse(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setChecked(not collapsed)
        if collapsed:
            children = [child for child in self.findChildren(QtWidgets.QWidget) if child.parent() is self]
            self._hidden = [child for child in children if not child.isHidden()]
        for child in self._hidden:
            child.setVisible(not collapsed)
        self.setMaximumHeight(_HEADER_HEIGHT if collapsed else 16777215)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    collapsed = Property(bool, lambda self: self._collapsed, lambda self, value: self._collapse(value))

    def sizeHint(self) -> QtCore.QSize:
        contents = QtCore.QSize(0, 0) if self._collapsed else QtWidgets.QWidget.sizeHint(self)
        text = self.fontMetrics().horizontalAdvance(self.text) + 40
        return QtCore.QSize(max(contents.width(), text), max(contents.height(), _HEADER_HEIGHT))

    minimumSizeHint = sizeHint

    def hitButton(self, position: QtCore.QPoint) -> bool:
        return position.y() < _HEADER_HEIGHT

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        header = QtCore.QRect(0, 2, self.width, _HEADER_HEIGHT - 4)
        painter.fillRect(header, self.palette.color(QtGui.QPalette.Button).darker(107))
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        arrow = "\u25b8" if self._collapsed else "\u25be"
        painter.drawText(header.adjusted(8, 0, 0, 0), QtCore.Qt.AlignVCenter, f"{arrow}  {self.text}")
        painter.end()


@stands_in
class ctkDirectoryButton(PythonQtObject, QtWidgets.QWidget):
    """A button that shows a folder and lets the user choose another."""

    directoryChanged = Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._button = QtWidgets.QPushButton(os.getcwd())
        self._button.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        row.addWidget(self._button)
        self._directory, self._elide = os.getcwd(), QtCore.Qt.ElideNone

    def _set(self, path: str) -> None:
        if path != self._directory:
            self._directory = path
            self._show_path()
            self.directoryChanged.emit(path)

    def _set_elide(self, mode: QtCore.Qt.TextElideMode) -> None:
        self._elide = mode
        # only a button that shortens its text may be narrower than the text
        self._button.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Fixed)
        self._show_path()

    def _show_path(self) -> None:
        room = self._button.width - 2 * _MARGIN
        metrics = self._button.fontMetrics()
        whole = self._elide == QtCore.Qt.ElideNone
        self._button.setText(
            self._directory if whole else metrics.elidedText(self._directory, self._elide, room)
        )

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_path()

    elideMode = Property(
        QtCore.Qt.TextElideMode, lambda self: self._elide, lambda self, mode: self._set_elide(mode)
    )

    directory = Property(str, lambda self: self._directory, lambda self, value: self._set(value))


def build_ctk() -> types.ModuleType:
    """The module `ctk`."""
    ctk = types.ModuleType("ctk")
    for cls in (ctkCollapsibleButton, ctkDirectoryButton):
        setattr(ctk, cls.__name__, cls)
    return ctk
