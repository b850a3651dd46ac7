"""DICOM reports about one folder of images: what lies there, what its headers say, and labels of any kind."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from dicom_files import SeriesHeader, write_series
from pydicom import dcmread
from report_reading import points, tracking_uids

from SAMLandmarkLib.core.results import Status, TransferredLandmark, TransferResult
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.result_files import write_results
from SAMLandmarkLib.io.writers.dicom_sr import DicomReport
from SAMLandmarkLib.io.writers.writer import ResultSet
from SAMLandmarkLib.study.plan import StudyScan
from SAMLandmarkLib.study.source_series import series_of_scan
from SAMLandmarkLib.utils.errors import OutputError, VolumeError


@pytest.fixture
def source_folder(sample_template: Volume, tmp_path: Path) -> Path:
    """A folder with one small series."""
    volume = Volume(
        sample_template.array[:5, ::16, ::16], sample_template.ijk_to_lps @ np.diag([16, 16, 1, 1])
    )
    write_series(tmp_path, volume)
    return tmp_path


def test_a_folder_is_its_only_series_whatever_else_lies_there(source_folder: Path, tmp_path: Path) -> None:
    (source_folder / "notes.txt").write_text("no image")
    shutil.copy(report_with("carina", source_folder, tmp_path), source_folder / "report.dcm")
    source = series_of_scan(StudyScan("P1", "scan", source_folder))
    assert len(source.images) == 5
    assert source.frame_of_reference_uid == SeriesHeader().frame_of_reference_uid


def test_without_a_frame_of_reference_there_is_no_report(source_folder: Path) -> None:
    for path in source_folder.iterdir():
        image = dcmread(path)
        del image.FrameOfReferenceUID
        image.save_as(path)
    with pytest.raises(VolumeError, match="name no frame of reference"):
        series_of_scan(StudyScan("P1", "scan", source_folder))


def test_a_scan_that_is_gone_has_no_report(source_folder: Path) -> None:
    with pytest.raises(VolumeError, match="does not exist any more"):
        series_of_scan(StudyScan("P1", "scan", source_folder / "gone"))
    with pytest.raises(VolumeError, match="0 DICOM series now"):
        series_of_scan(StudyScan("P1", "scan", source_folder, files=("gone.dcm",)))


def test_a_transfer_writes_a_report_about_a_target_that_was_dicom(
    source_folder: Path, tmp_path: Path
) -> None:
    items = (
        TransferredLandmark("carina", np.array([1.0, 2.0, 3.0]), Status.FOUND, 0.9, 0.8, 1.25),
        TransferredLandmark("Blase", None, Status.MISSING, 0.0, reason="outside field of view"),
    )
    model, settings = {"version": "1.0", "sha256": "ab"}, {"profile": "fast"}
    provenance = {"sources": {"target": str(source_folder)}, "model": model, "settings": settings}
    (path,) = write_results(
        tmp_path / "out", [TransferResult("template", "may", items, provenance)], formats=("dicom-sr",)
    )
    assert path.name == "may.sr.dcm"
    assert points(path) == {"carina": [1.0, 2.0, 3.0]}
    assert set(tracking_uids(path)) == {"carina", "Blase"}


@pytest.mark.parametrize(
    "label",
    [
        "a" * 3000,
        "back\\slash^caret=equals",
        "=cmd|' /C calc'!A0",
        "<b>&\"'",
        "\N{RIGHT-TO-LEFT OVERRIDE}x",
        "膵臓",
    ],
)
def test_labels_of_any_kind_are_in_the_report_as_they_are(
    source_folder: Path, tmp_path: Path, label: str
) -> None:
    path = report_with(label, source_folder, tmp_path)
    assert list(points(path)) == [label]


@pytest.mark.parametrize("label", ["nul\0", "half \ud800", "escape \x1b$B", "line\nline"])
def test_labels_that_no_report_can_hold_are_refused_or_kept(
    source_folder: Path, tmp_path: Path, label: str
) -> None:
    path, reason = report_or_reason(label, source_folder, tmp_path)
    assert "may" in reason if path is None else list(points(path)) == [label]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientName", "=^\\<script>alert(1)</script>" + "x" * 300),
        ("PatientID", "../../outside"),
        ("PatientBirthDate", "yesterday"),
        ("StudyTime", "99:99"),
        ("AccessionNumber", "A" * 400),
        ("PatientSex", "unknown"),
        ("SpecificCharacterSet", "ISO 2022 IR 9999"),
        ("StudyInstanceUID", "not.a.uid"),
    ],
)
def test_headers_of_any_kind_end_in_a_report_or_a_sentence(
    source_folder: Path, tmp_path: Path, keyword: str, value: str
) -> None:
    for path in source_folder.iterdir():
        image = dcmread(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            setattr(image, keyword, value)
            image.save_as(path)
    path, reason = report_or_reason("carina", source_folder, tmp_path)
    if path is None:
        assert "No DICOM report about may" in reason
    else:
        assert points(path) == {"carina": [1.0, 2.0, 3.0]}
    assert sorted(path.name for path in tmp_path.iterdir() if "outside" in path.name) == []


def test_a_report_is_about_the_series_that_was_chosen(source_folder: Path, tmp_path: Path) -> None:
    volume = Volume.read(source_folder)
    write_series(source_folder, volume, SeriesHeader(number=7), name="other{:04d}")
    with pytest.raises(OutputError, match="holds 2 DICOM series"):
        report_with("carina", source_folder, tmp_path)
    path = report_with("carina", source_folder, tmp_path, series=["7"])
    evidence = dcmread(path).CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [series.SeriesInstanceUID for series in evidence] == [SeriesHeader(number=7).series_uid]
    assert len(evidence[0].ReferencedSOPSequence) == 5


def report_or_reason(label: str, folder: Path, tmp_path: Path) -> tuple[Path | None, str]:
    """A report as below, or why there is none."""
    try:
        return report_with(label, folder, tmp_path), ""
    except OutputError as error:
        return None, str(error)


def report_with(label: str, folder: Path, tmp_path: Path, **settings: object) -> Path:
    """A report about one landmark in the series of a folder."""
    items = (TransferredLandmark(label, np.array([1.0, 2.0, 3.0]), Status.FOUND, 0.9),)
    result = TransferResult("template", "may", items, {"sources": {"target": str(folder)}})
    path = tmp_path / "out" / "may.sr.dcm"
    path.parent.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        DicomReport().write(ResultSet([result], settings=settings), path)
    return path
