"""DICOM reports as tests read them, and the coarse scans that they are about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from highdicom.sr import MeasurementReport, srread

from SAMLandmarkLib.core.volume import Volume

STEP = 2


def coarse(volume: Volume) -> Volume:
    return Volume(volume.array[::STEP, ::STEP, ::STEP], volume.ijk_to_lps @ np.diag([STEP, STEP, STEP, 1]))


def content(file: Path) -> MeasurementReport:
    """The measurements of a report as highdicom reads them."""
    return srread(file).content


def points(file: Path) -> dict[str, list[float]]:
    """The landmarks with a point of a report, LPS mm."""
    groups = content(file).get_planar_roi_measurement_groups()
    return {group.tracking_identifier: group.roi.value[0].tolist() for group in groups}


def tracking_uids(file: Path) -> dict[str, str]:
    report = content(file)
    groups = (*report.get_planar_roi_measurement_groups(), *report.get_image_measurement_groups())
    return {group.tracking_identifier: str(group.tracking_uid) for group in groups}
