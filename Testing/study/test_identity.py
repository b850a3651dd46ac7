"""Who is who in a DICOM tree: one id for several persons, and scans without a date."""

from __future__ import annotations

from pathlib import Path

import pytest

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.study.dicom_tree import index_dicom_tree
from SAMLandmarkLib.study.plan import StudyPlan
from SAMLandmarkLib.study.selection import plan_dicom_study

from .dicom_files import SeriesHeader, write_series

NO_DATES = dict.fromkeys(("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"), "")


def plan_of(folder: Path, scan: Volume, *headers: SeriesHeader) -> StudyPlan:
    points = folder / "points.csv"
    points.write_text("label,x,y,z\na,1,2,3\n")
    for number, header in enumerate(headers):
        write_series(folder / "tree" / str(number), scan, header)
    return plan_dicom_study(index_dicom_tree(folder / "tree"), points)


@pytest.fixture
def scan(sample_template: Volume) -> Volume:
    """Enough slices of the bundled scan for a series."""
    return Volume(sample_template.array[:50, ::4, ::4], sample_template.ijk_to_lps)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"PatientName": "Other^Person"}, "differ in name under one patient id"),
        ({"PatientBirthDate": "19800101"}, "differ in birth date under one patient id"),
        ({"PatientSex": "M"}, "differ in sex under one patient id"),
    ],
)
def test_two_persons_under_one_id_are_said(tmp_path: Path, scan: Volume, changes: dict, words: str) -> None:
    plan = plan_of(tmp_path, scan, SeriesHeader(), SeriesHeader(date="20240601", changes=changes))
    (doubt,) = plan.patients[0].doubts
    assert words in doubt
    assert "2024-05-01, 2024-06-01" in doubt
    assert StudyPlan.from_document(plan.to_document()) == plan


@pytest.mark.parametrize(
    "changes",
    [{"PatientName": "NAME^p1^^"}, {"PatientName": ""}, {"PatientBirthDate": ""}, {"PatientSex": ""}],
)
def test_one_person_written_in_another_way_is_no_doubt(tmp_path: Path, scan: Volume, changes: dict) -> None:
    plan = plan_of(tmp_path, scan, SeriesHeader(), SeriesHeader(date="20240601", changes=changes))
    assert plan.patients[0].doubts == ()


def test_a_baseline_without_a_date_is_said(tmp_path: Path, scan: Volume) -> None:
    undated = SeriesHeader(date="", time="", number=7, changes=NO_DATES)
    plan = plan_of(tmp_path, scan, undated, SeriesHeader(date="20240601"))
    (doubt,) = plan.patients[0].doubts
    assert "1 of its 2 scans have no date" in doubt
    assert "so which of them came first is a guess" in doubt
