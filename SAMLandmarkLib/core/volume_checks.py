"""What an array and its map must be to count as a volume of a modality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..utils.errors import VolumeError
from ..utils.translation import _
from .ct_values import value_doubts
from .geometry import spacing_of
from .modality import CT, Modality

_FEWEST_SLICES = 4
# Smallest volume of a voxel relative to a box with the same edges; below, the axes lie in one plane.
_FLATTEST_VOXEL = 1e-3
# Spacings of exactly zero are rare; what headers hold instead are tiny numbers, or metres.
_SMALLEST_SPACING_MM = 1e-3
# Sine of the angle by which an image of one slice may lean out of the plane of L and P.
_MOST_TILTED = 1e-3
_INT16 = np.iinfo(np.int16)
_BLOCK_VOXELS = 1 << 24


def checked_array(array: np.ndarray, name: str, spatial_axes: int = 3) -> np.ndarray:
    """`array [z, y, x]` as int16 where that holds it, else as float32; VolumeError names it `name`."""
    array = np.asarray(array)
    _check_shape(array.shape, name, spatial_axes)
    if array.dtype.kind not in "iuf":
        other = _("{name}: voxels of type {type} aren't CT values; give integers or real numbers.")
        raise VolumeError(other.format(name=name, type=str(array.dtype)))
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            array = array.astype(np.float32, copy=False)
        _check_finite(array, name)
        return array
    fits = np.can_cast(array.dtype, np.int16) or (array.min() >= _INT16.min and array.max() <= _INT16.max)
    return array.astype(np.int16 if fits else np.float32, copy=False)


def checked_affine(ijk_to_lps: np.ndarray, name: str) -> np.ndarray:
    """`ijk_to_lps` as a float64 4x4 map that can be inverted; VolumeError names the volume `name`."""
    affine = np.array(ijk_to_lps, dtype=float)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.allclose(affine[3], (0, 0, 0, 1)):
        wrong = _("{name}: its map from voxels to mm must be a finite 4x4 affine, not {affine}.")
        raise VolumeError(wrong.format(name=name, affine=str(affine.tolist())))
    spacing = spacing_of(affine)
    check_spacing(spacing, name)
    direction = affine[:3, :3] / spacing
    if abs(np.linalg.det(direction)) < _FLATTEST_VOXEL:
        flat = _(
            "{name}: its three axes lie in one plane (direction {direction}); correct the header or convert the "
            "scan again."
        )
        raise VolumeError(flat.format(name=name, direction=str(direction.round(4).tolist())))
    return affine


def check_spacing(spacing: Sequence[float] | np.ndarray, name: str) -> None:
    """Raise VolumeError, naming the volume `name`, where a voxel spacing `(3,)` mm is zero or not finite."""
    if not np.isfinite(spacing).all() or min(spacing) < _SMALLEST_SPACING_MM:
        numbers = " x ".join(f"{value:g}" for value in spacing)
        sizeless = _(
            "{name}: its voxel spacing is {numbers} mm, but voxels need a size in every direction; correct the "
            "header or convert the scan again."
        )
        raise VolumeError(sizeless.format(name=name, numbers=numbers))


def check_in_plane(ijk_to_lps: np.ndarray, name: str) -> None:
    """Raise VolumeError, naming the volume, where its slices are not planes of L and P."""
    direction = ijk_to_lps[:3, :3] / spacing_of(ijk_to_lps)
    if max(np.abs(direction[2, :2]).max(), np.abs(direction[:2, 2]).max()) > _MOST_TILTED:
        tilted = _(
            "{name}: an image of one slice must lie in the plane of the axes L and P, but its direction is "
            "{direction}; set its direction to that of an axial slice."
        )
        raise VolumeError(tilted.format(name=name, direction=str(direction.round(3).tolist())))


def ct_warnings(array: np.ndarray) -> tuple[str, ...]:
    """Why the values of `array` can't be, or may not be, Hounsfield units; empty where they look like CT."""
    return scan_warnings(array, CT)


def scan_warnings(array: np.ndarray, modality: Modality) -> tuple[str, ...]:
    """Why the values of `array` can't be, or may not be, of a modality; empty where they look like it."""
    low, high = float(array.min()), float(array.max())
    if low == high:
        constant = _("every voxel is {value}, so there is nothing to find in it.")
        return (constant.format(value=f"{low:g}"),)
    if not (sign := _sign_of_another(low, high, modality)):
        return value_doubts(array) if modality.unit == CT.unit else ()
    expected = _("CT in Hounsfield units") if modality.name == CT.name else modality.title
    unlike = _(
        "its values run from {low} to {high}, {sign}; landmarks will be unreliable unless this is {expected}."
    )
    return (unlike.format(low=f"{low:g}", high=f"{high:g}", sign=sign, expected=expected),)


def size_warnings(ijk_to_lps: np.ndarray, size_ijk: Sequence[int], modality: Modality) -> tuple[str, ...]:
    """Whether a scan is longer than any of what the model of its modality knows; empty where it is not."""
    longest = modality.scan_checks.longest_mm
    length = float((spacing_of(ijk_to_lps) * size_ijk).max())
    if longest is None or length <= longest:
        return ()
    too_long = _(
        "it is {length} mm long, more than a head; landmarks will be unreliable unless this is {expected}."
    )
    return (too_long.format(length=f"{length:.0f}", expected=modality.title),)


def _sign_of_another(low: float, high: float, modality: Modality) -> str:
    """What a range of values looks like when it doesn't look like the modality, else ""."""
    checks = modality.scan_checks
    if checks.never_negative and low < -0.2 * high:
        return _("far below zero, as in CT")
    if checks.has_negative_values and low >= 0:
        if high <= 1:
            return _("as in a normalized image")
        if high <= 255:
            return _("as in an 8-bit picture or a segmentation")
        return _("none negative, as in MR or in CT without its rescale intercept")
    if checks.highest_at_least is not None and high < checks.highest_at_least:
        few = _("with nothing above {value}").format(value=f"{checks.highest_at_least:g}")
        return _("with no bone or contrast medium above 100") if modality.name == CT.name else few
    if checks.lowest_at_most is not None and low >= checks.lowest_at_most:
        none = _("with nothing below {value}").format(value=f"{checks.lowest_at_most:g}")
        return _("with no air below -200") if modality.name == CT.name else none
    return ""


def sizes_text(sizes: Sequence[int]) -> str:
    """Sizes as they are written in messages: `512x512x300`."""
    return "x".join(str(size) for size in sizes)


def _check_shape(shape: tuple[int, ...], name: str, spatial_axes: int) -> None:
    if len(shape) != 3:
        other = _("{name}: it has {count} dimensions of {sizes} voxels; give one 3-D volume.")
        raise VolumeError(other.format(name=name, count=len(shape), sizes=sizes_text(shape[::-1])))
    if spatial_axes == 2 and shape[0] != 1:
        thick = _("{name}: it has {count} slices, but an image of this modality has one; give one image.")
        raise VolumeError(thick.format(name=name, count=shape[0]))
    if min(shape[3 - spatial_axes :]) < _FEWEST_SLICES:
        few = _("{name}: {sizes} voxels are too few; at least {least} slices in every direction are needed.")
        raise VolumeError(few.format(name=name, sizes=sizes_text(shape[::-1]), least=_FEWEST_SLICES))


def _check_finite(array: np.ndarray, name: str) -> None:
    # In blocks, because a mask of the whole array costs memory, and a sum may overflow.
    flat = array.reshape(-1)
    blocks = range(0, flat.size, _BLOCK_VOXELS)
    bad = [start + np.flatnonzero(~np.isfinite(flat[start : start + _BLOCK_VOXELS])) for start in blocks]
    count = sum(len(block) for block in bad)
    if count:
        first = next(block[0] for block in bad if len(block))
        index = tuple(int(part) for part in np.unravel_index(first, array.shape)[::-1])
        infinite = _(
            "{name}: {count} voxels are NaN or infinite, the first at index (i, j, k) = {index}; replace them, for "
            "example by -1024, and save the volume again."
        )
        raise VolumeError(infinite.format(name=name, count=count, index=str(index)))
