"""The index of a tree of DICOM files, written with pydicom from the sample scans."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from dicom_files import SeriesHeader, ct_slice, write_series
from pydicom import Dataset, dcmread
from pydicom.fileset import FileSet

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.study.dicom_tree import DicomIndex, index_dicom_tree
from SAMLandmarkLib.utils.errors import UsageError, VolumeError

SLICES = 30


@pytest.fixture(scope="module")
def scan(sample_template: Volume) -> Volume:
    """A coarse piece of the sample's template of 30 slices, 1.5 mm apart."""
    return Volume(
        sample_template.array[:SLICES, ::8, ::8], sample_template.ijk_to_lps @ np.diag([8, 8, 1, 1])
    )


def the_only_series(index: DicomIndex):
    (series,) = index.series
    return series


def test_a_series_is_described_by_its_headers(scan: Volume, tmp_path: Path) -> None:
    header = SeriesHeader("ID 7", "20240501", 4, "Thorax 1.0 B30f")
    write_series(tmp_path / "a" / "b", scan, header)
    series = the_only_series(index_dicom_tree(tmp_path))
    assert (series.patient, series.date, series.number) == ("ID 7", "2024-05-01", 4)
    assert (series.description, series.study_description) == ("Thorax 1.0 B30f", "CT follow-up")
    assert (series.modality, series.image_type) == ("CT", ("ORIGINAL", "PRIMARY", "AXIAL"))
    assert (series.study_uid, series.series_uid) == (header.study_uid, header.series_uid)
    assert series.frame_of_reference_uid == header.frame_of_reference_uid
    assert series.spacing_mm == pytest.approx((12, 12, 1.5))
    assert series.extent_mm == pytest.approx(45)
    assert (series.slices, series.no_volume) == (SLICES, "")


def test_what_the_index_names_can_be_read(scan: Volume, tmp_path: Path) -> None:
    write_series(tmp_path, scan, SeriesHeader(number=2), "soft{}")
    write_series(tmp_path, scan, SeriesHeader(number=3), "sharp{}")
    for series in index_dicom_tree(tmp_path).series:
        volume = Volume.read_series(series.folder, series.files)
        assert np.array_equal(volume.array, scan.array)
        assert volume.ijk_to_lps == pytest.approx(scan.ijk_to_lps, abs=1e-4)


def test_series_come_by_patient_study_and_number_wherever_their_files_lie(
    scan: Volume, tmp_path: Path
) -> None:
    for number, header in enumerate(
        [
            SeriesHeader("B", "20240301", 2),
            SeriesHeader("A", "20240901", 2),
            SeriesHeader("A", "20240301", 10),
            SeriesHeader("A", "20240301", 9),
        ]
    ):
        write_series(tmp_path / str(number), scan, header)
    paths = sorted((tmp_path / "3").iterdir())
    (tmp_path / "disk 2").mkdir()
    for path in paths[::2]:
        path.rename(tmp_path / "disk 2" / path.name)
    index = index_dicom_tree(tmp_path)
    order = [(series.patient, series.date, series.number) for series in index.series]
    assert order == [
        ("A", "2024-03-01", 9),
        ("A", "2024-03-01", 10),
        ("A", "2024-09-01", 2),
        ("B", "2024-03-01", 2),
    ]
    assert index.series[0].folder == tmp_path
    assert index.series[0].slices == SLICES


def test_the_name_of_a_patient_is_kept_only_where_there_is_no_id(scan: Volume, tmp_path: Path) -> None:
    write_series(tmp_path / "id", scan, SeriesHeader("42"))
    nameless = {"PatientID": "", "PatientName": "Doe^Jane"}
    write_series(tmp_path / "name", scan, SeriesHeader("", "20240502", changes=nameless))
    neither = SeriesHeader("", "20240503", changes={"PatientID": "", "PatientName": ""})
    write_series(tmp_path / "neither", scan, neither)
    index = index_dicom_tree(tmp_path)
    assert {series.patient for series in index.series} == {
        "42",
        "Doe^Jane",
        f"no id, study {neither.study_uid}",
    }
    assert "Name^42" not in repr(index)


def test_other_and_damaged_files_are_named_and_do_no_harm(scan: Volume, tmp_path: Path) -> None:
    paths = write_series(tmp_path / "scan", scan)
    (tmp_path / "letter.txt").write_text("Dear colleague")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "short.dcm").write_bytes(paths[0].read_bytes()[:300])
    noise = np.random.default_rng(4)
    for number in range(40):
        content = bytearray(paths[0].read_bytes())
        for place in noise.integers(132, 1500, 20):
            content[place] = noise.integers(256)
        content[128:132] = b"DICM"
        (tmp_path / f"damaged{number}").write_bytes(content)
    (tmp_path / ".hidden").write_text("left by the file manager")
    index = index_dicom_tree(tmp_path)
    assert SLICES in [series.slices for series in index.series]
    assert {Path("letter.txt"), Path("empty.dcm"), Path("short.dcm")} < set(index.unreadable)
    assert Path(".hidden") not in index.unreadable


def test_a_dicomdir_is_not_looked_at(scan: Volume, tmp_path: Path) -> None:
    file_set = FileSet()
    for path in write_series(tmp_path / "scan", scan):
        file_set.add(path)
    file_set.write(tmp_path / "medium")
    shutil.rmtree(tmp_path / "scan")
    index = index_dicom_tree(tmp_path)
    assert (the_only_series(index).slices, index.unreadable) == (SLICES, ())


def test_files_without_preamble_are_found(scan: Volume, tmp_path: Path) -> None:
    for path in write_series(tmp_path, scan):
        bare = Dataset()
        bare.update(dcmread(path))
        bare.save_as(path, implicit_vr=True, little_endian=True)
        assert path.read_bytes()[128:132] != b"DICM"
    assert the_only_series(index_dicom_tree(tmp_path)).slices == SLICES


def test_a_number_that_is_none_does_not_cost_the_image(scan: Volume, tmp_path: Path) -> None:
    element, wrong = b"\x20\x00\x11\x00IS\x02\x003 ", b"\x20\x00\x11\x00IS\x02\x003A"
    for path in write_series(tmp_path, scan, SeriesHeader(number=3)):
        content = path.read_bytes()
        assert element in content
        path.write_bytes(content.replace(element, wrong))
    series = the_only_series(index_dicom_tree(tmp_path))
    assert (series.slices, series.number) == (SLICES, None)


def test_copies_of_an_image_are_used_once(scan: Volume, tmp_path: Path) -> None:
    write_series(tmp_path / "export", scan)
    shutil.copytree(tmp_path / "export", tmp_path / "export (1)")
    index = index_dicom_tree(tmp_path)
    assert the_only_series(index).slices == SLICES
    assert len(index.copies) == SLICES
    assert all(path.parent.name == "export (1)" for path in index.copies)


def test_an_image_with_the_uid_and_the_place_of_another_is_no_copy_where_its_bytes_differ(
    scan: Volume, tmp_path: Path
) -> None:
    first = write_series(tmp_path, scan)[4]
    other = dcmread(first)
    other.PixelData = bytes(len(other.PixelData))
    other.save_as(tmp_path / "other")
    shutil.copy(first, tmp_path / "same")
    index = index_dicom_tree(tmp_path)
    assert [path.name for path in index.copies] == ["same"]
    assert "lie in the same place" in the_only_series(index).no_volume
    with pytest.raises(VolumeError, match="lie in the same place"):
        Volume.read(tmp_path)


def test_images_that_were_given_the_same_uid_are_not_taken_for_copies(scan: Volume, tmp_path: Path) -> None:
    write_series(tmp_path, scan, SeriesHeader(changes={"SOPInstanceUID": "1.2.3"}))
    index = index_dicom_tree(tmp_path)
    assert (the_only_series(index).slices, index.copies) == (SLICES, ())


def test_links_are_followed_but_not_in_circles(scan: Volume, tmp_path: Path) -> None:
    write_series(tmp_path / "archive" / "scan", scan)
    tree = tmp_path / "tree"
    tree.mkdir()
    os.symlink(tmp_path / "archive", tree / "link")
    os.symlink(tmp_path / "archive", tree / "another link")
    os.symlink(tree, tmp_path / "archive" / "back")
    os.symlink(tmp_path / "nowhere", tree / "dangling")
    index = index_dicom_tree(tree)
    assert (the_only_series(index).slices, index.copies) == (SLICES, ())


def test_an_enhanced_file_is_listed_with_why_it_cannot_be_used(scan: Volume, tmp_path: Path) -> None:
    image = ct_slice(scan, 0, SeriesHeader(changes={"NumberOfFrames": 2}))
    image.PixelData = image.PixelData * 2
    image.save_as(tmp_path / "frames.dcm", enforce_file_format=True)
    assert "several frames each (enhanced DICOM)" in the_only_series(index_dicom_tree(tmp_path)).no_volume


def test_slices_that_are_no_even_stack_are_listed_with_why(scan: Volume, tmp_path: Path) -> None:
    for path in write_series(tmp_path, scan)[10:12]:
        path.unlink()
    series = the_only_series(index_dicom_tree(tmp_path))
    assert "gaps of 4.50 mm" in series.no_volume
    assert (series.slices, series.spacing_mm) == (SLICES - 2, None)


def test_progress_runs_to_its_end(scan: Volume, tmp_path: Path) -> None:
    write_series(tmp_path, scan)
    told: list[float] = []
    index_dicom_tree(tmp_path, lambda step, fraction: told.append(fraction))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)


def test_a_tree_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not a folder; give the one in which"):
        index_dicom_tree(tmp_path / "gone")
