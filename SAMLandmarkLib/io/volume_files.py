"""Volumes from files: which reader takes which format, and the checks that all of them go through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..core.modality import recognised
from ..core.plausibility import check_geometry
from ..core.volume_contents import VolumeContents
from ..utils.errors import VolumeError
from .image_header import ImageHeader, check_voxel_bytes
from .metaimage import read_metaimage_header
from .nifti import read_nifti_header
from .nrrd import read_nrrd_header
from .volume_paths import PICTURE_SUFFIXES, RADIOGRAPH_SUFFIXES, printable
from .voxel_bytes import read_voxels

_HEADER_READERS: dict[str, Callable[[Path], ImageHeader]] = {
    ".nii.gz": read_nifti_header,
    ".nii": read_nifti_header,
    ".nrrd": read_nrrd_header,
    ".nhdr": read_nrrd_header,
    ".mha": read_metaimage_header,
    ".mhd": read_metaimage_header,
}
_PAIR_SUFFIXES = (".hdr", ".img")
_KINDS = (
    "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), a folder with one DICOM series, or a radiograph "
    "(.dcm, .png, .jpg, .tif)"
)


def read_volume_file(
    path: Path, series: Sequence[str] = (), pixel_spacing_mm: float | None = None
) -> VolumeContents:
    """Read a volume or a radiograph of any supported format; VolumeError names the file and says what to do.

    `series` holds numbers or UIDs of DICOM series, for folders that hold several; `pixel_spacing_mm` is of radiographs
    whose files don't tell it.
    """
    with _readable(path):
        if path.is_file() and path.name.lower().endswith(RADIOGRAPH_SUFFIXES):
            return _read_radiograph(path, pixel_spacing_mm)
        return _read(path, series, pixel_spacing_mm)


def read_series_files(folder: Path, files: Sequence[str]) -> VolumeContents:
    """Read the DICOM series whose slices are `files`, relative to `folder`; VolumeError as above."""
    from .dicom import read_dicom_files

    with _readable(folder):
        array, ijk_to_lps, doubts, modality = read_dicom_files(folder, files)
        return VolumeContents(array, ijk_to_lps, folder.resolve().name, doubts, modality)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise VolumeError(
            f"{path} can't be read: {error.strerror}; check the permissions and the disk."
        ) from error
    except MemoryError as error:
        raise VolumeError(
            f"{path} needs more memory than there is; close other programs, or give a part of the volume."
        ) from error


def _read_radiograph(path: Path, pixel_spacing_mm: float | None) -> VolumeContents:
    from .radiographs import read_dicom_file, read_picture

    if path.stat().st_size == 0:
        raise VolumeError(f"{path} is empty (0 bytes); copy or export it again.")
    read = read_picture if path.name.lower().endswith(PICTURE_SUFFIXES) else read_dicom_file
    return read(path, pixel_spacing_mm)


def _read(path: Path, series: Sequence[str], pixel_spacing_mm: float | None) -> VolumeContents:
    if not path.exists():
        raise VolumeError(f"{path} does not exist; check the path.")
    if path.is_dir():
        return _read_folder(path, series, pixel_spacing_mm)
    header = read_image_header(path)
    array = read_voxels(header)
    name = printable(path.name[: -len(_suffix_of(path))])
    return VolumeContents(array, header.ijk_to_lps, name, header.doubts, recognised(array).name)


def _read_folder(path: Path, series: Sequence[str], pixel_spacing_mm: float | None) -> VolumeContents:
    from .dicom import read_slices
    from .dicom_series import slices_of_folder
    from .radiographs import is_radiograph, read_dicom_file

    name, files = printable(path.resolve().name), slices_of_folder(path, series)
    if is_radiograph(files):
        return replace(read_dicom_file(files[0].path, pixel_spacing_mm), name=name)
    array, ijk_to_lps, doubts, modality = read_slices(files, path)
    return VolumeContents(array, ijk_to_lps, name, doubts, modality)


def read_image_header(path: Path) -> ImageHeader:
    """The checked header of an image file of any supported format; VolumeError where it can't be believed.

    It announces how many bytes the voxels will take, and no voxel is read.
    """
    header = check_voxel_bytes(_header(path))
    check_geometry(header.ijk_to_lps, header.size_ijk, str(path))
    return header


def announced_bytes(path: Path) -> int:
    """How many bytes the voxels of an image file will take, as its header says; VolumeError where it is damaged."""
    with _readable(path):
        if path.name.lower().endswith(RADIOGRAPH_SUFFIXES):
            from .radiographs import announced_radiograph_bytes

            return announced_radiograph_bytes(path)
        return _header(path).voxel_bytes


def _header(path: Path) -> ImageHeader:
    suffix = _suffix_of(path)
    if not path.is_file():
        raise VolumeError(f"{path} is no ordinary file; give {_KINDS}.")
    if path.stat().st_size == 0:
        raise VolumeError(f"{path} is empty (0 bytes); copy or export it again.")
    return _HEADER_READERS[suffix](path)


def _suffix_of(path: Path) -> str:
    for suffix in _HEADER_READERS:
        if path.name.lower().endswith(suffix):
            return suffix
    if path.suffix.lower() in _PAIR_SUFFIXES:
        raise VolumeError(
            f"{path}: pairs of .hdr and .img (Analyze, or NIfTI in two files) can't be read; convert the scan to .nii.gz, "
            "for example with 3D Slicer."
        )
    raise VolumeError(f"{path}: {path.suffix or 'no extension'} is not a volume format; give {_KINDS}.")
