"""A registration: the transform between two scans, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core.geometry import FieldOfView
from ..core.transforms import PointTransform, resample_through
from ..core.volume import Volume

MOST_LABELS = 256


@dataclass(frozen=True, eq=False)
class Registration:
    """The map between a template and a target.

    `transform` takes points of the template to the target, LPS mm, as ITK's resampling does and as 3D Slicer's
    *FromParent*; `inverse` leads back. `template_region` and `target_region` are the voxels of both scans. `quality`
    tells how regular the map is, `seconds` what each step took, `settings` how it was made.
    """

    template: str
    target: str
    template_region: FieldOfView
    target_region: FieldOfView
    transform: PointTransform
    inverse: PointTransform
    quality: dict[str, float]
    seconds: dict[str, float]
    settings: dict

    def apply(self, image: Volume) -> Volume:
        """An image or label map of the target on the voxels of the template; see `looks_like_labels`."""
        return _resampled(image, self.transform, self.template_region)

    def apply_inverse(self, image: Volume) -> Volume:
        """An image or label map of the template on the voxels of the target."""
        return _resampled(image, self.inverse, self.target_region)

    def apply_points(self, points_lps: np.ndarray) -> np.ndarray:
        """Where points `(n, 3)` of the template lie in the target, LPS mm; NaN stays NaN."""
        return self.transform.apply(points_lps)

    def apply_points_inverse(self, points_lps: np.ndarray) -> np.ndarray:
        """Where points `(n, 3)` of the target lie in the template, LPS mm; NaN stays NaN."""
        return self.inverse.apply(points_lps)

    def in_target(self, points_lps: np.ndarray) -> np.ndarray:
        """Whether points `(n, 3)` of the template come to lie where the target has voxels, `(n,)`."""
        return self.target_region.distance_to_border_mm(self.apply_points(points_lps)) > 0


def looks_like_labels(image: Volume) -> bool:
    """Whether voxels are labels, which must not be mixed: whole numbers from 0 on, of no more than 256 kinds.

    >>> looks_like_labels(Volume(np.tile(np.arange(4), (4, 4, 1)), np.eye(4)))
    True
    """
    array = image.array
    if array.min() < 0 or (array.dtype.kind == "f" and not (array == np.rint(array)).all()):
        return False
    return len(np.unique(array)) <= MOST_LABELS


def _resampled(image: Volume, transform: PointTransform, region: FieldOfView) -> Volume:
    array = resample_through(image, transform, region, nearest=looks_like_labels(image))
    return replace(image, array=array, ijk_to_lps=region.ijk_to_lps.copy(), source=None, warnings=())
