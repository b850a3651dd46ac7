"""Whether a scan seems to be stored upside down or mirrored under an unchanged header.

Such a scan still looks like anatomy. Turned upside down or front to back, hardly a point of the template leads to it and
back; then its middle is embedded again, on the searched level alone, in each of the eight ways in which axes can be
reversed.

A mirror image from left to right fits the template nearly as well as the scan does, since bodies are nearly symmetric. So
it is judged by what is not: how much worse each point of the target fits the target's own mirror image tells how much
worse its mirror image should fit the template, or how much better, where the target is the mirror image.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..embedding.embedder import padded
from ..embedding.embedding import Embedding, Image, Level, searched_level_of
from ..models.bundle import EmbeddingModel
from ..utils.translation import _

# A follow-up of the lung had 22 to 33 % of its support points lead back in each of its flips, and 80 % as it was; two
# patients have about half. Only below this are the flips embedded.
FEW_CONSISTENT = 0.35
MOST_CONSISTENT = 0.7
"""Where more points lead back, the target is no mirror image, or of a part that looks the same mirrored."""
Flip = tuple[int, ...]
"""Axes that are reversed: 0 from left to right, 1 from front to back, 2 from head to foot."""
_LEFT_RIGHT: Flip = (0,)
_POINTS = 300
# Flipped is the middle half of each side, which is an eighth of the work, but not less than what can be recognised.
_LEAST_MIDDLE_MM = 160.0
# In cells of the searched level: how near a match must lead back, and how near it must be to the common shift.
_CYCLE_CELLS, _SHIFT_CELLS = 3.0, 6.0
# Flipped, so many points must agree, and so many times as many as without a flip.
_LEAST_AGREEMENT, _BETTER = 0.25, 1.6
# Mirrored, a match must lie so near to the common shift, in cells of the searched level. The evidence is 1 for the mirror
# image of the template itself; docs/accuracy.md has that of pairs of scans, and the highest of a sound one.
_NEAR_CELLS, LEAST_EVIDENCE = 7.5, 0.1
_FEWEST_POINTS = 30
# So many points are compared with all cells at once, which bounds the memory.
_BLOCK_POINTS = 50


def orientation_doubt(
    template: Embedding, target: Embedding, model: EmbeddingModel, consistent: float
) -> str:
    """A sentence where the target fits far better with axes reversed, else "".

    `consistent` is the part of the template's support points that lead to the target and back.
    """
    if consistent >= MOST_CONSISTENT or not len(target.support_points_lps):
        return ""
    if consistent < FEW_CONSISTENT and (flip := likely_flip(_agreements(template, target, model))):
        return _doubt(flip)
    if model.modality.spatial_axes == 3 and template.has_image:
        evidence = mirror_evidence(template, target, model)
        return _doubt(_LEFT_RIGHT) if evidence >= LEAST_EVIDENCE else ""
    return ""


def unlike_doubt(consistent: float) -> str:
    """What to say of a target in which so small a part of the template's support points is found and leads back."""
    doubt = _(
        "only {percent} % of the template's places are found in it and lead back, so it may show something else, or be turned, "
        "mirrored or inverted; no landmark in it is called found."
    )
    return doubt.format(percent=round(100 * consistent))


def _doubt(flip: Flip) -> str:
    if flip == _LEFT_RIGHT:
        return _(
            "its content fits the template better when left and right (L-R) are exchanged, so it may be stored mirrored under "
            "a header that does not say so, or the patient may have a situs inversus; left and right of landmarks in it are "
            "unreliable until that is clear."
        )
    doubt = _(
        "its content fits the template far better when it is reversed along {axes}, so it may be stored upside down or "
        "mirrored under a header that does not say so; landmarks in it are unreliable until it is converted again."
    )
    return doubt.format(axes=", ".join(("L-R", "A-P", "I-S")[axis] for axis in flip))


# ---- left and right


def mirror_evidence(template: Embedding, target: Embedding, model: EmbeddingModel) -> float:
    """How much rather the target is the mirror image of such a scan as the template: about 1 if so, -1 if not, 0 unclear.

    It is the slope of what points of the target gain in similarity to the template where they are mirrored, over what they
    lose in the target's own mirror image. Where a part of the body is symmetric, nothing is lost, and the slope is small.
    """
    points = target.support_points_lps[:_POINTS]
    own, image = target.searched, searched_level(target.image, model, _LEFT_RIGHT)
    mirrored = _flipped_points(points, target.image, _LEFT_RIGHT)
    asked, there = own.at(points), template.searched
    gain = _similarity(image.at(mirrored), mirrored, there) - _similarity(asked, points, there)
    loss = 1 - _similarity(asked, points, image)
    known = np.isfinite(gain) & np.isfinite(loss)
    if known.sum() < _FEWEST_POINTS:
        return 0.0
    return float(gain[known] @ loss[known] / max(loss[known] @ loss[known], 1e-6))


def _flipped_points(points_lps: np.ndarray, image: Image, flip: Flip) -> np.ndarray:
    """Where points of an image lie once its content is reversed along axes (x, y, z)."""
    grid = image.grid
    ends = grid.lps_from_index(np.array([[0, 0, 0], np.array(grid.size_ijk) - 1], dtype=float))
    flipped: np.ndarray = points_lps.copy()
    flipped[:, flip] = ends[:, flip].sum(axis=0) - points_lps[:, flip]
    return flipped


def _similarity(vectors: Tensor, points_lps: np.ndarray, level: Level) -> np.ndarray:
    """The highest similarity of each vector `(n,C)` of a point `(n,3)` with the cells near where the common shift puts it.

    NaN where there are none, as the other scan does not reach so far.
    """
    found_lps, _cells = _nearest(vectors, level)
    expected_lps = points_lps + _common_shift(found_lps - points_lps, _SHIFT_CELLS * level.grid.spacing_mm)
    flat = level.vectors.reshape(-1, level.vectors.shape[-1])
    cells = torch.as_tensor(_cells_near(expected_lps, level), device=flat.device)
    best = []
    for block in torch.arange(len(vectors)).split(_BLOCK_POINTS):
        near = flat[cells[block].clamp(min=0)]
        similarity = torch.einsum("nmc,nc->nm", near, vectors[block].to(flat.dtype)).float()
        best.append(similarity.masked_fill_(cells[block] < 0, -torch.inf).amax(dim=1))
    similarities: np.ndarray = torch.cat(best).cpu().numpy()
    return np.where(np.isfinite(similarities), similarities, np.nan)


def _cells_near(points_lps: np.ndarray, level: Level) -> np.ndarray:
    """The numbers of a level's cells within reach of each of n points, `(n,m)`, -1 where they lie outside of it."""
    reach = int(_NEAR_CELLS)
    steps = np.indices((2 * reach + 1,) * 3).reshape(3, -1).T - reach
    steps = steps[np.linalg.norm(steps, axis=1) <= _NEAR_CELLS]
    size = np.array(level.grid.size_ijk)
    cells = np.round(level.grid.index_from_lps(points_lps)).astype(int)[:, None] + steps
    inside = ((cells >= 0) & (cells < size)).all(axis=-1)
    i, j, k = np.moveaxis(np.clip(cells, 0, size - 1), -1, 0)
    numbers: np.ndarray = np.where(inside, (k * size[1] + j) * size[0] + i, -1)
    return numbers


def _common_shift(shifts: np.ndarray, tolerance_mm: float) -> np.ndarray:
    """Mean of the shifts `(n,3)` around the one that most others are near to."""
    near = np.linalg.norm(shifts[:, None] - shifts[None], axis=-1) <= tolerance_mm
    shift: np.ndarray = shifts[near[near.sum(axis=1).argmax()]].mean(axis=0)
    return shift


# ---- any axes


def flips_of(spatial_axes: int) -> list[Flip]:
    """All sets of axes, none first."""
    axes = range(spatial_axes)
    return [flip for count in range(len(axes) + 1) for flip in itertools.combinations(axes, count)]


def likely_flip(agreements: Mapping[Flip, float]) -> Flip:
    """The axes that are reversed, () where they hardly are, by how well the target fits with each reversed (`FlippedMiddle`)."""
    flip = max(agreements, key=agreements.__getitem__)
    return flip if agreements[flip] >= max(_LEAST_AGREEMENT, _BETTER * agreements[()]) else ()


class FlippedMiddle:
    """The middle of a target, which is embedded with axes reversed and compared with a template."""

    def __init__(self, template: Embedding, target: Embedding, model: EmbeddingModel) -> None:
        self._template, self._model = template.searched, model
        self._middle, self._points_lps = _middle(target)

    def agreement(self, flip: Flip) -> float:
        """Which part of its points agrees on a shift where these axes are reversed, from 0 to 1."""
        points_lps = _flipped_points(self._points_lps, self._middle, flip)
        return _agreement(points_lps, searched_level(self._middle, self._model, flip), self._template)


def _agreements(template: Embedding, target: Embedding, model: EmbeddingModel) -> dict[Flip, float]:
    middle = FlippedMiddle(template, target, model)
    return {flip: middle.agreement(flip) for flip in flips_of(model.modality.spatial_axes)}


def _middle(scan: Embedding) -> tuple[Image, np.ndarray]:
    """The middle of a scan around the middle of the body, and the support points `(n,3)` in it."""
    image, points = scan.image, scan.support_points_lps
    grid = image.grid
    size = np.array(grid.size_ijk)
    wanted = np.minimum(size, np.maximum(size // 2, round(_LEAST_MIDDLE_MM / grid.spacing_mm)))
    center = grid.index_from_lps(np.median(points, axis=0)[None])[0]
    start = np.clip(np.round(center - wanted / 2).astype(int), 0, size - wanted)
    (i, j, k), (stop_i, stop_j, stop_k) = start, start + wanted
    origin = grid.lps_from_index(start[None].astype(float))[0]
    part = replace(grid, origin_lps=origin, size_ijk=tuple(wanted.tolist()))
    index = grid.index_from_lps(points)
    inside = ((index >= start) & (index <= start + wanted - 1)).all(axis=1)
    values = image.values[k:stop_k, j:stop_j, i:stop_i]
    return Image(values, part, image.modality), points[inside][:_POINTS]


def searched_level(image: Image, model: EmbeddingModel, flip: Flip = ()) -> Level:
    """The searched level of an image whose content is reversed along axes (x, y, z) under an unchanged grid."""
    levels = model.metadata.levels
    number = searched_level_of(levels)
    values = image.values.float().flip([2 - axis for axis in flip])
    vectors = model.embed_level(number, padded(values, model))
    grid = image.grid.coarser(levels[number].cell_spacing_mm)
    depth, height, width = grid.shape_kji
    # processors multiply float16, as levels come from the network, six times as slowly
    return Level(vectors[:depth, :height, :width].float(), grid)


def _agreement(points_lps: np.ndarray, own: Level, other: Level) -> float:
    """Which part of points of a level `own` leads to the other and back, by the shift of most of them."""
    if not len(points_lps):
        return 0.0
    found_lps, cells = _nearest(own.at(points_lps), other)
    back_lps, _cells = _nearest(cells, own)
    shift = found_lps - points_lps
    near = np.linalg.norm(shift - np.median(shift, axis=0), axis=1) <= _SHIFT_CELLS * own.grid.spacing_mm
    returns = np.linalg.norm(back_lps - points_lps, axis=1) <= _CYCLE_CELLS * own.grid.spacing_mm
    return float((near & returns).mean())


def _nearest(vectors: Tensor, level: Level) -> tuple[np.ndarray, Tensor]:
    """The cell of a level that is most like each vector `(n,C)`: its place `(n,3)` in LPS mm, and its own vector."""
    flat = level.vectors.reshape(-1, level.vectors.shape[-1])
    best = (vectors.to(flat.dtype) @ flat.T).argmax(dim=1)
    # torch.unravel_index would import sympy, which takes a second
    k, j, i = np.unravel_index(best.cpu().numpy(), level.vectors.shape[:3])
    return level.grid.lps_from_index(np.stack([i, j, k], axis=1).astype(float)), flat[best].float()
