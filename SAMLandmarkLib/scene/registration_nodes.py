"""The outputs of a registration in the scene: a transform node, and the follow-up on the template's voxels.

The transform's *FromParent* side takes points of the template to the follow-up, as ITK's resampling does: what is hung
under the node, the follow-up itself or its segmentations, appears in the template's frame. Both outputs refer to their two
scans, so that a scene that was saved and loaded still knows them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ..utils.errors import RegistrationError
from ..utils.translation import _
from .mrml import Node, TransformNode, VolumeNode
from .nodes import nodes_of_class
from .studies import place_in_same_study
from .volumes import REGISTERED_ATTRIBUTE, VOLUME_CLASS, ijk_to_ras

_TEMPLATE, _FOLLOW_UP = "SAMLandmark.Template", "SAMLandmark.FollowUp"
_TRANSFORM_CLASS = "vtkMRMLTransformNode"


@dataclass(frozen=True, eq=False)
class RegistrationNodes:
    """The transform and the registered volume of a template and a follow-up, None where the scene lacks them."""

    transform: TransformNode | None
    volume: VolumeNode | None

    @classmethod
    def of(cls, template: VolumeNode, follow_up: VolumeNode) -> RegistrationNodes:
        """Those that the scene has of two scans."""
        return cls(*(_find(name, template, follow_up) for name in (_TRANSFORM_CLASS, VOLUME_CLASS)))

    @property
    def existing(self) -> list[Node]:
        """The nodes that there are."""
        return [node for node in (self.transform, self.volume) if node is not None]

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the registration; empty where there is none, or its description is damaged."""
        for node in self.existing:
            try:
                return dict(json.loads(node.GetAttribute(REGISTERED_ATTRIBUTE) or ""))
            except (ValueError, TypeError):
                continue
        return {}

    def remove(self) -> None:
        """Take them out of the scene; what was hung under the transform is back in its own frame."""
        for node in self.existing:
            node.GetScene().RemoveNode(node)


def write_registration(
    template: VolumeNode,
    follow_up: VolumeNode,
    transform_file: Path,
    voxels: np.ndarray,
    facts: dict[str, Any],
) -> RegistrationNodes:
    """Put a registration into the scene, in the place of an earlier one of the same scans.

    `transform_file` is ITK's, between the own frames of both scans, LPS mm; `voxels` are on those of the template.
    Raises RegistrationError where the file can't be read; the scene is then as it was.
    """
    # of no scene, so that nothing is left behind where it can't be read
    read = slicer.vtkMRMLTransformNode()
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(transform_file))
    if not storage.ReadData(read):
        raise RegistrationError(_("The transform that was computed can't be read; register again."))
    known = RegistrationNodes.of(template, follow_up)
    transform = known.transform or _new_transform(template, follow_up)
    transform.SetAndObserveTransformFromParent(read.GetTransformFromParent())
    volume = known.volume or _new_volume(template, follow_up)
    slicer.util.updateVolumeFromArray(volume, voxels)
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras(template)))
    for node in (transform, volume):
        node.SetAttribute(REGISTERED_ATTRIBUTE, json.dumps(facts))
        node.SetAndObserveTransformNodeID(_parent_for(node, template))
    return RegistrationNodes(transform, volume)


def grid_shown(transform: TransformNode) -> bool:
    """Whether a transform is drawn as a grid in the slice views."""
    display = transform.GetDisplayNode()
    return display is not None and bool(display.GetVisibility() and display.GetVisibility2D())


def show_grid(transform: TransformNode, shown: bool) -> None:
    """Draw a transform as a grid in the slice views, or not."""
    transform.CreateDefaultDisplayNodes()
    display = transform.GetDisplayNode()
    display.SetVisualizationMode(display.VIS_MODE_GRID)
    display.SetVisibility2D(shown)
    display.SetVisibility(shown)


def _find(class_name: str, template: VolumeNode, follow_up: VolumeNode) -> Any:
    scene = template.GetScene()
    # a scan that was just removed is in no scene
    for node in nodes_of_class(scene, class_name) if scene is not None else ():
        scans = node.GetNodeReference(_TEMPLATE), node.GetNodeReference(_FOLLOW_UP)
        if node.GetAttribute(REGISTERED_ATTRIBUTE) is not None and scans == (template, follow_up):
            return node
    return None


def _new_transform(template: VolumeNode, follow_up: VolumeNode) -> TransformNode:
    name = _("{follow_up} to {template}")
    node: TransformNode = _new(_TRANSFORM_CLASS, name, template, follow_up)
    show_grid(node, False)
    return node


def _new_volume(template: VolumeNode, follow_up: VolumeNode) -> VolumeNode:
    name = _("{follow_up} registered to {template}")
    node: VolumeNode = _new(VOLUME_CLASS, name, template, follow_up)
    node.CreateDefaultDisplayNodes()
    shown, display = follow_up.GetDisplayNode(), node.GetDisplayNode()
    if shown is not None:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(shown.GetWindowLevelMin(), shown.GetWindowLevelMax())
    return node


def _new(class_name: str, name: str, template: VolumeNode, follow_up: VolumeNode) -> Any:
    scene = template.GetScene()
    named = name.format(follow_up=follow_up.GetName(), template=template.GetName())
    node = scene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(scene.GenerateUniqueName(named))
    # before it is added, so that no list takes the registered volume for a scan
    node.SetAttribute(REGISTERED_ATTRIBUTE, "{}")
    node.SetNodeReferenceID(_TEMPLATE, template.GetID())
    node.SetNodeReferenceID(_FOLLOW_UP, follow_up.GetID())
    scene.AddNode(node)
    place_in_same_study(node, follow_up)
    return node


def _parent_for(node: Node, template: VolumeNode) -> str | None:
    """The parent transform of the template, for an output; None where the template itself hangs under that output."""
    parent = above = template.GetParentTransformNode()
    while above is not None:
        if above is node:
            return None
        above = above.GetParentTransformNode()
    return None if parent is None else parent.GetID()
