"""`qt.QUiLoader` that builds dressed widgets and honours the scene connections exactly as the .ui declares them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

_LINE = "Line"  # no class of Qt: its loader makes a frame of it


class QUiLoader(QtUiTools.QUiLoader):
    """Loads a .ui whose widgets are those of `classes` (name to class); anything unknown is an error."""

    classes: ClassVar[dict[str, type]] = {}

    def createWidget(self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = ""):
        if class_name == _LINE:
            return super().createWidget(class_name, parent, name)
        widget = self.classes[class_name](parent)
        widget.setObjectName(name)
        return widget

    def load(self, device: QtCore.QFile, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        """Load a .ui file; raises RuntimeError for a widget class that has no stand-in."""
        root = ElementTree.parse(Path(device.fileName())).getroot()
        declared = {element.attrib["class"] for element in root.iter("widget")}
        if unknown := declared - set(self.classes) - {_LINE}:
            raise RuntimeError(f"{device.fileName()}: no stand-in for the widget classes {sorted(unknown)}.")
        # Qt says of every scene connection that it does not know the signal; those are made below
        previous = QtCore.qInstallMessageHandler(lambda *_message: None)
        widget = super().load(device, parent)
        QtCore.qInstallMessageHandler(previous)
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
