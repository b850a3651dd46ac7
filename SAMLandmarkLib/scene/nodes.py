"""Finding the nodes of a class in a scene, and adding hidden nodes and lists without a side effect on the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .mrml import Scene


def nodes_of_class(scene: Scene, class_name: str) -> list[Any]:
    """All nodes of a class in `scene`, in the order they were added.

    Slicer's `slicer.util.getNodesByClass` takes a scene as well, but looks into the application's scene.
    """
    nodes = scene.GetNodesByClass(class_name)
    nodes.UnRegister(None)
    return list(nodes)


def add_hidden_node(scene: Scene, class_name: str, name: str, mark: str) -> Any:
    """Add a node with the attribute `mark` that no list of nodes shows and that isn't saved with the scene."""
    node = scene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(name)
    node.SetAttribute(mark, "1")
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return scene.AddNode(node)


@contextmanager
def keep_placing(scene: Scene) -> Iterator[None]:
    """Let the user's clicks go on to place points in the same list while another list is added to the scene.

    Slicer makes every list that is added the one that clicks add to.
    """
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    if selection is None:
        yield
        return
    before = selection.GetActivePlaceNodeID()
    # merged, so that nobody who watches it sees the change
    was_modifying = selection.StartModify()
    try:
        yield
    finally:
        selection.SetActivePlaceNodeID(before)
        selection.EndModify(was_modifying)
