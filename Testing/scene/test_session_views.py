"""Views of template and follow-ups: which points they show, where they look, the crosshair, the heat map."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from scene_steps import LABELS, TIMEOUT, move_in_view

from SAMLandmarkLib.scene.layout import composite_node, slice_nodes
from SAMLandmarkLib.scene.nodes import nodes_of_class
from SAMLandmarkLib.scene.volumes import KEY_ATTRIBUTE, scan_key
from SAMLandmarkLib.web.view_model import titles


def shown_in(markups_node) -> list[str]:
    """Ids of the scans' views that show a list of points, where it is bound to views; none where it is not."""
    bound = markups_node.GetDisplayNode().GetViewNodeIDs()
    assert not bound or set(bound) > {"vtkMRMLSliceNodeRed", "vtkMRMLViewNode1"}
    return [view.GetID() for view in slice_nodes(markups_node.GetScene()) if view.GetID() in bound]


def crosshair(session, key: str) -> tuple[float, float, float]:
    """Where the crosshair of a scan is, world RAS mm."""
    (cross,) = (node for node in crosshairs(session) if node.GetAttribute(KEY_ATTRIBUTE) == key)
    return tuple(cross.GetNthControlPointPositionWorld(0))


def crosshairs(session) -> list[object]:
    """The crosshairs of all scans."""
    nodes = nodes_of_class(session.scene, "vtkMRMLMarkupsFiducialNode")
    return [node for node in nodes if node.GetAttribute("SAMLandmark.Crosshair")]


class TestViews:
    @pytest.fixture
    def shown(self, transferred):
        transferred.show_side_by_side()
        return transferred

    def test_selecting_a_landmark_jumps_in_both_scans_only(self, shown, loaded):
        may, june = shown.follow_ups
        (june_view,) = slice_nodes(shown.scene, june.key)
        offset = june_view.GetSliceOffset()
        shown.select(may.key, LABELS[1])
        (template_view,) = slice_nodes(shown.scene, scan_key(loaded.april))
        (may_view,) = slice_nodes(shown.scene, may.key)
        assert template_view.GetSliceOffset() == pytest.approx(loaded.places[LABELS[1]][2])
        assert may_view.GetSliceOffset() == pytest.approx(shown.item(may.key, LABELS[1]).position_lps[2])
        assert june_view.GetSliceOffset() == offset

    def test_views_are_named_by_date_and_show_their_own_points_only(self, shown):
        views = slice_nodes(shown.scene)
        assert [view.GetLayoutLabel() for view in views] == ["2023-04-11 A", "2023-05-14 A", "2023-06-20 A"]
        lists = [shown.template_markups, *(column.markups_node for column in shown.follow_ups)]
        assert [shown_in(node) for node in lists] == [[view.GetID()] for view in views]

    def test_points_are_shown_everywhere_again_in_another_layout_also_new_ones(self, shown, add_markups):
        shown.leave_side_by_side()
        may = shown.follow_ups[0]
        assert shown_in(may.markups_node) == shown_in(shown.template_markups) == []
        shown.scene.RemoveNode(may.markups_node)
        shown.accept(may.key, LABELS[0])
        assert shown_in(shown.follow_ups[0].markups_node) == []
        shown.show_side_by_side()
        other = add_markups({"other": (1.0, 2.0, -350.0)}, "other list")
        shown.set_template(shown.template_volume, other)
        assert shown_in(other) == [view.GetID() for view in slice_nodes(shown.scene)[:1]]

    def test_of_another_template_s_review_nothing_is_shown_until_it_is_taken_up_again(
        self, shown, loaded, add_markups
    ):
        may = shown.follow_ups[0]
        shown.select(may.key, LABELS[1])
        former = [shown.template_markups, may.markups_node]
        other = add_markups({"other": (1.0, 2.0, -350.0)}, "other list")
        shown.set_template(loaded.april, other)
        views = slice_nodes(shown.scene)
        for node in (*former, *crosshairs(shown)):
            display = node.GetDisplayNode()
            visible = [view for view in views if display.IsDisplayableInView(view.GetID())]
            assert not (display.GetVisibility() and visible), node.GetName()
        shown.leave_side_by_side()
        assert [shown_in(node) for node in former] == [[], []]
        shown.show_side_by_side()
        shown.set_template(loaded.april, former[0])
        assert [len(shown_in(node)) for node in former] == [1, 1]
        assert shown_in(may.markups_node) == [slice_nodes(shown.scene, may.key)[0].GetID()]

    def test_a_point_that_is_dragged_becomes_the_current_one_and_the_crosshair_follows(self, shown):
        may = shown.follow_ups[0]
        shown.select(may.key, LABELS[0])
        (template_view,), (may_view,) = (
            slice_nodes(shown.scene, key) for key in (scan_key(shown.template_volume), may.key)
        )
        offset = may_view.GetSliceOffset()
        move_in_view(may.markups_node, 1, (4.0, 0.0, 6.0))
        assert shown.current == (may.key, LABELS[1])
        assert may_view.GetSliceOffset() == offset
        assert template_view.GetSliceOffset() == pytest.approx(
            shown.item(may.key, LABELS[1]).template_lps[2], abs=1e-6
        )
        moved = may.markups_node.GetNthControlPointPositionWorld(1)
        assert crosshair(shown, may.key) == pytest.approx(tuple(moved))
        shown.undo()
        assert crosshair(shown, may.key) == pytest.approx(
            tuple(may.markups_node.GetNthControlPointPositionWorld(1))
        )

    def test_the_heat_map_is_hottest_near_the_landmark_follows_the_selection_and_goes_away(
        self, shown, worker
    ):
        may, june = shown.follow_ups
        shown.select(may.key, LABELS[1])
        shown.show_heat_map()
        assert shown.transferring and shown.heat_map_shown
        assert worker.wait(TIMEOUT)
        (view,) = slice_nodes(shown.scene, may.key)
        overlay = shown.scene.GetNodeByID(composite_node(shown.scene, view).GetForegroundVolumeID())
        array = slicer.util.arrayFromVolume(overlay)
        hottest = np.array(np.unravel_index(array.argmax(), array.shape)[::-1])
        matrix = vtk.vtkMatrix4x4()
        overlay.GetIJKToRASMatrix(matrix)
        ras = slicer.util.arrayFromVTKMatrix(matrix) @ [*hottest, 1]
        assert np.linalg.norm(ras[:3] * (-1, -1, 1) - shown.item(may.key, LABELS[1]).position_lps) < 12
        shown.select(june.key, LABELS[0])
        assert worker.wait(TIMEOUT)
        assert composite_node(shown.scene, view).GetForegroundVolumeID() is None
        (june_view,) = slice_nodes(shown.scene, june.key)
        assert composite_node(shown.scene, june_view).GetForegroundVolumeID() == overlay.GetID()
        shown.hide_heat_map()
        assert composite_node(shown.scene, june_view).GetForegroundVolumeID() is None
        assert not shown.heat_map_shown


@pytest.fixture
def many(session, add_volume, add_markups, worker):
    """A session with a template and seven follow-ups side by side; a page has room for five."""
    volumes = [add_volume(f"CT {number}") for number in range(8)]
    session.set_template(volumes[0], add_markups({"a": (10.0, 20.0, 110.0)}))
    session.set_follow_ups(volumes[1:])
    session.show_side_by_side()
    yield session
    assert worker.wait(TIMEOUT)


def labels_of_views(session) -> list[str]:
    return [view.GetLayoutLabel() for view in slice_nodes(session.scene)]


def test_scans_that_find_no_room_have_a_page_of_their_own(many):
    assert labels_of_views(many) == [f"CT {number} A" for number in range(6)]
    assert (many.views.page, many.views.pages) == (0, 2)
    sixth, seventh = many.follow_ups[5:]
    for column in (sixth, seventh):
        many.select(column.key, "a")
        (view,) = slice_nodes(many.scene, column.key)
        assert view.GetLayoutLabel() == f"{column.name} A"
        # a page writes over the views of a scan what it knows of the scan with this key
        assert titles(many)[view.GetAttribute(KEY_ATTRIBUTE)]["name"] == column.name
        assert composite_node(many.scene, view).GetBackgroundVolumeID() == column.volume_node.GetID()
    assert labels_of_views(many) == ["CT 0 A", "CT 6 A", "CT 7 A"] and many.views.page == 1
    assert slice_nodes(many.scene, many.follow_ups[0].key) == []
    template_view = slice_nodes(many.scene, scan_key(many.template_volume))[0]
    assert shown_in(many.template_markups) == [template_view.GetID()]


def test_pages_are_turned_and_the_landmark_under_review_is_looked_at(many):
    first = many.follow_ups[0]
    many.select(first.key, "a")
    many.views.turn_page(1)
    assert labels_of_views(many) == ["CT 0 A", "CT 6 A", "CT 7 A"]
    assert many.current == (first.key, "a")
    many.views.turn_page(1)
    assert labels_of_views(many)[1] == "CT 1 A" and many.views.page == 0
    many.views.one_at_a_time = True
    assert (many.views.page, many.views.pages) == (0, 7)
    many.views.turn_page(-1)
    assert labels_of_views(many) == ["CT 0 A", "CT 7 A"]
    many.set_follow_ups([column.volume_node for column in many.follow_ups[:3]])
    assert (many.views.page, many.views.pages) == (2, 3)


def test_points_of_a_scan_without_views_are_not_shown_in_those_of_others(transferred, loaded, add_volume):
    _, june = transferred.follow_ups
    transferred.set_follow_ups([loaded.may])
    transferred.show_side_by_side()
    (template_view, may_view) = slice_nodes(transferred.scene)
    transferred.set_follow_ups([loaded.may, loaded.june])
    display = june.markups_node.GetDisplayNode()
    assert not any(display.IsDisplayableInView(view.GetID()) for view in (template_view, may_view))
    transferred.leave_side_by_side()
    assert display.IsDisplayableInView(template_view.GetID())
