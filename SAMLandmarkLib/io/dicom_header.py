"""What the header of one DICOM file says of its patient, study, series, place and pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..utils.errors import UsageError

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
    "BodyPartExamined",
    "ImageType",
    "FrameOfReferenceUID",
    "NumberOfFrames",
    "Rows",
    "PatientBirthDate",
    "PatientSex",
    "SliceThickness",
]
_PIXEL_KEYWORDS = [
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
]
_PIXEL_DATA = 0x7FE00010
_FLOAT_PIXELS = ("FloatPixelData", "DoubleFloatPixelData")
# Values longer than this are not read with a header.
_LONG_VALUE_BYTES = 4096
# A stream that is deflated as a whole may unpack to any size; it stands in the first bytes of a file.
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META_BYTES = 1024
_UNDEFINED_LENGTH = 0xFFFFFFFF
_LONGEST_MM = 1e4
_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class PixelHeader:
    """How the pixels of an image are stored: from byte `offset` on, in `length` bytes, None where compressed.

    `slope` and `intercept` are texts as the file has them, empty where it has none.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    samples: int
    photometric: str
    slope: str
    intercept: str
    has_lut: bool
    transfer_syntax: str
    offset: int
    length: int | None
    # Real numbers instead of integers, which few programs write.
    real: bool = False


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
    body_part: str
    image_type: tuple[str, ...]
    frame_of_reference_uid: str
    frames: int
    place: tuple[tuple[float, ...], ...]
    is_image: bool
    birth_date: str
    sex: str
    patient_name: str
    pixels: PixelHeader | None = None
    thickness_mm: float | None = None


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


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom from warning of every value that breaks a rule, which says nothing about the places of slices.

    Not for a thread beside others, since warnings are switched off for all of them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(path: Path, with_pixels: bool = False) -> FileHeader | None:
    """The header of a file, None where it is no DICOM, damaged, or says of which series it is not.

    Only `with_pixels` it says how the pixels are stored, for which the whole file is gone through.
    """
    try:
        dataset = _read(path, with_pixels)
        return None if dataset is None else _header(path, dataset, with_pixels)
    except Exception:
        return None


def _read(path: Path, with_pixels: bool) -> Dataset | None:
    pydicom = pydicom_or_error()
    # Whatever is no ordinary file, such as a pipe, might never end.
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        start = file.read(_META_BYTES)
        begins = start[: _PREAMBLE_BYTES + len(_MAGIC)]
        if (not begins.endswith(_MAGIC) and not start.startswith(_FIRST_GROUPS)) or _DEFLATED in start:
            return None
        file.seek(0)
        keywords = _KEYWORDS + _PIXEL_KEYWORDS if with_pixels else _KEYWORDS
        dataset: Dataset = pydicom.dcmread(
            file,
            stop_before_pixels=not with_pixels,
            defer_size=_LONG_VALUE_BYTES,
            force=True,
            specific_tags=keywords,
        )
        return dataset


def _header(path: Path, dataset: Dataset, with_pixels: bool) -> FileHeader | None:
    series_uid, instance_uid = _text(dataset, "SeriesInstanceUID"), _text(dataset, "SOPInstanceUID")
    if _text(dataset, "SOPClassUID") == _MEDIA_DIRECTORY:
        return None
    # An anonymised scan in a folder of its own can be read without them.
    if not with_pixels and not (series_uid and instance_uid):
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
        body_part=_text(dataset, "BodyPartExamined").upper(),
        image_type=tuple(str(value).strip().upper() for value in _values(dataset, "ImageType")),
        frame_of_reference_uid=_text(dataset, "FrameOfReferenceUID"),
        frames=_whole_number(dataset, "NumberOfFrames") or 1,
        place=tuple(tuple(map(float, _values(dataset, keyword))) for keyword in _PLACE),
        is_image=(_whole_number(dataset, "Rows") or 0) > 0,
        birth_date=_iso_date(_text(dataset, "PatientBirthDate")),
        sex=_text(dataset, "PatientSex").upper(),
        patient_name=_text(dataset, "PatientName").strip("^ "),
        pixels=_pixels(dataset) if with_pixels else None,
        thickness_mm=_length(dataset, "SliceThickness"),
    )


def _pixels(dataset: Dataset) -> PixelHeader | None:
    """How the pixels are stored; None where there are none."""
    real = any(keyword in dataset for keyword in _FLOAT_PIXELS)
    # As it stands in the file, with its place.
    element: Any = dataset.get_item(_PIXEL_DATA, keep_deferred=True)
    if element is None and not real:
        return None
    meta = getattr(dataset, "file_meta", None)
    syntax = str((meta or {}).get("TransferSyntaxUID") or _IMPLICIT_LITTLE_ENDIAN)
    counts = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit")
    rows, columns, allocated, stored, high = (_whole_number(dataset, keyword) or 0 for keyword in counts)
    length = None if element is None or element.length == _UNDEFINED_LENGTH else int(element.length)
    return PixelHeader(
        rows=rows,
        columns=columns,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        signed=_whole_number(dataset, "PixelRepresentation") == 1,
        samples=_whole_number(dataset, "SamplesPerPixel") or 0,
        photometric=_text(dataset, "PhotometricInterpretation").upper(),
        slope=_text(dataset, "RescaleSlope"),
        intercept=_text(dataset, "RescaleIntercept"),
        has_lut="ModalityLUTSequence" in dataset,
        transfer_syntax=syntax,
        offset=0 if element is None else int(element.value_tell),
        length=length,
        real=real,
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


def _length(dataset: Dataset, keyword: str) -> float | None:
    """A length in mm; None where there is none that could be one."""
    try:
        length = float(_text(dataset, keyword))
    except ValueError:
        return None
    return length if 0 < length < _LONGEST_MM else None


def _values(dataset: Dataset, keyword: str) -> list[Any]:
    value = dataset.get(keyword)
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _iso_date(text: str) -> str:
    """`20240501`, or `2024.05.01` of old files, as `2024-05-01`; empty for anything else."""
    digits = text.replace(".", "").replace("-", "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else ""
