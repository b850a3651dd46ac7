"""Which files are volumes, found and named without reading them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

VOLUME_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Of radiographs that were saved as pictures."""
DICOM_SUFFIXES = (".dcm", ".dicom")
RADIOGRAPH_SUFFIXES = PICTURE_SUFFIXES + DICOM_SUFFIXES
"""Of files that hold a radiograph each."""


def volume_files(folder: Path, recursive: bool = False) -> list[Path]:
    """The volume files in a folder, by name, or where it has none its radiographs; `recursive`: also in sub-folders."""
    found = sorted(folder.rglob("*") if recursive else folder.iterdir())
    return files_ending(found, VOLUME_SUFFIXES) or files_ending(found, RADIOGRAPH_SUFFIXES)


def files_ending(paths: list[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Those of the paths that are files, not hidden, whose names end in one of the suffixes."""
    return [
        path
        for path in paths
        if path.name.lower().endswith(suffixes) and path.is_file() and not path.name.startswith(".")
    ]


def printable(name: str) -> str:
    r"""A file's name with signs that no page and no table can show replaced, as names on old discs have them.

    >>> printable("M\udcfcller")
    'M_ller'
    """
    return "".join("_" if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in name)


def volume_name(path: Path) -> str:
    """File name without the volume suffix.

    >>> volume_name(Path("scans/chest.1.nii.gz"))
    'chest.1'
    """
    known = VOLUME_SUFFIXES + RADIOGRAPH_SUFFIXES
    suffix = next((suffix for suffix in known if path.name.lower().endswith(suffix)), "")
    return path.name[: len(path.name) - len(suffix)]
