"""The slices of a DICOM series as one stack: their order, the distances between them, and the map to LPS.

Many scans of the head have slices close together below and further apart above. Such a stack is resampled along its
own axis, each new slice from its two neighbours, so that every voxel lies where it was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.errors import VolumeError

FloatArray = NDArray[np.float64]

# A slice further than this from its place in an even stack would make landmarks there wrong by as much.
_UNEVENNESS_MM = 0.5
_SAME_PLACE_MM = 0.01
# A larger difference of direction or pixel spacing moves the end of a slice by more than half a millimetre.
_SAME_GRID = 1e-3
# Directions are written with few digits; those that are further from length 1 or a right angle are damaged.
_UNIT_LENGTH = 5e-3
# Steps within this part of each other are alike, and so many in a row were acquired and are not what is left.
_ALIKE, _FEWEST_ALIKE = 0.05, 3
# Longer lists are cut off in messages.
_NAMED = 5


class StackError(VolumeError):
    """Slices are not one volume; the message begins with what is wrong, for the series' name to be put in front."""


@dataclass(frozen=True, eq=False)
class StackGeometry:
    """The volume of a stack: its 4x4 `ijk_to_lps`, and where uneven slices lie in it.

    `places (n,)` are the fractional slice numbers of the acquired slices in the even volume, None where they are even.
    """

    ijk_to_lps: FloatArray
    places: FloatArray | None = None
    doubts: tuple[str, ...] = ()

    def volume_of(self, slices: NDArray[Any]) -> NDArray[Any]:
        """The even volume `[z, y, x]` of acquired `slices [n, y, x]`, linear between neighbours, in their type."""
        if self.places is None:
            return slices
        wanted = np.arange(int(np.rint(self.places[-1])) + 1)
        after = np.clip(np.searchsorted(self.places, wanted), 1, len(slices) - 1)
        width = self.places[after] - self.places[after - 1]
        weight = np.clip((wanted - self.places[after - 1]) / width, 0, 1)
        volume = np.empty((len(wanted), *slices.shape[1:]), dtype=slices.dtype)
        whole = slices.dtype.kind in "iu"
        for number, (last, part) in enumerate(zip(after, weight)):
            mixed = slices[last - 1] * (1 - part) + slices[last] * part
            volume[number] = np.rint(mixed) if whole else mixed
        return volume


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Where `n` slices lie.

    `positions (n, 3)` in LPS mm, `orientations (n, 6)`, `pixel_spacings (n, 2)` mm between rows and columns.
    """

    positions: FloatArray
    orientations: FloatArray
    pixel_spacings: FloatArray

    @classmethod
    def from_values(cls, values: Sequence[Sequence[Sequence[str | float]]]) -> SliceStack:
        """From the position, orientation and pixel spacing of each slice, as numbers or text; StackError."""
        try:
            columns = [np.array([list(part) for part in column], dtype=float) for column in zip(*values)]
            position, orientation, spacing = columns
            if (position.shape[1:], orientation.shape[1:], spacing.shape[1:]) == ((3,), (6,), (2,)):
                return cls(position, orientation, spacing).checked()
        except (TypeError, ValueError) as error:
            raise _without_place() from error
        raise _without_place()

    def checked(self) -> SliceStack:
        """This stack; StackError where a number is NaN or infinite, or pixels have no size."""
        finite = all(
            np.isfinite(part).all() for part in (self.positions, self.orientations, self.pixel_spacings)
        )
        if not finite or self.pixel_spacings.min(initial=1.0) <= 0:
            raise StackError(
                "a slice has a position, orientation or pixel spacing that is no number or no size (tags 0020,0032, "
                "0020,0037 and 0028,0030); export the original series from the scanner or the archive."
            )
        return self

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, numbers: NDArray[Any]) -> SliceStack:
        return SliceStack(self.positions[numbers], self.orientations[numbers], self.pixel_spacings[numbers])

    @property
    def heights_mm(self) -> FloatArray:
        """Place of each slice along the normal of the first, `(n,)` mm."""
        return self.positions @ np.cross(self.orientations[0, :3], self.orientations[0, 3:])

    @property
    def order(self) -> NDArray[np.intp]:
        """The numbers of the slices, `(n,)`, along their normal."""
        return np.argsort(self.heights_mm, kind="stable")

    @property
    def extent_mm(self) -> float:
        """Length of the stack along its normal, with the last slice's own part."""
        steps = np.diff(np.sort(self.heights_mm))
        return float(steps.sum() + (steps[-1] if len(steps) else 0.0))

    def ijk_to_lps(self) -> FloatArray:
        """The 4x4 map of slices that are sorted along their normal, resampled evenly where they are not even.

        Raises StackError where they aren't parallel, share a place, don't lie on a line, or some are missing.
        """
        return self.geometry().ijk_to_lps

    def geometry(self) -> StackGeometry:
        """Where the volume of slices that are sorted along their normal lies; StackError as `ijk_to_lps`."""
        self._check_same_grid()
        # Sorted again, since slices that share a place may come in any order.
        heights = np.sort(self.heights_mm)
        _check_places(heights)
        _check_gaps(heights)
        _check_line(self.positions, heights)
        step = (self.positions[-1] - self.positions[0]) / max(1, len(self) - 1)
        even = self.positions[0] + np.arange(len(self))[:, None] * step
        if np.linalg.norm(self.positions - even, axis=1).max(initial=0.0) <= _UNEVENNESS_MM:
            return StackGeometry(self._affine(step))
        return self._resampled(heights)

    def _resampled(self, heights: FloatArray) -> StackGeometry:
        steps, length = np.diff(heights), heights[-1] - heights[0]
        # The smallest distance that is not a single one.
        count = int(np.rint(length / np.percentile(steps, 10)))
        step = (self.positions[-1] - self.positions[0]) / count
        doubt = (
            f"its slices lie {steps.min():.2f} to {steps.max():.2f} mm apart; it was resampled evenly, every "
            f"{length / count:.2f} mm."
        )
        return StackGeometry(self._affine(step), (heights - heights[0]) * (count / length), (doubt,))

    def _affine(self, step: FloatArray) -> FloatArray:
        along_row, along_column = self.orientations[0, :3], self.orientations[0, 3:]
        row_spacing, column_spacing = self.pixel_spacings[0]
        columns = [along_row * column_spacing, along_column * row_spacing, step, self.positions[0]]
        return np.vstack([np.column_stack(columns), (0, 0, 0, 1)])

    def _check_same_grid(self) -> None:
        differences = [np.ptp(values, axis=0).max() for values in (self.orientations, self.pixel_spacings)]
        if max(differences) > _SAME_GRID:
            raise StackError(
                "its slices differ in orientation or pixel spacing, as when a scout view lies among them; put "
                "the slices of one scan into a folder of their own."
            )
        directions = self.orientations[0].reshape(2, 3)
        lengths = np.linalg.norm(directions, axis=1)
        if np.abs(lengths - 1).max() > _UNIT_LENGTH or abs(directions[0] @ directions[1]) > _UNIT_LENGTH:
            raise StackError(
                f"its rows and columns run along {directions.round(4).tolist()}, which are no two directions of length "
                "1 at right angles (tag 0020,0037); export the original series from the scanner or the archive."
            )


def _without_place() -> StackError:
    return StackError(
        "not every slice says its position, orientation and pixel spacing (tags 0020,0032, 0020,0037 and "
        "0028,0030); export the original series from the scanner or the archive."
    )


def _check_places(heights: FloatArray) -> None:
    steps = np.diff(heights)
    if (steps < _SAME_PLACE_MM).any():
        count = int((steps < _SAME_PLACE_MM).sum())
        raise StackError(
            f"{count} slices lie in the same place as another, as in scans with several phases; put the slices "
            "of one phase into a folder of their own."
        )


def _check_line(positions: FloatArray, heights: FloatArray) -> None:
    length = heights[-1] - heights[0]
    if not length > 0:
        return
    part = (heights - heights[0])[:, None] / length
    off = np.linalg.norm(positions - (positions[0] + part * (positions[-1] - positions[0])), axis=1)
    if off.max() > _UNEVENNESS_MM:
        raise StackError(
            f"its slices do not lie along a line; slice {int(off.argmax()) + 1} is {off.max():.2f} mm from its place. "
            "Resample the series evenly, for example with dcm2niix."
        )


def _check_gaps(heights: FloatArray) -> None:
    """A wide step between two narrow ones is a slice that is missing; several alike in a row were acquired so."""
    steps = np.diff(heights)
    usual = np.median(steps) if len(steps) else 0.0
    gaps = [
        gap for gap in np.flatnonzero(steps > 1.5 * usual) if _alike_around(steps, int(gap)) < _FEWEST_ALIKE
    ]
    if gaps:
        named = [f"{steps[gap]:.2f} mm from {heights[gap]:.2f} to {heights[gap + 1]:.2f}" for gap in gaps]
        rest = f" and {len(gaps) - _NAMED} more" if len(gaps) > _NAMED else ""
        raise StackError(
            f"slices are missing; neighbours lie {usual:.2f} mm apart, but there are gaps of "
            f"{', '.join(named[:_NAMED])}{rest} (mm along the stack). Export the whole series again."
        )


def _alike_around(steps: FloatArray, number: int) -> int:
    """How many steps in a row, step `number` among them, are as wide as that one."""
    alike = np.abs(steps - steps[number]) <= _ALIKE * steps[number]
    others = np.flatnonzero(~alike)
    before, after = others[others < number], others[others > number]
    first = before[-1] + 1 if len(before) else 0
    return int((after[0] if len(after) else len(steps)) - first)
