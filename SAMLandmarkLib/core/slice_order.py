"""Where a slice lies within its stack: from 0 to 1, in one sense for all patients; and whether a stack is in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..utils.errors import VolumeError
from ..utils.translation import _
from .planes import SlicePlane, angle_degrees

FloatArray = NDArray[np.float64]

FEWEST_SLICES = 3
GREATEST_ANGLE_DEGREES = 1.0
SENSE_LPS = np.array([1.0, -1.0, -1.0]) / np.sqrt(3)
"""Locations grow to the left, to the front and downwards: from the heart's base to its apex, from the head to the feet."""
_LEAST_SENSE = 0.1
_SAME_PLACE_MM = 0.01
_EVEN = 0.1


def stack_normal_lps(planes: Sequence[SlicePlane]) -> NDArray[np.float64]:
    """The unit normal `(3,)` of parallel slices in the sense that locations grow in.

    Raises VolumeError where there are fewer than three slices, they are not parallel within 1°, or they stand across the
    sense, so that the least turn would change which end is the first.
    """
    if len(planes) < FEWEST_SLICES:
        raise VolumeError(
            f"A stack needs {FEWEST_SLICES} slices for their order to say anything, not {len(planes)}."
        )
    tilt = max(angle_degrees(planes[0], plane) for plane in planes)
    if tilt > GREATEST_ANGLE_DEGREES:
        raise VolumeError(
            f"The slices are turned against each other by up to {tilt:.1f}°; they are no stack."
        )
    normal = planes[0].normal_lps
    cosine = float(normal @ SENSE_LPS)
    if abs(cosine) < _LEAST_SENSE:
        raise VolumeError(
            "The stack runs across the direction in which slices are counted (left, front, down), so neither of its ends is "
            "the first; leave it out."
        )
    sense: NDArray[np.float64] = normal * np.sign(cosine)
    return sense


def heights_mm(planes: Sequence[SlicePlane]) -> FloatArray:
    """Place `(n,)` in mm of each slice along the stack's normal; raises VolumeError as `stack_normal_lps` does."""
    heights: FloatArray = np.array([plane.center_lps for plane in planes]) @ stack_normal_lps(planes)
    return heights


def relative_locations(planes: Sequence[SlicePlane]) -> FloatArray:
    """Where each slice lies between the first (0) and the last (1) of its stack, `(n,)`, by geometry alone.

    Slices of several times may share a place. Raises VolumeError as `stack_normal_lps` does, and where all lie in one place.
    """
    heights = heights_mm(planes)
    extent = float(np.ptp(heights))
    if extent < _SAME_PLACE_MM:
        raise VolumeError("All slices lie in one place; they are no stack.")
    locations: FloatArray = (heights - heights.min()) / extent
    return locations


@dataclass(frozen=True)
class OrderCheck:
    """What is wrong with the order of a stack: sentences, none where all is well."""

    warnings: tuple[str, ...]


def check_order(planes: Sequence[SlicePlane], names: Sequence[str]) -> OrderCheck:
    """Compare the order in which slices are given, such as by their numbers, with where they lie.

    Slices may run either way, but not back and forth; gaps and places that are taken twice are named.
    """
    heights = heights_mm(planes)
    steps = np.diff(heights)
    sense = np.sign(np.median(np.sign(steps))) or np.sign(steps.sum()) or 1.0
    found = [
        _("{name} lies on the wrong side of {before}: the slices are out of order.").format(
            name=names[number + 1], before=names[number]
        )
        for number in np.flatnonzero(steps * sense < -_SAME_PLACE_MM).tolist()
    ]
    return OrderCheck((*found, *_gaps(heights, names)))


def _gaps(heights: FloatArray, names: Sequence[str]) -> list[str]:
    order = np.argsort(heights, kind="stable")
    steps = np.diff(heights[order])
    usual = float(np.median(steps))
    found: list[str] = []
    for number, step in enumerate(steps):
        pair = {"first": names[order[number]], "second": names[order[number + 1]]}
        if step <= _SAME_PLACE_MM:
            found.append(_("{first} and {second} lie in one place.").format(**pair))
        elif usual > _SAME_PLACE_MM and step > (1 + _EVEN) * usual:
            gap = _("{first} and {second} are {step} mm apart, others {usual} mm; slices may be missing.")
            found.append(gap.format(**pair, step=f"{step:.1f}", usual=f"{usual:.1f}"))
    return found


def check_predicted_order(
    locations: Sequence[float], predicted: Sequence[float], names: Sequence[str]
) -> OrderCheck:
    """Compare where the headers put slices with where a network sees them, from 0 to 1 each.

    A stack that is upside down, or not the one that its headers speak of, shows in the rank correlation (Spearman).
    """
    correlation = rank_correlation(np.asarray(locations, dtype=float), np.asarray(predicted, dtype=float))
    if correlation >= 0.5:
        return OrderCheck(())
    if correlation <= -0.5:
        text = _(
            "The slices from {first} to {last} look upside down: the pictures run the other way than the headers."
        )
    else:
        text = _(
            "The pictures from {first} to {last} do not run as the headers say; the slices may be out of order."
        )
    order = np.argsort(locations)
    return OrderCheck((text.format(first=names[order[0]], last=names[order[-1]]),))


def rank_correlation(first: FloatArray, second: FloatArray) -> float:
    """Spearman's rank correlation of two lists of numbers; 0 where one of them is constant.

    >>> rank_correlation(np.array([1.0, 2.0, 5.0]), np.array([10.0, 20.0, 30.0]))
    1.0
    """
    ranks = [np.argsort(np.argsort(part, kind="stable"), kind="stable") for part in (first, second)]
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    matrix = np.asarray(np.corrcoef(np.stack(ranks)))
    return float(np.round(matrix[0, 1], 12))
