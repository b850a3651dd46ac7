"""Slices of a DICOM series, written by GDCM one by one as scanners do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

HU = 2 * np.random.default_rng(6).integers(-500, 750, (12, 14, 16)).astype(np.int16)
CT_IMAGE, RAW_DATA = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.66"
ROOT_UID = "1.2.826.0.1.3680043.8.498"


def write_dicom(image: sitk.Image, tags: Mapping[str, str], path: Path) -> None:
    """Write an image by GDCM with these tags, its UIDs as they are."""
    for key, value in tags.items():
        image.SetMetaData(key, value)
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)


@dataclass(frozen=True)
class Series:
    """What the slices of a series have in common, and where they lie; by default a plain axial CT."""

    row: Sequence[float] = (1, 0, 0)
    column: Sequence[float] = (0, 1, 0)
    origin: Sequence[float] = (-100.5, 20.25, -300)
    step: Sequence[float] = (0, 0, 2.5)
    pixel_mm: tuple[float, float] = (0.8, 0.6)
    intercept: float = -1024
    slope: float = 1
    number: int = 1
    description: str = "Thorax 2.5"
    modality: str = "CT"

    def ijk_to_lps(self) -> np.ndarray:
        """Where the slices lie."""
        affine = np.eye(4)
        along_row, along_column = np.array(self.row), np.array(self.column)
        affine[:3, :3] = np.column_stack(
            [along_row * self.pixel_mm[0], along_column * self.pixel_mm[1], self.step]
        )
        affine[:3, 3] = self.origin
        return affine

    def write_slice(self, path: Path, pixels: np.ndarray, k: int) -> None:
        """Write `pixels [y, x]` in HU as slice `k`; GDCM stores (HU - intercept) / slope."""
        image = sitk.GetImageFromArray(pixels[None])
        position = np.array(self.origin) + k * np.array(self.step)
        image.SetOrigin(position.tolist())
        image.SetSpacing((*self.pixel_mm, 2.5))
        normal = np.cross(self.row, self.column)
        image.SetDirection(np.column_stack([self.row, self.column, normal]).ravel().tolist())
        tags = {
            "0008|0016": CT_IMAGE,
            "0008|0018": f"{ROOT_UID}.{self.number}.{k + 1}",
            "0008|0060": self.modality,
            "0008|103e": self.description,
            "0020|000d": f"{ROOT_UID}.99",
            "0020|000e": f"{ROOT_UID}.{self.number}",
            "0020|0011": str(self.number),
            "0020|0013": str(k + 1),
            "0028|1052": f"{self.intercept:g}",
            "0028|1053": f"{self.slope:g}",
        }
        write_dicom(image, tags, path)


PLAIN = Series()
Writer = Callable[..., Path]
