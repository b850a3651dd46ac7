"""The DICOM series that a scan was read from, as a report about it refers to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...utils.errors import VolumeError
from ..dicom_header import pydicom_or_error, read_header

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

UTF_8 = "ISO_IR 192"
_IDENTIFIERS = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
# What a report takes over, which anonymisation may have removed.
_TAKEN_OVER = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
)
_SEXES = ("M", "F", "O", "")


@dataclass(frozen=True)
class SourceSeries:
    """The headers of all images of a series: of the first one all that it says, of the others their UIDs."""

    images: tuple[Dataset, ...]

    @classmethod
    def of_files(cls, files: Sequence[Path]) -> SourceSeries:
        """The series whose images are among these files.

        Raises VolumeError, with the reason alone, where there is no series to refer to.
        """
        images = _image_files(files)
        series = cls(tuple(_image(path, whole=number == 0) for number, path in enumerate(images)))
        if not series.frame_of_reference_uid:
            raise VolumeError(
                "its images name no frame of reference (0020,0052), in which a report gives its points"
            )
        return series

    @property
    def frame_of_reference_uid(self) -> str:
        """What the images' coordinates count in; empty where they don't say."""
        return str(self.images[0].get("FrameOfReferenceUID") or "")

    @property
    def character_set(self) -> str:
        """The character set of its texts where that is a plain one, else UTF-8, which holds them all."""
        character_set = self.images[0].get("SpecificCharacterSet")
        plain = isinstance(character_set, str) and character_set.startswith("ISO_IR")
        return character_set if plain else UTF_8


def _image_files(files: Sequence[Path]) -> list[Path]:
    headers = [header for file in files if (header := read_header(file)) is not None and header.place[0]]
    series = {header.series_uid for header in headers}
    if len(series) != 1:
        raise VolumeError(
            f"its folder holds {len(series)} DICOM series now, not the one that it was read from"
        )
    return [header.path for header in headers]


def _image(path: Path, whole: bool) -> Dataset:
    tags = None if whole else _IDENTIFIERS
    image: Dataset = pydicom_or_error().dcmread(path, stop_before_pixels=True, force=True, specific_tags=tags)
    for keyword in _TAKEN_OVER if whole else ():
        if image.get(keyword) is None:
            setattr(image, keyword, "")
    if image.get("PatientSex", "") not in _SEXES:
        image.PatientSex = ""
    return image
