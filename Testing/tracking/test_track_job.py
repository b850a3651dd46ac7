"""The job that writes lesions for another process: files of the command, and DICOM reports for scans from DICOM only."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lesions_by_hand import history

from SAMLandmarkLib.core.geometry import affine_from_parts
from SAMLandmarkLib.core.lesions import LesionHistory, Visit
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.io.job_scans import JobScan
from SAMLandmarkLib.io.lesion_json import read_history
from SAMLandmarkLib.tracking.job_description import write_job
from SAMLandmarkLib.tracking.lesion_files import BASELINE, read_lesions
from SAMLandmarkLib.tracking.track_job import TrackJob

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))

from dicom_files import SeriesHeader, write_series

NAMES = ("Baseline", "Later", "Moved")


@pytest.fixture(scope="module")
def lesions() -> LesionHistory:
    given = history({"T1": [20.0, 24.0, 30.0]})
    track = given.track("T1")
    named = given.with_track(replace(track, lesion=replace(track.lesion, uid="2.25.7")))
    return replace(named, visits=tuple(map(Visit, NAMES, ("2024-01-01", "2024-02-01", "2024-03-01"))))


@pytest.fixture(scope="module")
def written(tmp_path_factory, lesions) -> tuple[Path, list[str]]:
    """The folder of the results of three scans from DICOM, of which one was read backwards and one moved; and the notes."""
    job, output = tmp_path_factory.mktemp("job"), tmp_path_factory.mktemp("written")
    array = np.random.default_rng(1).integers(-1000, 200, (12, 24, 24)).astype(np.int16)
    volume = Volume(array, affine_from_parts((-23, -23, -11), (2, 2, 2), np.eye(3)))
    backwards = volume.ijk_to_lps @ affine_from_parts((0, 0, 11), (1, 1, 1), np.diag([1.0, 1.0, -1.0]))
    moved = affine_from_parts((4, 0, 0), (1, 1, 1), np.eye(3)) @ volume.ijk_to_lps
    scans = []
    for number, ijk_to_lps in enumerate((volume.ijk_to_lps, backwards, moved)):
        files = write_series(
            job / f"dicom-{number}", volume, SeriesHeader("P1", f"20240{number + 1}01", number)
        )
        np.save(job / f"scan-{number}.npy", array[::-1] if number == 1 else array)
        scans.append(
            JobScan(f"scan-{number}.npy", ijk_to_lps.tolist(), "CT", tuple(map(str, reversed(files))))
        )
    write_job(job, scans, lesions, WorkerSettings(), output)
    notes: list[str] = []
    TrackJob(job).write(output, notes)
    return output, notes


def test_all_files_of_the_command_are_written(written, lesions):
    folder = written[0] / "P1"
    assert {path.name for path in folder.iterdir()} == {
        *("lesions.json", "report.html", "Baseline.sr.dcm", "Later.sr.dcm"),
        *(f"{name}.mrk.json" for name in NAMES),
    }
    assert {path.name for path in written[0].glob("*.csv")} == {"tu.csv", "tr.csv", "rs.csv"}
    assert read_history(folder / "lesions.json") == lesions


def test_reports_name_the_lesion_as_all_others_do_and_a_moved_scan_has_none(written):
    output, notes = written
    for name, length in (("Baseline", 20.0), ("Later", 24.0)):
        (mark,) = read_lesions(output / "P1" / f"{name}.sr.dcm")[BASELINE]
        assert mark.lesion.uid == "2.25.7" and mark.finding.long.length_mm == pytest.approx(length, abs=0.01)
    assert notes[0].startswith("Moved: it lies elsewhere in the scene than its DICOM images say")
    assert [note.split(":")[0] for note in notes] == ["Moved", "P1/Moved"]
