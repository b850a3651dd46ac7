"""PySide6 dressed as PythonQt's module `qt`: properties are attributes, signals are connected by their signature."""

from __future__ import annotations

import builtins
import types
from collections.abc import Callable
from functools import cache
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

_MODULES = (QtCore, QtGui, QtWidgets)
# Names of properties that are virtual functions or something else as well, which PythonQt keeps callable.
_STAY_METHODS = {"singleShot", "sizeHint", "minimumSizeHint", "children", "parent", "layout", "property"}
_STAY_PYSIDE = (QtCore.QObject, QtWidgets.QWidget, QtWidgets.QLayout, QtCore.QCoreApplication)
_SIGNATURE_TYPES = {"bool": bool, "int": int, "double": float, "QString": str}


class PythonQtObject:
    """What PythonQt adds to every QObject: `connect("signal(type)", slot)`, and no attributes that Qt does not have."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # PySide6 looks for these two in the class itself before it takes its own
        cls.connect, cls.disconnect = PythonQtObject.connect, PythonQtObject.disconnect

    def connect(self, signature: str, slot: Callable) -> bool:
        return bool(_signal(self, signature).connect(slot))

    def disconnect(self, signature: str, slot: Callable | None = None) -> None:
        signal = _signal(self, signature)
        signal.disconnect(slot) if slot else signal.disconnect()

    def __setattr__(self, name: str, value: Any) -> None:
        known = isinstance(getattr(type(self), name, None), (builtins.property, QtCore.Property))
        # PySide6's loader of .ui files gives the outermost widget its children as attributes
        child = isinstance(value, QtCore.QObject) and value.objectName == name
        if not (name.startswith("_") or known or child):
            raise AttributeError(f"{type(self).__name__} has no property '{name}' that could be assigned.")
        super().__setattr__(name, value)


def _signal(sender: QtCore.QObject, signature: str) -> Any:
    name, _, arguments = signature.partition("(")
    signal = getattr(sender, name)
    wanted = [_SIGNATURE_TYPES.get(part.strip()) for part in arguments.rstrip(")").split(",") if part.strip()]
    if not wanted or None in wanted:
        return signal
    try:
        return signal[tuple(wanted) if len(wanted) > 1 else wanted[0]]
    except (KeyError, IndexError, TypeError):
        return signal


@cache
def build_qt() -> types.ModuleType:
    """The module `qt`; changes PySide6's classes for the whole process, since Qt hands its own objects out too."""
    _make_properties_attributes()
    QtCore.QObject.name = _attribute("objectName")
    QtCore.QObject.className = lambda self: self.metaObject().className()
    for cls in (QtWidgets.QDialog, QtWidgets.QMenu):
        cls.exec_ = cls.exec
    qt = types.ModuleType("qt")
    for module in _MODULES:
        for name in dir(module):  # PySide6 makes its classes when they are asked for, so vars() is not enough
            if not name.startswith("_"):
                setattr(qt, name, dressed(getattr(module, name)))
    return qt


@cache
def dressed(cls: Any) -> Any:
    """`cls` as PythonQt would show it: a QObject class gets PythonQtObject's members, anything else stays."""
    if not isinstance(cls, type) or not issubclass(cls, QtCore.QObject):
        return cls
    if cls in _STAY_PYSIDE or issubclass(cls, QtCore.QCoreApplication):
        return cls
    try:
        return type(cls.__name__, (PythonQtObject, cls), {})
    except TypeError:
        return cls


def _make_properties_attributes() -> None:
    for module in _MODULES:
        for name in dir(module):
            cls = getattr(module, name)
            if isinstance(cls, type) and issubclass(cls, QtCore.QObject):
                _add_attributes(cls)


def _add_attributes(cls: type) -> None:
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if name not in _STAY_METHODS:
            setattr(cls, name, _attribute(name))


def _attribute(name: str) -> builtins.property:
    def read(self: QtCore.QObject) -> Any:
        return QtCore.QObject.property(self, name)

    def write(self: QtCore.QObject, value: Any) -> None:
        if not QtCore.QObject.setProperty(self, name, value):
            raise AttributeError(f"{type(self).__name__}.{name} can't be set to {value!r}.")

    return builtins.property(read, write)
