"""The study date of a scan, where its files tell it."""

from __future__ import annotations

import re
from pathlib import Path

_STUDY_DATE = "0008|0020"


def date_of_folder(folder: Path) -> str | None:
    """The study date, like "2024-05-31", of the first DICOM image in a folder; None where it has none."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            continue
        text = reader.GetMetaData(_STUDY_DATE) if reader.HasMetaDataKey(_STUDY_DATE) else ""
        match = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text.strip())
        return "-".join(match.groups()) if match else None
    return None
