"""Every wrong input gets a message that says what and where, and leaves nothing half-written."""

from __future__ import annotations

import json
import resource
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from SAMLandmarkLib.cli import app
from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.io.landmark_files import write_markups

HEADER = "label,x,y,z\n"


def empty(path):
    path.write_bytes(b"")


def truncated(path):
    small_scan(path)
    path.write_bytes(path.read_bytes()[:5000])


def four_dimensional(path):
    frame = sitk.Image([20, 20, 20], sitk.sitkInt16)
    sitk.WriteImage(sitk.JoinSeries([frame, frame]), str(path))


def coloured(path):
    sitk.WriteImage(sitk.Image([20, 20, 20], sitk.sitkVectorUInt8, 3), str(path))


def one_slice(path):
    sitk.WriteImage(sitk.Image([64, 64, 1], sitk.sitkInt16) - 1000, str(path))


def not_a_number(path):
    values = np.zeros((20, 20, 20), np.float32)
    values[3, 4, 5] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path))


def not_a_scan(path):
    path.write_text("these are words")


def small_scan(path):
    """Noise between -1000 and 500 HU: as a file all is right with it."""
    values = np.random.default_rng(0).integers(-1000, 500, (40, 40, 40), dtype=np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path))


# What makes the file, its name, and what the message must mention besides the name.
BAD_SCANS = [
    (empty, "empty.nii.gz", "empty"),
    (truncated, "truncated.nii.gz", ""),
    (not_a_scan, "letter.docx", "docx"),
    (not_a_scan, "words.nii.gz", ""),
    (four_dimensional, "moving.nii.gz", "20"),
    (coloured, "coloured.nii.gz", ""),
    (one_slice, "slice.nii.gz", "64"),
    (not_a_number, "nan.nii.gz", "1"),
]


@pytest.fixture(scope="module")
def bad_targets(transfer, sample, tmp_path_factory):
    """One run over all bad scans, the template itself and one good scan: (process, output folder)."""
    folder = tmp_path_factory.mktemp("bad")
    targets = [folder / "missing.nii.gz", sample / "template.nii.gz"]
    for make, name, _ in BAD_SCANS:
        make(folder / name)
        targets.append(folder / name)
    output = folder / "results"
    return transfer(output, [*targets, sample / "followup.nii.gz"]), output


@pytest.mark.parametrize(("name", "mention"), [(name, mention) for _, name, mention in BAD_SCANS])
def test_a_bad_target_is_a_failure_whose_message_names_it(bad_targets, name, mention):
    process, output = bad_targets
    failure = _failure_of(output, name)
    assert name in failure["message"] and mention in failure["message"]
    assert failure["message"] in process.stderr.replace("\n", "")


def test_a_target_that_does_not_exist_is_a_failure(bad_targets):
    assert "does not exist" in _failure_of(bad_targets[1], "missing.nii.gz")["message"]


def test_the_template_as_target_is_refused(bad_targets):
    message = _failure_of(bad_targets[1], "template.nii.gz")["message"]
    assert "is the template itself" in message and "another scan" in message


def test_one_bad_scan_stops_no_other(bad_targets):
    process, output = bad_targets
    assert process.returncode == 1 and "Traceback" not in process.stderr
    written = {path.name for path in output.iterdir()}
    assert written == {"followup.mrk.json", "transfer.csv", "transfer.json"}


@pytest.mark.parametrize(("make", "name", "mention"), BAD_SCANS)
def test_a_bad_template_ends_the_run_with_2_and_writes_nothing(sample, tmp_path, make, name, mention):
    make(tmp_path / name)
    result = _transfer(sample, tmp_path / "out", template=tmp_path / name)
    assert result.exit_code == 2
    message = result.stderr.replace("\n", "")
    assert name in message and mention in message
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "mention"),
    [
        (HEADER, "no landmarks"),
        (HEADER + "carina,1,2,3\ncarina,4,5,6\n", "carina"),
        (HEADER + "carina,1,2,nan\n", "carina.csv"),
        (HEADER + "carina,1,two,3\n", "two"),
        ("label,x,y\ncarina,1,2\n", "z"),
        ("", "empty"),
    ],
    ids=["none", "duplicates", "not finite", "garbled", "column missing", "empty file"],
)
def test_bad_landmarks_end_the_run_with_2(sample, tmp_path, content, mention):
    landmarks = tmp_path / "carina.csv"
    landmarks.write_text(content)
    result = _transfer(sample, tmp_path / "out", "--csv-frame", "LPS", landmarks=landmarks)
    assert result.exit_code == 2
    assert "carina.csv" in result.stderr and mention in result.stderr


def test_a_csv_without_its_frame_ends_the_run_with_2(sample, tmp_path):
    result = _transfer(sample, tmp_path / "out", landmarks=sample / "template.csv")
    assert result.exit_code == 2 and "--csv-frame LPS" in result.stderr


def test_a_message_is_also_json_where_json_is_asked_for(sample, tmp_path):
    result = _transfer(sample, tmp_path / "out", "--json", landmarks=sample / "template.csv")
    error = json.loads(result.stdout)
    assert (error["exit_code"], error["kind"]) == (2, "UsageError") and "--csv-frame" in error["error"]


def test_an_unwritable_output_folder_is_found_before_anything_is_read(tmp_path):
    (tmp_path / "file").write_text("")
    result = _transfer(tmp_path / "no-sample", tmp_path / "file" / "out")
    assert result.exit_code == 2 and str(tmp_path / "file" / "out") in result.stderr.replace("\n", "")


@pytest.mark.parametrize(
    ("options", "mention"),
    [
        (["--model", "{folder}/model.pt"], "model.pt"),
        (["--model", "{folder}/none.pt"], "none.pt"),
        (["--device", "abacus"], "abacus"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--max-memory", "lots"], "lots"),
        (["--max-memory", "0G"], "0G"),
        (["--csv-frame", "XYZ"], "XYZ"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_options_end_the_run_with_2(sample, tmp_path, options, mention):
    (tmp_path / "model.pt").write_bytes(b"no model")
    result = _transfer(sample, tmp_path / "out", *(option.format(folder=tmp_path) for option in options))
    assert result.exit_code == 2
    assert mention in result.stderr


def test_a_target_given_twice_ends_the_run_with_2(sample, tmp_path):
    result = _transfer(sample, tmp_path / "out", "--target", str(sample / "followup.nii.gz"))
    assert result.exit_code == 2 and "twice" in result.stderr


def test_landmarks_that_the_results_would_overwrite_are_kept(sample, tmp_path):
    landmarks = tmp_path / "followup.mrk.json"
    shutil.copy(sample / "template.mrk.json", landmarks)
    result = _transfer(sample, tmp_path, landmarks=landmarks)
    assert result.exit_code == 2 and "overwritten" in result.stderr
    assert landmarks.read_bytes() == (sample / "template.mrk.json").read_bytes()


def test_points_outside_the_template_and_undefined_points_are_missing_with_a_reason(
    transfer, sample, tmp_path
):
    inside = LandmarkSet.read(sample / "template.mrk.json")[0].position_lps
    positions = np.array([inside, [5000.0, 0.0, 0.0], [np.nan] * 3])
    write_markups(tmp_path / "points.mrk.json", ["inside", "far away", "not placed"], positions)
    process = transfer(
        tmp_path / "out", [sample / "followup.nii.gz"], "--landmarks", tmp_path / "points.mrk.json", "--json"
    )
    assert process.returncode == 0, process.stderr
    assert "far away" in process.stderr
    by_label = {item["label"]: item for item in json.loads(process.stdout)["targets"][0]["landmarks"]}
    assert by_label["inside"]["status"] != "MISSING"
    assert (by_label["far away"]["status"], by_label["far away"]["reason"]) == ("MISSING", "outside template")
    assert by_label["not placed"]["status"] == "MISSING" and by_label["not placed"]["reason"]
    assert by_label["not placed"]["position_lps"] is None


def test_landmarks_that_are_all_outside_bring_a_warning_about_their_frame(transfer, sample, tmp_path):
    (tmp_path / "ras.csv").write_text(HEADER + "somewhere,7,900,-316\n")
    process = transfer(
        tmp_path / "out",
        [sample / "followup.nii.gz"],
        "--landmarks",
        tmp_path / "ras.csv",
        "--csv-frame",
        "RAS",
    )
    assert process.returncode == 0, process.stderr
    assert "LPS or RAS" in process.stderr


def test_values_that_are_no_hounsfield_units_are_told_as_what_they_look_like(transfer, tmp_path):
    values = np.random.default_rng(0).random((40, 40, 40), dtype=np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "normalised.nii.gz"))
    process = transfer(tmp_path / "refused", [tmp_path / "normalised.nii.gz"])
    assert process.returncode == 1
    assert "normalised is of the modality Brain MR" in process.stderr and "--modality" in process.stderr
    process = transfer(tmp_path / "out", [tmp_path / "normalised.nii.gz"], "--modality", "ct")
    assert process.returncode == 0, process.stderr
    assert "Warning" in process.stderr and "normalised.nii.gz" in process.stderr
    assert "Traceback" not in process.stderr


def test_a_disk_that_takes_no_more_leaves_nothing_half_written(transfer, sample, tmp_path):
    def allow_small_files_only():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    process = transfer(tmp_path / "out", [sample / "followup.nii.gz"], preexec_fn=allow_small_files_only)
    assert process.returncode == 1
    assert "followup.mrk.json can't be written" in process.stderr.replace("\n", "")
    assert "Traceback" not in process.stderr
    assert all(path.stat().st_size < 4000 for path in (tmp_path / "out").iterdir())
    assert not (tmp_path / "out" / "followup.mrk.json").exists()


def test_running_out_of_memory_on_one_scan_stops_no_other(sample, tmp_path, monkeypatch):
    shutil.copy(sample / "followup.nii.gz", tmp_path / "huge.nii.gz")
    read = Volume.read

    def read_within_memory(path, *more):
        if path.name == "huge.nii.gz":
            raise MemoryError("Unable to allocate 96 GiB")
        return read(path, *more)

    monkeypatch.setattr(Volume, "read", read_within_memory)
    result = _transfer(sample, tmp_path / "out", "--target", str(tmp_path / "huge.nii.gz"))
    assert result.exit_code == 1
    assert "not enough memory" in _failure_of(tmp_path / "out", "huge.nii.gz")["message"]
    assert (tmp_path / "out" / "followup.mrk.json").exists()


def _failure_of(output, file_name):
    report = json.loads((output / "transfer.json").read_text())
    return next(failure for failure in report["failures"] if failure["source"].endswith(file_name))


def _transfer(sample, output, *options, template=None, landmarks=None):
    """The command inside this process: enough where no model is needed."""
    arguments = ["transfer", "--template", template or sample / "template.nii.gz"]
    arguments += ["--landmarks", landmarks or sample / "template.mrk.json"]
    arguments += ["--target", sample / "followup.nii.gz", "--output", output, *options]
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
