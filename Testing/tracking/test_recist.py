"""RECIST 1.1 against its published tables (Eisenhauer et al., Eur J Cancer 45 (2009) 228-247), row by row."""

from __future__ import annotations

import pytest
from lesions_by_hand import GONE, SMALL, UNSEEN, history

from SAMLandmarkLib.core.lesions import LesionStatus, Role
from SAMLandmarkLib.tracking.recist import (
    Dated,
    Judged,
    NonTarget,
    Response,
    TargetMeasure,
    best_response,
    least_measurable_mm,
    non_target_response,
    overall_response,
    target_response,
)
from SAMLandmarkLib.tracking.response import assess, best_of, counted_mm, target_doubts

CR, PR, SD, PD, NE = Response.CR, Response.PR, Response.SD, Response.PD, Response.NE
NN = Response.NON_CR_NON_PD

TABLE_1 = [
    # target, non-target, new lesions, overall
    (CR, CR, False, CR),
    (CR, None, False, CR),
    (CR, NN, False, PR),
    (CR, NE, False, PR),
    (PR, CR, False, PR),
    (PR, NN, False, PR),
    (PR, NE, False, PR),
    (PR, None, False, PR),
    (SD, CR, False, SD),
    (SD, NN, False, SD),
    (SD, NE, False, SD),
    (SD, None, False, SD),
    (NE, CR, False, NE),
    (NE, NN, False, NE),
    (NE, None, False, NE),
    *[(PD, other, new, PD) for other in (CR, NN, NE, PD, None) for new in (False, True)],
    *[(target, PD, new, PD) for target in (CR, PR, SD, NE) for new in (False, True)],
    *[(target, other, True, PD) for target in (CR, PR, SD, NE) for other in (CR, NN, NE, None)],
]
TABLE_2 = [
    # without targets: non-target, new lesions, overall
    (CR, False, CR),
    (NN, False, NN),
    (NE, False, NE),
    (PD, False, PD),
    (PD, True, PD),
    *[(other, True, PD) for other in (CR, NN, NE)],
]
LONG, BRIEF = 60, 20
TABLE_3 = [
    # responses at two dates, days after the baseline of the first, best response where it must be confirmed
    (CR, CR, LONG, CR),
    (CR, PR, LONG, SD),
    (CR, PR, BRIEF, PD),
    (CR, SD, LONG, SD),
    (CR, SD, BRIEF, PD),
    (CR, PD, LONG, SD),
    (CR, PD, BRIEF, PD),
    (CR, NE, LONG, SD),
    (CR, NE, BRIEF, NE),
    (PR, CR, LONG, PR),
    (PR, PR, LONG, PR),
    (PR, SD, LONG, SD),
    (PR, PD, LONG, SD),
    (PR, PD, BRIEF, PD),
    (PR, NE, LONG, SD),
    (PR, NE, BRIEF, NE),
    (NE, NE, LONG, NE),
]


def judged(response: Response | None) -> Judged | None:
    return None if response is None else Judged(response, "as the test says")


def target(lengths: list[float | None], baseline: float, nadir: float, complete: bool = False) -> Response:
    return target_response([TargetMeasure(item) for item in lengths], baseline, nadir, complete).response


@pytest.mark.parametrize(("of_targets", "of_others", "new", "overall"), TABLE_1)
def test_table_1(of_targets, of_others, new, overall):
    assert overall_response(judged(of_targets), judged(of_others), new).response is overall


@pytest.mark.parametrize(("of_others", "new", "overall"), TABLE_2)
def test_table_2(of_others, new, overall):
    assert overall_response(None, judged(of_others), new).response is overall


@pytest.mark.parametrize(("first", "second", "days", "best"), TABLE_3)
def test_table_3(first, second, days, best):
    seen = [Dated(first, days), Dated(second, days + 28)]
    assert best_response(seen, confirmed=True).response is best


@pytest.mark.parametrize(
    ("sums", "best"),
    [
        ([PR, SD, PD], PR),
        ([SD, PR, PD, CR], PR),
        ([PD, CR], PD),
        ([NE, NE], NE),
        ([], NE),
        ([NN, PD], NN),
    ],
)
def test_the_best_response_that_need_not_be_confirmed_comes_before_progression(sums, best):
    seen = [Dated(response, 60 + 60 * number) for number, response in enumerate(sums)]
    assert best_response(seen).response is best


@pytest.mark.parametrize(
    ("now", "baseline", "nadir", "expected"),
    [
        (70.0, 100.0, 100.0, PR),
        (70.1, 100.0, 100.0, SD),
        (120.0, 100.0, 100.0, PD),
        (119.9, 100.0, 100.0, SD),
        # progression is counted from the nadir, response from the baseline
        (60.0, 100.0, 50.0, PD),
        (59.9, 100.0, 50.0, PR),
        (84.0, 100.0, 70.0, PD),
        (83.0, 100.0, 70.0, SD),
        # 20 % of small sums is less than 5 mm
        (24.0, 100.0, 20.0, PR),
        (24.9, 100.0, 20.0, PR),
        (25.0, 100.0, 20.0, PD),
        (15.0, 12.0, 12.0, SD),
        (17.0, 12.0, 12.0, PD),
    ],
)
def test_the_limits_of_response_and_progression(now, baseline, nadir, expected):
    assert target([now], baseline, nadir) is expected


def test_complete_response_asks_for_all_targets_gone_and_normal_nodes():
    node = [TargetMeasure(0.0), TargetMeasure(9.9, is_node=True)]
    assert target_response(node, 60.0, 60.0).response is CR
    assert target_response([TargetMeasure(0.0), TargetMeasure(10.0, is_node=True)], 60.0, 60.0).response is PR
    assert target([0.0, 5.0], 60.0, 60.0) is PR


def test_what_is_not_evaluated_is_progression_only_where_the_rest_is():
    assert target([40.0, None], 50.0, 50.0) is NE
    assert target([80.0, None], 50.0, 50.0) is PD


def test_a_target_that_is_seen_again_after_a_complete_response_is_progression():
    assert target([4.0], 50.0, 0.0, complete=True) is PD
    assert target([4.0], 50.0, 0.0) is PR
    node = [TargetMeasure(9.0, is_node=True)]
    assert target_response(node, 20.0, 8.0, complete_before=True).response is CR


def test_lesions_that_are_no_targets():
    seen, gone = NonTarget.SEEN, NonTarget.GONE
    assert non_target_response([]) is None
    assert non_target_response([gone, gone]).response is CR
    assert non_target_response([gone, seen]).response is NN
    assert non_target_response([gone, NonTarget.NOT_EVALUATED]).response is NE
    assert non_target_response([NonTarget.NOT_EVALUATED, NonTarget.PROGRESSED]).response is PD


def test_what_is_measurable():
    assert least_measurable_mm(is_node=False, slice_mm=5.0) == 10.0
    assert least_measurable_mm(is_node=False, slice_mm=8.0) == 16.0
    assert least_measurable_mm(is_node=True, slice_mm=8.0) == 15.0


# ---- lesions over time


def responses(told) -> list[str]:
    return [item.overall.response.value for item in assess(told)[1:]]


def test_a_course_with_its_nadir():
    told = history({"T1": [50, 30, 20, 26, 24], "T2": [50, 30, 20, 20, 20]})
    assert [item.sum_mm for item in assess(told)] == [100, 60, 40, 46, 44]
    assert [item.nadir_mm for item in assess(told)][1:] == [100, 60, 40, 40]
    assert responses(told) == ["PR", "PR", "PR", "PR"]
    grown = history({"T1": [50, 30, 20, 28], "T2": [50, 30, 20, 20]})
    assert responses(grown) == ["PR", "PR", "PD"]
    assert "nadir of 40.0 mm" in assess(grown)[-1].overall.rule


def test_the_baseline_is_a_nadir_too():
    assert responses(history({"T1": [50, 55, 60]})) == ["SD", "PD"]


def test_too_small_counts_5_mm_and_gone_counts_nothing():
    told = history({"T1": [20, SMALL, GONE], "T2": [20, 10, GONE]})
    assert [item.sum_mm for item in assess(told)] == [40, 15, 0]
    assert responses(told) == ["PR", "CR"]


def test_a_small_lesion_that_somebody_measured_counts_what_it_measures():
    told = history({"T1": [20, 3.0]})
    small = told.track("T1").at(1).changed(status=LesionStatus.TOO_SMALL)
    told = told.with_track(told.track("T1").with_finding(1, small))
    assert counted_mm(told, told.track("T1"), 1) == pytest.approx(3.0)


def test_nodes_count_their_short_axis():
    told = history({"T1": [20, GONE]}, nodes={"LN1": [16, 9]})
    assert [item.sum_mm for item in assess(told)] == pytest.approx([36, 9])
    assert responses(told) == ["CR"]
    assert responses(history({"T1": [20, GONE]}, nodes={"LN1": [16, 10]})) == ["PR"]


def test_a_lesion_outside_of_the_scan_leaves_the_response_open():
    told = history({"T1": [20, 18], "T2": [20, UNSEEN]})
    assert assess(told)[1].sum_mm is None
    assert responses(told) == ["NE"]


def test_lesions_that_merge_are_measured_once():
    told = history({"T1": [20, 38], "T2": [15, GONE]})
    merged = told.track("T2").at(1).changed(status=LesionStatus.MERGED, merged_into="T1")
    told = told.with_track(told.track("T2").with_finding(1, merged))
    assert [item.sum_mm for item in assess(told)] == [35, 38]
    assert responses(told) == ["SD"]


def test_the_parts_of_a_lesion_that_splits_are_added_and_are_not_new():
    told = history({"T1": [30, 12]}, new={"N1": [None, 10]})
    part = told.track("N1").at(1).changed(status=LesionStatus.SPLIT, split_from="T1")
    told = told.with_track(told.track("N1").with_finding(1, part))
    assert assess(told)[1].sum_mm == 22
    assert assess(told)[1].new_lesions == ()
    assert responses(told) == ["SD"]


def test_a_new_lesion_is_progression_unless_it_is_doubtful():
    told = history({"T1": [30, 10]}, new={"N1": [None, 8]})
    assert responses(told) == ["PD"] and assess(told)[1].new_lesions == ("N1",)
    doubtful = told.track("N1").at(1).changed(confidence=0.3)
    told = told.with_track(told.track("N1").with_finding(1, doubtful))
    assert responses(told) == ["PR"]
    assert "may be new" in assess(told)[1].remarks[0]


def test_progression_of_other_lesions_is_a_readers_word():
    told = history({"T1": [30, 10]}, others={"NT1": [12, 40]})
    assert responses(told) == ["PR"]
    said = told.track("NT1").at(1).changed(progression=True)
    told = told.with_track(told.track("NT1").with_finding(1, said))
    assert responses(told) == ["PD"]
    assert assess(told)[1].non_target.response is PD


def test_other_lesions_keep_a_complete_response_back():
    assert responses(history({"T1": [30, GONE]}, others={"NT1": [12, 11]})) == ["PR"]
    assert responses(history({"T1": [30, GONE]}, others={"NT1": [12, GONE]})) == ["CR"]


def test_without_a_measure_at_baseline_nothing_is_judged():
    told = history({"T1": [20, 10], "T2": [UNSEEN, 10]})
    assert responses(told) == ["NE"]


def test_the_best_response_over_time_needs_no_dates():
    told = history({"T1": [50, 30, 60]})
    assert best_of(told).response is PR
    undated = history({"T1": [50, 48, 47]}, dates=["", "", ""])
    assert best_of(undated, confirmed=True).response is SD


def test_targets_are_doubted_where_they_are_too_many_or_too_small():
    many = history({f"T{n}": [20.0, 20.0] for n in range(6)})
    assert "6 targets" in target_doubts(many)[0]
    small = history({"T1": [8.0, 8.0]}, nodes={"LN1": [12, 12]})
    assert [text.split(" ")[0] for text in target_doubts(small)] == ["T1", "LN1"]
    assert small.of_role(Role.TARGET)
