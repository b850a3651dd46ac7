"""A scene that is saved while the scans are side by side opens as it should for everybody."""

from __future__ import annotations

import slicer

from SAMLandmarkLib.scene.layout import LAYOUT_ID, slice_nodes
from SAMLandmarkLib.session import TransferSession

_FOUR_UP, _CONVENTIONAL = 3, 2


def layout_of(scene):
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def test_it_has_no_layout_and_no_views_that_others_lack(transferred, another_scene, monkeypatch, tmp_path):
    path = str(tmp_path / "side_by_side.mrb")
    layout_of(transferred.scene).SetViewArrangement(_CONVENTIONAL)
    transferred.show_side_by_side()
    assert layout_of(transferred.scene).GetViewArrangement() == LAYOUT_ID
    assert transferred.scene.WriteToMRB(path, None)
    monkeypatch.setattr(slicer, "mrmlScene", another_scene)
    layout_of(another_scene).SetViewArrangement(_FOUR_UP)
    assert another_scene.ReadFromMRB(path, True)
    assert layout_of(another_scene).GetViewArrangement() == _FOUR_UP
    assert slice_nodes(another_scene) == []
    lists = ("Landmarks", "May landmarks", "June landmarks")
    for display in (another_scene.GetFirstNodeByName(name).GetDisplayNode() for name in lists):
        assert display.GetVisibility()
        for view in (
            "vtkMRMLSliceNodeRed",
            "vtkMRMLSliceNodeGreen",
            "vtkMRMLSliceNodeYellow",
            "vtkMRMLViewNode1",
        ):
            assert display.IsDisplayableInView(view)


def test_saving_leaves_the_scans_side_by_side(transferred, tmp_path):
    transferred.show_side_by_side()
    shown = [view.GetID() for view in slice_nodes(transferred.scene)]
    assert transferred.scene.WriteToMRB(str(tmp_path / "scene.mrb"), None)
    assert layout_of(transferred.scene).GetViewArrangement() == LAYOUT_ID
    assert [view.GetID() for view in slice_nodes(transferred.scene)] == shown


def test_the_layout_from_before_comes_back_and_is_saved_again(transferred):
    layout = layout_of(transferred.scene)
    layout.SetViewArrangement(_CONVENTIONAL)
    for orientations in (["Axial"], ["Coronal"]):
        transferred.show_side_by_side(orientations)
    assert not layout.GetSaveWithScene()
    transferred.leave_side_by_side()
    assert (layout.GetViewArrangement(), layout.GetSaveWithScene()) == (_CONVENTIONAL, 1)


def test_a_scene_of_an_older_version_that_asks_for_the_layout_is_left_with_four_views(transferred):
    """Also after the module was reloaded, which finds the scans side by side."""
    layout = layout_of(transferred.scene)
    layout.SetViewArrangement(LAYOUT_ID)
    transferred.show_side_by_side()
    transferred.leave_side_by_side()
    assert layout.GetViewArrangement() == _FOUR_UP
    transferred.show_side_by_side()
    transferred.close()
    again = TransferSession(transferred.scene, transferred.worker, "AB")
    assert again.restore()
    again.leave_side_by_side()
    assert layout.GetViewArrangement() == _FOUR_UP
    again.close()
