"""From an image's own grid to the canonical one, by one mechanism.

Along each native axis the volume is interpolated linearly with anti-aliasing: a triangle as wide as the
coarser of the two grids, written as a small matrix `[out, in]`. Where the native axes run along L, P and S,
in any order and sense, that lands exactly on the canonical grid. Oblique and sheared volumes are reduced in
the same way along their own axes, and one trilinear resampling then turns them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import CanonicalGrid, affine_from_parts, spacing_of
from .modality import CT, Modality

# Axes count as running along L, P, S when no voxel moves further than this by saying so.
_ALIGNED_TOLERANCE_MM = 0.05
# Two triangles of 1/sqrt(2) of the width blur as much as one of the full width, so that a turned volume looks
# as sharp as one that isn't.
_TURNED_REDUCTION = 2**-0.5
_SLAB_BYTES = 1 << 24
_BAND_ROWS = 32


@dataclass(frozen=True)
class _AxisSampling:
    """Where the samples of one output axis lie on one native axis, in fractional voxels of that axis."""

    first: float
    step: float
    count: int


def resample_to_grid(
    array: np.ndarray, ijk_to_lps: np.ndarray, grid: CanonicalGrid, modality: Modality = CT
) -> np.ndarray:
    """Resample intensities onto the canonical grid.

    `array [z, y, x]` (any real type) with its `ijk_to_lps` (4x4) -> float32 `grid.shape_kji`, clipped to the
    modality's intensity range, and its padding value outside the voxels of `array`.
    """
    axes = _aligned_axes(ijk_to_lps, array.shape[::-1])
    if axes is None:
        return _resample_turned(array, ijk_to_lps, grid, modality)
    samplings = [_along_lps(ijk_to_lps, native, lps, grid) for native, lps in enumerate(axes)]
    result = _resample_separably(array, samplings, modality)
    # Array axes are (k, j, i) of the native grid; they become (S, P, L).
    order = [2 - axes.index(lps) for lps in (2, 1, 0)]
    return np.ascontiguousarray(result.transpose(order))


def _aligned_axes(ijk_to_lps: np.ndarray, size_ijk: tuple[int, ...]) -> list[int] | None:
    """The LPS axis that each native axis runs along, or None for an oblique or sheared volume."""
    steps = np.abs(ijk_to_lps[:3, :3])
    axes = steps.argmax(axis=0)
    drift = steps * size_ijk
    drift[axes, range(3)] = 0
    aligned = sorted(axes) == [0, 1, 2] and drift.max() <= _ALIGNED_TOLERANCE_MM
    return axes.tolist() if aligned else None


def _along_lps(ijk_to_lps: np.ndarray, native: int, lps: int, grid: CanonicalGrid) -> _AxisSampling:
    step_mm = ijk_to_lps[lps, native]
    first = (grid.origin_lps[lps] - ijk_to_lps[lps, 3]) / step_mm
    return _AxisSampling(first, grid.spacing_mm / step_mm, grid.size_ijk[lps])


def _resample_turned(
    array: np.ndarray, ijk_to_lps: np.ndarray, grid: CanonicalGrid, modality: Modality
) -> np.ndarray:
    import SimpleITK as sitk

    samplings = [
        _reduced(size, spacing, grid.spacing_mm * _TURNED_REDUCTION)
        for size, spacing in zip(array.shape[::-1], spacing_of(ijk_to_lps))
    ]
    reduced = sitk.GetImageFromArray(_resample_separably(array, samplings, modality))
    firsts, steps = zip(*((sampling.first, sampling.step) for sampling in samplings))
    reduced_to_lps = ijk_to_lps @ affine_from_parts(firsts, steps, np.eye(3))
    grid_to_reduced = np.linalg.inv(reduced_to_lps) @ grid.ijk_to_lps
    transform = sitk.AffineTransform(
        grid_to_reduced[:3, :3].ravel().tolist(), grid_to_reduced[:3, 3].tolist()
    )
    # To ITK both are images in their own voxels, and the transform has all the geometry.
    in_voxels = ((0.0,) * 3, (1.0,) * 3, np.eye(3).ravel().tolist())
    padding = modality.padding_value
    resampled = sitk.Resample(reduced, grid.size_ijk, transform, sitk.sitkLinear, *in_voxels, padding)
    return sitk.GetArrayFromImage(resampled)


def _reduced(size: int, spacing_mm: float, wanted_mm: float) -> _AxisSampling:
    """An axis of about the wanted spacing, never finer than the native one, with the same outer edges."""
    count = min(size, max(1, round(size * spacing_mm / wanted_mm)))
    step = size / count
    return _AxisSampling(step / 2 - 0.5, step, count)


def _resample_separably(array: np.ndarray, samplings: list[_AxisSampling], modality: Modality) -> np.ndarray:
    """Resample `[k, j, i]` along its axes (samplings of i, j, k), with a float copy of one slab only."""
    weights_i, weights_j, weights_k = (
        _weights(sampling, size) for sampling, size in zip(samplings, array.shape[::-1])
    )
    slices, rows, columns = array.shape
    stack = np.empty((slices, len(weights_j), len(weights_i)), dtype=np.float32)
    thickness = max(1, _SLAB_BYTES // (4 * rows * columns))
    for start in range(0, slices, thickness):
        part = slice(start, start + thickness)
        slab = np.clip(array[part], *modality.intensity_range, dtype=np.float32, casting="unsafe")
        stack[part] = np.matmul(_apply_to_rows(weights_j, slab), weights_i.T)
    result = _apply_to_rows(weights_k, stack.reshape(slices, -1)).reshape(-1, *stack.shape[1:])
    _blank_outside(result, samplings, array.shape, modality.padding_value)
    return result


def _apply_to_rows(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`weights @ values`, band by band: in a band of output rows only a short run of columns isn't zero."""
    result = np.empty((*values.shape[:-2], len(weights), values.shape[-1]), dtype=np.float32)
    for start in range(0, len(weights), _BAND_ROWS):
        band = weights[start : start + _BAND_ROWS]
        used = np.flatnonzero(band.any(axis=0))
        run = slice(used[0], used[-1] + 1)
        np.matmul(band[:, run], values[..., run, :], out=result[..., start : start + len(band), :])
    return result


def _weights(sampling: _AxisSampling, size: int) -> np.ndarray:
    """The interpolation matrix `[count, size]`; beyond its ends an axis goes on with its last voxel."""
    half_width = max(1.0, abs(sampling.step))
    margin = int(np.ceil(half_width)) + 1
    voxels = np.arange(-margin, size + margin)
    centres = np.clip(sampling.first + sampling.step * np.arange(sampling.count), -0.5, size - 0.5)
    offsets = voxels - centres[:, None]
    extended = _centred(np.maximum(0.0, 1.0 - np.abs(offsets) / half_width), offsets)
    weights = extended[:, margin : margin + size].copy()
    weights[:, 0] += extended[:, :margin].sum(axis=1)
    weights[:, -1] += extended[:, margin + size :].sum(axis=1)
    single: np.ndarray = weights.astype(np.float32)
    return single


def _centred(weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Rows of weights with the sum 1 and the mean offset 0, so that a ramp comes out as the same ramp."""
    weights = weights / weights.sum(axis=1, keepdims=True)
    mean = (weights * offsets).sum(axis=1, keepdims=True)
    variance = (weights * (offsets - mean) ** 2).sum(axis=1, keepdims=True)
    level: np.ndarray = weights * (1 - mean * (offsets - mean) / np.maximum(variance, 1e-12))
    return level


def _blank_outside(
    result: np.ndarray, samplings: list[_AxisSampling], shape_kji: tuple[int, ...], padding_value: float
) -> None:
    for axis, (sampling, size) in enumerate(zip(reversed(samplings), shape_kji)):
        centres = sampling.first + sampling.step * np.arange(sampling.count)
        outside = np.abs(centres - (size - 1) / 2) > size / 2 + 1e-3
        np.moveaxis(result, axis, 0)[outside] = padding_value
