"""The kidneys in a contrast-enhanced CT by thresholds, and their poles.

A kidney is the bean of a certain size beside the spine that some threshold cuts out of fat, liver, spleen and muscle. Which
threshold depends on the contrast phase, so all are tried and what looks most like a kidney is kept. Without contrast agent,
in lean patients, no threshold parts it from its neighbours, and nothing is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .lungs import BoolArray, FloatArray, largest_part, slices_of, with_holes_filled

CLIPPED_HU = (-200.0, 500.0)
BONE_FROM_HU = 200.0
THRESHOLDS_HU = range(40, 231, 10)
BESIDE_SPINE_MM, BEHIND_SPINE_MM = (14.0, 130.0), (-75.0, 55.0)
"""Where kidneys are searched: to each side of the middle of the bones near the spine, and behind it (negative: in front)."""
SPINE_HALF_WIDTH_MM, SPINE_STRAYS_MM = 12.0, 25.0
LEAST_PART_ML, LARGEST_PART_ML, MOST_PARTS = 30.0, 700.0, 4
EDGE_MM = 8.0


@dataclass(frozen=True)
class _Range:
    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low < value < self.high


VOLUME_ML, HEIGHT_MM = _Range(70, 300), _Range(75, 132)
LONG_AXIS_MM, MIDDLE_AXIS_MM, SHORT_AXIS_MM = _Range(75, 152), _Range(35, 80), _Range(28, 68)
LEAST_LENGTHENED = 1.25
LATERAL_MM, BEHIND_MM = _Range(30, 105), _Range(-50, 40)
LEAST_FILLED, LEAST_UPRIGHT = 0.74, 0.7
"""Share of the ellipsoid of the same axes that a kidney fills; cosine of its long axis with the body's."""
MOST_CUT_SECTION = 0.6
"""Of the largest cross-section: what the first or last slice cuts through there is no longer known by its shape."""
MOST_CUT, MOST_SOFT_AROUND, SAME_TISSUE_HU = 0.03, 0.35, 25.0
"""Share of it that may lie at the border of what is searched; share of its surroundings that may be as bright."""
CLOSED, OPENED = 3.0, 2.3
"""Radii, in voxels, of the hollows that are filled and of the stalks that are cut."""
ELLIPSOID_SCALE = 1.12
DENSE_HU, MOST_DENSE = 300.0, 0.15
"""More of it is bone or teeth; contrast medium in the renal pelvis is less."""
LEAST_SCORE = 1.0


def kidney_poles(hu: NDArray[Any], step: int, spacing_mm: float) -> dict[str, FloatArray]:
    """Poles `(3,)` (x,y,z) of the kidneys, `kidney_upper_pole_right` and so on, in voxels of HU `[z,y,x]` on an LPS grid.

    They are searched in means of `step` voxels along each axis. A pole that the field of view may have cut off is left out.
    """
    poles: dict[str, FloatArray] = {}
    if len(hu) < step:
        return poles
    for side, mask in kidney_masks(_means(hu, step), spacing_mm * step).items():
        for end, place in _ends(mask, EDGE_MM / (spacing_mm * step)).items():
            poles[f"kidney_{end}_pole_{side}"] = (place + 0.5) * step - 0.5
    return poles


def kidney_masks(hu: NDArray[np.float32], spacing_mm: float) -> dict[str, BoolArray]:
    """Masks of the `right` and `left` kidney, as far as each is found, of HU `[z,y,x]` on an LPS grid of about 4 mm."""
    bones = largest_part(hu > BONE_FROM_HU)
    if bones is None:
        return {}
    lateral_mm, behind_mm = _beside_spine(bones, spacing_mm)
    masks = {}
    for side, sign in (("right", -1.0), ("left", 1.0)):
        searched = _Searched.beside(hu, bones, sign * lateral_mm, behind_mm, spacing_mm)
        if searched is None:
            continue
        found = [one for threshold in THRESHOLDS_HU for one in searched.kidneys(threshold)]
        score, mask = max(found, key=lambda one: one[0], default=(0.0, None))
        if mask is not None and score > LEAST_SCORE:
            masks[side] = searched.whole(mask, hu.shape)
    return masks


def _means(hu: NDArray[Any], step: int) -> NDArray[np.float32]:
    kept = tuple(slice(0, side // step * step) for side in hu.shape)
    clipped = np.clip(hu[kept], *CLIPPED_HU).astype(np.float32)
    depth, height, width = (side // step for side in clipped.shape)
    means: NDArray[np.float32] = clipped.reshape(depth, step, height, step, width, step).mean(axis=(1, 3, 5))
    return means


def _beside_spine(bones: BoolArray, spacing_mm: float) -> tuple[FloatArray, FloatArray]:
    """How far each voxel lies to the left of the spine `[z,1,x]` and behind it `[z,y,1]`, in mm."""
    levels = slices_of(bones)
    stray, half = SPINE_STRAYS_MM / spacing_mm, round(SPINE_HALF_WIDTH_MM / spacing_mm)
    x = _followed([float(np.median(np.nonzero(bones[level])[1])) for level in levels], stray)
    strips = [
        bones[level][:, max(int(middle) - half, 0) : int(middle) + half + 1]
        for level, middle in zip(levels, x, strict=True)
    ]
    y = _followed(
        [float(np.median(np.nonzero(strip)[0])) if strip.any() else np.nan for strip in strips], stray
    )
    depth, height, width = bones.shape
    x_of, y_of = (np.interp(np.arange(depth), levels, line) for line in (x, y))
    lateral = (np.arange(width) - x_of[:, None, None]) * spacing_mm
    behind = (np.arange(height)[:, None] - y_of[:, None, None]) * spacing_mm
    return lateral, behind


def _followed(places: list[float], stray: float) -> FloatArray:
    """A smooth line through places of successive slices, without those that stray from their median."""
    line = np.array(places)
    middle = np.nanmedian(line)
    line = np.where(np.abs(line - middle) <= stray, line, middle)
    smooth: FloatArray = ndimage.gaussian_filter1d(line, 5.0)
    return smooth


@dataclass(frozen=True)
class _Searched:
    """The part of a scan beside the spine: its HU, where in it kidneys may lie, and the rim of that."""

    hu: NDArray[np.float32]
    inside: BoolArray
    rim: BoolArray
    lateral_mm: FloatArray
    behind_mm: FloatArray
    box: tuple[slice, slice, slice]
    spacing_mm: float

    @classmethod
    def beside(
        cls,
        hu: NDArray[np.float32],
        bones: BoolArray,
        lateral_mm: FloatArray,
        behind_mm: FloatArray,
        spacing_mm: float,
    ) -> _Searched | None:
        (near, far), (front, back) = BESIDE_SPINE_MM, BEHIND_SPINE_MM
        region = (lateral_mm > near) & (lateral_mm < far) & (behind_mm > front) & (behind_mm < back)
        if not region.any():
            return None
        box = ndimage.find_objects(region.astype(np.int8))[0]
        region = region[box]
        rim = region & ~ndimage.binary_erosion(region, np.ones((1, 3, 3), bool), border_value=1)
        lateral, behind = (np.broadcast_to(mm, hu.shape)[box] for mm in (lateral_mm, behind_mm))
        return cls(hu[box], region & ~bones[box], rim, lateral, behind, box, spacing_mm)

    def whole(self, mask: BoolArray, shape: tuple[int, ...]) -> BoolArray:
        """A mask of this part as one of the whole scan."""
        whole = np.zeros(shape, dtype=bool)
        whole[self.box] = mask
        return whole

    def kidneys(self, threshold_hu: float) -> Iterator[tuple[float, BoolArray]]:
        """What looks like a kidney above a threshold, with a score of how much."""
        labels, _ = ndimage.label(ndimage.binary_opening((self.hu > threshold_hu) & self.inside))
        sizes_ml = np.bincount(labels.ravel()) * self.spacing_mm**3 / 1000
        sizes_ml[0] = 0
        for label in np.argsort(sizes_ml)[::-1][:MOST_PARTS]:
            if sizes_ml[label] < LEAST_PART_ML:
                return
            if sizes_ml[label] > LARGEST_PART_ML:
                continue
            mask = _solid(labels == label)
            score = self._score(mask)
            if score is not None:
                yield score, mask

    def _score(self, mask: BoolArray) -> float | None:
        """How much a mask looks like a kidney; None where it cannot be one."""
        places = np.argwhere(mask)
        volume_ml = len(places) * self.spacing_mm**3 / 1000
        sections = mask.sum(axis=(1, 2))
        is_cut = max(sections[0], sections[-1]) > MOST_CUT_SECTION * sections.max()
        if is_cut or not VOLUME_ML.holds(volume_ml) or (mask & self.rim).sum() > MOST_CUT * len(places):
            return None
        height_mm = (np.ptp(places[:, 0]) + 1) * self.spacing_mm
        center = tuple(places.mean(axis=0).round().astype(int))
        lies_right = LATERAL_MM.holds(self.lateral_mm[center]) and BEHIND_MM.holds(self.behind_mm[center])
        variances, directions = np.linalg.eigh(np.cov(places.T * self.spacing_mm))
        short_mm, middle_mm, long_mm = 2 * np.sqrt(5 * variances)
        is_long = HEIGHT_MM.holds(height_mm) and long_mm > LEAST_LENGTHENED * middle_mm
        ranges = LONG_AXIS_MM.holds(long_mm), MIDDLE_AXIS_MM.holds(middle_mm), SHORT_AXIS_MM.holds(short_mm)
        is_bean = is_long and all(ranges)
        filled = 1000 * volume_ml / (np.pi / 6 * short_mm * middle_mm * long_mm)
        upright = abs(directions[0, 2]) > LEAST_UPRIGHT
        if not (lies_right and is_bean and upright and filled > LEAST_FILLED):
            return None
        return self._parted(mask, filled)

    def _parted(self, mask: BoolArray, filled: float) -> float | None:
        """The score of a bean, by how clearly it is parted from what surrounds it."""
        shell = _grown(mask, 2.0) & ~_grown(mask, 1.0)
        own_hu, around_hu = float(np.median(self.hu[mask])), self.hu[shell]
        soft = float((around_hu > own_hu - SAME_TISSUE_HU).mean())
        if soft > MOST_SOFT_AROUND or (self.hu[mask] > DENSE_HU).mean() > MOST_DENSE:
            return None
        contrast_hu = own_hu - float(np.median(around_hu))
        return filled - 2 * soft + min(contrast_hu, 100.0) / 200


def _solid(part: BoolArray) -> BoolArray:
    """A part with its hollows filled, without what hangs on it by a thin stalk, as vessels and bowel do."""
    margin = 5
    box = tuple(
        slice(max(side.start - 1, 0), side.stop + 1) for side in ndimage.find_objects(part.astype(np.int8))[0]
    )
    filled = with_holes_filled(_shrunk(_grown(np.pad(part[box], margin), CLOSED), CLOSED))
    core = largest_part(_grown(_shrunk(filled, OPENED), OPENED))
    solid = np.zeros(part.shape, dtype=bool)
    if core is not None:
        inner = (slice(margin, -margin),) * 3
        solid[box] = (filled & _grown(core, OPENED) & _within_ellipsoid(core))[inner]
    return solid


def _within_ellipsoid(core: BoolArray) -> BoolArray:
    """What lies within the ellipsoid of the same moments as a mask, made a little larger: its tips, and no stalks."""
    places = np.argwhere(core)
    offsets = np.indices(core.shape).reshape(3, -1).T - places.mean(axis=0)
    square = ((offsets @ np.linalg.inv(np.cov(places.T))) * offsets).sum(axis=1)
    within: BoolArray = (square <= 5 * ELLIPSOID_SCALE**2).reshape(core.shape)
    return within


def _grown(mask: BoolArray, radius: float) -> BoolArray:
    # by distances, since dilation with a ball costs as much as the ball has voxels
    grown: BoolArray = ndimage.distance_transform_edt(~mask) <= radius
    return grown


def _shrunk(mask: BoolArray, radius: float) -> BoolArray:
    shrunk: BoolArray = ndimage.distance_transform_edt(mask) > radius
    return shrunk


def _ends(mask: BoolArray, edge: float) -> dict[str, FloatArray]:
    """The `upper` and the `lower` end (x,y,z) of a mask, at its surface, where they are not near the first or last slice."""
    slices = slices_of(mask)
    ends = {}
    for name, level, surface in (("upper", slices[-1], 0.5), ("lower", slices[0], -0.5)):
        if edge < level < len(mask) - 1 - edge:
            y, x = np.argwhere(mask[level]).mean(axis=0)
            ends[name] = np.array([x, y, level + surface])
    return ends
