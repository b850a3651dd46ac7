"""What training needs beside a modality: its base spacing, how its looks vary, and what its model files are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..core import modality as known
from ..core.matching_options import MR_BRAIN_PROFILES, PROFILES, RADIOGRAPH_PROFILES, MatchingOptions
from ..core.modality import Modality
from ..utils.errors import UsageError
from .config import LevelTraining
from .ct_appearance import vary_scan
from .film_appearance import OUTSIDE_FILM, vary_film
from .label_rendering import OUTSIDE_HEAD
from .mr_appearance import vary_head
from .pseudo_landmarks import pseudo_landmarks

Scan = tuple[str, str, np.ndarray]
"""Name, group (first-level folder) and values `[z,y,x]` or `[contrast,z,y,x]` at the base spacing."""


@dataclass(frozen=True)
class TrainingModality:
    """How images of a modality are trained on.

    `base_spacing_mm`: of the images in memory; `padding_value`: of what lies outside an image, which on films can be
    told from black; `tissue_from`: values above it are anatomy; `whole_images_from_mm`: levels of such voxels see and
    search whole images, finer ones parts of them; `vary(image, level, rng)` changes the looks of a patch. `matching` and
    `error_limit_mm` are those that the model file gets. `find_landmarks(values, spacing_mm)` names places (x,y,z), in
    voxels, that can be found without a network, to validate with; None where there are none. Where it `names_contrasts`,
    images of one patient whose names end in their contrasts lie in one place, and there may be label maps.
    """

    modality: Modality
    base_spacing_mm: float
    padding_value: float
    tissue_from: float
    whole_images_from_mm: float
    vary: Callable[[Tensor, LevelTraining, np.random.Generator], Tensor]
    matching: Mapping[str, MatchingOptions]
    error_limit_mm: float
    find_landmarks: Callable[[np.ndarray, float], dict[str, np.ndarray]] | None = None
    names_contrasts: bool = False

    @property
    def name(self) -> str:
        """The name of the modality."""
        return self.modality.name


CT = TrainingModality(
    known.CT,
    base_spacing_mm=2.0,
    padding_value=known.CT.padding_value,
    tissue_from=known.CT.body.air,
    whole_images_from_mm=4.0,
    vary=vary_scan,
    matching=PROFILES,
    error_limit_mm=10.0,
    find_landmarks=pseudo_landmarks,
)
RADIOGRAPH = TrainingModality(
    known.RADIOGRAPH, 0.4, OUTSIDE_FILM, OUTSIDE_FILM / 2, 1.0, vary_film, RADIOGRAPH_PROFILES, 4.0
)
MR_BRAIN = TrainingModality(
    known.MR_BRAIN,
    base_spacing_mm=2.0,
    padding_value=OUTSIDE_HEAD,
    tissue_from=0.05,
    whole_images_from_mm=4.0,
    vary=vary_head,
    matching=MR_BRAIN_PROFILES,
    error_limit_mm=5.0,
    names_contrasts=True,
)
_MODALITIES = {modality.name: modality for modality in (CT, RADIOGRAPH, MR_BRAIN)}


def training_modality(name: str) -> TrainingModality:
    """The modality of that name; UsageError where training knows none."""
    if name not in _MODALITIES:
        raise UsageError(f"Unknown modality '{name}' to train; known are {', '.join(_MODALITIES)}.")
    return _MODALITIES[name]
