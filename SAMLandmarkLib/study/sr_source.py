"""The DICOM series that a scan of a study was read from, as a report about it refers to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import VolumeError
from .dicom_header import pydicom_or_error, read_header
from .inputs import InputState, files_of_scan
from .plan import StudyScan

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
    def of_scan(cls, scan: StudyScan, sha256: str | None = None) -> SourceSeries:
        """The series of a scan.

        `sha256` is the checksum of its files when the landmarks were found, None where that is unknown. Raises
        VolumeError, with the reason alone, where there is no series to refer to.
        """
        if not scan.files and not scan.path.is_dir():
            raise VolumeError(
                f"it was not read from DICOM but from {scan.path.name}"
                if scan.path.exists()
                else f"{scan.path} does not exist any more"
            )
        if sha256 is not None and InputState.of(files_of_scan(scan)).sha256 != sha256:
            raise VolumeError("its images have changed since the landmarks were found")
        files = _image_files(files_of_scan(scan))
        series = cls(tuple(_image(path, whole=number == 0) for number, path in enumerate(files)))
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
    image = pydicom_or_error().dcmread(path, stop_before_pixels=True, force=True, specific_tags=tags)
    for keyword in _TAKEN_OVER if whole else ():
        if image.get(keyword) is None:
            setattr(image, keyword, "")
    if image.get("PatientSex", "") not in _SEXES:
        image.PatientSex = ""
    return image
