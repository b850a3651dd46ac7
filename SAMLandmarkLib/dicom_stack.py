"""The slices of a DICOM series as one stack: their order, whether they are evenly spaced, and the map to LPS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import VolumeError

# A slice further than this from its place in an even stack would make landmarks there wrong by as much.
_UNEVENNESS_MM = 0.5
_SAME_PLACE_MM = 0.01
# A larger difference of direction or pixel spacing moves the end of a slice by more than half a millimetre.
_SAME_GRID = 1e-3
# Longer lists are cut off in messages.
_NAMED = 5


class StackError(VolumeError):
    """Slices are not one volume; the message begins with what is wrong, for the series' name to be put in front."""


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Where `n` slices lie.

    `positions (n, 3)` in LPS mm, `orientations (n, 6)`, `pixel_spacings (n, 2)` mm between rows and columns.
    """

    positions: np.ndarray
    orientations: np.ndarray
    pixel_spacings: np.ndarray

    @classmethod
    def from_values(cls, values: Sequence[Sequence[Sequence[str | float]]]) -> SliceStack:
        """From the position, orientation and pixel spacing of each slice, as numbers or text; StackError."""
        try:
            columns = [np.array([list(part) for part in column], dtype=float) for column in zip(*values)]
            position, orientation, spacing = columns
            if (position.shape[1:], orientation.shape[1:], spacing.shape[1:]) == ((3,), (6,), (2,)):
                return cls(position, orientation, spacing)
        except (TypeError, ValueError) as error:
            raise _without_place() from error
        raise _without_place()

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, numbers: np.ndarray) -> SliceStack:
        return SliceStack(self.positions[numbers], self.orientations[numbers], self.pixel_spacings[numbers])

    @property
    def heights_mm(self) -> np.ndarray:
        """Place of each slice along the normal of the first, `(n,)` mm."""
        return self.positions @ np.cross(self.orientations[0, :3], self.orientations[0, 3:])

    @property
    def order(self) -> np.ndarray:
        """The numbers of the slices, `(n,)`, along their normal."""
        return np.argsort(self.heights_mm, kind="stable")

    def ijk_to_lps(self) -> np.ndarray:
        """The 4x4 map of slices that are sorted along their normal.

        Raises StackError where they aren't parallel, share a place, or are not evenly spaced along a line.
        """
        self._check_same_grid()
        # Sorted again, since GDCM goes by number and name where slices share a place.
        _check_steps(np.sort(self.heights_mm))
        along_row, along_column = self.orientations[0, :3], self.orientations[0, 3:]
        row_spacing, column_spacing = self.pixel_spacings[0]
        step = (self.positions[-1] - self.positions[0]) / max(1, len(self) - 1)
        _check_evenness(self.positions, step)
        columns = [along_row * column_spacing, along_column * row_spacing, step, self.positions[0]]
        return np.vstack([np.column_stack(columns), (0, 0, 0, 1)])

    def _check_same_grid(self) -> None:
        differences = [np.ptp(values, axis=0).max() for values in (self.orientations, self.pixel_spacings)]
        if max(differences) > _SAME_GRID:
            raise StackError(
                "its slices differ in orientation or pixel spacing, as when a scout view lies among them; put "
                "the slices of one scan into a folder of their own."
            )


def _without_place() -> StackError:
    return StackError(
        "not every slice says its position, orientation and pixel spacing (tags 0020,0032, 0020,0037 and "
        "0028,0030); export the original series from the scanner or the archive."
    )


def _check_steps(heights: np.ndarray) -> None:
    steps = np.diff(heights)
    if (steps < _SAME_PLACE_MM).any():
        count = int((steps < _SAME_PLACE_MM).sum())
        raise StackError(
            f"{count} slices lie in the same place as another, as in scans with several phases; put the slices "
            "of one phase into a folder of their own."
        )
    usual = np.median(steps) if len(steps) else 0.0
    gaps = np.flatnonzero(steps > 1.5 * usual)
    if len(gaps):
        named = [f"{steps[gap]:.2f} mm from {heights[gap]:.2f} to {heights[gap + 1]:.2f}" for gap in gaps]
        rest = f" and {len(gaps) - _NAMED} more" if len(gaps) > _NAMED else ""
        raise StackError(
            f"slices are missing; neighbours lie {usual:.2f} mm apart, but there are gaps of "
            f"{', '.join(named[:_NAMED])}{rest} (mm along the stack). Export the whole series again."
        )


def _check_evenness(positions: np.ndarray, step: np.ndarray) -> None:
    even = positions[0] + np.arange(len(positions))[:, None] * step
    off = np.linalg.norm(positions - even, axis=1)
    if off.max(initial=0.0) > _UNEVENNESS_MM:
        raise StackError(
            f"its slices are not evenly spaced along a line; slice {int(off.argmax()) + 1} is "
            f"{off.max():.2f} mm from its place. Resample the series evenly, for example with dcm2niix."
        )
