"""Volumes: where their voxels lie, what the file formats say, and what is refused with which words."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.errors import VolumeError, VolumeWarning
from SAMLandmarkLib.geometry import CanonicalGrid, affine_from_parts
from SAMLandmarkLib.volume import Volume

SPACING = (0.7, 0.9, 2.5)
ORIGIN = (-120.5, 33.25, 840.0)


def ct_array(shape_kji: tuple[int, ...] = (12, 14, 16)) -> np.ndarray:
    return np.random.default_rng(5).integers(-1000, 1500, shape_kji).astype(np.int16)


def write_image(
    path: Path, array: np.ndarray | None = None, direction: np.ndarray | None = None
) -> sitk.Image:
    image = sitk.GetImageFromArray(ct_array() if array is None else array)
    if image.GetDimension() == 3:
        image.SetOrigin(ORIGIN)
        image.SetSpacing(SPACING)
        image.SetDirection(np.ravel(np.eye(3) if direction is None else direction).tolist())
    sitk.WriteImage(image, str(path))
    return image


@pytest.fixture
def ct_file(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nii.gz"
    write_image(path)
    return path


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
    tmp_path: Path, axis_direction: np.ndarray, suffix: str
) -> None:
    image = write_image(tmp_path / f"scan{suffix}", direction=axis_direction)
    volume = Volume.read(tmp_path / f"scan{suffix}")
    assert np.array_equal(volume.array, sitk.GetArrayFromImage(image))
    expected = affine_from_parts(image.GetOrigin(), image.GetSpacing(), image.GetDirection())
    # NIfTI keeps its map in float32.
    assert volume.ijk_to_lps == pytest.approx(expected, abs=1e-4)
    assert volume.size_ijk == image.GetSize()
    assert volume.spacing_mm == pytest.approx(SPACING, abs=1e-6)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_oblique_files_come_back_the_same(tmp_path: Path, suffix: str) -> None:
    turn = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))[0]
    image = write_image(tmp_path / f"scan{suffix}", direction=turn)
    expected = affine_from_parts(image.GetOrigin(), image.GetSpacing(), turn)
    assert Volume.read(tmp_path / f"scan{suffix}").ijk_to_lps == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_sheared_files_keep_their_shear(tmp_path: Path, suffix: str) -> None:
    shear = np.array([[1.0, 0, 0], [0, 1, 0.3], [0, 0, 1]])
    image = write_image(tmp_path / f"scan{suffix}", direction=shear)
    expected = affine_from_parts(image.GetOrigin(), image.GetSpacing(), shear)
    assert Volume.read(tmp_path / f"scan{suffix}").ijk_to_lps == pytest.approx(expected, abs=1e-6)


def test_name_and_source_come_from_the_path(tmp_path: Path) -> None:
    path = tmp_path / "patient 7.baseline.NII.GZ"
    write_image(tmp_path / "scan.nii.gz")
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


# ---- What is refused, and what it says


def refusal(path: Path) -> str:
    """The message with which reading `path` is refused; it must name the path and what to do about it."""
    with pytest.raises(VolumeError) as caught:
        Volume.read(path)
    message = str(caught.value)
    assert str(path) in message
    assert ";" in message or "." in message.removesuffix(".").replace(str(path), "")
    return message


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "does not exist; check the path" in refusal(tmp_path / "absent.nii.gz")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    path.touch()
    assert "is empty (0 bytes); copy or export it again" in refusal(path)


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"scan{suffix}"
    write_image(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert "cut short" in refusal(path)


def test_a_compressed_metaimage_that_is_cut_short_or_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.mha"
    sitk.WriteImage(sitk.GetImageFromArray(ct_array()), str(path), useCompression=True)
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    assert "cut short" in refusal(path)
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    assert "damaged" in refusal(path)


def test_a_header_without_its_voxels_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "scan.mhd")
    (tmp_path / "scan.raw").unlink()
    assert "the file with its voxels must lie beside it" in refusal(tmp_path / "scan.mhd")


@pytest.mark.parametrize("name", ["scan.txt", "scan.jpg", "scan.nii.zip", "scan"])
def test_an_extension_of_no_volume_format_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"hello")
    assert "NIfTI (.nii, .nii.gz), NRRD" in refusal(tmp_path / name)


@pytest.mark.parametrize("pretended", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_another_format_under_a_wrong_extension_is_refused(tmp_path: Path, pretended: str) -> None:
    true = ".mha" if pretended == ".nrrd" else ".nrrd"
    write_image(tmp_path / f"scan{true}")
    path = (tmp_path / f"scan{true}").rename(tmp_path / f"scan{pretended}")
    assert "another format" in refusal(path)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_four_dimensions_are_refused_with_their_sizes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(ct_array())] * 3), str(path))
    message = refusal(path)
    assert "4-D with 16x14x12x3 voxels" in message
    assert "give one 3-D volume" in message


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_colours_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    channel = sitk.GetImageFromArray(ct_array())
    sitk.WriteImage(sitk.Cast(sitk.Compose([channel] * 3), sitk.sitkVectorUInt8), str(path))
    assert "one number in each voxel" in refusal(path)


@pytest.mark.parametrize("shape", [(1, 14, 16), (3, 14, 16), (12, 14, 2)])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_too_few_slices_are_refused(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    path = tmp_path / f"scan{suffix}"
    write_image(path, ct_array(shape))
    message = refusal(path)
    assert "x".join(str(size) for size in shape[::-1]) in message
    assert "at least 4 slices" in message


def test_a_two_dimensional_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.nrrd"
    write_image(path, ct_array((14, 16)))
    assert "2-D with 16x14 voxels" in refusal(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted_and_placed(tmp_path: Path, value: float) -> None:
    array = ct_array().astype(np.float32)
    array[3, 4, 5] = array[7, 0, 0] = value
    write_image(tmp_path / "scan.nrrd", array)
    message = refusal(tmp_path / "scan.nrrd")
    assert "2 voxels are NaN or infinite, the first at index (i, j, k) = (5, 4, 3)" in message
    assert "replace them" in message


@pytest.mark.parametrize("spacing", ["0", "1e-9"])
@pytest.mark.parametrize("suffix", [".mhd", ".nrrd"])
def test_a_spacing_of_zero_is_refused(tmp_path: Path, suffix: str, spacing: str) -> None:
    path = tmp_path / f"scan{suffix}"
    image = sitk.GetImageFromArray(ct_array())
    image.SetSpacing((0.5, 0.25, 2.5))
    sitk.WriteImage(image, str(path))
    content = path.read_bytes()
    assert content.count(b"0.25") == 1
    path.write_bytes(content.replace(b"0.25", spacing.encode()))
    message = refusal(path)
    assert f"0.5 x {float(spacing):g} x 2.5 mm" in message
    assert "correct the header" in message


def test_axes_in_one_plane_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.mhd"
    write_image(path)
    text = path.read_text().replace("TransformMatrix = 1 0 0 0 1 0", "TransformMatrix = 1 0 0 1 0 0")
    path.write_text(text)
    assert "axes lie in one plane" in refusal(path)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd"])
def test_refusals_leave_the_terminal_clean(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture) -> None:
    path = tmp_path / f"scan{suffix}"
    write_image(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refusal(path)
    assert capfd.readouterr() == ("", "")


def test_an_array_that_is_no_volume_is_refused_by_name() -> None:
    with pytest.raises(VolumeError, match=r"follow-up: .*type complex128"):
        Volume(np.zeros((5, 5, 5), complex), np.eye(4), "follow-up")
    with pytest.raises(VolumeError, match=r"follow-up: .*4 dimensions of 8x7x6x5"):
        Volume(np.zeros((5, 6, 7, 8)), np.eye(4), "follow-up")
    with pytest.raises(VolumeError, match=r"follow-up: .*finite 4x4 affine"):
        Volume(np.zeros((5, 5, 5)), np.full((4, 4), np.nan), "follow-up")


# ---- What is doubted


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 1, "run from 0 to 1, as in a normalised image"),
        (0, 255, "run from 0 to 255, as in an 8-bit picture"),
        (0, 2400, "none negative, as in MR or in CT without its rescale intercept"),
        (-1000, 60, "no bone or contrast medium above 100"),
        (-150, 900, "no air below -200"),
        (7, 7, "every voxel is 7"),
    ],
)
def test_values_that_are_not_ct_are_doubted(tmp_path: Path, low: int, high: int, words: str) -> None:
    path = tmp_path / "scan.nii.gz"
    array = np.linspace(low, high, 12 * 14 * 16).reshape(12, 14, 16).astype(np.float32)
    write_image(path, array)
    with pytest.warns(VolumeWarning, match=words) as caught:
        volume = Volume.read(path)
    assert str(path) in str(caught[0].message)
    assert len(volume.warnings) == 1
    assert words in volume.warnings[0]


def test_ct_is_not_doubted(sample_folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Volume.read(sample_folder / "template.nii.gz").warnings == ()
