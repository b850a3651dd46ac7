"""A registration on disk: transforms, resampled images, and `registration.json`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .. import __version__
from ..core.transforms import itk_image
from ..core.volume import Volume
from ..io.result_files import to_json
from ..utils.errors import OutputError
from ..utils.files import atomic_path, create_folder, write_atomically
from .registration import Registration

TRANSFORM_NAME, INVERSE_NAME = "template_to_target.h5", "target_to_template.h5"
REPORT_NAME = "registration.json"
REGISTRATION_FORMAT = "samlandmark-registration"


def write_registration(directory: str | os.PathLike, registration: Registration) -> list[Path]:
    """Write both transforms and `registration.json` into a folder; returns the files. Raises OutputError."""
    folder = create_folder(directory)
    registration.transform.write(folder / TRANSFORM_NAME)
    registration.inverse.write(folder / INVERSE_NAME)
    text = json.dumps(to_json(registration_document(registration)), indent=2, ensure_ascii=False)
    write_atomically(folder / REPORT_NAME, text + "\n")
    return [folder / name for name in (TRANSFORM_NAME, INVERSE_NAME, REPORT_NAME)]


def registration_document(registration: Registration) -> dict:
    """What `registration.json` holds."""
    return {
        "format": REGISTRATION_FORMAT,
        "software": {"name": "SAMLandmark", "version": __version__},
        "template": registration.template,
        "target": registration.target,
        "transform": {
            "file": TRANSFORM_NAME,
            "inverse_file": INVERSE_NAME,
            "frame": "LPS",
            "direction": "template points to target points (ITK resampling, 3D Slicer FromParent)",
        },
        "quality": registration.quality,
        "seconds": registration.seconds,
        "settings": registration.settings,
    }


def write_image(path: Path, image: Volume) -> None:
    """Write a volume as NRRD, which also holds sheared axes; OutputError where that fails."""
    import SimpleITK as sitk

    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(itk_image(image.array, image.ijk_to_lps), str(temporary), True)
        except RuntimeError as error:
            raise OutputError(
                f"{path} can't be written; check the folder, its permissions and the space on its disk."
            ) from error
