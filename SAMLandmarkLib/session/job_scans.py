"""The scans of the scene for jobs of other processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..io.job_scans import JobScan
from ..scene.modality import kind_name
from ..scene.mrml import VolumeNode
from ..scene.volumes import volume_arrays


@dataclass(frozen=True, eq=False)
class NodeScan:
    """The voxels `[z, y, x]` of a volume node, in Slicer's own memory, and how they are described to a job."""

    voxels: np.ndarray
    described: JobScan

    @classmethod
    def of(
        cls, volume_node: VolumeNode, number: int, upright_from_own: np.ndarray, files: Sequence[str] = ()
    ) -> NodeScan:
        """Scan `number` of a job, placed by `upright_from_own` (4x4, LPS). Raises VolumeError where it has no voxels."""
        array, ijk_to_lps = volume_arrays(volume_node)
        placed = (upright_from_own @ ijk_to_lps).tolist()
        return cls(array, JobScan(f"scan-{number}.npy", placed, kind_name(volume_node), tuple(files)))


def write_voxels(folder: Path, scans: Sequence[NodeScan], canceled: Callable[[], bool]) -> None:
    """Write the voxels of the scans of a job into its folder, until `canceled`; OSError where that is not possible."""
    for scan in scans:
        if not canceled():
            np.save(folder / scan.described.voxels, scan.voxels, allow_pickle=False)
