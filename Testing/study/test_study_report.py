"""The report of a real study: its pages show everything, need nothing else and tell nothing of the machine."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
import weakref
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
import SimpleITK as sitk
from dicom_files import SeriesHeader, write_series
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.io.landmark_files import write_markups
from SAMLandmarkLib.study.executors.in_process import InProcessExecutor
from SAMLandmarkLib.study.ledger import Ledger
from SAMLandmarkLib.study.outcome import StudyOutcome
from SAMLandmarkLib.study.pending import StudyRequest
from SAMLandmarkLib.study.plan import PatientPlan, StudyPlan, StudyScan, Template
from SAMLandmarkLib.study.report import distance_pairs, write_study_report
from SAMLandmarkLib.study.runner import StudyRun

PATIENT = "<b>P&\"1'"
OTHER = "P 2"
PAIR = ("sclerotic_spot_center_t11", "celiac_aorta_inferior_crotch")
LOST = ("left_kidney_upper_pole", "right_kidney_upper_pole")
LABELS = (*PAIR, *LOST, "schmorl_sclerosis_center_t12", "spinous_tip_t11", "left_renal_artery_origin")


@pytest.fixture(scope="module")
def scans(tmp_path_factory, sample_folder, sample_landmarks) -> Path:
    """Crops of the bundled pair; `upper` ends above some of the landmarks, `broken` is cut short."""
    folder = tmp_path_factory.mktemp("scans of the study")
    template, followup = (
        sitk.ReadImage(str(sample_folder / f"{name}.nii.gz")) for name in ("template", "followup")
    )
    crops = {
        "template": template[50:200, 60:220, 5:],
        "june": followup[60:210, 70:230, 5:],
        "upper": followup[60:210, 70:230, 50:],
    }
    for name, crop in crops.items():
        sitk.WriteImage(crop, str(folder / f"{name}.nii.gz"))
    (folder / "broken.nii.gz").write_bytes((folder / "june.nii.gz").read_bytes()[:100_000])
    rows = [sample_landmarks.labels.index(label) for label in LABELS]
    write_markups(folder / "points.mrk.json", LABELS, sample_landmarks.positions_lps[rows])
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory, scans) -> Path:
    """The folder of a study over time, and of a second patient to whom the first one's landmarks are carried."""

    def scan(patient: str, name: str, date: str = "") -> StudyScan:
        return StudyScan(patient, name, scans / f"{name}.nii.gz", date)

    template = Template(scan(PATIENT, "template", "2024-01-01"), scans / "points.mrk.json")
    follow_ups = (
        scan(PATIENT, "june", "2024-01-31"),
        scan(PATIENT, "upper", "2024-12-26"),
        scan(PATIENT, "broken", "2025-03-01"),
    )
    patients = (
        PatientPlan(PATIENT, (template,), follow_ups),
        PatientPlan(OTHER, (template,), (scan(OTHER, "june"),)),
    )
    folder = tmp_path_factory.mktemp("study") / "Liver"
    settings = WorkerSettings(device="cpu", cache_folder=str(tmp_path_factory.mktemp("cache")))
    carry_out(StudyPlan(patients, f"the manifest {scans}/study.csv"), folder, settings)
    return folder


def carry_out(plan: StudyPlan, folder: Path, settings: WorkerSettings) -> None:
    StudyRun(StudyRequest(plan, folder, settings), lambda: InProcessExecutor(settings)).carry_out()


@pytest.fixture(scope="module")
def pages(finished, tmp_path_factory) -> dict[str, str]:
    """The pages by who they are about, the summary by an empty name."""
    study = StudyOutcome.read(finished)
    pairs = distance_pairs(study, [",".join(pair) for pair in (PAIR, LOST)])
    files = write_study_report(study, tmp_path_factory.mktemp("report"), pairs)
    texts = [file.read_text(encoding="utf-8") for file in files.all]
    return dict(zip(("", PATIENT, OTHER), texts, strict=True))


@pytest.fixture
def study_copy(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def invoked(*arguments: object):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def rows_of(page: str, heading: str) -> list[list[str]]:
    """The text in the cells of the first table after a heading."""
    body = page.split(f">{heading}</h2>", 1)[1].split("<tbody>", 1)[1].split("</tbody>", 1)[0]
    return [
        [re.sub("<[^>]*>", "", cell) for cell in re.findall("<td.*?</td>", row)]
        for row in body.split("</tr>")[:-1]
    ]


def test_pages_are_whole_and_refer_to_nothing_outside_the_report(pages, parsed):
    for text in pages.values():
        page = parsed(text)
        assert len(page.ids) == len(set(page.ids))
        inside = [address[1:] for address in page.addresses if address.startswith("#")]
        assert set(inside) <= set(page.ids)
        assert "http" not in text and "@import" not in text and "url(" not in re.sub(r"url\(#\w+\)", "", text)
        assert "<script" not in text


def test_the_summary_leads_to_every_patient_and_back(pages, parsed, tmp_path, finished):
    files = write_study_report(StudyOutcome.read(finished), tmp_path)
    links = [link for link in parsed(pages[""]).addresses if not link.startswith(("#", "data:"))]
    assert {(tmp_path / unquote(link.partition("#")[0])).resolve() for link in links} == set(files.patients)
    assert "../report.html" in parsed(pages[OTHER]).addresses


def test_what_comes_from_files_is_escaped(pages, parsed):
    for name in ("", PATIENT):
        assert "<b>P" not in pages[name] and PATIENT in parsed(pages[name]).text


def test_no_page_tells_where_files_lie(pages, scans):
    for text in pages.values():
        written = re.sub(r"data:[^\"]*", "", text)
        assert "/tmp" not in written and str(scans) not in written and str(scans.name) not in written
    assert "june.nii.gz" in pages[OTHER] and "the manifest study.csv" in pages[""]


def test_failures_are_told_with_their_reasons(pages):
    (row,) = rows_of(pages[""], "Scans without a result")
    assert row[:4] == ["&lt;b&gt;P&amp;\"1'", "broken", "2025-03-01", "failed"]
    assert row[4].startswith("broken.nii.gz is cut short or damaged")
    assert rows_of(pages[PATIENT], "Without a result")[0][1:] == row[2:]


def test_the_summary_counts_what_the_results_say(pages, finished):
    document = json.loads(next(finished.glob("*/upper.json")).read_text(encoding="utf-8"))
    counts = document["targets"][0]["counts"]
    assert counts["FOUND"] >= 3 and counts["MISSING"] >= 3
    row = next(row for row in rows_of(pages[""], "All scans") if row[2] == "upper")
    assert [int(number) for number in row[5:8]] == [counts[name] for name in ("FOUND", "DOUBTFUL", "MISSING")]
    assert "<img" not in pages[""]


def test_every_landmark_with_a_place_has_its_pictures_what_needs_a_look_first(pages, finished):
    section = pages[PATIENT].split('id="scan-2"')[1]
    cards = section.split('<article class="card ')[1:]
    statuses = [card.split()[0] for card in cards]
    assert statuses == sorted(statuses, key=["DOUBTFUL", "MISSING", "FOUND"].index)
    assert {card.count("<img") for card in cards if card.startswith("FOUND")} == {4}
    assert {card.count("<img") for card in cards if card.startswith("MISSING")} == {2}
    assert "not reviewed" not in section


def test_distances_are_those_between_the_places_found_the_baseline_first(pages, finished):
    landmarks = json.loads(next(finished.glob("*/june.json")).read_text())["targets"][0]["landmarks"]
    places = {item["label"]: (item["template_lps"], item["position_lps"]) for item in landmarks}
    before, after = (math.dist(places[PAIR[0]][number], places[PAIR[1]][number]) for number in (0, 1))
    template, june, upper, broken = rows_of(pages[PATIENT], "Distances over time")
    assert template[:4] == ["template template", "2024-01-01", "0", f"{before:.1f}"]
    assert june[1:3] == ["2024-01-31", "30"]
    assert june[3] == f"{after:.1f} ({round(after - before, 1) + 0.0:+.1f})"
    assert upper[2] == "360" and upper[4] == "–", "both landmarks are below the scan"
    assert broken[0] == "broken failed" and broken[3:] == ["–", "–"]


def test_displacements_are_told_for_each_scan_of_the_patient_alone(pages, finished):
    rows = rows_of(pages[PATIENT], "Displacement over time")
    labels = [row[0] for row in rows]
    assert len(rows) == len(LABELS) and PAIR[0] in labels and len(rows[0]) == 3
    assert rows[labels.index(LOST[1])][2] == "–"
    assert "Displacement" not in pages[OTHER], "the template is somebody else"
    assert rows_of(pages[OTHER], "Distances over time")[0][0] == "june"


def test_without_pairs_it_tells_how_to_choose_them(finished, tmp_path):
    result = invoked(finished, "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert [Path(line).name for line in result.stdout.split("\n") if line] == ["report.html"] * 3
    page = next(path for path in tmp_path.glob("*/report.html") if "P 2" not in str(path)).read_text()
    assert "--distance" in page and "<svg role" not in page


def test_it_lies_in_the_study_by_default_and_json_lists_the_pages(study_copy):
    result = invoked(study_copy, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == document["exit_code"] == 0 and document["without_pictures"] == {}
    assert sorted(map(Path, document["files"])) == sorted(study_copy.rglob("*.html"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("spinous_tip_t11,Spinous_tip_t21", "no landmark 'Spinous_tip_t21'; did you mean 'spinous_tip_t11'"),
        ("spinous_tip_t11,zzz", "there are 'celiac_aorta_inferior_crotch'"),
        ("spinous_tip_t11", "give two different labels"),
        ("spinous_tip_t11,spinous_tip_t11", "give two different labels"),
    ],
)
def test_wrong_pairs_are_refused_with_advice(finished, tmp_path, text, told):
    result = invoked(finished, "--output", tmp_path / "never", "--distance", text)
    assert result.exit_code == 2 and told in result.stderr
    assert not (tmp_path / "never").exists()


def test_a_folder_without_a_study_is_refused(tmp_path):
    result = invoked(tmp_path)
    assert result.exit_code == 2 and "samlandmark batch" in result.stderr


def test_scans_that_are_gone_or_changed_leave_a_page_without_their_pictures(
    scans, finished, tmp_path, monkeypatch
):
    kept = (scans / "june.nii.gz").read_bytes()
    try:
        (scans / "june.nii.gz").write_bytes((scans / "upper.nii.gz").read_bytes())
        changed = invoked(finished, "--output", tmp_path / "changed")
        (scans / "june.nii.gz").unlink()
        gone = invoked(finished, "--output", tmp_path / "gone")
    finally:
        (scans / "june.nii.gz").write_bytes(kept)
    for result, told, folder in (
        (changed, "has changed since", "changed"),
        (gone, "can't be read any more", "gone"),
    ):
        assert result.exit_code == 0 and f"june.nii.gz {told}" in result.stderr
        page = unescape((tmp_path / folder / OTHER / "report.html").read_text(encoding="utf-8"))
        assert f"june.nii.gz {told}" in page
        found = page.split('<article class="card FOUND')[1]
        assert found.count("<img") == 2 and "no picture of this scan" in found


def test_at_most_two_volumes_are_in_memory_and_each_is_read_once(finished, tmp_path, monkeypatch):
    read, alive, counts, names = StudyScan.read, weakref.WeakSet(), [], []

    def watched(scan: StudyScan):
        volume = read(scan)
        alive.add(volume)
        counts.append(len(alive))
        names.append(scan.key)
        return volume

    monkeypatch.setattr(StudyScan, "read", watched)
    write_study_report(StudyOutcome.read(finished), tmp_path)
    assert max(counts) == 2
    assert sorted(names) == sorted(
        {f"{PATIENT}/{name}" for name in ("template", "june", "upper")} | {f"{OTHER}/june"}
    )


def test_a_study_that_still_runs_can_be_reported(study_copy):
    with Ledger.write(study_copy) as ledger:
        ledger.queue([f"{PATIENT}/broken"])
        ledger.begin(f"{OTHER}/june")
        assert invoked(study_copy).exit_code == 0
    page = (study_copy / "report.html").read_text(encoding="utf-8")
    assert "The study is not finished: 2 scans of 4 to go" in page
    assert {row[2]: row[4] for row in rows_of(page, "All scans")[2:]} == {
        "broken": "queued",
        "june": "running",
    }
    assert "<article" not in (study_copy / OTHER / "report.html").read_text(encoding="utf-8")


def test_series_that_share_a_folder_are_shown_and_named_apart(scans, tmp_path):
    def series(source: str, date: str) -> StudyScan:
        volume = Volume.read(scans / f"{source}.nii.gz")
        header = SeriesHeader("P1", date.replace("-", ""), description="Liver")
        files = write_series(tmp_path / "dicom", volume, header, name=f"{source}{{:04d}}")
        names = tuple(file.name for file in files)
        return StudyScan("P1", f"{date} Liver", tmp_path / "dicom", date, names, "Liver")

    template = Template(series("template", "2024-05-01"), scans / "points.mrk.json")
    plan = StudyPlan((PatientPlan("P1", (template,), (series("upper", "2024-06-01"),)),))
    settings = WorkerSettings(device="cpu", cache_folder=str(tmp_path / "cache"))
    carry_out(plan, tmp_path / "study", settings)
    assert invoked(tmp_path / "study").stderr == ""
    page = (tmp_path / "study" / "P1" / "report.html").read_text(encoding="utf-8")
    assert page.split('<article class="card FOUND')[1].count("<img") == 4
    assert 'id="scan-1">2024-06-01 Liver</h2>' in page and "<small>" not in page.split("</table>")[0]
    (tmp_path / "dicom" / "upper0003").unlink()
    assert "2024-06-01 Liver can't be read any more" in invoked(tmp_path / "study").stderr


def test_without_matplotlib_it_tells_what_to_install(finished, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = invoked(finished, "--output", tmp_path / "never", "--json")
    assert result.exit_code == 2 and json.loads(result.stdout)["exit_code"] == 2
    assert "samlandmark[pictures]" in result.stderr and not (tmp_path / "never").exists()
