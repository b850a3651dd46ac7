"""A study without a template: a protocol's landmarks in every scan, by the mechanism of all studies."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from dicom_files import SeriesHeader, write_series
from study_states import attempts, states, table
from toy_models import toy_model
from toy_scans import SOLID
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.embedding.atlas_file import AtlasContents, write_atlas_file
from SAMLandmarkLib.engine.atlas_build import MarkedScan, build_atlas
from SAMLandmarkLib.engine.runtime import EngineRuntime
from SAMLandmarkLib.study.ledger import Entry, Ledger, State
from SAMLandmarkLib.study.manifest import read_manifest
from SAMLandmarkLib.study.outcome import StudyOutcome
from SAMLandmarkLib.study.plan import StudyPlan
from SAMLandmarkLib.study.planning import protocol_plan
from SAMLandmarkLib.study.protocol import AUTOMATIC
from SAMLandmarkLib.study.report import write_study_report
from SAMLandmarkLib.utils.errors import UsageError
from SAMLandmarkLib.utils.files import sha256_of

FIRST, LAST = "patient-001/patient-001-followup-001", "patient-002/patient-002-followup-002"
ATTRIBUTION = "The patients of the sample"


@pytest.fixture(scope="module")
def scans(tmp_path_factory, two_patients) -> Path:
    """The follow-ups of two patients, in a folder for each."""
    folder = tmp_path_factory.mktemp("without-template")
    for patient in ("patient-001", "patient-002"):
        (folder / patient).mkdir()
        for scan in two_patients.glob(f"{patient}-followup-*.nrrd"):
            shutil.copy(scan, folder / patient)
    return folder


def built(engine, folder: Path, patient: str, name: str) -> AtlasContents:
    """An atlas of one patient's marked baseline."""
    volume, points = Volume.read(folder / f"{patient}-baseline.nrrd"), folder / f"{patient}.mrk.json"
    marked = MarkedScan(
        engine.embed(volume), LandmarkSet.read(points), licence="CC0", attribution=ATTRIBUTION
    )
    return build_atlas(engine, name, [marked])


@pytest.fixture(scope="module")
def atlases(engine, two_patients) -> dict[str, AtlasContents]:
    """The atlas of each patient's baseline, which call their protocols `first` and `second`."""
    names = {"first": "patient-001", "second": "patient-002"}
    return {name: built(engine, two_patients, patient, name) for name, patient in names.items()}


@pytest.fixture
def atlas(tmp_path, atlases) -> Path:
    """The file of the first atlas, which a test may change."""
    write_atlas_file(tmp_path / "mine.safetensors", atlases["first"])
    return tmp_path / "mine.safetensors"


@pytest.fixture(scope="module")
def planned(scans, study_settings):
    """A function that plans the study of these scans with a protocol."""

    def plan(output: Path, protocol: Path | str, study: Path = scans) -> StudyPlan:
        return protocol_plan(study, output, str(protocol), study_settings, pytest.fail)

    return plan


@pytest.fixture(scope="module")
def done(planned, run_study, atlases, tmp_path_factory) -> StudyOutcome:
    """What comes of the study with the first atlas; not to be changed."""
    folder = tmp_path_factory.mktemp("protocol-study")
    write_atlas_file(folder / "first.safetensors", atlases["first"])
    return run_study(planned(folder / "out", folder / "first.safetensors"), folder / "out")


def run(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


def test_every_scan_gets_the_landmarks_of_the_protocol(done, atlases):
    rows, labels = table(done.folder), list(atlases["first"].metadata.labels)
    assert {(row["template"], row["template_x_lps"]) for row in rows} == {("atlas first", "")}
    for patient in ("patient-001", "patient-002"):
        for scan in (f"{patient}-followup-001", f"{patient}-followup-002"):
            assert [row["label"] for row in rows if row["scan"] == scan] == labels
    of_first = [row["status"] for row in rows if row["patient"] == "patient-001"]
    assert of_first.count("FOUND") > len(of_first) / 2


def test_a_study_finds_what_locate_finds(done, study_settings):
    scan, runtime = done.patients[0].scans[0], EngineRuntime(study_settings)
    (file,) = done.plan.protocol.files
    result = runtime.locate(runtime.embed_volume(scan.scan.read()), file)
    assert [(item.label, item.status) for item in scan.items] == [
        (item.label, item.status.value) for item in result
    ]
    for item, answer in zip(scan.items, result, strict=True):
        assert item.template_lps is None
        if answer.position_lps is not None:
            assert np.allclose(item.position_lps, answer.position_lps, atol=0.05)


def test_what_made_the_results_is_recorded(done):
    protocol = done.plan.protocol
    assert done.settings["protocol"] == protocol.name == "first"
    assert done.settings["atlas_sha256"] == list(protocol.sha256) == [sha256_of(protocol.files[0])]
    scan = done.patients[0].scans[0]
    assert scan.checksum("template") == protocol.sha256[0]
    assert scan.provenance["atlas"]["patients"][0]["attribution"] == ATTRIBUTION


def test_a_run_that_died_is_gone_on_with(planned, run_study, done, tmp_path, monkeypatch):
    real_end, (file,) = Ledger.end, done.plan.protocol.files

    def end(ledger: Ledger, entry: Entry) -> None:
        if entry.key == LAST:
            raise KeyboardInterrupt
        real_end(ledger, entry)

    output = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Ledger, "end", end)
        run_study(planned(output, file), output)
    finished = {key for key, (state, _) in states(output).items() if state is State.DONE}
    for _again in range(2):
        run_study(planned(output, file), output, resume=True)
    assert {state for state, _ in states(output).values()} == {State.DONE}
    assert finished and {attempts(output)[key] for key in finished} == {1}
    assert attempts(output)[LAST] == 2
    assert table(output) == table(done.folder)


def test_a_study_goes_on_with_its_own_atlas_alone(
    planned, run_study, scans, atlas, atlases, small_study, tmp_path
):
    output = tmp_path / "out"
    run_study(planned(output, atlas), output)
    for plan in (planned(output, "chest"), planned(output, AUTOMATIC), read_manifest(small_study).plan):
        with pytest.raises(UsageError, match=r"holds a study with the protocol 'first' .*choose another"):
            run_study(plan, output, resume=True)
    # the same atlas in another place is no other one
    moved = atlas.rename(tmp_path / "moved.safetensors")
    run_study(planned(output, moved), output, resume=True)
    assert set(attempts(output).values()) == {1}
    write_atlas_file(moved, atlases["second"])
    refused = run("batch", scans, "--protocol", moved, "-o", output, "--dry-run")
    assert refused.exit_code == 2 and "not with the protocol 'second'" in " ".join(refused.output.split())


def test_an_atlas_that_changes_under_a_study_is_not_used(planned, run_study, atlas, atlases, tmp_path):
    plan = planned(tmp_path / "out", atlas)
    write_atlas_file(atlas, atlases["second"])
    run_study(plan, tmp_path / "out")
    for state, reason in states(tmp_path / "out").values():
        assert state is State.SKIPPED and "has changed since the study was planned" in reason


def test_a_process_reads_an_atlas_again_that_has_changed(engine, atlas, atlases):
    before = engine.atlas(atlas)
    assert engine.atlas(atlas) is before
    write_atlas_file(atlas, atlases["second"])
    os.utime(atlas, (1, 1))
    assert engine.atlas(atlas).name == "second"


def test_a_bundled_protocol_is_chosen_for_each_scan(planned, run_study, scans, tmp_path):
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(scans / f"{FIRST}.nrrd", one)
    outcome = run_study(planned(tmp_path / "out", AUTOMATIC, one), tmp_path / "out")
    assert outcome.settings["protocol"] == AUTOMATIC and len(outcome.settings["atlas_sha256"]) == 2
    (scan,) = outcome.patients[0].scans
    assert scan.atlas_name in ("atlas abdomen", "atlas chest")
    assert f"The protocol '{scan.atlas_name.split()[1]}' was chosen" in scan.provenance["atlas"]["choice"]
    # a cube of 8 cm shows too little of a body to be sure of anything
    (unlike,) = scan.warnings
    assert "does not show what the protocol" in unlike
    assert {item.status for item in scan.items} == {"MISSING"}


def test_a_manifest_needs_no_roles(planned, scans, atlas, tmp_path):
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"patient,date,volume\nanna,2024-05-01,{scans / FIRST}.nrrd\n")
    plan = planned(tmp_path / "out", atlas, manifest)
    assert [scan.key for _patient, scan in plan] == ["anna/patient-001-followup-001"]
    manifest.write_text(f"patient,role,date,volume,landmarks\nanna,template,,{scans / FIRST}.nrrd,\n")
    with pytest.raises(UsageError, match="line 2, column role: with a protocol there is no template"):
        planned(tmp_path / "out", atlas, manifest)


def test_all_studies_of_a_dicom_tree_take_part(planned, atlas, two_patients, tmp_path):
    for date, name in (("20240105", "patient-001-baseline"), ("20240607", "patient-001-followup-001")):
        volume = Volume.read(two_patients / f"{name}.nrrd")
        write_series(tmp_path / "tree" / date, volume, SeriesHeader(date=date))
    plan = planned(tmp_path / "out", atlas, tmp_path / "tree")
    assert [scan.date for _patient, scan in plan] == ["2024-01-05", "2024-06-07"]
    assert plan.rule.endswith("The landmarks of the protocol are found in every study of every patient.")
    assert "template" not in plan.rule


def test_the_report_shows_the_scan_alone_and_names_the_patients_of_the_atlas(done, parsed, tmp_path):
    files = write_study_report(done, tmp_path)
    assert not files.without_pictures
    summary = parsed(files.summary.read_text(encoding="utf-8")).text
    assert ATTRIBUTION in summary and "CC0" in summary and "atlas first" in summary
    page = files.patients[0].read_text(encoding="utf-8")
    assert "scan, axial" in page and "template, axial" not in page and "In the template" not in page
    assert str(done.plan.protocol.files[0].parent) not in page


def test_the_results_are_exported_like_those_of_a_transfer(done, tmp_path):
    exported = run("study", "export", done.folder, "--format", "csv", "--format", "json", "-o", tmp_path)
    assert exported.exit_code == 0, exported.output
    rows = list(csv.DictReader((tmp_path / "transfer.csv").open()))
    assert {row["target"] for row in rows} == {
        f"{patient.patient}_{scan.scan.name}" for patient in done.patients for scan in patient.scans
    }
    assert {row["status"] for row in rows} <= {"FOUND", "DOUBTFUL", "MISSING"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--protocol", "knee"), "There is no protocol 'knee'"),
        (("--protocol", "chest", "--template", "t.nrrd", "--landmarks", "l.mrk.json"), "a protocol needs no template"),
        (("--protocol", "chest", "--landmarks", "l.mrk.json"), "a protocol needs no template"),
        (("--protocol", "gone.safetensors"), "There is no protocol"),
        (("--protocol", __file__), "not an atlas file, or damaged"),
        (("--protocol", "chest", "--model", "gone.safetensors"), "gone.safetensors"),
        ((), "or give a --protocol"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_before_anything_is_computed(scans, tmp_path, options, message):
    done = run("batch", scans, "-o", tmp_path / "out", *options)
    assert done.exit_code == 2
    assert message in " ".join(done.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_an_atlas_of_another_model_is_refused(scans, tmp_path):
    model = toy_model(tmp_path, SOLID, (2.0, 4.0))
    done = run("batch", scans, "-o", tmp_path / "out", "--protocol", "chest", "--model", model)
    assert done.exit_code == 2 and "holds vectors of another model" in done.output
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = run("batch", empty, "-o", tmp_path / "out", "--protocol", "chest")
    assert nothing.exit_code == 2 and "no DICOM series and no volume file" in nothing.output


def test_the_command_does_it_in_a_process_of_its_own(scans, atlas, study_cache, done, tmp_path):
    asked = (
        "batch",
        scans,
        "--protocol",
        atlas,
        "-o",
        tmp_path / "out",
        "--cache",
        study_cache,
        "--threads",
        1,
    )
    shown = run(*asked, "--dry-run")
    assert shown.exit_code == 0 and "4 scans of 2 patients, 4 to be done" in shown.output
    ended = run(*asked, "--device", "cpu")
    assert ended.exit_code == 0, ended.output
    assert table(tmp_path / "out") == table(done.folder)
