"""The baselines by name, in the order of the tables."""

from __future__ import annotations

from collections.abc import Callable

from .affine import SimpleItkAffine
from .ants_syn import AntsSyn
from .baseline import Baseline, missing_packages
from .bspline import SimpleItkBspline
from .center import CenterAlignment
from .convex_adam import ConvexAdam
from .descriptors import DescriptorSearch
from .elastix import Elastix
from .samlandmark import SamLandmark

OWN = "samlandmark"
"""The baseline that all others are compared with."""
_ONE_PATIENT_MM, _BETWEEN_PATIENTS_MM = 2.0, 3.0

_BASELINES: dict[str, Callable[[bool], Baseline]] = {
    OWN: lambda same_patient: SamLandmark("accurate"),
    "samlandmark-fast": lambda same_patient: SamLandmark("fast"),
    "center": lambda same_patient: CenterAlignment(),
    "sitk-affine": lambda same_patient: SimpleItkAffine(),
    "sitk-bspline": lambda same_patient: SimpleItkBspline(),
    "elastix": lambda same_patient: Elastix(),
    "ants-syn": lambda same_patient: AntsSyn(),
    "convexadam": lambda same_patient: ConvexAdam(_ONE_PATIENT_MM if same_patient else _BETWEEN_PATIENTS_MM),
    "descriptors": lambda same_patient: DescriptorSearch(),
}
BASELINE_NAMES = tuple(_BASELINES)
TITLES = {
    OWN: "SAMLandmark, accurate",
    "samlandmark-fast": "SAMLandmark, fast",
    "center": "center alignment",
    "sitk-affine": "SimpleITK affine",
    "sitk-bspline": "SimpleITK affine + B-spline",
    "elastix": "elastix rigid + affine + B-spline",
    "ants-syn": "ANTs SyN",
    "convexadam": "ConvexAdam MIND",
    "descriptors": "descriptor search",
}


def baseline_named(name: str, same_patient: bool) -> Baseline:
    """The baseline with the settings for scans of one patient, or of two."""
    return _BASELINES[name](same_patient)


def why_missing(name: str) -> str | None:
    """Why a baseline can't run here, None where it can."""
    return missing_packages(baseline_named(name, True).modules)
