"""DICOM files as a scanner and an archive leave them, made with pydicom from a volume."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from SAMLandmarkLib.core.volume import Volume

_INTERCEPT = -1024


def uid(*parts: object) -> str:
    """The same UID for the same parts."""
    return generate_uid(entropy_srcs=[str(part) for part in parts])


@dataclass(frozen=True)
class SeriesHeader:
    """What the files of a series say beside their pixels; `changes` are other attributes, None to leave one out."""

    patient: str = "P1"
    date: str = "20240501"
    number: int = 3
    description: str = "Abdomen 1.5 B30f"
    modality: str = "CT"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    time: str = "101500"
    changes: dict[str, object] = field(default_factory=dict)

    @property
    def study_uid(self) -> str:
        return uid("study", self.patient, self.date, self.time)

    @property
    def series_uid(self) -> str:
        return uid("series", self.study_uid, self.number)

    @property
    def frame_of_reference_uid(self) -> str:
        return uid("frame", self.study_uid)


def write_series(
    folder: Path, volume: Volume, header: SeriesHeader = SeriesHeader(), name: str = "IM{:04d}"
) -> list[Path]:
    """Write every slice of a volume as a CT image; the files in the order of the slices."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name.format(k) for k in range(len(volume.array))]
    for k, path in enumerate(paths):
        ct_slice(volume, k, header).save_as(path, enforce_file_format=True)
    return paths


def ct_slice(volume: Volume, k: int, header: SeriesHeader) -> FileDataset:
    """Slice `k` of a volume as a CT image."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = uid("image", header.series_uid, k)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID = meta.MediaStorageSOPClassUID
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _describe(image, header)
    image.InstanceNumber = k + 1
    _place(image, volume, k)
    _fill(image, volume.array[k])
    for keyword, value in header.changes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    return image


def _describe(image: Dataset, header: SeriesHeader) -> None:
    image.PatientID, image.PatientName = header.patient, f"Name^{header.patient}"
    image.PatientBirthDate, image.PatientSex = "19600102", "F"
    image.StudyInstanceUID, image.SeriesInstanceUID = header.study_uid, header.series_uid
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = header.frame_of_reference_uid, ""
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = header.date
    image.StudyTime = image.SeriesTime = image.AcquisitionTime = image.ContentTime = header.time
    image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "1", f"A{header.date}", ""
    image.StudyDescription, image.SeriesDescription = "CT follow-up", header.description
    image.SeriesNumber, image.AcquisitionNumber, image.PatientPosition = header.number, 1, "HFS"
    image.Modality, image.ImageType = header.modality, list(header.image_type)
    image.Manufacturer, image.ManufacturerModelName, image.KVP = "Test", "Test CT", "120"


def _place(image: Dataset, volume: Volume, k: int) -> None:
    directions = volume.ijk_to_lps[:3, :2] / volume.spacing_mm[:2]
    image.ImagePositionPatient = _decimals(volume.lps_from_index([0, 0, k]))
    image.ImageOrientationPatient = _decimals(directions.T.ravel())
    image.PixelSpacing = _decimals(volume.spacing_mm[[1, 0]])
    image.SliceThickness = _decimals(volume.spacing_mm[2:])[0]


def _decimals(values: np.ndarray) -> list[str]:
    return [f"{value:.8g}" for value in np.asarray(values, dtype=float)]


def _fill(image: Dataset, hounsfield: np.ndarray) -> None:
    image.Rows, image.Columns = hounsfield.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = _INTERCEPT, 1, "HU"
    image.PixelData = (hounsfield.astype(np.int16) - np.int16(_INTERCEPT)).tobytes()
