"""What the header of one DICOM file says of its patient, study, series and place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PREAMBLE_BYTES = 128
_MAGIC = b"DICM"
# Files of old archives begin at once with an element of group 0002 or 0008.
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
_PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
_KEYWORDS = [
    *_DATES,
    *_PLACE,
    "PatientID",
    "PatientName",
    "StudyInstanceUID",
    "StudyTime",
    "StudyDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "SOPClassUID",
    "SOPInstanceUID",
    "InstanceNumber",
    "Modality",
    "ImageType",
    "FrameOfReferenceUID",
    "NumberOfFrames",
]
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class FileHeader:
    """What tells a file's place among the others; `place` is its position, orientation and pixel spacing.

    `date` is ISO 8601, `time` as DICOM writes it; texts are empty where the file does not say.
    """

    path: Path
    patient: str
    study_uid: str
    date: str
    time: str
    study_description: str
    series_uid: str
    series_number: int | None
    series_description: str
    instance_uid: str
    number_in_series: str
    modality: str
    image_type: tuple[str, ...]
    frame_of_reference_uid: str
    frames: int
    place: tuple[tuple[float, ...], ...]


@cache
def pydicom_or_error() -> ModuleType:
    """The module pydicom; UsageError where it is not installed."""
    try:
        import pydicom
    except ImportError as error:
        raise UsageError(
            "DICOM trees and reports need pydicom and highdicom, which are not installed; install them with "
            "`pip install samlandmark[dicom]`."
        ) from error
    return pydicom


def read_header(path: Path) -> FileHeader | None:
    """The header of a file, None where it is no DICOM, damaged, or says of which series it is not."""
    try:
        dataset = _read(path)
        return None if dataset is None else _header(path, dataset)
    except Exception:  # noqa: BLE001 (the bytes of a damaged file may lead pydicom to any error)
        return None


def _read(path: Path) -> Dataset | None:
    pydicom = pydicom_or_error()
    with open(path, "rb") as file:
        start = file.read(_PREAMBLE_BYTES + len(_MAGIC))
        if not start.endswith(_MAGIC) and not start.startswith(_FIRST_GROUPS):
            return None
        file.seek(0)
        return pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=_KEYWORDS)


def _header(path: Path, dataset: Dataset) -> FileHeader | None:
    series_uid, instance_uid = _text(dataset, "SeriesInstanceUID"), _text(dataset, "SOPInstanceUID")
    if not series_uid or not instance_uid or _text(dataset, "SOPClassUID") == _MEDIA_DIRECTORY:
        return None
    study_uid = _text(dataset, "StudyInstanceUID")
    # An empty name may be written as separators alone.
    patient = _text(dataset, "PatientID") or _text(dataset, "PatientName").strip("^ ")
    return FileHeader(
        path=path,
        patient=patient or f"no id, study {study_uid}",
        study_uid=study_uid,
        date=next(filter(None, (_iso_date(_text(dataset, keyword)) for keyword in _DATES)), ""),
        time=_text(dataset, "StudyTime"),
        study_description=_text(dataset, "StudyDescription"),
        series_uid=series_uid,
        series_number=_whole_number(dataset, "SeriesNumber"),
        series_description=_text(dataset, "SeriesDescription"),
        instance_uid=instance_uid,
        number_in_series=_text(dataset, "InstanceNumber"),
        modality=_text(dataset, "Modality"),
        image_type=tuple(str(value).strip().upper() for value in _values(dataset, "ImageType")),
        frame_of_reference_uid=_text(dataset, "FrameOfReferenceUID"),
        frames=_whole_number(dataset, "NumberOfFrames") or 1,
        place=tuple(tuple(map(float, _values(dataset, keyword))) for keyword in _PLACE),
    )


def _text(dataset: Dataset, keyword: str) -> str:
    """A value in one line; empty where there is none, or it is not what the rules allow."""
    try:
        value = dataset.get(keyword)
    except ValueError:
        return ""
    return "" if value is None else " ".join(str(value).split())


def _whole_number(dataset: Dataset, keyword: str) -> int | None:
    text = _text(dataset, keyword)
    return int(text) if text.lstrip("-").isdecimal() else None


def _values(dataset: Dataset, keyword: str) -> list[Any]:
    value = dataset.get(keyword)
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _iso_date(text: str) -> str:
    """`20240501`, or `2024.05.01` of old files, as `2024-05-01`; empty for anything else."""
    digits = text.replace(".", "").replace("-", "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else ""
