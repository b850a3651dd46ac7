"""Volumes from files: which reader takes which format, and NRRD and MetaImage through ITK."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import VolumeError
from .geometry import affine_from_parts
from .metaimage import check_voxels
from .nifti import read_nifti
from .volume_checks import check_spacing, checked_affine, sizes_text

if TYPE_CHECKING:
    import SimpleITK as sitk

_NIFTI_SUFFIXES = (".nii.gz", ".nii")
_ITK_SUFFIXES = {".nrrd": "NRRD", ".nhdr": "NRRD", ".mha": "MetaImage", ".mhd": "MetaImage"}
_KINDS = (
    "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), or a folder with one DICOM series"
)


@dataclass(frozen=True)
class VolumeContents:
    """What a file says: `array [z, y, x]`, 4x4 `ijk_to_lps`, the volume's name, and doubts about it."""

    array: np.ndarray
    ijk_to_lps: np.ndarray
    name: str
    doubts: tuple[str, ...] = ()


def read_volume_file(path: Path) -> VolumeContents:
    """Read a volume of any supported format; VolumeError names the file and says what to do."""
    with _readable(path):
        return _read(path)


def read_series_files(folder: Path, files: Sequence[str]) -> VolumeContents:
    """Read the DICOM series whose slices are `files`, relative to `folder`; VolumeError as above."""
    from .dicom import read_dicom_files

    with _readable(folder):
        array, ijk_to_lps, doubts = read_dicom_files(folder, files)
        return VolumeContents(array, ijk_to_lps, folder.resolve().name, doubts)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise VolumeError(
            f"{path} can't be read: {error.strerror}; check the permissions and the disk."
        ) from error


def _read(path: Path) -> VolumeContents:
    if not path.exists():
        raise VolumeError(f"{path} does not exist; check the path.")
    if path.is_dir():
        from .dicom import read_dicom_folder

        array, ijk_to_lps, doubts = read_dicom_folder(path)
        return VolumeContents(array, ijk_to_lps, path.resolve().name, doubts)
    suffix = _suffix_of(path)
    name = path.name[: -len(suffix)]
    if path.stat().st_size == 0:
        raise VolumeError(f"{path} is empty (0 bytes); copy or export it again.")
    if suffix in _NIFTI_SUFFIXES:
        array, ijk_to_lps, doubts = read_nifti(path)
        return VolumeContents(array, ijk_to_lps, name, doubts)
    array, ijk_to_lps = _read_with_itk(path, _ITK_SUFFIXES[suffix])
    return VolumeContents(array, ijk_to_lps, name)


def _suffix_of(path: Path) -> str:
    for suffix in (*_NIFTI_SUFFIXES, *_ITK_SUFFIXES):
        if path.name.lower().endswith(suffix):
            return suffix
    raise VolumeError(f"{path}: {path.suffix or 'no extension'} is not a volume format; give {_KINDS}.")


def _read_with_itk(path: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    if kind == "MetaImage":
        check_voxels(path)
    try:
        reader.ReadImageInformation()
        ijk_to_lps = _checked_header(reader, path)
        # Of a volume with more than three dimensions, all others of size 1, only the volume.
        reader.SetExtractSize([*reader.GetSize()[:3], *[0] * (reader.GetDimension() - 3)])
        return sitk.GetArrayFromImage(reader.Execute()), ijk_to_lps
    except RuntimeError as error:
        beside = "; the file with its voxels must lie beside it" if path.suffix in (".mhd", ".nhdr") else ""
        raise VolumeError(
            f"{path} can't be read as {kind}: it is cut short, damaged or another format{beside}; copy or "
            "export it again."
        ) from error


def _checked_header(reader: sitk.ImageFileReader, path: Path) -> np.ndarray:
    size, dimension = reader.GetSize(), reader.GetDimension()
    if reader.GetNumberOfComponents() > 1:
        raise VolumeError(
            f"{path}: its voxels hold {reader.GetNumberOfComponents()} numbers each, as in RGB pictures; "
            "give a CT volume with one number in each voxel."
        )
    if dimension < 3 or any(count > 1 for count in size[3:]):
        raise VolumeError(f"{path}: it is {dimension}-D with {sizes_text(size)} voxels; give one 3-D volume.")
    check_spacing(reader.GetSpacing()[:3], str(path))
    direction = np.reshape(reader.GetDirection(), (dimension, dimension))[:3, :3]
    return checked_affine(
        affine_from_parts(reader.GetOrigin()[:3], reader.GetSpacing()[:3], direction), str(path)
    )
