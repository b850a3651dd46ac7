"""The tracked lesions of a scene in a node of its own, so that they are saved and loaded with the scene."""

from __future__ import annotations

import json
from typing import Any

from .mrml import ParameterNode, Scene
from .nodes import nodes_of_class

_CLASS, _MARK, _TEXT = "vtkMRMLScriptedModuleNode", "SAMLandmark.Lesions", "lesions"


def read_lesion_node(scene: Scene) -> dict[str, Any] | None:
    """What `write_lesion_node` wrote; None where the scene holds nothing, or nothing that can be read."""
    node = _node(scene)
    try:
        values = json.loads(node.GetParameter(_TEXT) or "null") if node is not None else None
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def write_lesion_node(scene: Scene, values: dict[str, Any]) -> None:
    """Keep values, in types of JSON, in the scene."""
    node = _node(scene)
    if node is None:
        node = scene.CreateNodeByClass(_CLASS)
        node.UnRegister(None)
        node.SetName("SAMLandmark lesions")
        node.SetAttribute(_MARK, "1")
        node.SetHideFromEditors(True)
        node = scene.AddNode(node)
    node.SetParameter(_TEXT, json.dumps(values, ensure_ascii=False))


def _node(scene: Scene) -> ParameterNode | None:
    """The last of the scene, as after another scene was added."""
    found = [node for node in nodes_of_class(scene, _CLASS) if node.GetAttribute(_MARK)]
    return found[-1] if found else None
