"""A small `slicer.parameterNodeWrapper`: typed parameters in a node, bound to widgets by `SlicerParameterName`.

It takes the types, annotations and widgets that Slicer's own takes in this module and refuses others. Values lie in the
node's parameters and references, so that they are saved and loaded with the scene.
"""

from __future__ import annotations

import enum
import pathlib
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import ctk
import qt
import slicer
import vtk
from PySide6 import QtCore, QtWidgets

_PROPERTY = "SlicerParameterName"
_SCALARS = {bool: lambda text: text == "True", int: int, float: float, str: str}


@dataclass(frozen=True)
class WithinRange:
    """A number must lie between `minimum` and `maximum`."""

    minimum: float
    maximum: float

    def check(self, value: float) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within [{self.minimum}, {self.maximum}], is {value}")


@dataclass(frozen=True)
class Default:
    """The value of a parameter that was never set."""

    value: Any


class _Parameter:
    """One typed parameter: how it lies in the node."""

    def __init__(self, name: str, hint: Any, default: Any) -> None:
        annotated = typing.get_origin(hint) is Annotated
        self.name, self.kind = name, typing.get_args(hint)[0] if annotated else hint
        self.rules = (
            [note for note in hint.__metadata__ if isinstance(note, WithinRange)] if annotated else []
        )
        defaults = (
            [note.value for note in hint.__metadata__ if isinstance(note, Default)] if annotated else []
        )
        self.is_list = typing.get_origin(self.kind) is list
        self.is_node = isinstance(self.kind, type) and issubclass(self.kind, slicer.vtkMRMLNode)
        self.default = default if default is not None else (defaults or [self._fallback()])[0]

    def _fallback(self) -> Any:
        if self.is_node or self.is_list:
            return [] if self.is_list else None
        return next(iter(self.kind)) if issubclass(self.kind, enum.Enum) else self.kind()

    def read(self, node: Any) -> Any:
        if self.is_list:
            count = node.GetNumberOfNodeReferences(self.name)
            return [node.GetNthNodeReference(self.name, i) for i in range(count)]
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.kind in _SCALARS:
            return _SCALARS[self.kind](text)
        return self.kind[text] if issubclass(self.kind, enum.Enum) else self.kind(text)

    def write(self, node: Any, value: Any) -> None:
        for rule in self.rules:
            rule.check(value)
        modified = node.StartModify()
        if self.is_list:
            node.RemoveNodeReferenceIDs(self.name)
            for item in value:
                node.AddNodeReferenceID(self.name, item.GetID())
        elif self.is_node:
            node.SetNodeReferenceID(self.name, value.GetID() if value else None)
        else:
            node.SetParameter(self.name, value.name if isinstance(value, enum.Enum) else str(value))
        node.EndModify(modified)

    def is_in(self, node: Any) -> bool:
        return self.is_list or self.is_node or self.name in node.GetParameterNames()


@dataclass(frozen=True)
class _Connector:
    """How a widget class shows a type: its property, and the signal that tells of changes."""

    read: Callable[[Any], Any]
    write: Callable[[Any, Any], None]
    signal: str


def _property_connector(
    name: str, signal: str, convert: Callable[[Any], Any] = lambda value: value
) -> _Connector:
    return _Connector(
        lambda widget, parameter: convert(getattr(widget, name)),
        lambda widget, parameter, value: setattr(
            widget, name, str(value) if convert is pathlib.Path else value
        ),
        signal,
    )


def _enum_labels(parameter: _Parameter) -> list[str]:
    return [getattr(member, "label", lambda member=member: member.name)() for member in parameter.kind]


_ENUM = _Connector(
    lambda widget, parameter: list(parameter.kind)[widget.currentIndex],
    lambda widget, parameter, value: widget.setCurrentIndex(list(parameter.kind).index(value)),
    "currentIndexChanged",
)
_NODE = _Connector(
    lambda widget, parameter: widget.currentNode(),
    lambda widget, parameter, value: widget.setCurrentNode(value),
    "currentNodeChanged",
)
_CONNECTORS = {
    (qt.QCheckBox, bool): _property_connector("checked", "stateChanged"),
    (qt.QPushButton, bool): _property_connector("checked", "toggled"),
    (qt.QSpinBox, int): _property_connector("value", "valueChanged"),
    (qt.QDoubleSpinBox, float): _property_connector("value", "valueChanged"),
    (qt.QLineEdit, str): _property_connector("text", "textChanged"),
    (ctk.ctkDirectoryButton, pathlib.Path): _property_connector(
        "directory", "directoryChanged", pathlib.Path
    ),
    (qt.QComboBox, enum.Enum): _ENUM,
    (slicer.qMRMLNodeComboBox, slicer.vtkMRMLNode): _NODE,
}


def _connector(widget: QtWidgets.QWidget, parameter: _Parameter) -> _Connector:
    for (widget_class, kind), connector in _CONNECTORS.items():
        if type(widget) is widget_class and not parameter.is_list and issubclass(parameter.kind, kind):
            return connector
    raise RuntimeError(f"Unable to connect the type of '{parameter.name}' to a {type(widget).__name__}")


def _prepare(widget: QtWidgets.QWidget, parameter: _Parameter) -> None:
    if isinstance(parameter.kind, type) and issubclass(parameter.kind, enum.Enum):
        widget.clear()
        for label in _enum_labels(parameter):
            widget.addItem(label)
    for rule in parameter.rules:
        widget.setRange(rule.minimum, rule.maximum)


class _Binding:
    """Widgets bound to the parameters of one node, both ways."""

    def __init__(self, owner: Any, widgets: dict[str, QtWidgets.QWidget]) -> None:
        self._owner, self._updating, self._links = owner, False, []
        for name, widget in widgets.items():
            parameter = owner.allParameters[name]
            self._link(parameter, widget, _connector(widget, parameter))
        self._tag = owner.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update_widgets)

    def _link(self, parameter: _Parameter, widget: QtWidgets.QWidget, connector: _Connector) -> None:
        _prepare(widget, parameter)
        connector.write(widget, parameter, parameter.read(self._owner.parameterNode))

        def changed(*_: Any) -> None:
            if not self._updating:
                setattr(self._owner, parameter.name, connector.read(widget, parameter))

        getattr(widget, connector.signal).connect(changed)
        self._links.append((parameter, widget, connector, changed))

    def _update_widgets(self, *_: Any) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            for parameter, widget, connector, _changed in self._links:
                connector.write(widget, parameter, parameter.read(self._owner.parameterNode))
        finally:
            self._updating = False

    def close(self) -> None:
        self._owner.RemoveObserver(self._tag)
        for _parameter, widget, connector, changed in self._links:
            getattr(widget, connector.signal).disconnect(changed)


class _Wrapper:
    """The methods that every wrapped class gets."""

    allParameters: dict[str, _Parameter]

    def __init__(self, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        self._bindings: dict[int, _Binding] = {}
        for parameter in self.allParameters.values():
            if not parameter.is_in(parameterNode):
                parameter.write(parameterNode, parameter.default)

    def AddObserver(self, event: Any, callback: Callable, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, modified: int) -> None:
        self.parameterNode.EndModify(modified)

    def connectGui(self, gui: Any) -> int:
        """Bind every widget that names a parameter; ValueError for a name that the class does not have."""
        widgets = {}
        for widget in vars(gui).values():
            if name := QtCore.QObject.property(widget, _PROPERTY):
                if name not in self.allParameters:
                    raise ValueError(f"Cannot find a param with the given name: {name}")
                widgets[name] = widget
        tag = len(self._bindings)
        self._bindings[tag] = _Binding(self, widgets)
        return tag

    def disconnectGui(self, tag: int) -> None:
        """Undo one connectGui."""
        if tag in self._bindings:
            self._bindings[tag].close()
            self._bindings[tag] = None


def _attribute(parameter: _Parameter) -> property:
    return property(
        lambda self: parameter.read(self.parameterNode),
        lambda self, value: parameter.write(self.parameterNode, value),
    )


def parameterNodeWrapper(cls: type) -> type:
    """Class decorator: the annotated names become parameters of a node."""
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {name: _Parameter(name, hint, getattr(cls, name, None)) for name, hint in hints.items()}
    members = {name: _attribute(parameter) for name, parameter in parameters.items()}
    return type(cls.__name__, (_Wrapper,), {**members, "allParameters": parameters, "__doc__": cls.__doc__})
