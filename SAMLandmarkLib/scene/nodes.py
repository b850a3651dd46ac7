"""Nodes of a scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def nodes_of_class(scene: object, class_name: str) -> list[object]:
    """All nodes of a class in `scene`, in the order they were added.

    Slicer's `slicer.util.getNodesByClass` takes a scene as well, but looks into the application's scene.
    """
    nodes = scene.GetNodesByClass(class_name)
    nodes.UnRegister(None)
    return list(nodes)


def add_hidden_node(scene: object, class_name: str, name: str, mark: str) -> object:
    """Add a node with the attribute `mark` that no list of nodes shows and that isn't saved with the scene."""
    node = scene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(name)
    node.SetAttribute(mark, "1")
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    return scene.AddNode(node)


@contextmanager
def keep_placing(scene: object) -> Iterator[None]:
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
