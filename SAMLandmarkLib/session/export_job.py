"""An export as a job for another process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..reporting.export_job import scan_document, write_job
from ..reporting.pictures import Pictures
from .export import ExportScan, ReviewExport

MODULE = "SAMLandmarkLib.reporting.export_job"


class ExportJob:
    """What describes an export to the process that writes it; `write` is for another thread than the scene's."""

    def __init__(self, export: ReviewExport, target: Path, pictures: Pictures) -> None:
        self._export, self._target, self._pictures = export, target, pictures
        # the scene belongs to this thread, so what comes from it is taken here; only the voxels are written later
        scans = [scan for scan in (export.template, *export.follow_ups) if scan is not None]
        self._scans = [(scan, self._voxels_of(scan)) for scan in scans]

    def _voxels_of(self, scan: ExportScan) -> tuple[np.ndarray, np.ndarray] | None:
        return None if self._pictures is Pictures.NONE else scan.voxels

    def write(self, folder: Path, canceled: Callable[[], bool]) -> None:
        """Write the voxels of the scans and the description of the job."""
        documents = []
        for number, (scan, voxels) in enumerate(self._scans):
            file = None if voxels is None else f"scan-{number}.npy"
            if voxels is not None and not canceled():
                np.save(folder / f"scan-{number}.npy", voxels[0], allow_pickle=False)
            affine = None if voxels is None else voxels[1]
            documents.append(scan_document(scan.key, scan.name, scan.date, scan.provenance, file, affine))
        export = self._export
        has_template = export.template is not None
        write_job(folder, self._target, documents, export.points, export.state, self._pictures, has_template)
