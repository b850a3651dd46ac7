"""The frames of a 4D volume, which Slicer keeps in a sequence, as volumes of their own."""

from __future__ import annotations

import vtk

from .mrml import Scene, SequenceBrowserNode, SequenceNode, VolumeNode
from .nodes import nodes_of_class
from .studies import place_in_same_study, study_date
from .volumes import scalar_volumes

_SEQUENCE_ROLE, _FRAME_ATTRIBUTE = "SAMLandmark.Sequence", "SAMLandmark.Frame"
_DATE_ATTRIBUTE = "DICOM.StudyDate"
_CLASS = "vtkMRMLScalarVolumeNode"


def volume_sequences(scene: Scene) -> list[SequenceNode]:
    """The sequences of a scene that hold several scalar volumes."""
    return [
        node
        for node in nodes_of_class(scene, "vtkMRMLSequenceNode")
        if node.GetNumberOfDataNodes() > 1 and node.GetNthDataNode(0).GetClassName() == _CLASS
    ]


def frame_volumes(sequence: SequenceNode) -> list[VolumeNode]:
    """A volume node for each frame of a sequence, in its order; those that were made before are taken again.

    They share the voxels with the sequence, and lie where its volume lies: in the same study, under the same transform.
    """
    known = {node.GetAttribute(_FRAME_ATTRIBUTE): node for node in _frames_in_scene(sequence)}
    numbers = range(sequence.GetNumberOfDataNodes())
    return [known.get(sequence.GetNthIndexValue(n)) or _add_frame(sequence, n) for n in numbers]


def shown_frame(sequence: SequenceNode, volume_node: VolumeNode | None) -> int | None:
    """The number of the frame that a volume node shows as the sequence's own volume, None where it is no such one."""
    browser = _browser_of(sequence)
    if browser is None or volume_node is None or browser.GetProxyNode(sequence) is not volume_node:
        return None
    return browser.GetSelectedItemNumber()


def _frames_in_scene(sequence: SequenceNode) -> list[VolumeNode]:
    volumes = scalar_volumes(sequence.GetScene())
    return [node for node in volumes if node.GetNodeReference(_SEQUENCE_ROLE) is sequence]


def _add_frame(sequence: SequenceNode, number: int) -> VolumeNode:
    scene, data = sequence.GetScene(), sequence.GetNthDataNode(number)
    node: VolumeNode = scene.AddNewNodeByClass(_CLASS, _name(sequence, number))
    matrix = vtk.vtkMatrix4x4()
    data.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveImageData(data.GetImageData())
    node.SetNodeReferenceID(_SEQUENCE_ROLE, sequence.GetID())
    node.SetAttribute(_FRAME_ATTRIBUTE, sequence.GetNthIndexValue(number))
    node.CreateDefaultDisplayNodes()
    _follow_own_volume(node, sequence)
    return node


def _name(sequence: SequenceNode, number: int) -> str:
    """The sequence's name with the number of the frame, such that names are in the order of the frames."""
    digits = len(str(sequence.GetNumberOfDataNodes()))
    value, unit = sequence.GetNthIndexValue(number), sequence.GetIndexUnit() or ""
    place = f"{value} {unit}".strip()
    return f"{sequence.GetName()} {number + 1:0{digits}d} ({place})"


def _follow_own_volume(node: VolumeNode, sequence: SequenceNode) -> None:
    """Take from the volume that shows the sequence what its frames have in common: study, transform, gray levels."""
    browser = _browser_of(sequence)
    own = None if browser is None else browser.GetProxyNode(sequence)
    if own is None:
        return
    node.SetAndObserveTransformNodeID(own.GetTransformNodeID())
    if date := study_date(own):
        node.SetAttribute(_DATE_ATTRIBUTE, date)
    place_in_same_study(node, own)
    shown, display = own.GetDisplayNode(), node.GetDisplayNode()
    if shown is not None:
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(shown.GetWindowLevelMin(), shown.GetWindowLevelMax())


def _browser_of(sequence: SequenceNode) -> SequenceBrowserNode | None:
    browsers = nodes_of_class(sequence.GetScene(), "vtkMRMLSequenceBrowserNode")
    own_id = sequence.GetID()
    return next((node for node in browsers if node.IsSynchronizedSequenceNodeID(own_id, True)), None)
