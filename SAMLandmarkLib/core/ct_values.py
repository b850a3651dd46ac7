"""Whether values look like Hounsfield units, judged by where their peaks lie and not by minimum and maximum alone.

Every CT of a patient has a peak of soft tissue near 0 HU; air, lung and padding lie below, and few voxels are denser
than bone. A rescaling that is missing, applied twice, or only in some slices moves that peak.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.translation import _

# Fat to enhanced vessels.
_SOFT_TISSUE_HU = (-250.0, 250.0)
_LEAST_SOFT_TISSUE = 0.01
# Of the voxels of a patient few are so dense: teeth, cortical bone, contrast medium, metal.
_BONE_HU, _METAL_HU, _BELOW_AIR_HU = 400.0, 2000.0, -1300.0
_MOST_METAL, _MOST_BELOW_AIR = 0.04, 0.02
# A scan with gas in it has voxels near -1000 HU; where the least are no thinner than this, they were scaled down.
_GAS_HU, _THICKEST_GAS_HU, _LEAST_GAS = -300.0, -700.0, 0.05
# A peak this wide with this part of all voxels is one tissue.
_PEAK_HU, _PEAK_PART = 300.0, 0.2
_DENSE_SLICE_HU, _DENSE_SLICE_PART = 700.0, 0.5
# The value most frequent between lung and bone is that of fat or of soft tissue: from -115 to 65 HU in 125 of 126 scans of
# all regions, and a fourth of the voxels around it.
_TISSUE_RANGE_HU, _TISSUE_BIN_HU, _TISSUE_BINS = 400, 10, 5
_FAT_HU, _WATER_HU, _DISTINCT_PART = (-130.0, -45.0), (-20.0, 120.0), 0.15
# A slice between two that agree is like their mean, but for a few HU: its fit to it has a slope near 1.
_AGREEING, _LEAST_CONTRAST_HU = 0.8, 50.0
_MOST_SHIFTED_HU, _SLOPES = 50.0, (0.2, 1.9)
_SAMPLES = 1 << 20
_SAMPLES_ALONG_A_SIDE = 64
_BIN_HU, _MOST_BINS = 20.0, 500


def value_doubts(array: NDArray[Any]) -> tuple[str, ...]:
    """Why the values of `array [z, y, x]` are hardly Hounsfield units; empty where they may be."""
    if (sign := _sign_of_wrong_scale(array)) or (sign := _sign_of_wrong_slices(array)):
        doubt = _("{sign}, so its values are hardly Hounsfield units, and landmarks will be unreliable.")
        return (doubt.format(sign=sign),)
    return ()


def _sign_of_wrong_scale(array: NDArray[Any]) -> str:
    step = max(1, round((array.size / _SAMPLES) ** (1 / 3)))
    sampled = array[::step, ::step, ::step]
    values = _without_padding(sampled)
    if not values.size:
        return ""
    if sign := _sign_of_thick_gas(sampled) or _sign_of_thick_gas(values):
        return sign
    if (part := float((values > _METAL_HU).mean())) > _MOST_METAL:
        return _("{part} of its voxels are as dense as metal").format(part=f"{part:.0%}")
    if (part := float((values < _BELOW_AIR_HU).mean())) > _MOST_BELOW_AIR:
        return _("{part} of its voxels are thinner than air").format(part=f"{part:.0%}")
    peak, part = _highest_peak_above(values, _BONE_HU)
    if part > _PEAK_PART:
        return _("{part} of its voxels have values near {value}, where no tissue lies").format(
            part=f"{part:.0%}", value=f"{peak:.0f}"
        )
    soft = float(((values > _SOFT_TISSUE_HU[0]) & (values < _SOFT_TISSUE_HU[1])).mean())
    if soft < _LEAST_SOFT_TISSUE:
        return _("hardly any of its voxels has the value of soft tissue")
    return _sign_of_shifted_tissue(values)


def _sign_of_thick_gas(values: NDArray[Any]) -> str:
    """Whether there is gas and none of it is as thin as air."""
    lowest, part = float(values.min()), float((values < _GAS_HU).mean())
    if lowest < _THICKEST_GAS_HU or part < _LEAST_GAS:
        return ""
    return _("the {part} of its voxels that must be gas have no value below {lowest}").format(
        part=f"{part:.0%}", lowest=f"{lowest:.0f}"
    )


def _sign_of_shifted_tissue(values: NDArray[Any]) -> str:
    """Whether the most frequent value between lung and bone is neither that of fat nor that of soft tissue."""
    inside = values[np.abs(values) < _TISSUE_RANGE_HU]
    bins = ((inside + _TISSUE_RANGE_HU) // _TISSUE_BIN_HU).astype(int)
    counts = np.bincount(bins, minlength=2 * _TISSUE_RANGE_HU // _TISSUE_BIN_HU)
    smooth = np.convolve(counts, np.ones(_TISSUE_BINS), "same")
    highest = int(smooth.argmax())
    peak = (highest + 0.5) * _TISSUE_BIN_HU - _TISSUE_RANGE_HU
    distinct = smooth[highest] >= _DISTINCT_PART * max(1, len(inside))
    if not distinct or any(low <= peak <= high for low, high in (_FAT_HU, _WATER_HU)):
        return ""
    return _(
        "its most frequent value is {value}, which is neither that of fat nor that of soft tissue"
    ).format(value=f"{peak:.0f}")


def _without_padding(array: NDArray[Any]) -> NDArray[Any]:
    """The values above the lowest one, which is what pads a scan, or air that was cut off."""
    values = array.ravel()
    above: NDArray[Any] = values[values > values.min()]
    return above


def _highest_peak_above(values: NDArray[Any], lowest: float) -> tuple[float, float]:
    """Middle of the window of 300 HU above `lowest` that holds the most values, and the part of all that it holds."""
    above = values[values > lowest]
    bins = np.minimum((above - lowest) // _BIN_HU, _MOST_BINS).astype(int)
    width = int(_PEAK_HU / _BIN_HU)
    inside = np.convolve(np.bincount(bins, minlength=_MOST_BINS + 1), np.ones(width), "valid")
    first = int(inside.argmax())
    return lowest + (first + width / 2) * _BIN_HU, float(inside[first] / len(values))


def _sign_of_wrong_slices(array: NDArray[Any]) -> str:
    """What is wrong with single slices along one of the axes, which other slices hide in a histogram of all."""
    for axis in range(3):
        slices = np.moveaxis(array, axis, 0)
        steps = [max(1, side // _SAMPLES_ALONG_A_SIDE) for side in slices.shape[1:]]
        slices = slices[:, :: steps[0], :: steps[1]].reshape(len(slices), -1)
        dense = (slices > _DENSE_SLICE_HU).mean(axis=1) > _DENSE_SLICE_PART
        if dense.any():
            return _("slice {number} along axis {axis} holds values of no tissue").format(
                number=int(dense.argmax()), axis="kji"[axis]
            )
    return _sign_of_unlike_neighbours(array)


def _sign_of_unlike_neighbours(array: NDArray[Any]) -> str:
    """Whether a slice along k, the axis of stacks, has other values than both its neighbours, which agree."""
    steps = [max(1, side // _SAMPLES_ALONG_A_SIDE) for side in array.shape[1:]]
    slices = array[:, :: steps[0], :: steps[1]].reshape(len(array), -1).astype(np.float32)
    before, slices, after = slices[:-2], slices[1:-1], slices[2:]
    mean = (before + after) / 2
    spread = _covariance(before, before) * _covariance(after, after)
    agree = _covariance(before, after) > _AGREEING * np.sqrt(spread)
    contrast = _covariance(mean, mean)
    slope = _covariance(slices, mean) / np.maximum(contrast, 1.0)
    shift = np.abs(np.median(slices - mean, axis=1))
    unlike = (shift > _MOST_SHIFTED_HU) | (slope < _SLOPES[0]) | (slope > _SLOPES[1])
    odd = agree & (contrast > _LEAST_CONTRAST_HU**2) & unlike
    if not odd.any():
        return ""
    # the slices beside it are unlike their neighbours too, but less
    worst = np.where(odd, shift / _MOST_SHIFTED_HU + np.abs(slope - 1), -1.0).argmax()
    return _("slice {number} along axis k has other values than its neighbours").format(number=int(worst) + 1)


def _covariance(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Of each row `(n,m)`, `(n,)`."""
    centred = (values - values.mean(axis=1, keepdims=True) for values in (first, second))
    covariance: NDArray[Any] = np.multiply(*centred).mean(axis=1)
    return covariance
