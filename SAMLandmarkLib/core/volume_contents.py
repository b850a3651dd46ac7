"""What a reader found in a file, before it is a volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class VolumeContents:
    """What a file says: `array [z, y, x]`, 4x4 `ijk_to_lps`, the volume's name, and doubts about it.

    `modality` is the name of the one that the file belongs to, as far as it shows.
    """

    array: np.ndarray
    ijk_to_lps: np.ndarray
    name: str
    doubts: tuple[str, ...] = ()
    modality: str = "ct"
