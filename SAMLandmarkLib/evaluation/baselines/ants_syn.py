"""ANTs: affine and symmetric diffeomorphic registration."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.landmarks import LandmarkSet
from ...core.volume import CanonicalVolume, Volume
from .baseline import Baseline
from .scans import body


class AntsSyn(Baseline):
    """`ants.registration` with the type SyN as it comes: affine and deformable, mutual information."""

    modules = ("ants",)

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        import ants
        import pandas

        fixed, moving = _image(body(template)), _image(body(target))
        found = ants.registration(fixed, moving, type_of_transform="SyN", random_seed=1)
        points = pandas.DataFrame(landmarks.positions_lps, columns=["x", "y", "z"])
        # images are pulled back, so the forward transforms take points of the fixed image to the moving one
        moved = ants.apply_transforms_to_points(3, points, found["fwdtransforms"])
        return moved[["x", "y", "z"]].to_numpy()


def _image(scan: CanonicalVolume) -> Any:
    import ants

    # ANTs wants arrays whose first axis is x, and begins with the centers of mass, so that air must weigh nothing
    array = np.ascontiguousarray(scan.array.transpose(2, 1, 0)) - scan.modality.padding_value
    return ants.from_numpy(array, origin=scan.grid.origin_lps.tolist(), spacing=[scan.grid.spacing_mm] * 3)
