"""itk-elastix: rigid, affine and B-spline registration with its default parameter maps."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ...core.landmarks import LandmarkSet
from ...core.volume import CanonicalVolume, Volume
from .baseline import Baseline
from .scans import body, centers_offset_lps

STEPS = ("rigid", "affine", "bspline")


class Elastix(Baseline):
    """The default maps rigid, affine and bspline one after the other, from the bodies' middles.

    The number of threads is left to elastix: it crashes where it is told.
    """

    modules = ("itk",)

    def load(self) -> None:
        import itk

        # itk loads its parts when they are first asked for
        for part in ("ElastixRegistrationMethod", "TransformixFilter", "ParameterObject", "image_from_array"):
            getattr(itk, part)

    def transfer(self, template: Volume, landmarks: LandmarkSet, target: Volume) -> np.ndarray:
        fixed, moving = body(template), body(target)
        offset_lps = centers_offset_lps(fixed, moving)
        images = _image(fixed), _image(moving, -offset_lps)
        return carried_points(*images, landmarks.positions_lps) + offset_lps


def carried_points(fixed: Any, moving: Any, points: np.ndarray) -> np.ndarray:
    """Points `(n,d)` mm of an ITK image of d axes in another one, found by registering them from where they lie."""
    import itk

    parameters = itk.ParameterObject.New()
    for step in STEPS:
        parameters.AddParameterMap(parameters.GetDefaultParameterMap(step))
    _, found = itk.elastix_registration_method(
        fixed, moving, parameter_object=parameters, log_to_console=False
    )
    with tempfile.TemporaryDirectory() as folder:
        return _points_through(found, moving, points, Path(folder))


def _image(scan: CanonicalVolume, shift_lps: np.ndarray | float = 0.0) -> Any:
    import itk

    image = itk.image_from_array(scan.array)
    image.SetSpacing([scan.grid.spacing_mm] * 3)
    image.SetOrigin((scan.grid.origin_lps + shift_lps).tolist())
    return image


def _points_through(transform: Any, moving: Any, points: np.ndarray, folder: Path) -> np.ndarray:
    """Points `(n,d)` of the fixed image in the moving one; transformix takes and gives them as text files."""
    import itk

    rows = "\n".join(" ".join(f"{value:.6f}" for value in point) for point in points)
    points_file = folder / "points.txt"
    points_file.write_text(f"point\n{len(points)}\n{rows}\n")
    itk.transformix_filter(
        moving,
        transform,
        fixed_point_set_file_name=str(points_file),
        output_directory=str(folder),
        log_to_console=False,
    )
    found = re.findall(r"OutputPoint = \[ ([^\]]+) \]", (folder / "outputpoints.txt").read_text())
    return np.array([[float(value) for value in point.split()] for point in found])
