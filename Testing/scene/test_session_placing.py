"""Points placed by mouse on the template: which list gets them, what they are called, and which views follow."""

from __future__ import annotations

import numpy as np
import pytest
import vtk
from scene_steps import LABELS, TIMEOUT, place_in_view

from SAMLandmarkLib.scene.follow_up import create_follow_up_markups
from SAMLandmarkLib.scene.layout import slice_nodes
from SAMLandmarkLib.scene.observers import Observers
from SAMLandmarkLib.scene.points import create_points, read_points
from SAMLandmarkLib.session.review_actions import REVIEW_KEYS, ReviewActions

SMA = "sma"
SMA_LPS = np.array([15.8, 8.8, -360.5])


@pytest.fixture
def shown(transferred):
    """A session whose scans are side by side, and in which points are carried as soon as they are placed."""
    transferred.show_side_by_side()
    transferred.live = True
    return transferred


def _offset(session, column) -> float:
    return slice_nodes(session.scene, column.key)[0].GetSliceOffset()


def test_a_list_of_results_does_not_take_over_the_user_s_clicks(scene, add_volume):
    points, selection = create_points(scene), scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    selection.SetActivePlaceNodeID(points.GetID())
    seen = []
    observers = Observers()
    observers.add(selection, "ModifiedEvent", lambda: seen.append(selection.GetActivePlaceNodeID()))
    create_follow_up_markups(scene, add_volume())
    observers.clear()
    assert selection.GetActivePlaceNodeID() == points.GetID()
    assert set(seen) <= {points.GetID()}


def test_the_views_of_each_follow_up_go_to_what_was_just_placed(shown, loaded, worker):
    place_in_view(loaded.markups, SMA, SMA_LPS)
    assert worker.wait(TIMEOUT)
    assert shown.current[1] == SMA
    for column in shown.follow_ups:
        place = shown.item(column.key, SMA).position_lps
        assert _offset(shown, column) == pytest.approx(place[2], abs=0.01)


def test_the_template_stays_where_the_user_is_placing(shown, loaded, worker):
    view = slice_nodes(shown.scene, loaded.april.GetAttribute("SAMLandmark.ScanKey"))[0]
    view.SetSliceOffset(-344.0)
    place_in_view(loaded.markups, SMA, SMA_LPS)
    assert worker.wait(TIMEOUT)
    assert view.GetSliceOffset() == pytest.approx(-344.0)


def test_whoever_selects_another_landmark_meanwhile_is_not_taken_away_from_it(shown, loaded, worker):
    place_in_view(loaded.markups, SMA, SMA_LPS)
    shown.select(shown.follow_ups[0].key, LABELS[0])
    offset = _offset(shown, shown.follow_ups[0])
    assert worker.wait(TIMEOUT)
    assert shown.current == (shown.follow_ups[0].key, LABELS[0])
    assert _offset(shown, shown.follow_ups[0]) == offset


def test_points_placed_after_an_undo_have_ids_and_names_of_their_own(session, scene, add_volume):
    volume, points = add_volume(), create_points(scene)
    session.set_template(volume, points)
    for place in ((0.0, 0.0, 105.0), (1.0, 0.0, 105.0), (2.0, 0.0, 105.0)):
        _place_with_preview(points, place)
        if place[0] == 0.0:
            session.undo()
            assert points.GetNumberOfControlPoints() == 0
    placed = read_points(points, volume)
    assert len({point.id for point in placed}) == len({point.label for point in placed}) == len(placed) == 2
    assert session.labels == tuple(point.label for point in placed)


def _place_with_preview(markups: object, place_ras: tuple[float, float, float]) -> None:
    """As Slicer's views do: a preview under the mouse, then the state is saved, then the point is defined."""
    number = markups.AddControlPoint(vtk.vtkVector3d(*place_ras))
    markups.SetNthControlPointPosition(number, *place_ras, markups.PositionPreview)
    markups.GetScene().SaveStateForUndo()
    markups.SetNthControlPointPosition(number, *place_ras, markups.PositionDefined)


def test_a_placed_point_with_the_name_of_another_gets_the_next_free_one(transferred, loaded):
    place_in_view(loaded.markups, "Point 7", SMA_LPS)
    place_in_view(loaded.markups, "Point 7", SMA_LPS + 3)
    place_in_view(loaded.markups, LABELS[0], SMA_LPS + 6)
    assert transferred.labels == (*LABELS, "Point 7", "Point 8", f"{LABELS[0]} 1")
    assert transferred.blocking_reason == ""


def test_linked_scans_scroll_by_as_much_and_selecting_still_goes_to_each_place(shown):
    column = shown.follow_ups[0]
    template = slice_nodes(shown.scene, shown.template_volume.GetAttribute("SAMLandmark.ScanKey"))[0]
    shown.views.linking.on = True
    before = _offset(shown, column)
    template.SetSliceOffset(template.GetSliceOffset() + 4.5)
    assert _offset(shown, column) == pytest.approx(before + 4.5)
    shown.select(column.key, LABELS[1])
    place = shown.item(column.key, LABELS[1]).position_lps
    assert _offset(shown, column) == pytest.approx(place[2], abs=0.01)
    shown.views.linking.on = False
    template.SetSliceOffset(template.GetSliceOffset() + 4.5)
    assert _offset(shown, column) == pytest.approx(place[2], abs=0.01)


def test_every_key_stands_for_an_action_that_is_refused_without_results(session, scene, add_volume):
    session.set_template(add_volume(), create_points(scene))
    actions = ReviewActions(session)
    blocking_reasons = actions.blocking_reasons()
    for action in REVIEW_KEYS.values():
        assert blocking_reasons[action].endswith(".")
        actions.do(action)
    assert session.message == ""
