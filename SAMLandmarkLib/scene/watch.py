"""Notices what a user does to markups, and what happens to the scene as a whole."""

from __future__ import annotations

from collections.abc import Callable

import slicer

from .mrml import Node, Scene
from .observers import Observers

_MARKUPS = slicer.vtkMRMLMarkupsNode
_CHANGES = (
    _MARKUPS.PointPositionDefinedEvent,
    _MARKUPS.PointPositionUndefinedEvent,
    _MARKUPS.PointPositionMissingEvent,
    _MARKUPS.PointPositionNonMissingEvent,
    _MARKUPS.PointRemovedEvent,
    _MARKUPS.PointModifiedEvent,
)
_SCENE = slicer.vtkMRMLScene


class MarkupsWatch:
    """Calls `on_change()` after a markups node changed; while a point is dragged only when it is let go.

    `on_transform()` is called after its parent transform became another one.
    """

    def __init__(
        self, node: Node, on_change: Callable[[], None], on_transform: Callable[[], None] | None = None
    ) -> None:
        self._on_change = on_change
        self._dragging = False
        self._observers = Observers()
        for event in _CHANGES:
            self._observers.add(node, event, self._changed)
        if on_transform is not None:
            self._observers.add(node, _MARKUPS.TransformModifiedEvent, on_transform)
        self._observers.add(node, _MARKUPS.PointStartInteractionEvent, self._drag_began)
        self._observers.add(node, _MARKUPS.PointEndInteractionEvent, self._drag_ended)

    def stop(self) -> None:
        """Watch no longer."""
        self._observers.clear()

    def _changed(self) -> None:
        if not self._dragging:
            self._on_change()

    def _drag_began(self) -> None:
        self._dragging = True

    def _drag_ended(self) -> None:
        self._dragging = False
        self._on_change()


class VolumeWatch:
    """Calls `on_change()` after a volume got another name, place, parent transform or other voxels."""

    def __init__(self, node: Node, on_change: Callable[[], None]) -> None:
        self._observers = Observers()
        for event in (
            "ModifiedEvent",
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
        ):
            self._observers.add(node, event, on_change)

    def stop(self) -> None:
        """Watch no longer."""
        self._observers.clear()


class SceneWatch:
    """Calls back when the scene is about to close, lost a node, or was undone or redone, by whomever."""

    def __init__(
        self,
        scene: Scene,
        on_closing: Callable[[], None],
        on_node_removed: Callable[[], None],
        on_undone: Callable[[], None],
    ) -> None:
        self._observers = Observers()
        self._observers.add(scene, _SCENE.StartCloseEvent, on_closing)
        self._observers.add(scene, _SCENE.NodeRemovedEvent, on_node_removed)
        for event in (_SCENE.EndUndoEvent, _SCENE.EndRedoEvent):
            self._observers.add(scene, event, on_undone)

    def stop(self) -> None:
        """Watch no longer."""
        self._observers.clear()


def is_in_flux(scene: Scene) -> bool:
    """Whether the scene is being closed, undone or redone, so that what its nodes say now means nothing."""
    return bool(scene.IsClosing() or scene.IsUndoing() or scene.IsRedoing())
