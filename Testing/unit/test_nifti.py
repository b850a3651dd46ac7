"""NIfTI headers in all their variants, against ITK where ITK reads them right."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMLandmarkLib.core.geometry import LPS_FROM_RAS, affine_from_parts
from SAMLandmarkLib.io.nifti import read_nifti_header
from SAMLandmarkLib.io.voxel_bytes import read_voxels
from SAMLandmarkLib.utils.errors import VolumeError

ARRAY = np.random.default_rng(2).integers(-1000, 1500, (6, 7, 8)).astype(np.int16)
TURN = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
# Byte offsets in a NIfTI-1 header.
DATATYPE, PIXDIM, VOX_OFFSET, SLOPE, UNITS, QFORM_CODE, SFORM_CODE, SFORM = (
    70,
    80,
    108,
    112,
    123,
    252,
    254,
    280,
)


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    header = read_nifti_header(path)
    return read_voxels(header), header.ijk_to_lps, header.doubts


def write_nifti(path: Path, direction: np.ndarray = TURN, **patches: bytes) -> sitk.Image:
    """A file as ITK writes it (sform and qform, both scanner), then with bytes of its header replaced."""
    image = sitk.GetImageFromArray(ARRAY)
    image.SetSpacing((0.7, 0.9, 2.5))
    image.SetOrigin((-120.5, 33.25, 840.0))
    image.SetDirection(direction.ravel().tolist())
    sitk.WriteImage(image, str(path))
    content = bytearray(path.read_bytes())
    for place, data in patches.items():
        offset = globals()[place]
        content[offset : offset + len(data)] = data
    path.write_bytes(content)
    return image


def affine_of(image: sitk.Image) -> np.ndarray:
    return affine_from_parts(image.GetOrigin(), image.GetSpacing(), image.GetDirection())


def packed_sform(ijk_to_lps: np.ndarray) -> bytes:
    return struct.pack("<12f", *(LPS_FROM_RAS @ ijk_to_lps)[:3].ravel())


def test_a_file_of_itk_has_one_geometry_and_no_doubts(tmp_path: Path) -> None:
    image = write_nifti(tmp_path / "a.nii")
    array, ijk_to_lps, doubts = read_nifti(tmp_path / "a.nii")
    assert np.array_equal(array, ARRAY)
    assert ijk_to_lps == pytest.approx(affine_of(image), abs=1e-4)
    assert doubts == ()


@pytest.mark.parametrize("handedness", [1, -1])
@pytest.mark.parametrize(("qform", "sform"), [(1, 0), (0, 1), (2, 2), (1, 4)])
def test_either_form_alone_or_both_say_the_place(
    tmp_path: Path, qform: int, sform: int, handedness: int
) -> None:
    path = tmp_path / "a.nii"
    direction = TURN * (1, 1, handedness)
    codes = {"QFORM_CODE": struct.pack("<h", qform), "SFORM_CODE": struct.pack("<h", sform)}
    image = write_nifti(path, direction, **codes)
    _, ijk_to_lps, doubts = read_nifti(path)
    assert ijk_to_lps == pytest.approx(affine_of(image), abs=1e-4)
    assert doubts == ()


@pytest.mark.parametrize("sform_code", [1, 2, 4])
def test_where_the_forms_differ_the_choice_is_that_of_itk(tmp_path: Path, sform_code: int) -> None:
    path = tmp_path / "a.nii"
    other = affine_from_parts((10, 20, 30), (0.7, 0.9, 2.5), np.eye(3))
    write_nifti(path, SFORM=packed_sform(other), SFORM_CODE=struct.pack("<h", sform_code))
    _, ijk_to_lps, doubts = read_nifti(path)
    assert ijk_to_lps == pytest.approx(affine_of(sitk.ReadImage(str(path))), abs=1e-4)
    if sform_code == 1:
        assert "two geometries that are up to" in doubts[0]


@pytest.mark.parametrize("qform_code", [0, 1])
def test_a_sheared_sform_keeps_its_shear(tmp_path: Path, qform_code: int) -> None:
    path = tmp_path / "a.nii"
    sheared = affine_from_parts((10, 20, 30), (0.7, 0.9, 2.5), TURN @ [[1, 0, 0], [0, 1, 0.3], [0, 0, 1]])
    pixdim = struct.pack("<fff", *np.linalg.norm(sheared[:3, :3], axis=0))
    write_nifti(path, SFORM=packed_sform(sheared), PIXDIM=pixdim, QFORM_CODE=struct.pack("<h", qform_code))
    _, ijk_to_lps, doubts = read_nifti(path)
    assert ijk_to_lps == pytest.approx(sheared, abs=1e-4)
    # A qform can't say shear, so that the two can't agree.
    assert len(doubts) == qform_code


def test_spacing_that_contradicts_the_sform_is_doubted(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    doubled = affine_from_parts((-120.5, 33.25, 840.0), (1.4, 1.8, 5.0), TURN)
    write_nifti(path, SFORM=packed_sform(doubled), QFORM_CODE=struct.pack("<h", 0))
    _, ijk_to_lps, doubts = read_nifti(path)
    assert ijk_to_lps == pytest.approx(doubled, abs=1e-4)
    assert "two geometries" in doubts[0]


def test_a_header_without_place_is_doubted(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    write_nifti(path, QFORM_CODE=struct.pack("<hh", 0, 0))
    _, ijk_to_lps, doubts = read_nifti(path)
    assert ijk_to_lps == pytest.approx(affine_of(sitk.ReadImage(str(path))), abs=1e-4)
    assert "left and right may be swapped" in doubts[0]


@pytest.mark.parametrize(("unit", "millimetres"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)])
def test_units_are_turned_into_millimetres(tmp_path: Path, unit: int, millimetres: float) -> None:
    path = tmp_path / "a.nii"
    image = write_nifti(path, UNITS=bytes([unit]))
    _, ijk_to_lps, _ = read_nifti(path)
    assert ijk_to_lps[:3] == pytest.approx(affine_of(image)[:3] * millimetres, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_scalar_type_is_read(tmp_path: Path, dtype: str) -> None:
    array = np.random.default_rng(2).integers(0, 100, (6, 7, 8)).astype(dtype)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "a.nii.gz"))
    read = read_nifti(tmp_path / "a.nii.gz")[0]
    assert read.dtype == dtype
    assert np.array_equal(read, array)


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    write_nifti(path, SLOPE=struct.pack("<ff", 0.5, -24.0))
    assert np.array_equal(read_nifti(path)[0], ARRAY * 0.5 - 24)
    assert np.array_equal(read_nifti(path)[0], sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_a_slope_that_says_nothing_is_none(tmp_path: Path, slope: float) -> None:
    path = tmp_path / "a.nii"
    write_nifti(path, SLOPE=struct.pack("<ff", slope, 5.0))
    assert np.array_equal(read_nifti(path)[0], ARRAY)


def nifti_2_fields(order: str) -> dict[int, bytes]:
    """The fields of a NIfTI-2 header of ARRAY by byte offset."""
    sform = LPS_FROM_RAS @ affine_from_parts((-120.5, 33.25, 840.0), (0.7, 0.9, 2.5), TURN)
    return {
        0: struct.pack(f"{order}i8s", 540, b"n+2\0\r\n\032\n"),
        12: struct.pack(f"{order}hh8q", 4, 16, 3, *ARRAY.shape[::-1], 1, 1, 1, 1),
        104: struct.pack(f"{order}8d", 1, 0.7, 0.9, 2.5, 1, 1, 1, 1),
        168: struct.pack(f"{order}qdd", 544, 1.0, 0.0),
        344: struct.pack(f"{order}ii", 0, 1),
        400: struct.pack(f"{order}12d", *sform[:3].ravel()),
        500: struct.pack(f"{order}i", 2),
    }


@pytest.mark.parametrize("order", ["<", ">"])
def test_nifti_2_is_read_in_either_byte_order(tmp_path: Path, order: str) -> None:
    content = bytearray(544)
    for offset, data in nifti_2_fields(order).items():
        content[offset : offset + len(data)] = data
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(content) + ARRAY.astype(f"{order}i2").tobytes()))
    array, ijk_to_lps, doubts = read_nifti(tmp_path / "a.nii.gz")
    assert np.array_equal(array, ARRAY)
    assert array.dtype.isnative
    expected = affine_from_parts((-120.5, 33.25, 840.0), (0.7, 0.9, 2.5), TURN)
    assert ijk_to_lps == pytest.approx(expected, abs=1e-9)
    assert doubts == ()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_whether_it_is_zipped_is_seen_and_not_believed(tmp_path: Path, suffix: str) -> None:
    other = ".nii.gz" if suffix == ".nii" else ".nii"
    sitk.WriteImage(sitk.GetImageFromArray(ARRAY), str(tmp_path / f"a{suffix}"))
    (tmp_path / f"a{suffix}").rename(tmp_path / f"b{other}")
    assert np.array_equal(read_nifti(tmp_path / f"b{other}")[0], ARRAY)


@pytest.mark.parametrize(
    ("patches", "words"),
    [
        ({"PIXDIM": struct.pack("<fff", 0.7, 0.0, 2.5)}, "spacing is 0.7 x 0 x 2.5 mm"),
        ({"PIXDIM": struct.pack("<fff", 0.7, np.nan, 2.5)}, "spacing is 0.7 x nan x 2.5 mm"),
        ({"DATATYPE": struct.pack("<h", 128)}, "its voxels are colours"),
        ({"DATATYPE": struct.pack("<h", 32)}, "its voxels are of NIfTI type 32"),
    ],
)
def test_headers_that_are_no_ct_are_refused(tmp_path: Path, patches: dict[str, bytes], words: str) -> None:
    path = tmp_path / "a.nii"
    write_nifti(path, **patches)
    with pytest.raises(VolumeError, match=words) as caught:
        read_nifti(path)
    assert str(path) in str(caught.value)


def test_a_damaged_size_asks_for_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    write_nifti(path)
    content = bytearray(path.read_bytes())
    content[42:48] = struct.pack("<hhh", 32000, 32000, 32000)
    path.write_bytes(content)
    with pytest.raises(VolumeError, match="cut short"):
        read_nifti(path)


@pytest.mark.parametrize("place", [np.nan, np.inf, -1000.0, 1e30])
def test_a_damaged_place_of_the_voxels_is_refused(tmp_path: Path, place: float) -> None:
    path = tmp_path / "a.nii"
    write_nifti(path, VOX_OFFSET=struct.pack("<f", place))
    with pytest.raises(VolumeError, match=r"its voxels start at byte|cut short") as caught:
        read_nifti(path)
    assert str(path) in str(caught.value)


def test_one_wrong_byte_in_a_zipped_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(ARRAY), str(path))
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(VolumeError, match="damaged"):
        read_nifti(path)
