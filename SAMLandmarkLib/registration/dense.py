"""The dense end stage: embeddings first for what is far, then embeddings and images together for what is near."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from ..core.geometry import CanonicalGrid
from ..embedding.mind import mind
from .convex import convex_field
from .features import Components, ScanFeatures, cells_lps, index_of
from .fields import sample, unfolded
from .instance import OptimisationSettings, doubled, halved, optimised_field


@dataclass(frozen=True)
class DenseSettings:
    """`components` of the embeddings; `radius` of the convex step in cells of twice the grid's spacing.

    `embedding_weight` and `image_weight` tell how much their squared differences count; with `optimise` False only the
    convex step is done.
    """

    components: int = 12
    radius: int = 2
    embedding_weight: float = 1.0
    image_weight: float = 1.0
    optimise: bool = True
    optimisation: OptimisationSettings = field(default_factory=OptimisationSettings)


def dense_field(
    template: ScanFeatures,
    target: ScanFeatures,
    start_lps: Tensor,
    grid: CanonicalGrid,
    settings: DenseSettings = DenseSettings(),
    tell: Callable[[float], None] = lambda share: None,
) -> Tensor:
    """Displacements `[3,D,H,W]` (z,y,x) in cells of `grid`, to be made before the map that is known so far.

    `start_lps` `[3,D,H,W]` (x,y,z) is where that map takes the cells of `grid`, which lies on the template's finest
    level. All is compared in the template's frame, in which the target has been brought near by that map. `tell` is called
    with the share that is done of the optimisation.
    """
    weight = _weight(template, target, start_lps, grid)
    fixed, moving = _features(template, target, start_lps, weight, grid, settings)
    found = convex_stage(fixed, moving, weight, settings.radius)
    if settings.optimise:
        found = optimised_field(fixed, moving, weight, found, settings.optimisation, tell)
    return unfolded(found)


def _features(
    template: ScanFeatures,
    target: ScanFeatures,
    start_lps: Tensor,
    weight: Tensor,
    grid: CanonicalGrid,
    settings: DenseSettings,
) -> tuple[Tensor, Tensor]:
    """Embedding components and MIND of both scans in the template's frame, `[C,D,H,W]`, scaled by their weights."""
    components = Components.of(template, settings.components)
    embedded = (
        components.at(template, cells_lps(grid).float(), weight),
        # what a cell may be moved to counts as well as the cell
        components.at(target, start_lps.float(), _widened(weight, 2 * settings.radius)),
    )
    images = image_features(template, target, start_lps, grid)
    scales = math.sqrt(settings.embedding_weight), math.sqrt(settings.image_weight)
    return tuple(
        torch.cat([vectors * scales[0], image * scales[1]])
        for vectors, image in zip(embedded, images, strict=True)
    )


def _widened(weight: Tensor, cells: int) -> Tensor:
    """1 wherever a cell that counts is near."""
    return functional.max_pool3d(weight[None], 2 * cells + 1, stride=1, padding=cells)[0]


def convex_stage(fixed: Tensor, moving: Tensor, weight: Tensor, radius: int) -> Tensor:
    """The coupled-convex field on cells twice as large, brought to the grid."""
    found = convex_field(halved(fixed), halved(moving), halved(weight[None])[0], radius)
    return doubled(found, tuple(weight.shape)).contiguous()


def image_features(
    template: ScanFeatures, target: ScanFeatures, start_lps: Tensor, grid: CanonicalGrid
) -> tuple[Tensor, Tensor]:
    """MIND `[12,D,H,W]` of both images on `grid`, the target's brought there first so that directions agree."""
    factor = round(grid.spacing_mm / template.grid.spacing_mm)
    shape = tuple(factor * size for size in grid.shape_kji)
    places = functional.interpolate(start_lps[None].float(), size=shape, mode="trilinear")[0]
    seen = sample(target.values[None].float(), index_of(places, target.grid))[0]
    padding = [
        pad
        for size, full in zip(template.values.shape[::-1], shape[::-1], strict=True)
        for pad in (0, full - size)
    ]
    darkest, brightest = template.modality.compared
    own = functional.pad(template.values[None].float(), padding, value=darkest)[0]
    images = (image.clamp(darkest, brightest) for image in (own, seen))
    return tuple(functional.avg_pool3d(mind(image)[None], factor)[0] for image in images)


def _weight(template: ScanFeatures, target: ScanFeatures, start_lps: Tensor, grid: CanonicalGrid) -> Tensor:
    """1 in the template's body where the target covers the place, else 0, `[D,H,W]`."""
    body = template.depth_at(cells_lps(grid).flatten(1).T.numpy()) > 0
    border_mm = target.field_of_view.distance_to_border_mm(start_lps.flatten(1).T.numpy())
    return torch.from_numpy(body & (border_mm > 0)).float().view(grid.shape_kji)
