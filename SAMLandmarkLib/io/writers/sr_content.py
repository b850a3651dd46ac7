"""The content of a report about one scan: template TID 1500 with a measurement group for each landmark.

DICOM's patient coordinates are LPS mm, as all coordinates of this library, so points go in as they are.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    DeviceObserverIdentifyingAttributes,
    GraphicTypeValues3D,
    ImageRegion3D,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes

from ... import __version__
from ...core.results import TransferredLandmark
from .sr_codes import BODY_STRUCTURE, CYCLE_DISTANCE, LANDMARK, STATUS, STATUSES, calibrated

TEMPLATE_STATUS = "TEMPLATE"
"""Status of a landmark that was given and not found."""
PRODUCT = "SAMLandmark"
MANUFACTURER = "SAMLandmark contributors"


@dataclass(frozen=True)
class ScanFindings:
    """The landmarks of one scan.

    `tracking_uid` gives a landmark's UID by its label; `algorithm_version` and `parameters` tell how they were found,
    and are empty where they were given. `error_limit_mm` is the error that their confidence speaks of.
    """

    items: Sequence[TransferredLandmark]
    tracking_uid: Callable[[str], str]
    algorithm_version: str = ""
    parameters: tuple[str, ...] = ()
    error_limit_mm: float = 10.0

    @property
    def given(self) -> bool:
        """Whether somebody placed the landmarks, as in a template."""
        return not self.algorithm_version


def uid_from_name(namespace: uuid.UUID, name: str) -> str:
    """A DICOM UID that is the same for the same name in the same namespace, and different from all others."""
    return f"2.25.{uuid.uuid5(namespace, name).int}"


def measurement_report(findings: ScanFindings, frame_of_reference_uid: str) -> MeasurementReport:
    """The content about a scan whose points lie in the frame of reference given."""
    return report_of([_group(item, findings, frame_of_reference_uid) for item in findings.items])


def report_of(groups: Sequence[Any]) -> MeasurementReport:
    """A report of this program with these measurement groups."""
    return MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_device()),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )


def _device() -> ObserverContext:
    device_uid = uid_from_name(uuid.NAMESPACE_DNS, f"{PRODUCT} {__version__}")
    return ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=device_uid,
            name=PRODUCT,
            manufacturer_name=MANUFACTURER,
            model_name=f"{PRODUCT} {__version__}",
        ),
    )


def _group(
    item: TransferredLandmark, findings: ScanFindings, frame_of_reference_uid: str
) -> MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations:
    """A landmark with its point, or without a point where it has none."""
    content: dict[str, Any] = {
        "tracking_identifier": TrackingIdentifier(findings.tracking_uid(item.label), item.label),
        "finding_type": LANDMARK,
        "finding_category": BODY_STRUCTURE,
        "algorithm_id": _algorithm(findings),
        "measurements": [] if findings.given else _measurements(item, findings.error_limit_mm),
        "qualitative_evaluations": [
            QualitativeEvaluation(STATUS, STATUSES[TEMPLATE_STATUS if findings.given else item.status.value])
        ],
    }
    group: MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations
    if item.position_lps is None:
        group = MeasurementsAndQualitativeEvaluations(**content)
    else:
        points = np.array([item.position_lps])
        region = ImageRegion3D(GraphicTypeValues3D.POINT, points, frame_of_reference_uid)
        group = PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **content)
    if item.reason:
        # TID 1410 and 1501 may be extended, and a reason in words has no place of its own in them.
        comment = TextContentItem(codes.DCM.Comment, item.reason, RelationshipTypeValues.CONTAINS)
        group[0].ContentSequence.append(comment)
    return group


def _algorithm(findings: ScanFindings) -> AlgorithmIdentification | None:
    if findings.given:
        return None
    return AlgorithmIdentification(
        PRODUCT, findings.algorithm_version, parameters=findings.parameters, manufacturer=MANUFACTURER
    )


def _measurements(item: TransferredLandmark, error_limit_mm: float) -> list[Measurement]:
    """The confidence in percent and the cycle distance of a point that was found."""
    if item.position_lps is None:
        return []
    confidence = round(100 * item.confidence, 2)
    method = calibrated(error_limit_mm)
    measurements = [Measurement(codes.DCM.CertaintyOfFinding, confidence, codes.UCUM.Percent, method=method)]
    if math.isfinite(item.cycle_error_mm):
        measurements.append(Measurement(CYCLE_DISTANCE, round(item.cycle_error_mm, 3), codes.UCUM.Millimeter))
    return measurements
