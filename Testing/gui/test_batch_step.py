"""The batch section: a folder or the DICOM database, progress, cancel, the list of scans, and opening one of them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import slicer
from samples import ROOT, add_points, add_volume, cut_to_spine, points_inside

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.registration.files import write_image
from SAMLandmarkLib.study.ledger import State

sys.path.insert(0, str(ROOT / "Testing" / "study"))
SECONDS = 240


@pytest.fixture(scope="module")
def small(sample_crops) -> list[Volume]:
    """Template and follow-up cut to the spine."""
    return [cut_to_spine(volume) for volume in sample_crops]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small) -> Path:
    """A patient's scan, and a file that is none."""
    root = tmp_path_factory.mktemp("patients")
    (root / "Ann").mkdir()
    write_image(root / "Ann" / "May.nrrd", small[1])
    (root / "Ann" / "broken.nrrd").write_text("no volume")
    return root


@pytest.fixture
def radiologist(user, small, folder, tmp_path):
    """Somebody with a template and points who has opened the section and chosen the folders."""
    places = points_inside("template", small[0]).items()
    inside = [item for item in places if small[0].contains_lps(item[1] * (-1, -1, 1)).all()]
    user.choose(add_volume(small[0], "Baseline", "20240101"), add_points(dict(inside[:3])))
    user.ui.batchStep.collapsed = False
    user.ui.batchScansButton.directory = str(folder)
    user.ui.batchResultsButton.directory = str(tmp_path / "results")
    user.bench.settle()
    yield user
    user.session.batch.close()
    user.ui.batchStep.collapsed = True
    user.ui.batchSourceSelector.setCurrentIndex(0)


def rows(user) -> list[list[str]]:
    table = user.ui.batchTable
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]


def wait_for_end(user) -> None:
    user.bench.wait_until(lambda: not user.session.batch.running, SECONDS, "the study is done")
    user.bench.settle()


def test_a_study_runs_is_listed_and_a_scan_of_it_is_opened(radiologist):
    ui = radiologist.ui
    assert ui.batchTemplateLabel.text == "The 3 points of Baseline are looked for on every scan."
    radiologist.click(ui.batchButton)
    assert ui.batchButton.text == "Cancel" and not ui.batchResultsButton.enabled
    wait_for_end(radiologist)
    assert ui.batchButton.text == "Run" and ui.batchLabel.text.startswith("1 of 2 scans are done: ")
    done, failed = sorted(rows(radiologist), key=lambda row: row[1] == "failed")
    assert done[0] == "Ann: May" and sum(map(int, done[1:])) == 3
    assert failed == ["Ann: broken", "failed", "", ""]
    row = rows(radiologist).index(failed)
    ui.batchTable.selectRow(row)
    assert not ui.batchOpenButton.enabled and "broken.nrrd" in ui.batchOpenButton.toolTip
    ui.batchTable.selectRow(1 - row)
    radiologist.click(ui.batchOpenButton)
    radiologist.bench.wait_until(lambda: not radiologist.session.batch.opening, SECONDS, "it is open")
    radiologist.bench.settle(60)
    (opened,) = radiologist.parameters.followUps
    assert opened.GetName() == "Ann May" and ui.reviewTable.rowCount == 3
    assert radiologist.view_of(opened) and radiologist.parameters.templateVolume.GetName() == "Baseline"
    radiologist.press("M")
    assert radiologist.session.counts["set_missing"] == 1
    another_day(radiologist)


def another_day(radiologist) -> None:
    """The scene is closed; the results are listed again, and a double click opens one of them with its template."""
    results = radiologist.ui.batchResultsButton.directory
    radiologist.start_anew()
    radiologist.ui.batchResultsButton.directory = str(Path(results).parent)
    assert rows(radiologist) == []
    radiologist.ui.batchResultsButton.directory = results
    radiologist.bench.wait_until(lambda: len(rows(radiologist)) == 2, SECONDS, "they are listed")
    row = next(number for number, texts in enumerate(rows(radiologist)) if texts[3])
    table = radiologist.ui.batchTable
    table.cellDoubleClicked.emit(row, 0)
    radiologist.bench.wait_until(lambda: radiologist.parameters.followUps, SECONDS, "it is open")
    assert radiologist.parameters.templateVolume.GetName().startswith("Baseline ")
    assert radiologist.session.counts["total"] == 3


def test_cancel_and_what_is_missing_are_told(radiologist):
    radiologist.click(radiologist.ui.batchButton)
    radiologist.click(radiologist.ui.batchButton)
    assert not radiologist.session.batch.running and radiologist.ui.batchLabel.text == "Canceled."
    radiologist.ui.templateSelector.setCurrentNode(None)
    radiologist.bench.settle()
    assert radiologist.ui.batchButton.toolTip == "Choose the template volume."
    assert not radiologist.ui.batchButton.enabled


@pytest.fixture
def database(tmp_path, small, monkeypatch):
    """What the module asks of Slicer's DICOM database (ctkDICOMDatabase), with a scan of one patient in it."""
    from dicom_files import write_series

    files = [str(path) for path in write_series(tmp_path / "database", small[1])]
    database = SimpleNamespace(
        isOpen=True,
        patients=lambda: ("1",),
        studiesForPatient=lambda patient: ("1.2",),
        seriesForStudy=lambda study: ("1.2.3",),
        filesForSeries=lambda series: tuple(files),
    )
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    return database


def test_all_patients_of_the_dicom_database(radiologist, database):
    radiologist.ui.batchSourceSelector.setCurrentIndex(1)
    assert not radiologist.ui.batchScansButton.enabled
    radiologist.click(radiologist.ui.batchButton)
    wait_for_end(radiologist)
    (scan,) = radiologist.session.batch.scans.values()
    assert (scan.state, scan.patient, scan.date) == (State.DONE, "P1", "2024-05-01")


def test_without_a_database_it_is_said(radiologist):
    radiologist.ui.batchSourceSelector.setCurrentIndex(1)
    assert "no database yet" in radiologist.ui.batchButton.toolTip
