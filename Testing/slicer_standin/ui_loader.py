"""`qt.QUiLoader` that builds dressed widgets and honours the scene connections exactly as the .ui declares them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from PySide6 import QtCore, QtUiTools, QtWidgets


class QUiLoader(QtUiTools.QUiLoader):
    """Loads a .ui whose widgets are those of `classes` (name to class); anything unknown is an error."""

    classes: dict[str, type] = {}

    def createWidget(self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = ""):
        widget = self.classes[class_name](parent)
        widget.setObjectName(name)
        return widget

    def load(self, device: QtCore.QFile, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        """Load a .ui file; raises RuntimeError for a widget class that has no stand-in."""
        root = ElementTree.parse(Path(device.fileName())).getroot()
        declared = {element.attrib["class"] for element in root.iter("widget")}
        if unknown := declared - set(self.classes):
            raise RuntimeError(f"{device.fileName()}: no stand-in for the widget classes {sorted(unknown)}.")
        widget = super().load(device, parent)
        for connection in root.iter("connection"):
            _connect_scene(widget, connection)
        return widget


def _connect_scene(widget: QtWidgets.QWidget, connection: ElementTree.Element) -> None:
    """A selector gets the scene only where the .ui says so: a forgotten connection shows as an empty selector."""
    if not connection.findtext("signal", "").startswith("mrmlSceneChanged"):
        return
    sender, receiver = (_named(widget, connection.findtext(end, "")) for end in ("sender", "receiver"))
    sender.mrmlSceneChanged.connect(receiver.setMRMLScene)


def _named(widget: QtWidgets.QWidget, name: str) -> QtCore.QObject:
    found = widget if widget.objectName == name else widget.findChild(QtCore.QObject, name)
    if found is None:
        raise RuntimeError(f"The .ui connects '{name}', which it does not contain.")
    return found
