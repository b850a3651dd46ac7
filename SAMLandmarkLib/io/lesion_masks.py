"""Lesions as a label map: each label is one, its diameters are those of the slice in which it is largest."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ..core.feret import longest_diameter, perpendicular_diameter
from ..core.lesions import Diameter, Finding, Lesion, LesionStatus, Mark, plain_point
from ..core.volume import Volume
from ..utils.errors import LesionError, VolumeWarning
from ..utils.translation import _

MOST_LABELS = 1000


def read_lesion_masks(path: Path) -> list[Mark]:
    """The lesions of a label map of any volume format; its grid need not be that of the scan.

    Raises LesionError where it holds no labels, and VolumeError where it can't be read.
    """
    with warnings.catch_warnings():
        # a label map does not look like CT, and need not
        warnings.simplefilter("ignore", VolumeWarning)
        labels = Volume.read(path)
    array = labels.array
    if array.min() < 0 or (array.dtype.kind == "f" and not (array == np.rint(array)).all()):
        told = _(
            "{path} is no label map: its voxels go from {low:g} to {high:g}; labels are whole numbers from 1 on."
        )
        raise LesionError(told.format(path=str(path), low=float(array.min()), high=float(array.max())))
    numbers = np.unique(array[array > 0]).astype(int).tolist()
    if not 0 < len(numbers) <= MOST_LABELS:
        told = _("{path} holds {count} labels; a label map of lesions has 1 to {most}.")
        raise LesionError(told.format(path=str(path), count=len(numbers), most=MOST_LABELS))
    return [_mark(labels, number) for number in numbers]


def _mark(labels: Volume, number: int) -> Mark:
    mask = labels.array == number
    size = mask.sum(axis=(1, 2))
    k = int(size.argmax())
    rows, columns = np.nonzero(mask[k])
    centre = labels.lps_from_index(np.array([columns.mean(), rows.mean(), float(k)]))
    long, short = _diameters(labels, mask[k], k)
    voxel_mm3 = abs(float(np.linalg.det(labels.ijk_to_lps[:3, :3])))
    finding = Finding(
        LesionStatus.PRESENT, plain_point(centre), long, short, volume_mm3=float(size.sum()) * voxel_mm3
    )
    return Mark(Lesion(f"lesion {number}"), finding)


def _diameters(labels: Volume, mask: np.ndarray, k: int) -> tuple[Diameter, Diameter]:
    """Diameters of a slice, measured on square pixels as small as the smaller side of a voxel."""
    spacing = labels.spacing_mm[:2]
    pixel_mm = float(spacing.min())
    times = np.maximum(1, np.rint(spacing / pixel_mm)).astype(int)
    fine = mask.repeat(times[1], axis=0).repeat(times[0], axis=1)
    # the first small pixel lies within the first voxel
    first = -0.5 + 0.5 / times
    pixels = spacing / times
    long = longest_diameter(fine, pixels)
    short = perpendicular_diameter(fine, pixels, long)
    drawn = []
    for ends_mm in (long, short):
        index = ends_mm / spacing + first
        places = labels.lps_from_index(np.column_stack([index, np.full(2, float(k))]))
        drawn.append(Diameter.between(places))
    return drawn[0], drawn[1]
