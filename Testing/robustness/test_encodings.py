"""The same image in every encoding that is read gives the same points."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

if (folder := str(Path(__file__).parents[1] / "study")) not in sys.path:
    sys.path.insert(0, folder)

from dicom_files import write_series

from SAMLandmarkLib.core.geometry import LPS_FROM_RAS
from SAMLandmarkLib.core.landmarks import LandmarkSet
from SAMLandmarkLib.core.volume import Volume

SAME_MM = 0.1
HALF_MM = 48.0


def piece(volume: Volume, middle_lps: np.ndarray) -> Volume:
    """What lies around a point, as int16."""
    low, high = (volume.index_from_lps(middle_lps + side * HALF_MM).round().astype(int) for side in (-1, 1))
    low, high = np.minimum(low, high).clip(0), np.maximum(low, high)
    affine = volume.ijk_to_lps.copy()
    affine[:3, 3] = volume.lps_from_index(low)
    (i, j, k), (i_end, j_end, k_end) = low, high
    return Volume(np.ascontiguousarray(volume.array[k:k_end, j:j_end, i:i_end]), affine, "piece")


def nifti(
    path: Path, volume: Volume, kind=nibabel.Nifti1Image, order="<", codes=(1, 1), dtype=np.int16
) -> Path:
    header = kind.header_class(endianness=order)
    affine = LPS_FROM_RAS @ volume.ijk_to_lps
    image = kind(volume.array.T.astype(dtype), affine, header, dtype=dtype)
    image.set_sform(affine, codes[0])
    image.set_qform(affine, codes[1])
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
    return path


def scaled_nifti(path: Path, volume: Volume) -> Path:
    image = nibabel.Nifti1Image(volume.array.T, LPS_FROM_RAS @ volume.ijk_to_lps)
    image.header.set_data_dtype(np.int16)
    stored = nibabel.Nifti1Image((volume.array.T + np.int16(1000)), image.affine, image.header)
    stored.header.set_slope_inter(1.0, -1000.0)
    stored.to_filename(path)
    content = bytearray(path.read_bytes())
    header = nibabel.Nifti1Header(bytes(content[:348]))
    header["scl_slope"], header["scl_inter"] = 1.0, -1000.0
    content[:348] = header.binaryblock
    path.write_bytes(bytes(content))
    return path


def nrrd_file(
    path: Path, volume: Volume, encoding="raw", space="left-posterior-superior", factor=1.0, **more
) -> Path:
    signs = np.diag({"l": [1.0, 1, 1], "r": [-1.0, -1, 1]}[space[0]])
    header = {
        "space": space,
        "space directions": (signs @ volume.ijk_to_lps[:3, :3]).T * factor,
        "space origin": signs @ volume.ijk_to_lps[:3, 3] * factor,
        "encoding": encoding,
        **more,
    }
    nrrd.write(str(path), volume.array.T, header, detached_header=path.suffix == ".nhdr")
    return path


def itk(path: Path, volume: Volume, compressed: bool = False, dtype=np.int16) -> Path:
    image = sitk.GetImageFromArray(volume.array.astype(dtype))
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetOrigin(volume.ijk_to_lps[:3, 3].tolist())
    image.SetDirection((volume.ijk_to_lps[:3, :3] / volume.spacing_mm).ravel().tolist())
    sitk.WriteImage(image, str(path), compressed)
    return path


def msb_metaimage(path: Path, volume: Volume) -> Path:
    content = itk(path, volume).read_bytes()
    head, voxels = content[: -volume.array.nbytes], content[-volume.array.nbytes :]
    assert b"BinaryDataByteOrderMSB = False" in head
    swapped = np.frombuffer(voxels, "<i2").astype(">i2").tobytes()
    path.write_bytes(head.replace(b"ByteOrderMSB = False", b"ByteOrderMSB = True") + swapped)
    return path


def dicom(path: Path, volume: Volume, syntax: str | None = None) -> Path:
    for file in write_series(path, volume):
        if syntax is not None:
            image = pydicom.dcmread(file)
            if syntax == RLELossless:
                image.compress(RLELossless)
                image.save_as(file)
            else:
                image.file_meta.TransferSyntaxUID = syntax
                image.save_as(file, implicit_vr=True, little_endian=True)
    return path


def reversed_axes(volume: Volume) -> Volume:
    """The same image with its voxels in the other order along i and k, and a header that says so."""
    affine = volume.ijk_to_lps @ np.diag([-1.0, 1.0, -1.0, 1.0])
    affine[:3, 3] = volume.lps_from_index(np.array(volume.size_ijk) * (1, 0, 1) - (1, 0, 1))
    return Volume(np.ascontiguousarray(volume.array[::-1, :, ::-1]), affine, volume.name)


ENCODINGS: dict[str, Callable[[Path, Volume], Path]] = {
    "NIfTI": lambda folder, volume: nifti(folder / "a.nii", volume),
    "NIfTI gzipped": lambda folder, volume: nifti(folder / "a.nii.gz", volume),
    "NIfTI qform alone": lambda folder, volume: nifti(folder / "a.nii", volume, codes=(0, 1)),
    "NIfTI sform alone": lambda folder, volume: nifti(folder / "a.nii", volume, codes=(2, 0)),
    "NIfTI-2, big-endian": lambda folder, volume: nifti(folder / "a.nii", volume, nibabel.Nifti2Image, ">"),
    "NIfTI of real numbers": lambda folder, volume: nifti(folder / "a.nii.gz", volume, dtype=np.float64),
    "NIfTI rescaled": lambda folder, volume: scaled_nifti(folder / "a.nii", volume),
    "NRRD raw": lambda folder, volume: nrrd_file(folder / "a.nrrd", volume),
    "NRRD gzipped, RAS": lambda folder, volume: nrrd_file(
        folder / "a.nrrd", volume, "gzip", "right-anterior-superior"
    ),
    "NRRD as text": lambda folder, volume: nrrd_file(folder / "a.nrrd", volume, "ascii"),
    "NRRD detached": lambda folder, volume: nrrd_file(folder / "a.nhdr", volume, "gzip"),
    "NRRD in cm": lambda folder, volume: nrrd_file(
        folder / "a.nrrd", volume, factor=0.1, **{"space units": ["cm", "cm", "cm"]}
    ),
    "MetaImage": lambda folder, volume: itk(folder / "a.mha", volume),
    "MetaImage compressed": lambda folder, volume: itk(folder / "a.mha", volume, compressed=True),
    "MetaImage detached": lambda folder, volume: itk(folder / "a.mhd", volume),
    "MetaImage of real numbers": lambda folder, volume: itk(folder / "a.mha", volume, True, np.float32),
    "MetaImage, high byte first": lambda folder, volume: msb_metaimage(folder / "a.mha", volume),
    "DICOM": lambda folder, volume: dicom(folder / "a", volume),
    "DICOM, implicit": lambda folder, volume: dicom(folder / "a", volume, ImplicitVRLittleEndian),
    "DICOM, run lengths": lambda folder, volume: dicom(folder / "a", volume, RLELossless),
    "axes reversed": lambda folder, volume: itk(folder / "a.mha", reversed_axes(volume)),
}


@pytest.fixture(scope="module")
def target(sample_followup: Volume, sample_truth: LandmarkSet) -> Volume:
    return piece(sample_followup, np.nanmean(sample_truth.positions_lps[:3], axis=0))


@pytest.fixture(scope="module")
def points(engine, sample_template, sample_landmarks) -> Callable[[Volume], np.ndarray]:
    """A function that finds landmarks of a piece of the sample's template in a volume."""
    around = piece(sample_template, np.mean(sample_landmarks.positions_lps[:3], axis=0))
    landmarks = LandmarkSet([item for item in sample_landmarks if around.contains_lps(item.position_lps)])
    template = engine.embed(around)

    def find(volume: Volume) -> np.ndarray:
        nowhere = np.full(3, np.nan)
        found = engine.transfer(template, landmarks, engine.embed(volume))
        return np.array([nowhere if item.position_lps is None else item.position_lps for item in found])

    return find


@pytest.fixture(scope="module")
def expected(points, target) -> np.ndarray:
    found = points(target)
    assert np.isfinite(found).all(axis=1).sum() >= 3
    return found


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_same_image_gives_the_same_points(points, target, expected, tmp_path, encoding):
    path = ENCODINGS[encoding](tmp_path, target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        volume = Volume.read(path)
    found = points(volume)
    assert (np.isnan(found) == np.isnan(expected)).all()
    assert np.nanmax(np.linalg.norm(found - expected, axis=1)) <= SAME_MM
