"""Parts of the bundled scans, for what takes long on the whole of them."""

from __future__ import annotations

import SimpleITK as sitk

from SAMLandmarkLib.core.volume import Volume

Slices = tuple[slice, slice, slice]

LOWER_TRUNK: dict[str, Slices] = {
    "template": (slice(0, 72), slice(60, 230), slice(50, 220)),
    "followup": (slice(0, 72), slice(60, 230), slice(40, 210)),
}
"""Slices along k, j, i that show most of the bundled landmarks, in a fourth of the voxels."""


def part_of(volume: Volume, slices_kji: Slices, name: str = "part") -> Volume:
    """The voxels of a part, at their places."""
    ijk_to_lps = volume.ijk_to_lps.copy()
    ijk_to_lps[:3, 3] = volume.lps_from_index([part.start or 0 for part in slices_kji[::-1]])
    return Volume(volume.array[slices_kji], ijk_to_lps, name=name)


def written_part(image: sitk.Image, slices_kji: Slices, path: str) -> None:
    """The same of an image of ITK, into a file."""
    sitk.WriteImage(image[slices_kji[::-1]], path)
