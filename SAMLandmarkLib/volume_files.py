"""Volumes from files: which reader takes which file, and what all formats must agree on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import VolumeError
from .geometry import affine_from_parts

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
_KINDS = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), or a folder that holds one DICOM series"


@dataclass(frozen=True)
class VolumeContents:
    """What a file says: `array [z, y, x]`, `ijk_to_lps` 4x4, the volume's name, and doubts about the header."""

    array: np.ndarray
    ijk_to_lps: np.ndarray
    name: str
    warnings: tuple[str, ...] = ()


def read_volume_file(path: Path) -> VolumeContents:
    """Read a volume of any supported format; VolumeError names the file and says what to do."""
    if not path.exists():
        raise VolumeError(f"{path} does not exist; check the path.")
    if path.is_dir():
        from .dicom import read_dicom_folder

        return VolumeContents(*read_dicom_folder(path), path.resolve().name)
    suffix = _suffix_of(path)
    if path.stat().st_size == 0:
        raise VolumeError(f"{path} is empty (0 bytes); copy or export it again.")
    name = path.name[: -len(suffix)]
    return VolumeContents(*_read_with_itk(path), name)


def _suffix_of(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise VolumeError(f"{path}: {path.suffix or 'no extension'} is not a volume format that can be read; give {_KINDS}.")


def _read_with_itk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise VolumeError(f"{path} can't be read: {error}") from error
    affine = affine_from_parts(image.GetOrigin(), image.GetSpacing(), image.GetDirection())
    return sitk.GetArrayFromImage(image), affine
