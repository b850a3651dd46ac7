"""Volumes: where their voxels lie, what the file formats say, and which values are doubted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.core.geometry import CanonicalGrid, affine_from_parts
from SAMLandmarkLib.core.modality import CT
from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.utils.errors import VolumeWarning

CtWriter = Callable[..., sitk.Image]
SPACING = (0.7, 0.9, 2.5)
ORIGIN = (-120.5, 33.25, 840.0)


def ct_array() -> np.ndarray:
    return np.random.default_rng(5).integers(-1000, 1500, (12, 14, 16)).astype(np.int16)


# ---- Where voxels lie


def test_index_and_place_are_inverse_within_a_nanometre(direction: np.ndarray) -> None:
    volume = Volume(ct_array(), affine_from_parts(ORIGIN, SPACING, direction))
    points = np.random.default_rng(0).uniform(-2000, 2000, (400, 3))
    assert np.abs(volume.lps_from_index(volume.index_from_lps(points)) - points).max() < 1e-6
    index = np.random.default_rng(1).uniform(-100, 100, (4, 100, 3))
    assert np.abs(volume.index_from_lps(volume.lps_from_index(index)) - index).max() < 1e-6


def test_the_border_is_at_the_outer_edge_of_the_voxels(direction: np.ndarray) -> None:
    volume = Volume(ct_array(), affine_from_parts(ORIGIN, SPACING, direction))
    step_i, step_j, step_k = volume.spacing_mm
    index = [(0, 7, 6), (-0.5, 7, 6), (-1.5, 7, 6), (15, 7, 6), (8, 13.25, 6), (8, 7, 11.5), (8, 7, 12.5)]
    expected = [0.5 * step_i, 0, -step_i, 0.5 * step_i, 0.25 * step_j, 0, -step_k]
    points = volume.lps_from_index(index)
    assert volume.distance_to_border_mm(points) == pytest.approx(expected, abs=1e-9)
    assert volume.contains_lps(points)[[0, 2, 3, 4, 6]].tolist() == [True, False, True, True, False]


def test_a_point_without_position_is_in_no_volume() -> None:
    volume = Volume(ct_array(), np.eye(4))
    points = np.array([[np.nan] * 3, [5.0, 5.0, 5.0]])
    assert volume.contains_lps(points).tolist() == [False, True]
    assert np.isnan(volume.distance_to_border_mm(points)[0])


def test_the_canonical_copy_covers_the_volume_and_keeps_a_bright_spot_in_its_place(
    direction: np.ndarray,
) -> None:
    array = np.full((30, 40, 36), -1000, np.int16)
    array[14:17, 19:22, 17:20] = 1000
    volume = Volume(array, affine_from_parts(ORIGIN, (1.0, 1.1, 1.3), direction))
    canonical = volume.canonical(2.0)
    expected = CanonicalGrid.covering(volume.ijk_to_lps, volume.size_ijk, 2.0)
    assert canonical.grid.size_ijk == expected.size_ijk
    assert canonical.array.shape == expected.shape_kji
    mass = np.clip(canonical.array + 1000, 0, None)
    centre_kji = [(np.indices(mass.shape)[axis] * mass).sum() / mass.sum() for axis in range(3)]
    spot = volume.lps_from_index((18, 20, 15))
    assert np.linalg.norm(canonical.grid.lps_from_index(centre_kji[::-1]) - spot) < 0.2


# ---- File formats


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"])
def test_files_written_by_itk_come_back_the_same(
    write_ct: CtWriter, tmp_path: Path, axis_direction: np.ndarray, suffix: str
) -> None:
    image = write_ct(tmp_path / f"scan{suffix}", direction=axis_direction)
    volume = Volume.read(tmp_path / f"scan{suffix}")
    assert np.array_equal(volume.array, sitk.GetArrayFromImage(image))
    expected = affine_from_parts(image.GetOrigin(), image.GetSpacing(), image.GetDirection())
    # NIfTI keeps its map in float32.
    assert volume.ijk_to_lps == pytest.approx(expected, abs=1e-4)
    assert volume.size_ijk == image.GetSize()
    assert volume.spacing_mm == pytest.approx(SPACING, abs=1e-6)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_oblique_files_come_back_the_same(write_ct: CtWriter, tmp_path: Path, suffix: str) -> None:
    turn = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))[0]
    image = write_ct(tmp_path / f"scan{suffix}", direction=turn)
    expected = affine_from_parts(image.GetOrigin(), image.GetSpacing(), turn)
    assert Volume.read(tmp_path / f"scan{suffix}").ijk_to_lps == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_sheared_files_keep_their_shear(write_ct: CtWriter, tmp_path: Path, suffix: str) -> None:
    shear = np.array([[1.0, 0, 0], [0, 1, 0.3], [0, 0, 1]])
    image = write_ct(tmp_path / f"scan{suffix}", direction=shear)
    expected = affine_from_parts(image.GetOrigin(), image.GetSpacing(), shear)
    assert Volume.read(tmp_path / f"scan{suffix}").ijk_to_lps == pytest.approx(expected, abs=1e-6)


def test_name_and_source_come_from_the_path(write_ct: CtWriter, tmp_path: Path) -> None:
    path = tmp_path / "patient 7.baseline.NII.GZ"
    write_ct(tmp_path / "scan.nii.gz")
    (tmp_path / "scan.nii.gz").rename(path)
    volume = Volume.read(str(path))
    assert (volume.name, volume.source, volume.warnings) == ("patient 7.baseline", path, ())


def test_a_fourth_dimension_of_one_is_no_dimension(tmp_path: Path) -> None:
    path = tmp_path / "scan.nrrd"
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(ct_array())]), str(path))
    assert np.array_equal(Volume.read(path).array, ct_array())


def test_the_bundled_scan_on_its_own_grid_is_itself(sample_folder: Path) -> None:
    volume = Volume.read(sample_folder / "template.nii.gz")
    canonical = volume.canonical(1.5)
    assert np.array_equal(canonical.array, volume.array)
    assert canonical.grid.origin_lps == pytest.approx(volume.lps_from_index((0, 0, 0)), abs=1e-3)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([-1024, 3071], np.int32), np.int16),
        (np.array([0, 255], np.uint8), np.int16),
        (np.array([-1024, 40000], np.int32), np.float32),
        (np.array([0, 40000], np.uint16), np.float32),
        (np.array([-1024.5, 3071], np.float64), np.float32),
    ],
)
def test_voxels_are_kept_in_the_smaller_type_that_holds_them(values: np.ndarray, dtype: type) -> None:
    array = np.broadcast_to(values.repeat(2), (4, 4, 4))
    volume = Volume(array, np.eye(4))
    assert volume.array.dtype == dtype
    assert np.array_equal(volume.array, array)


# ---- What is doubted


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 1, "run from 0 to 1, as in a normalized image"),
        (0, 255, "run from 0 to 255, as in an 8-bit picture"),
        (0, 2400, "none negative, as in MR or in CT without its rescale intercept"),
        (-1000, 60, "no bone or contrast medium above 100"),
        (-150, 900, "no air below -200"),
        (7, 7, "every voxel is 7"),
    ],
)
def test_values_that_are_not_ct_are_doubted(
    write_ct: CtWriter, tmp_path: Path, low: int, high: int, words: str
) -> None:
    path = tmp_path / "scan.nii.gz"
    array = np.linspace(low, high, 12 * 14 * 16).reshape(12, 14, 16).astype(np.float32)
    write_ct(path, array)
    with pytest.warns(VolumeWarning, match=words) as caught:
        volume = Volume.read(path, modality=CT)
    assert str(path) in str(caught[0].message)
    assert len(volume.warnings) == 1
    assert words in volume.warnings[0]


def test_ct_is_not_doubted(sample_folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Volume.read(sample_folder / "template.nii.gz").warnings == ()
