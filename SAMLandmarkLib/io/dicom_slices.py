"""Slices that were cut from a CT volume as DICOM files whose headers say where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.planes import SlicePlane
from ..utils.files import atomic_path
from .dicom_header import pydicom_or_error

_CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_MOST_DIGITS = 16


@dataclass(frozen=True)
class SliceLabels:
    """What the headers of an exam's slices say beside their places: patient, view, and the series' number."""

    patient: str
    view: str
    series_number: int
    thickness_mm: float


def write_slice(
    path: Path, values: NDArray[Any], plane: SlicePlane, labels: SliceLabels, number: int
) -> None:
    """Write HU `[rows, columns]` as one DICOM CT image; slices of one patient share study and frame of reference.

    The pixels of `plane` must have a right angle. Raises OutputError where `path` can't be written and UsageError without
    pydicom.
    """
    pydicom = pydicom_or_error()
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = _EXPLICIT_LITTLE_ENDIAN
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = _CT_IMAGE
    dataset.SOPInstanceUID = _uid(labels.patient, labels.view, str(labels.series_number), str(number))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PatientID = dataset.PatientName = labels.patient
    dataset.StudyInstanceUID = _uid(labels.patient, "study")
    dataset.SeriesInstanceUID = _uid(labels.patient, labels.view, str(labels.series_number))
    dataset.FrameOfReferenceUID = _uid(labels.patient, "frame")
    dataset.Modality = "CT"
    dataset.ImageType = ["DERIVED", "SECONDARY", "MPR"]
    dataset.SeriesNumber, dataset.InstanceNumber = labels.series_number, number
    dataset.SeriesDescription = labels.view
    _place(dataset, plane, labels.thickness_mm)
    _pixels(dataset, values)
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)


def _place(dataset: Any, plane: SlicePlane, thickness_mm: float) -> None:
    across, down = plane.pixel_spacing_mm
    directions = [*(plane.column_step_lps / across), *(plane.row_step_lps / down)]
    dataset.ImagePositionPatient = [_decimal(value) for value in plane.origin_lps]
    dataset.ImageOrientationPatient = [_decimal(value) for value in directions]
    dataset.PixelSpacing = [_decimal(down), _decimal(across)]
    dataset.SliceThickness = _decimal(thickness_mm)


def _pixels(dataset: Any, values: NDArray[Any]) -> None:
    whole = np.clip(np.rint(values), -32768, 32767).astype("<i2")
    dataset.Rows, dataset.Columns = whole.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", "0"
    dataset.PixelData = whole.tobytes()


def _decimal(value: float) -> str:
    """A number in the 16 signs that DICOM allows, as exact as these are.

    >>> _decimal(-0.12345678901234567), _decimal(2.0)
    ('-0.1234567890123', '2')
    """
    digits = 17
    while len(text := f"{value:.{digits}g}") > _MOST_DIGITS:
        digits -= 1
    return text


def _uid(*parts: str) -> str:
    """An identifier that is the same for the same exam whenever it is cut."""
    uid: str = pydicom_or_error().uid.generate_uid(
        prefix="2.25.", entropy_srcs=["SAMLandmark planes", *parts]
    )
    return str(uid)
