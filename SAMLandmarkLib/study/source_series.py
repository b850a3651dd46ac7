"""The DICOM series that a scan of a study was read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..io.dicom_series import slices_of_folder
from ..utils.errors import VolumeError
from .inputs import files_of_scan, is_unchanged
from .plan import StudyScan

if TYPE_CHECKING:
    from ..io.writers.sr_source import SourceSeries


def series_of_scan(scan: StudyScan, sha256: str | None = None) -> SourceSeries:
    """The series of a scan.

    `sha256` is the checksum of its files when the landmarks were found, None where that is unknown. Raises
    VolumeError, with the reason alone, where there is no series to refer to.
    """
    from ..io.writers.sr_source import SourceSeries

    if not scan.files and not scan.path.is_dir():
        raise VolumeError(
            f"it was not read from DICOM but from {scan.path.name}"
            if scan.path.exists()
            else f"{scan.path} does not exist any more"
        )
    if sha256 is not None and not is_unchanged(scan, sha256):
        raise VolumeError("its images have changed since the landmarks were found")
    if scan.files:
        return SourceSeries.of_files(files_of_scan(scan))
    return SourceSeries.of_files([file.path for file in slices_of_folder(scan.path)])
