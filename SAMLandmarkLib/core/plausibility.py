"""What every volume must be, whatever it was read from: a geometry that a patient can have.

Files, DICOM series, volume nodes of 3D Slicer and uploads all come through here, so that no reader's own idea of
what is plausible counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.errors import VolumeError
from ..utils.translation import _
from .geometry import spacing_of, transform_points
from .volume_checks import checked_affine

# The longest scans are of whole bodies; two metres and a half leave room for the table.
_LARGEST_EXTENT_MM = 2500.0
# What is smaller than this in every direction is no part of a patient, and below the second one hardly.
_SMALLEST_EXTENT_MM = 2.0
# Few scanners make smaller voxels; most headers that say so count in cm.
_DOUBTFUL_EXTENT_MM, _DOUBTFUL_SPACING_MM = 20.0, 0.25
# Slices are a centimetre apart at most, and pixels a few millimetres large.
_UNUSUAL_SPACING_MM, _UNUSUAL_PIXEL_MM = 20.0, 15.0
# A slice much thinner than its pixels are large, and than any scanner makes.
_THINNEST_MM, _THIN_SHARE = 0.1, 0.2
# Gantries tilt by 30 degrees, few by 35; the cosine of the angle between two axes is then 0.57.
_MOST_SHEARED_COSINE = 0.6
# Scanners count from the middle of the patient or of the table, never from further away than a room is long.
_FARTHEST_MM = 20_000.0
_LARGEST_SPACING_MM = 100.0


def check_geometry(ijk_to_lps: NDArray[Any], size_ijk: Sequence[int], name: str) -> None:
    """Raise VolumeError, naming the volume `name`, where no scan of a patient can lie as the 4x4 map says.

    The map must be finite and invertible, and the extent along every axis that of a patient.
    """
    affine = checked_affine(ijk_to_lps, name)
    spacing = spacing_of(affine)
    extent = spacing * np.asarray(size_ijk, dtype=float)
    if extent.max() > _LARGEST_EXTENT_MM or spacing.max() > _LARGEST_SPACING_MM:
        raise VolumeError(_too_large(name, extent, spacing))
    if extent.max() < _SMALLEST_EXTENT_MM:
        raise VolumeError(_too_small(name, extent, spacing))
    corners = np.array(list(itertools.product(*((0, size - 1) for size in size_ijk))), dtype=float)
    if np.abs(transform_points(affine, corners)).max() > _FARTHEST_MM:
        far = _(
            "{name}: it lies {distance} m from the origin of its frame, where no patient lies; its header is damaged, "
            "so correct it or convert the scan again."
        )
        raise VolumeError(far.format(name=name, distance=f"{np.abs(affine[:3, 3]).max() / 1000:.0f}"))


def geometry_doubts(ijk_to_lps: NDArray[Any], size_ijk: Sequence[int]) -> tuple[str, ...]:
    """What is unusual about the voxels and the extent of a volume, but no reason to refuse it; empty where nothing is."""
    spacing = spacing_of(ijk_to_lps)
    extent, usual = spacing * np.asarray(size_ijk, dtype=float), float(np.prod(spacing)) ** (1 / 3)
    doubts = []
    if usual < _DOUBTFUL_SPACING_MM or (
        extent.max() < _DOUBTFUL_EXTENT_MM and usual < 2 * _DOUBTFUL_SPACING_MM
    ):
        small = _(
            "its voxels of {spacing} mm make it only {extent} mm large, so the unit of its spacing may be wrong."
        )
        doubts.append(small.format(spacing=_product(spacing), extent=_product(extent)))
    elif _is_unusual(spacing):
        unusual = _(
            "scanners hardly make voxels of {spacing} mm, so one of its spacings may be wrong, and with it every place."
        )
        doubts.append(unusual.format(spacing=_product(spacing)))
    direction = ijk_to_lps[:3, :3] / spacing
    cosine = float(np.abs(np.triu(direction.T @ direction, 1)).max())
    if cosine > _MOST_SHEARED_COSINE:
        sheared = _(
            "two of its axes stand at {angle} degrees to each other, more than any tilted gantry; its directions may be wrong."
        )
        doubts.append(sheared.format(angle=f"{np.degrees(np.arccos(cosine)):.0f}"))
    return tuple(doubts)


def _is_unusual(spacing: NDArray[Any]) -> bool:
    thinnest, middle, thickest = np.sort(spacing)
    return bool(
        thickest > _UNUSUAL_SPACING_MM
        or middle > _UNUSUAL_PIXEL_MM
        or (thinnest < _THINNEST_MM and thinnest < _THIN_SHARE * middle)
    )


def _too_large(name: str, extent: NDArray[Any], spacing: NDArray[Any]) -> str:
    large = _(
        "{name}: by its header it is {extent} mm large, with voxels of {spacing} mm, which no scan of a patient is; the "
        "unit of its spacing is wrong, so correct the header or convert the scan again."
    )
    return large.format(name=name, extent=_product(extent), spacing=_product(spacing))


def _too_small(name: str, extent: NDArray[Any], spacing: NDArray[Any]) -> str:
    small = _(
        "{name}: by its header it is only {extent} mm large, with voxels of {spacing} mm; the unit of its spacing is "
        "wrong, so correct the header or convert the scan again."
    )
    return small.format(name=name, extent=_product(extent), spacing=_product(spacing))


def _product(values: NDArray[Any]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
