"""The inferior angles of the scapulae in a CT: the lowest places of the bones behind the ribs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .lungs import BoolArray, FloatArray, largest_part, slices_of

BONE_FROM_HU = 150
BEHIND_RIBS_MM, BESIDE_RIBS_MM, FARTHEST_MM = 18.0, 11.0, 70.0
"""Distances from the lungs without their rim: what lies farther than the first is no rib; the lower end of a scapula may
reach to the second."""
END_BELOW_MM, GREATEST_GROWTH, LEAST_RIB_MM2 = 16.0, 1.5, 80.0
"""How far the end is followed, as long as its cross-section does not grow, from slice to slice, as where it meets a rib."""
TOUCHING = np.ones((3, 3, 3), dtype=bool)
BESIDE_MIDLINE_MM, IN_FRONT_OF_MIDDLE_MM = 45.0, 20.0
LEAST_HEIGHT_MM, LEAST_ML = 110.0, 40.0
EDGE_MM = 8.0


def scapula_angles(
    hu: NDArray[Any], lungs: Mapping[str, BoolArray], step: int, spacing_mm: float
) -> dict[str, FloatArray]:
    """The `scapula_inferior_angle_right` and `_left` `(3,)` (x,y,z), in voxels of HU `[z,y,x]` on an LPS grid.

    `lungs` are masks of every `step`th voxel along each axis, as `lung_masks` makes them. An angle that the field of view
    may have cut off is left out.
    """
    if len(lungs) != 2:
        return {}
    middles = {side: ndimage.center_of_mass(mask) for side, mask in lungs.items()}
    midline = (middles["right"][2] + middles["left"][2]) / 2
    distance_mm = _distance_from_lungs(lungs["right"] | lungs["left"], midline, spacing_mm * step)
    offset_mm = (np.arange(distance_mm.shape[2]) - midline) * spacing_mm * step
    angles = {}
    for side, sign in (("right", -1.0), ("left", 1.0)):
        searched = (distance_mm < FARTHEST_MM) & (sign * offset_mm > BESIDE_MIDLINE_MM)
        searched[:, : max(0, int(middles[side][1] - IN_FRONT_OF_MIDDLE_MM / (spacing_mm * step)))] = False
        box = _box_of(searched & (distance_mm > BEHIND_RIBS_MM))
        if box is not None:
            fine = tuple(slice(edge.start * step, edge.stop * step) for edge in box)
            part = hu[fine]
            depth_mm = np.where(searched, distance_mm, 0.0)[box].repeat(step, 0).repeat(step, 1)
            depth_mm = depth_mm.repeat(step, 2)[tuple(map(slice, part.shape))]
            lowest = _angle(part, depth_mm, spacing_mm)
            if lowest is not None and lowest[2] + fine[0].start > EDGE_MM / spacing_mm:
                angles[f"scapula_inferior_angle_{side}"] = lowest + [edge.start for edge in fine[::-1]]
    return angles


def _distance_from_lungs(lungs: BoolArray, midline: float, spacing_mm: float) -> FloatArray:
    """The distance of each voxel from the lungs and from their mirror image, since a lung may be solid where it is ill."""
    columns = np.rint(2 * midline - np.arange(lungs.shape[2])).astype(int)
    mirrored = lungs[:, :, columns.clip(0, lungs.shape[2] - 1)]
    distance: FloatArray = ndimage.distance_transform_edt(~(lungs | mirrored)) * spacing_mm
    return distance


def _box_of(mask: BoolArray) -> tuple[slice, slice, slice] | None:
    found = ndimage.find_objects(mask.astype(np.int8))
    return found[0] if found else None


def _angle(hu: NDArray[Any], depth_mm: FloatArray, spacing_mm: float) -> FloatArray | None:
    """The lowest place (x,y,z) of the largest bone behind the ribs; None where it is no scapula.

    `depth_mm` `[z,y,x]`: how far from the lungs each voxel lies, 0 where nothing is searched.
    """
    bone = largest_part((hu > BONE_FROM_HU) & (depth_mm > BEHIND_RIBS_MM), TOUCHING)
    if bone is None:
        return None
    levels = slices_of(bone)
    height_mm, volume_ml = np.ptp(levels) * spacing_mm, bone.sum() * spacing_mm**3 / 1000
    if height_mm < LEAST_HEIGHT_MM or volume_ml < LEAST_ML:
        return None
    return _followed_down(hu, depth_mm, bone[levels[0]], int(levels[0]), spacing_mm)


def _followed_down(
    hu: NDArray[Any], depth_mm: FloatArray, spot: BoolArray, level: int, spacing_mm: float
) -> FloatArray:
    """The end of a bone, whose lowest spot behind the ribs is given, nearer to the ribs, as long as it does not meet one."""
    for below in range(level - 1, max(level - 1 - round(END_BELOW_MM / spacing_mm), -1), -1):
        bones = (hu[below] > BONE_FROM_HU) & (depth_mm[below] > BESIDE_RIBS_MM)
        labels, _ = ndimage.label(bones)
        touched = labels[ndimage.binary_dilation(spot)]
        if not touched.any():
            break
        part = labels == np.bincount(touched[touched > 0]).argmax()
        if part.sum() > max(GREATEST_GROWTH * spot.sum(), LEAST_RIB_MM2 / spacing_mm**2):
            break
        spot, level = part, below
    y, x = np.argwhere(spot).mean(axis=0)
    return np.array([x, y, level - 0.5])
