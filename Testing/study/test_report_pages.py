"""What the report of a study makes of large studies, dates, gaps and doubt."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from SAMLandmarkLib.reporting.charts import line_chart
from SAMLandmarkLib.reporting.display_paths import without_folders
from SAMLandmarkLib.reporting.time_points import Measure, TimePoint
from SAMLandmarkLib.review import ReviewItem
from SAMLandmarkLib.study.ledger import State
from SAMLandmarkLib.study.outcome import PatientOutcome, ScanOutcome, StudyOutcome
from SAMLandmarkLib.study.plan import Excluded, PatientPlan, StudyPlan, StudyScan, Template
from SAMLandmarkLib.study.report.summary import summary_page
from SAMLandmarkLib.study.report.time_points import time_points

PLACE = (1.0, 2.0, 3.0)


def an_item(label: str, status: str, confidence: float) -> ReviewItem:
    place = None if status == "MISSING" else PLACE
    return ReviewItem.of(
        label, status, confidence, template_lps=PLACE, transferred_lps=place, position_lps=place
    )


def a_patient(name: str, scans: list[ScanOutcome], date_of_template: str = "") -> PatientOutcome:
    template = Template(StudyScan(name, "template", Path("template.nii.gz"), date_of_template), Path("a.csv"))
    plan = PatientPlan(
        name, (template,), tuple(scan.scan for scan in scans), (Excluded("scout", "2 slices"),)
    )
    return PatientOutcome(plan, tuple(scans))


def a_scan(patient: str, name: str, items: list[ReviewItem] | None, date: str = "") -> ScanOutcome:
    scan = StudyScan(patient, name, Path(f"{name}.nii.gz"), date)
    if items is None:
        return ScanOutcome(scan, State.FAILED, f"{name} is broken")
    return ScanOutcome(scan, State.DONE, items=tuple(items))


def a_study(patients: list[PatientOutcome]) -> StudyOutcome:
    plan = StudyPlan(
        tuple(patient.plan for patient in patients), "all later scans", (Excluded("P 9", "no landmarks"),)
    )
    settings = {"profile": "fast", "model": "/models/my model/better.pt", "max_memory": None}
    return StudyOutcome(Path("/data/Liver"), "a-uid", plan, settings, tuple(patients))


@pytest.fixture(scope="module")
def large_summary() -> str:
    """1000 patients with 20 landmarks, of which one is doubtful; every tenth scan failed."""
    random = np.random.default_rng(0)
    patients = []
    for number in range(1000):
        name = f"P{number:04}"
        items = [an_item(f"L{label}", "FOUND", 0.95) for label in range(19)]
        items.append(an_item("hard", "DOUBTFUL", float(random.uniform(0.2, 0.7))))
        patients.append(a_patient(name, [a_scan(name, "june", items if number % 10 else None)]))
    return summary_page(a_study(patients))


def test_a_large_study_has_a_small_summary_with_the_most_doubtful_first(large_summary, parsed):
    page = parsed(large_summary)
    assert len(large_summary) < 1_500_000 and "<img" not in large_summary
    assert (
        "900 doubtful landmarks" in page.text
        and "800 more are further down or in the patients' pages" in page.text
    )
    table = large_summary.split(">Look at these first</h2>")[1].split("</tbody>")[0].split("<tbody>")[1]
    confidences = [int(percent) for percent in re.findall(r">(\d+)%</td>", table)]
    assert len(confidences) == 100 and confidences == sorted(confidences) and confidences[0] == 20


def test_a_large_study_has_every_failure_and_the_hardest_landmark_first(large_summary, parsed):
    assert large_summary.count("june is broken") == 100
    assert "900</b><span>scans done" in large_summary and "100</b><span>scans failed" in large_summary
    text = parsed(large_summary).text
    assert text.index("hard0900") < text.index("L090000")


def test_the_summary_tells_how_it_was_made_and_what_was_left_out(large_summary, parsed):
    text = parsed(large_summary).text
    for told in ("all later scans", "better.pt", "fast", "a-uid", "P 9", "no landmarks", "1,000 scans"):
        assert told in text, told
    assert "/models" not in text and "/data" not in text


def test_a_doubtful_landmark_leads_to_its_card(parsed):
    items = [an_item("sure", "FOUND", 0.9), an_item("unsure", "DOUBTFUL", 0.4)]
    study = a_study([a_patient("A/1", [a_scan("A/1", "May", None), a_scan("A/1", "June", items)])])
    assert "A_1/report.html#scan-2-1" in parsed(summary_page(study)).addresses


def marks_of(chart: str) -> list[tuple[float, float]]:
    """Where the marks of the lines are, in the drawing's units."""
    marks = re.findall(
        r'<use xlink:href="#\w+" x="([\d.]+)" y="([\d.]+)" style="fill: #(?:0072b2|ffffff); stroke: #0072b2',
        chart,
    )
    return [(float(x), float(y)) for x, y in marks]


def points_on(*days: date | None) -> list[TimePoint]:
    return [TimePoint(f"scan {number}", f"scan-{number}", day) for number, day in enumerate(days)]


def test_the_axis_is_that_of_time():
    points = points_on(date(2024, 1, 1), date(2024, 1, 31), date(2024, 12, 26))
    chart = line_chart({"a – b": [Measure(50.0), Measure(60.0), Measure(55.0)]}, points, "distance (mm)")
    (x1, y1), (x2, y2), (x3, y3) = marks_of(chart)[:3]
    assert (x3 - x1) / (x2 - x1) == pytest.approx(12.0, rel=1e-3)
    assert (y1 - y3) / (y1 - y2) == pytest.approx(0.5, rel=1e-3)
    assert "2024-07" in chart and "a – b</text>" in chart


def test_scans_of_one_day_are_one_place_on_an_axis_of_days():
    points = points_on(date(2024, 1, 9), date(2024, 1, 9))
    chart = line_chart({"a": [Measure(50.0), Measure(60.0)]}, points, "distance (mm)")
    days = re.findall(r">(\d{4}-\d\d-\d\d)</text>", chart)
    assert len(days) == len(set(days)) >= 2
    (x1, _), (x2, _) = marks_of(chart)[:2]
    assert x1 == x2


def test_without_all_dates_the_scans_stand_side_by_side():
    points = points_on(date(2024, 1, 1), None, date(2024, 12, 26))
    chart = line_chart({"a – b": [Measure(50.0), Measure(60.0), Measure(55.0)]}, points, "distance (mm)")
    (x1, _), (x2, _), (x3, _) = marks_of(chart)[:3]
    assert x3 - x2 == pytest.approx(x2 - x1, rel=1e-3)
    assert "scan 1</text>" in chart and "dates unknown" in chart


def test_what_is_missing_leaves_a_gap_and_what_is_doubtful_is_hollow():
    points = points_on(*(date(2024, month, 1) for month in range(1, 6)))
    measures = [Measure(50.0), Measure(51.0), Measure(), Measure(52.0, doubtful=True), Measure(53.0)]
    chart = line_chart({"_a & $b$": measures}, points, "distance (mm)")
    line = next(path for path in re.findall(r'<path d="([^"]*)" clip-path[^>]*stroke: #0072b2', chart))
    assert line.count("M") == 2, "the line is interrupted once"
    assert len(re.findall(r"fill: #ffffff; stroke: #0072b2", chart)) == 1
    assert "_a &amp; $b$</text>" in chart


def test_small_changes_do_not_fill_the_chart():
    points = points_on(date(2024, 1, 1), date(2024, 2, 1))
    chart = line_chart({"a": [Measure(50.0), Measure(51.0)]}, points, "distance (mm)")
    (_, y1), (_, y2) = marks_of(chart)[:2]
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', chart)[1])
    assert abs(y2 - y1) < 0.1 * height


@pytest.mark.parametrize(
    ("date_of_template", "order"),
    [("2024-02-01", ["early", "template", "late"]), ("", ["template", "late", "early"])],
)
def test_scans_are_in_the_order_of_time_where_all_dates_are_known(date_of_template, order):
    items = [an_item("a", "FOUND", 0.9), an_item("b", "MISSING", 0.1)]
    scans = [a_scan("P", "late", items, "2024-03-01"), a_scan("P", "early", items, "2024-01-01T10:30:00")]
    points = time_points(a_patient("P", scans, date_of_template))
    assert [point.title for point in points] == order
    found = next(point for point in points if point.title == "late")
    assert found.distance(("a", "b")) == Measure() and found.distance(("a", "a")) == Measure(0.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"C:\Data\x.nii is damaged", "x.nii is damaged"),
        (r"\\server\share\x.nii: no", "x.nii: no"),
        ("can't read '/a/b/c.nii.gz'; see ~/notes/d.txt", "can't read 'c.nii.gz'; see d.txt"),
        ("23 of 40 slices, 5 mm/s, and/or 2024/05/01", "23 of 40 slices, 5 mm/s, and/or 2024/05/01"),
    ],
)
def test_paths_are_cut_to_names_and_other_strokes_stay(text, expected):
    assert without_folders(text) == expected


def test_known_folders_are_cut_whatever_their_names():
    folders = [Path("/data/my scans"), Path("/data/my scans/late ones"), Path("/")]
    text = "/data/my scans/a b.nii and /data/my scans/late ones/c.nii lie in /data/my scans, not in /data/my scans2/d"
    assert without_folders(text, folders) == "a b.nii and c.nii lie in my scans, not in my scans2/d"


def test_control_characters_and_halves_of_pairs_never_reach_a_page():
    items = [an_item("nul\0 \x1b[31m \x85 \ud800", "FOUND", 0.9)]
    page = summary_page(a_study([a_patient("Anna\0\udcff", [a_scan("Anna\0\udcff", "may\x07", items)])]))
    assert "Anna\N{REPLACEMENT CHARACTER}" in page
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", page)
    page.encode("utf-8")
