"""The frames of a 4D volume as follow-ups, on Slicer's own sequences and browsers."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from scene_steps import LABELS, TIMEOUT, error_mm

from SAMLandmarkLib.core.geometry import LPS_FROM_RAS
from SAMLandmarkLib.scene.sequences import frame_volumes, shown_frame, volume_sequences

SHIFTS_MM = (0.0, 8.0)


@pytest.fixture
def sequence(scene, scans):
    """A 4D volume of two frames, each of them May a little farther down, and the volume that shows the first."""
    array, ijk_to_lps, date = scans["May"]
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "breathing")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    frame = slicer.vtkMRMLScalarVolumeNode()
    for number, shift in enumerate(SHIFTS_MM):
        moved = ijk_to_lps.copy()
        moved[2, 3] -= shift
        slicer.util.updateVolumeFromArray(frame, array + number)
        frame.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_FROM_RAS @ moved))
        sequence.SetDataNodeAtValue(frame, str(number / 2))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    own = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "4D")
    browser.AddProxyNode(own, sequence, False)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.SetItemAttribute(study, "DICOM.StudyDate", date)
    hierarchy.CreateItem(study, own)
    own.CreateDefaultDisplayNodes()
    own.GetDisplayNode().AutoWindowLevelOff()
    own.GetDisplayNode().SetWindowLevelMinMax(-100, 200)
    slicer.vtkSlicerSequencesLogic().UpdateProxyNodesFromSequences(browser)
    sequence.own, sequence.browser = own, browser
    return sequence


def test_only_sequences_of_volumes_are_offered(scene, sequence):
    points = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "points")
    for value in "01":
        points.SetDataNodeAtValue(slicer.vtkMRMLMarkupsFiducialNode(), value)
    scene.AddNewNodeByClass("vtkMRMLSequenceNode", "empty")
    assert volume_sequences(scene) == [sequence]


def test_frames_are_volumes_that_share_voxels_with_the_sequence_and_lie_where_its_volume_lies(
    scene, sequence
):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(sequence.own))
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    sequence.own.SetAndObserveTransformNodeID(transform.GetID())
    frames = frame_volumes(sequence)
    assert [node.GetName() for node in frames] == [
        f"breathing {number} ({value} s)" for number, value in ((1, "0.0"), (2, "0.5"))
    ]
    for number, node in enumerate(frames):
        assert node.GetImageData() is sequence.GetNthDataNode(number).GetImageData()
        assert node.GetTransformNodeID() == transform.GetID()
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study
        assert node.GetDisplayNode().GetWindowLevelMax() == 200
    assert frame_volumes(sequence) == frames


def test_frames_are_found_again_in_a_loaded_scene(scene, sequence, another_scene, tmp_path):
    names = [node.GetName() for node in frame_volumes(sequence)]
    path = str(tmp_path / "scene.mrb")
    assert scene.WriteToMRB(path, None) and another_scene.ReadFromMRB(path, True)
    (loaded,) = volume_sequences(another_scene)
    count = another_scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    assert [node.GetName() for node in frame_volumes(loaded)] == names
    assert another_scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == count


def test_the_frame_that_the_own_volume_shows_is_known(sequence, add_volume):
    assert shown_frame(sequence, sequence.own) == 0
    sequence.browser.SetSelectedItemNumber(1)
    assert shown_frame(sequence, sequence.own) == 1
    assert shown_frame(sequence, add_volume()) is shown_frame(sequence, None) is None


def test_points_are_carried_to_all_frames_and_stay_when_the_sequence_is_played(
    case, session, sequence, worker
):
    frames = frame_volumes(sequence)
    session.set_template(case.april, case.markups)
    session.set_follow_ups(frames)
    session.transfer()
    assert worker.wait(TIMEOUT)
    assert [column.title for column in session.follow_ups] == [
        f"2023-05-14 {node.GetName()}" for node in frames
    ]
    sequence.browser.SetSelectedItemNumber(1)
    slicer.vtkSlicerSequencesLogic().UpdateProxyNodesFromSequences(sequence.browser)
    for column, shift in zip(session.follow_ups, SHIFTS_MM, strict=True):
        moved = {label: place - (0, 0, shift) for label, place in case.truth.items()}
        assert max(error_mm(session, column, label, moved) for label in LABELS) < 6.0
        assert not session.outdated_labels(column.key)
        np.testing.assert_allclose(column.volume_node.GetOrigin()[2] + shift, frames[0].GetOrigin()[2])
