"""Diameters of lesions as lines of the scene: in and out, under transforms, and whose they are once moved."""

from __future__ import annotations

import pytest

from SAMLandmarkLib.core.lesions import Diameter, Finding, Lesion, LesionStatus, Role, Source
from SAMLandmarkLib.scene.lesion_lines import LINE_CLASS, lines_of, read_lesions, show_lesions
from SAMLandmarkLib.utils.errors import LesionError

LONG = Diameter(((10.0, 20.0, 30.0), (30.0, 20.0, 30.0)))
SHORT = Diameter(((20.0, 15.0, 30.0), (20.0, 25.0, 30.0)))


def proposed(diameter: Diameter) -> Diameter:
    return Diameter(diameter.ends_lps, Source.IMAGE)


def drawn(scene, name: str, *points_ras: tuple[float, float, float]):
    node = scene.AddNewNodeByClass(LINE_CLASS, name)
    for point in points_ras:
        node.AddControlPoint(point, "")
    return node


def test_lines_that_are_drawn_in_slicer_are_lesions(scene, add_volume):
    volume = add_volume()
    drawn(scene, "T1 long", (-10, -20, 30), (-30, -20, 30))
    drawn(scene, "T1 short", (-20, -15, 30), (-20, -25, 30))
    (mark,) = read_lesions(scene, volume, with_others=True)
    assert mark.lesion.name == "T1" and mark.finding.by_hand
    assert mark.finding.long.ends == pytest.approx(LONG.ends)
    assert mark.finding.short.length_mm == pytest.approx(10)
    assert read_lesions(scene, volume) == []


def test_what_is_shown_is_read_again_on_its_own_scan_only(scene, add_volume, volume_transform):
    first, second = add_volume("a"), add_volume("b")
    first.SetAndObserveTransformNodeID(None if volume_transform is None else volume_transform.GetID())
    lesion = Lesion("NT1", Role.NON_TARGET, True, "segment 7", "liver", "2.25.9")
    show_lesions(scene, first, [(lesion, Finding(LesionStatus.PRESENT, (20, 20, 30), LONG, SHORT))])
    (mark,) = read_lesions(scene, first)
    assert mark.lesion == lesion
    assert mark.finding.long.ends == pytest.approx(LONG.ends, abs=0.05)
    assert read_lesions(scene, second) == []


def test_a_proposal_is_the_readers_once_an_end_is_dragged(scene, add_volume):
    volume = add_volume()
    finding = Finding(
        LesionStatus.PRESENT, (20, 20, 30), proposed(LONG), proposed(SHORT), source=Source.IMAGE
    )
    show_lesions(scene, volume, [(Lesion("T1"), finding)])
    (mark,) = read_lesions(scene, volume)
    assert mark.finding.long.source is Source.IMAGE and not mark.finding.by_hand
    long, _short = lines_of(scene, volume)
    long.SetNthControlPointPosition(1, -33.0, -20.0, 30.0)
    (moved,) = read_lesions(scene, volume)
    assert moved.finding.long.source is Source.HAND and moved.finding.long.length_mm == pytest.approx(23)
    # a new proposal leaves it alone, and draws the other one anew
    nearer = Diameter(((20.0, 16.0, 30.0), (20.0, 24.0, 30.0)), Source.IMAGE)
    show_lesions(scene, volume, [(Lesion("T1"), finding.changed(short=nearer))])
    (again,) = read_lesions(scene, volume)
    assert again.finding.long.length_mm == pytest.approx(23)
    assert again.finding.short.length_mm == pytest.approx(8) and len(lines_of(scene, volume)) == 2


def test_what_could_not_be_measured_is_shown_as_it_was_carried(scene, add_volume):
    volume = add_volume()
    carried = Diameter(LONG.ends_lps, Source.CARRIED)
    finding = Finding(LesionStatus.PRESENT, (20, 20, 30), carried_long=carried, source=Source.CARRIED)
    gone = Finding(LesionStatus.DISAPPEARED, (0, 0, 0), carried_long=carried)
    show_lesions(scene, volume, [(Lesion("T1"), finding), (Lesion("T2"), gone)])
    (mark,) = read_lesions(scene, volume)
    assert (mark.lesion.name, mark.finding.long.source) == ("T1", Source.CARRIED)


def test_a_line_with_one_point_is_told_and_nothing_is_lost(scene, add_volume):
    volume = add_volume()
    drawn(scene, "T1 long", (-10, -20, 30))
    with pytest.raises(LesionError, match="'T1 long' has 1 placed points, not 2"):
        read_lesions(scene, volume, with_others=True)
    assert len(lines_of(scene, volume, with_others=True)) == 1


def test_a_carried_line_lies_in_the_slice_of_its_lesion(scene, add_volume):
    volume = add_volume()
    tilted = Diameter(((10.0, 20.0, 24.0), (30.0, 20.0, 36.0)), Source.CARRIED)
    finding = Finding(LesionStatus.PRESENT, (20, 20, 30), carried_long=tilted, source=Source.CARRIED)
    show_lesions(scene, volume, [(Lesion("T1"), finding)])
    (mark,) = read_lesions(scene, volume)
    assert mark.finding.long.ends == pytest.approx(LONG.ends, abs=0.01)
    assert mark.finding.long.source is Source.CARRIED


def test_a_proposed_short_line_does_not_stand_against_a_drawn_long_one(scene, add_volume):
    volume = add_volume()
    finding = Finding(
        LesionStatus.PRESENT, (20, 20, 30), proposed(LONG), proposed(SHORT), source=Source.IMAGE
    )
    show_lesions(scene, volume, [(Lesion("T1"), finding)])
    long, short = lines_of(scene, volume)
    long.SetNthControlPointPosition(1, -18.0, -20.0, 30.0)
    (mark,) = read_lesions(scene, volume)
    assert mark.finding.long.length_mm == pytest.approx(8) and mark.finding.short is None
    short.SetNthControlPointPosition(1, -20.0, -26.0, 30.0)
    with pytest.raises(LesionError, match="CT, T1: the short diameter .* is longer"):
        read_lesions(scene, volume)


def test_a_line_belongs_to_the_scan_that_was_clicked(scene, add_volume):
    first, second = add_volume("a"), add_volume("b")
    node = drawn(scene, "T1 long", (-10, -20, 30), (-30, -20, 30))
    node.SetNthControlPointAssociatedNodeID(0, second.GetID())
    node.SetNthControlPointDescription(0, "role=NON_TARGET; organ=liver")
    assert read_lesions(scene, first, with_others=True) == []
    (mark,) = read_lesions(scene, second)
    assert (mark.lesion.role, mark.lesion.organ) == (Role.NON_TARGET, "liver")
