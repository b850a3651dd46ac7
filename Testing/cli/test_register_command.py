"""The real `samlandmark register` on the bundled pair."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.core.landmarks import LandmarkSet


@pytest.fixture(scope="module")
def labels_of_followup(sample, tmp_path_factory):
    """A label map of the follow-up's bone and contrast medium."""
    image = sitk.ReadImage(str(sample / "followup.nii.gz"))
    path = tmp_path_factory.mktemp("labels") / "bright.nii.gz"
    sitk.WriteImage(sitk.Cast(image > 200, sitk.sitkUInt8) * 3, str(path))
    return path


@pytest.fixture(scope="module")
def labels_of_template(sample, tmp_path_factory):
    image = sitk.ReadImage(str(sample / "template.nii.gz"))
    path = tmp_path_factory.mktemp("labels") / "contour.nii.gz"
    sitk.WriteImage(sitk.Cast(image > 200, sitk.sitkUInt8) * 5, str(path))
    return path


@pytest.fixture(scope="module")
def registered(samlandmark, sample, labels_of_followup, labels_of_template, tmp_path_factory):
    """The folder that the command wrote, and the process."""
    folder = tmp_path_factory.mktemp("registered")
    scans = "--template", sample / "template.nii.gz", "--target", sample / "followup.nii.gz"
    more = (
        "--landmarks",
        sample / "template.mrk.json",
        "--apply",
        labels_of_followup,
        "--carry",
        labels_of_template,
    )
    done = samlandmark("register", *scans, "--output", folder, "--profile", "fast", *more, "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_every_file_is_written_and_named(registered):
    folder, document = registered
    names = {
        "template_to_target.h5",
        "target_to_template.h5",
        "registration.json",
        "registered.nrrd",
        "registration.png",
        "landmarks_in_target.mrk.json",
        "bright_in_template.nrrd",
        "contour_in_target.nrrd",
    }
    assert {path.name for path in folder.iterdir()} == names
    assert {path.rsplit("/", 1)[-1] for path in document["files"]} == names


def test_the_report_tells_how_regular_the_map_is(registered):
    folder, document = registered
    report = json.loads((folder / "registration.json").read_text())
    assert report["format"] == "samlandmark-registration"
    assert report["quality"]["folded_percent"] <= 0.1
    assert report["quality"]["inverse_error_median_mm"] <= 0.5
    assert report["settings"]["profile"] == "fast"
    assert report["quality"] == document["quality"]


def test_landmarks_images_and_transform_agree(registered, sample):
    """The points that were carried are those of the transform, and near the true ones."""
    folder, _ = registered
    template = LandmarkSet.read(sample / "template.csv", csv_frame="LPS")
    truth = LandmarkSet.read(sample / "followup.csv", csv_frame="LPS")
    carried = LandmarkSet.read(folder / "landmarks_in_target.mrk.json").positions_lps
    transform = sitk.ReadTransform(str(folder / "template_to_target.h5"))
    through = np.array([transform.TransformPoint(point) for point in template.positions_lps.tolist()])
    shown = np.isfinite(carried).all(axis=1)
    assert shown.mean() > 0.8
    np.testing.assert_allclose(carried[shown], through[shown], atol=0.01)
    assert np.linalg.norm(carried - truth.positions_lps, axis=1)[shown].mean() < 3.5


def test_the_registered_scan_is_the_target_seen_through_the_transform(registered, sample):
    folder, _ = registered
    target = sitk.ReadImage(str(sample / "followup.nii.gz"))
    template = sitk.ReadImage(str(sample / "template.nii.gz"))
    transform = sitk.ReadTransform(str(folder / "template_to_target.h5"))
    expected = sitk.GetArrayFromImage(sitk.Resample(target, template, transform, sitk.sitkLinear, -1024))
    found = sitk.ReadImage(str(folder / "registered.nrrd"))
    np.testing.assert_allclose(found.GetOrigin(), template.GetOrigin(), atol=1e-4)
    inner = (slice(5, -5),) * 3
    assert np.abs(sitk.GetArrayFromImage(found).astype(float) - expected)[inner].mean() < 1.0


def test_labels_are_carried_both_ways(registered, sample):
    folder, _ = registered
    bright = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "bright_in_template.nrrd")))
    contour = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "contour_in_target.nrrd")))
    assert set(np.unique(bright)) == {0, 3} and set(np.unique(contour)) == {0, 5}
    for carried, name in ((bright, "template"), (contour, "followup")):
        own = sitk.GetArrayFromImage(sitk.ReadImage(str(sample / f"{name}.nii.gz"))) > 200
        assert carried.shape == own.shape
        both = 2 * (own & (carried > 0)).sum() / (own.sum() + (carried > 0).sum())
        # vessels and bone in two phases of contrast: 0.54 was measured, of few voxels and thin structures
        assert both > 0.5


def test_an_unrelated_scan_is_refused_and_nothing_is_written(samlandmark, sample, tmp_path):
    noise = sitk.GetImageFromArray(
        np.random.default_rng(0).integers(-200, 200, (40, 50, 50)).astype(np.int16)
    )
    noise.SetSpacing((3.0, 3.0, 3.0))
    sitk.WriteImage(noise, str(tmp_path / "noise.nrrd"))
    done = samlandmark(
        "register", "-t", sample / "template.nii.gz", "-f", tmp_path / "noise.nrrd", "-o", tmp_path / "out"
    )
    assert done.returncode == 1
    assert "same part of the body" in done.stderr and "Traceback" not in done.stderr
    assert not list((tmp_path / "out").glob("*.h5"))


def test_a_single_slice_is_refused(samlandmark, sample, tmp_path):
    image = sitk.ReadImage(str(sample / "followup.nii.gz"))[:, :, 10:11]
    sitk.WriteImage(image, str(tmp_path / "slice.nii.gz"))
    done = samlandmark(
        "register", "-t", sample / "template.nii.gz", "-f", tmp_path / "slice.nii.gz", "-o", tmp_path / "out"
    )
    assert done.returncode == 2
    assert "slice" in done.stderr and "Traceback" not in done.stderr
