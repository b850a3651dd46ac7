"""Which files are volumes, found and named without reading them."""

from __future__ import annotations

from pathlib import Path

VOLUME_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")


def volume_files(folder: Path, recursive: bool = False) -> list[Path]:
    """The volume files in a folder, by name; with `recursive` those in its sub-folders too."""
    found = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(
        path
        for path in found
        if path.is_file() and path.name.lower().endswith(VOLUME_SUFFIXES) and not path.name.startswith(".")
    )


def volume_name(path: Path) -> str:
    """File name without the volume suffix.

    >>> volume_name(Path("scans/chest.1.nii.gz"))
    'chest.1'
    """
    suffix = next((suffix for suffix in VOLUME_SUFFIXES if path.name.lower().endswith(suffix)), "")
    return path.name[: len(path.name) - len(suffix)]
