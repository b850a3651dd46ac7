"""Exams of several series: grouped by frame of reference, and told what cannot be used and why."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from SAMLandmarkLib.core.geometry import LPS_FROM_RAS
from SAMLandmarkLib.core.planes import SlicePlane, signed_distance_mm, trace_of
from SAMLandmarkLib.io.dicom_slices import SliceLabels, write_slice
from SAMLandmarkLib.io.exams import read_exams, view_of
from SAMLandmarkLib.utils.errors import UsageError

REAL = Path(__file__).parents[3] / "shared" / "data" / "planes" / "exams"
# Where the left ventricle lies on a short-axis slice: file, pixel (column, row) of its middle and its outer radius in mm,
# read off the pictures; and the views that must cut it. The second two-chamber view of patient1 is the right ventricle's.
LONG_AXES = {"two chambers", "four chambers", "four chambers 2", "three chambers"}
LEFT_VENTRICLE = {
    "cmrplan_056B": ("Series0005_4.dcm", (85.0, 90.0), 36.0, LONG_AXES),
    "bivme_patient1": ("Se11_frame00.dcm", (136.0, 100.0), 28.0, LONG_AXES - {"three chambers"}),
}


def oblique(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(np.linalg.qr(rng.normal(size=(3, 3)))[0].T)


def write_stack(folder: Path, patient: str, view: str, axes, count: int, number: int = 1) -> list[SlicePlane]:
    u, v, w = axes
    folder.mkdir(parents=True, exist_ok=True)
    planes = [SlicePlane(k * 8.0 * w - 20 * u - 15 * v, 1.5 * u, 2.0 * v, 16, 24) for k in range(count)]
    for index, plane in enumerate(planes):
        values = np.arange(16 * 24).reshape(16, 24) - 100 + index
        write_slice(
            folder / f"{view}-{index}.dcm", values, plane, SliceLabels(patient, view, number, 7.0), index + 1
        )
    return planes


def test_slices_come_back_as_they_were_written(tmp_path):
    written = write_stack(tmp_path / "a", "P1", "SAX", oblique(np.random.default_rng(1)), 4)
    (exam,) = read_exams(tmp_path).exams
    (series,) = exam.series
    assert (exam.name, series.view, series.thickness_mm) == ("P1", "short axis", 7.0)
    assert exam.summary() == "P1: short axis (4)"
    for plane, part in zip(written, series.slices):
        assert np.abs(plane.grid_lps() - part.plane.grid_lps()).max() < 1e-9
    assert series.slices[2].values[3, 5] == 3 * 24 + 5 - 100 + 2


def test_distances_of_files_are_those_of_the_planes(tmp_path):
    rng = np.random.default_rng(3)
    hosts = write_stack(tmp_path, "P1", "SAX", oblique(rng), 3)
    guides = write_stack(tmp_path, "P1", "4CH", oblique(rng), 1, 2)
    short, long = read_exams(tmp_path).exams[0].series
    for host, part in zip(hosts, short.slices):
        given = signed_distance_mm(part.plane, long.slices[0].plane)
        assert np.abs(given - signed_distance_mm(host, guides[0])).max() < 1e-6


def test_series_are_grouped_by_frame_of_reference(tmp_path):
    axes = oblique(np.random.default_rng(1))
    write_stack(tmp_path / "one", "P1", "SAX", axes, 3)
    write_stack(tmp_path / "one", "P1", "4CH", axes[::-1], 1, 2)
    write_stack(tmp_path / "two", "P2", "SAX", axes, 3)
    moved = tmp_path / "one" / "SAX-0.dcm"
    dataset = pydicom.dcmread(moved)
    dataset.FrameOfReferenceUID, dataset.SOPInstanceUID = "1.2.3", "1.2.3.4"
    dataset.save_as(tmp_path / "one" / "later.dcm")
    found = read_exams(tmp_path)
    assert [exam.name for exam in found.exams] == ["P1 (1)", "P1 (2)", "P2"]
    sizes = {exam.name: [len(series.slices) for series in exam.series] for exam in found.exams}
    assert sizes == {"P1 (1)": [1], "P1 (2)": [3, 1], "P2": [3]} or sizes == {
        "P1 (1)": [3, 1],
        "P1 (2)": [1],
        "P2": [3],
    }
    assert found.notes == ()


def test_series_of_one_view_that_are_not_parallel_are_two(tmp_path):
    u, v, w = oblique(np.random.default_rng(1))
    write_stack(tmp_path / "a", "P1", "SAX", (u, v, w), 3)
    write_stack(tmp_path / "b", "P1", "SAX", (u, w, v), 2, number=2)
    (exam,) = read_exams(tmp_path).exams
    assert {series.view: len(series.slices) for series in exam.series} == {"short axis": 3, "short axis 2": 2}


def test_what_cannot_be_used_is_told(tmp_path):
    write_stack(tmp_path, "P1", "SAX", np.eye(3), 3)
    dataset = pydicom.dcmread(tmp_path / "SAX-0.dcm")
    del dataset.ImagePositionPatient
    dataset.SOPInstanceUID = "1.2.3"
    dataset.save_as(tmp_path / "nowhere.dcm")
    (tmp_path / "twice.dcm").write_bytes((tmp_path / "SAX-2.dcm").read_bytes())
    (tmp_path / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"rubbish")
    cut = (tmp_path / "SAX-1.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(cut[:-100])
    found = read_exams(tmp_path)
    notes = " ".join(found.notes)
    assert "nowhere.dcm does not say where it lies" in notes
    assert "broken.dcm" in notes and "cut.dcm" in notes
    assert "twice.dcm is a copy of another file" in notes
    assert len(found.exams[0].series[0].slices) == 3
    with pytest.raises(UsageError, match="neither DICOM files nor NIfTI"):
        (tmp_path / "empty").mkdir()
        read_exams(tmp_path / "empty")
    with pytest.raises(UsageError, match="no folder"):
        read_exams(tmp_path / "none")


def write_nifti(path: Path, ijk_to_lps: np.ndarray, size=(24, 16, 5)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.arange(np.prod(size), dtype=np.int16).reshape(size)
    nibabel.save(nibabel.Nifti1Image(values, LPS_FROM_RAS @ ijk_to_lps), path)


def test_nifti_stacks_of_a_folder_are_one_exam(tmp_path):
    u, v, w = oblique(np.random.default_rng(4))
    affine = np.eye(4)
    affine[:3] = np.column_stack([1.5 * u, 2.0 * v, 8.0 * w, [3.0, -7.0, 20.0]])
    write_nifti(tmp_path / "P1" / "sax.nii.gz", affine)
    write_nifti(tmp_path / "P1" / "4ch.nii.gz", affine[:, [0, 2, 1, 3]], (24, 16, 1))
    write_nifti(tmp_path / "P1" / "sax_mask.nii.gz", affine)
    write_nifti(tmp_path / "alone.nii.gz", affine)
    found = read_exams(tmp_path)
    by_name = {exam.name: exam for exam in found.exams}
    assert {name: [series.view for series in exam.series] for name, exam in by_name.items()} == {
        "P1": ["four chambers", "short axis"],
        "alone": ["stack"],
    }
    assert "sax_mask.nii.gz is a mask by its name" in found.notes[0]
    part = by_name["P1"].series[1].slices[3]
    assert np.abs(part.plane.lps_of(np.array([5, 7])) - (affine @ [5, 7, 3, 1])[:3]).max() < 1e-4
    assert part.values[7, 5] == np.arange(24 * 16 * 5).reshape(24, 16, 5)[5, 7, 3]
    assert by_name["P1"].series[1].thickness_mm == pytest.approx(8.0, abs=1e-4)


@pytest.mark.parametrize(
    ("description", "view"),
    [
        ("cine_trufi_retro 2CH", "two chambers"),
        ("TF Cine Retro_iPAT 4C", "four chambers"),
        ("TF Cine Retro_iPAT LVOT", "three chambers"),
        ("trufi_2-chamber", "two chambers"),
        ("TF Cine Retro_iPAT SAO", "short axis"),
        ("T1 Sag  KNEE", "t1 sag knee"),
        ("", "no description"),
    ],
)
def test_views_are_known_by_their_descriptions(description, view):
    assert view_of(description) == view


@pytest.mark.skipif(not REAL.is_dir(), reason="the real exams are not here")
def test_every_long_axis_of_a_real_exam_cuts_the_left_ventricle():
    for folder, (name, middle, radius_mm, views) in LEFT_VENTRICLE.items():
        (exam,) = read_exams(REAL / folder).exams
        parts = {part.name: part.plane for series in exam.series for part in series.slices}
        host = parts[name]
        heart = host.lps_of(np.array(middle))
        checked = set()
        for series in exam.series:
            if series.view not in views:
                continue
            for guide in series.planes:
                ends = host.lps_of(trace_of(host, guide))
                along = ends[0] + np.linspace(0, 1, 500)[:, None] * (ends[1] - ends[0])
                assert np.linalg.norm(along - heart, axis=1).min() < radius_mm, series.view
                checked.add(series.view)
        assert checked == views
