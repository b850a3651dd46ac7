"""Bad volumes are refused, with the path, what was found in it, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from refused import refusal

from SAMLandmarkLib.core.volume import Volume
from SAMLandmarkLib.utils.errors import VolumeError

CtWriter = Callable[..., sitk.Image]


def ct_array(shape_kji: tuple[int, ...] = (12, 14, 16)) -> np.ndarray:
    return np.random.default_rng(5).integers(-1000, 1500, shape_kji).astype(np.int16)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "does not exist; check the path" in refusal(tmp_path / "absent.nii.gz")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    path.touch()
    assert "is empty (0 bytes); copy or export it again" in refusal(path)


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_file_that_is_cut_short_is_refused(
    write_ct: CtWriter, tmp_path: Path, suffix: str, kept: float
) -> None:
    path = tmp_path / f"scan{suffix}"
    write_ct(path)
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


def test_a_header_without_its_voxels_is_refused(write_ct: CtWriter, tmp_path: Path) -> None:
    write_ct(tmp_path / "scan.mhd")
    (tmp_path / "scan.raw").unlink()
    assert "the file with its voxels must lie beside it" in refusal(tmp_path / "scan.mhd")


def test_voxels_that_are_cut_short_beside_their_header_are_refused(
    write_ct: CtWriter, tmp_path: Path
) -> None:
    write_ct(tmp_path / "scan.mhd")
    voxels = tmp_path / "scan.raw"
    voxels.write_bytes(voxels.read_bytes()[:-6])
    with pytest.raises(VolumeError, match=f"{voxels} is cut short: 6 of 5376 bytes of voxels are missing"):
        Volume.read(tmp_path / "scan.mhd")


@pytest.mark.parametrize("name", ["scan.txt", "scan.gif", "scan.nii.zip", "scan"])
def test_an_extension_of_no_volume_format_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"hello")
    assert "NIfTI (.nii, .nii.gz), NRRD" in refusal(tmp_path / name)


@pytest.mark.parametrize("pretended", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_another_format_under_a_wrong_extension_is_refused(
    write_ct: CtWriter, tmp_path: Path, pretended: str
) -> None:
    true = ".mha" if pretended == ".nrrd" else ".nrrd"
    write_ct(tmp_path / f"scan{true}")
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
def test_too_few_slices_are_refused(
    write_ct: CtWriter, tmp_path: Path, suffix: str, shape: tuple[int, ...]
) -> None:
    path = tmp_path / f"scan{suffix}"
    write_ct(path, ct_array(shape))
    message = refusal(path)
    assert "x".join(str(size) for size in shape[::-1]) in message
    assert "at least 4 slices" in message


def test_a_two_dimensional_picture_is_refused(write_ct: CtWriter, tmp_path: Path) -> None:
    path = tmp_path / "scan.nrrd"
    write_ct(path, ct_array((14, 16)))
    assert "2-D with 16x14 voxels" in refusal(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_voxels_that_are_no_numbers_are_counted_and_placed(
    write_ct: CtWriter, tmp_path: Path, value: float
) -> None:
    array = ct_array().astype(np.float64)
    array[3, 4, 5] = array[7, 0, 0] = value
    write_ct(tmp_path / "scan.nrrd", array)
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


def test_axes_in_one_plane_are_refused(write_ct: CtWriter, tmp_path: Path) -> None:
    path = tmp_path / "scan.mhd"
    write_ct(path)
    text = path.read_text().replace("TransformMatrix = 1 0 0 0 1 0", "TransformMatrix = 1 0 0 1 0 0")
    path.write_text(text)
    assert "axes lie in one plane" in refusal(path)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_refusals_leave_the_terminal_clean(
    write_ct: CtWriter, tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture
) -> None:
    path = tmp_path / f"scan{suffix}"
    write_ct(path)
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
