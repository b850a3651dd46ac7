"""Lesions as DICOM structured reports: read back by highdicom and by the library, judged by dicom3tools."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lesions_by_hand import history

from SAMLandmarkLib.core.lesions import LesionHistory, LesionStatus, Role, Track
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.writers.sr_source import SourceSeries
from SAMLandmarkLib.tracking.lesion_files import BASELINE, read_lesions
from SAMLandmarkLib.tracking.sdtm import write_sdtm
from SAMLandmarkLib.tracking.structured_reports import write_lesion_reports
from SAMLandmarkLib.tracking.tracker import _with_uid
from SAMLandmarkLib.utils.errors import LesionError, VolumeError

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))

from dicom_files import SeriesHeader, write_series


def told() -> LesionHistory:
    """Two targets, a node, another lesion and a new one at two dates."""
    given = history(
        {"T1": [22, 14], "Tochtergeschwulst größer": [30, "gone"]},
        nodes={"LN1": [17, 9]},
        others={"NT1": [12, 11]},
        new={"N1": [None, 8]},
        dates=["2024-03-01", "2024-05-03"],
    )
    tracks = tuple(map(_with_uid, given.tracks))
    organ = Track(
        type(tracks[0].lesion)("T1", organ="liver", site="segment 7", uid=tracks[0].lesion.uid),
        tracks[0].findings,
    )
    return LesionHistory("P1", given.visits, (organ, *tracks[1:]))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], SourceSeries]:
    """The series of each visit: six slices each."""
    volume = Volume(np.zeros((6, 16, 16), dtype=np.int16), np.diag([2.0, 2.0, 5.0, 1.0]))
    folder = tmp_path_factory.mktemp("series")
    series = []
    for date in ("20240301", "20240503"):
        files = write_series(folder / date, volume, SeriesHeader("P1", date))
        series.append(SourceSeries.of_files(files))
    return series.__getitem__


@pytest.fixture(scope="module")
def reports(source, tmp_path_factory) -> list[Path]:
    files, reasons = write_lesion_reports(tmp_path_factory.mktemp("reports"), told(), source)
    assert reasons == {}
    return files


def content(file: Path):
    from highdicom.sr import srread

    return srread(file).content


def lengths(group) -> dict[str, float]:
    """The lengths of a group in mm; the order of the time point is a number beside them."""
    return {item.name.meaning: item.value for item in group.get_measurements() if item.unit.value == "mm"}


def test_each_date_has_its_report(reports):
    assert [file.name for file in reports] == ["scan 1.sr.dcm", "scan 2.sr.dcm"]


def test_a_lesion_has_one_tracking_uid_at_all_dates(reports):
    uids = [
        {
            group.tracking_identifier: str(group.tracking_uid)
            for group in (
                *content(file).get_planar_roi_measurement_groups(),
                *content(file).get_image_measurement_groups(),
            )
        }
        for file in reports
    ]
    known = set(uids[0])
    assert known == {"T1", "Tochtergeschwulst größer", "LN1", "NT1", "response"}
    assert {name: uids[1][name] for name in known} == uids[0]
    assert len(set(uids[1].values())) == len(uids[1]) == 6


def test_a_lesion_is_found_by_its_uid_with_both_axes(reports):
    first = content(reports[0]).get_planar_roi_measurement_groups()[0]
    (again,) = content(reports[1]).get_planar_roi_measurement_groups(tracking_uid=first.tracking_uid)
    assert again.tracking_identifier == "T1"
    assert lengths(again) == {"Long axis": 14.0}
    assert again.roi.value.tolist() == pytest.approx(np.array([[-7.0, 0, 0], [7.0, 0, 0]]))
    assert again.finding_sites[0].value.meaning == "Liver"
    node = next(
        g for g in content(reports[0]).get_planar_roi_measurement_groups() if g.tracking_identifier == "LN1"
    )
    assert lengths(node) == {"Long axis": 34.0, "Short axis": 17.0}


def test_status_role_and_the_proposed_response_are_told(reports):
    groups = content(reports[1]).get_image_measurement_groups()
    by_name = {group.tracking_identifier: group for group in groups}
    gone = {
        one.name.value: one.value.value
        for one in by_name["Tochtergeschwulst größer"].get_qualitative_evaluations()
    }
    assert gone["LESION_STATUS"] == "DISAPPEARED" and gone["ROLE"] == "112074"
    (response,) = by_name["response"].get_qualitative_evaluations()
    assert (response.name.value, response.value.value) == ("RESPONSE", "PD")
    assert list(lengths(by_name["response"]).values()) == [23.0]


def test_a_report_is_read_as_lesions_again(reports):
    marks = {mark.lesion.name: mark for mark in read_lesions(reports[0])[BASELINE]}
    expected = {track.lesion.name: track for track in told().tracks if track.at(0)}
    assert set(marks) == set(expected)
    for name, mark in marks.items():
        finding = expected[name].at(0)
        assert mark.finding.long.ends == pytest.approx(finding.long.ends, abs=1e-3)
        assert mark.finding.position_lps == pytest.approx(finding.position_lps, abs=1e-3)
        assert (mark.lesion.role, mark.lesion.is_node) == (
            expected[name].lesion.role,
            expected[name].lesion.is_node,
        )
        assert mark.lesion.uid.startswith("2.25.")
    assert marks["LN1"].finding.short.length_mm == pytest.approx(17)
    assert (marks["T1"].lesion.organ, marks["T1"].lesion.site) == ("liver", "segment 7")


def test_reports_are_valid(reports):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy of dicom3tools is not installed")
    for file in reports:
        done = subprocess.run(["dciodvfy", file], capture_output=True, check=False)
        lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
        assert [line for line in lines if line.startswith(("Error", "Abort"))] == []


def test_a_date_without_dicom_is_named_and_does_not_stop_the_others(source, tmp_path):
    def only_first(visit: int) -> SourceSeries:
        if visit:
            raise VolumeError("it was not read from DICOM but from scan.nrrd")
        return source(visit)

    files, reasons = write_lesion_reports(tmp_path, told(), only_first)
    assert [file.name for file in files] == ["scan 1.sr.dcm"]
    assert reasons == {"scan 2": "it was not read from DICOM but from scan.nrrd"}


def test_what_is_no_report_is_refused(source, tmp_path):
    shutil.copy(source(0).images[0].filename, tmp_path / "slice.dcm")
    with pytest.raises(LesionError, match="is no report of measurements"):
        read_lesions(tmp_path / "slice.dcm")
    (tmp_path / "text.dcm").write_text("no DICOM at all")
    with pytest.raises(LesionError, match="is no report of measurements"):
        read_lesions(tmp_path / "text.dcm")


# ---- tables of SDTM


def rows(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_tables_hold_lesions_measures_and_responses(tmp_path):
    files = write_sdtm(tmp_path, [told()], "S1")
    assert [file.name for file in files] == ["tu.csv", "tr.csv", "rs.csv"]
    lesions, measures, responses = map(rows, files)
    assert {(row["TULNKID"], row["TUORRES"], row["VISITNUM"]) for row in lesions} == {
        ("T1", "TARGET", "1"),
        ("Tochtergeschwulst größer", "TARGET", "1"),
        ("LN1", "TARGET", "1"),
        ("NT1", "NON-TARGET", "1"),
        ("N1", "NEW", "2"),
    }
    assert lesions[0]["TULOC"] == "LIVER" and lesions[0]["STUDYID"] == "S1"
    lengths = {
        (row["TRLNKID"], row["VISITNUM"], row["TRTESTCD"]): row["TRSTRESN"]
        for row in measures
        if row["TRSTRESN"]
    }
    assert lengths["T1", "2", "LDIAM"] == "14.0" and lengths["LN1", "1", "LPERP"] == "17.0"
    assert (lengths["", "1", "SUMDIAM"], lengths["", "2", "SUMDIAM"]) == ("69.0", "23.0")
    states = {
        (row["TRLNKID"], row["VISITNUM"]): row["TRORRES"] for row in measures if row["TRTESTCD"] == "TUMSTATE"
    }
    assert states["Tochtergeschwulst größer", "2"] == "ABSENT"
    assert {row["RSTESTCD"]: row["RSORRES"] for row in responses} == {
        "TRGRESP": "PR",
        "NTRGRESP": "NON-CR/NON-PD",
        "OVRLRESP": "PD",
    }
    assert {row["RSEVAL"] for row in responses} == {"SAMLANDMARK, PROPOSED"}
    assert [int(row["TRSEQ"]) for row in measures] == list(range(1, len(measures) + 1))


def test_merged_lesions_have_a_row_of_their_own(tmp_path):
    given = history({"T1": [20, 38], "T2": [15, "gone"]})
    merged = given.track("T2").at(1).changed(status=LesionStatus.MERGED, merged_into="T1")
    given = given.with_track(given.track("T2").with_finding(1, merged))
    lesions = rows(write_sdtm(tmp_path, [given])[0])
    assert [(row["TULNKID"], row["TUTESTCD"], row["TUORRES"]) for row in lesions][-1] == (
        "T2",
        "TUMERGE",
        "T1",
    )
    assert given.of_role(Role.NEW) == ()
