"""A scan as a file for another process of this program; light, since Slicer loads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.modality import modality_of
from ..core.volume import Volume

JOB_FILE = "job.json"
"""What describes a job, in the folder of its scans."""


@dataclass(frozen=True)
class JobScan:
    """A scan of a job: the `voxels` `[z, y, x]` in a .npy of the job's folder, with their 4x4 map to LPS mm.

    `files` are the DICOM files that it was loaded from, where it was.
    """

    voxels: str
    ijk_to_lps: list[list[float]]
    modality: str = ""
    files: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> JobScan:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**values, "files": tuple(values["files"])})

    def read(self, folder: Path, name: str) -> Volume:
        """The scan as a volume with this name, and with what is odd about it; raises what `Volume` raises."""
        array = np.load(folder / self.voxels, allow_pickle=False)
        modality = modality_of(self.modality, array)
        volume = Volume(array, np.array(self.ijk_to_lps), name, modality=modality)
        volume.warnings = volume.doubts()
        return volume
