"""Nodes of a scene."""

from __future__ import annotations


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
