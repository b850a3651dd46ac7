"""The content of a structured report about the lesions at one date: template TID 1500 with a group for each lesion.

The same tracking UID in the reports of all dates tells that two groups are about one lesion. The longest diameter is the
group's region, a polyline of two points; each axis has its own line as what it was measured from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from highdicom.sr import (
    ContentSequence,
    CoordinatesForMeasurement3D,
    FindingSite,
    GraphicTypeValues3D,
    ImageRegion3D,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TimePointContext,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes

from ..core.lesions import Diameter, Finding, Lesion, LesionHistory, Role, Source
from ..io.lesion_details import details_text
from ..io.writers.sr_codes import (
    BODY_STRUCTURE,
    LESION_STATUS,
    LESION_STATUSES,
    MEASURED,
    MEASURED_BY,
    NEW_LESION,
    PROPOSED_RESPONSE,
    RESPONSES,
    ROLE,
    SUM_OF_DIAMETERS,
)
from ..io.writers.sr_content import report_of
from .response import Assessment

ORGANS = {
    "liver": codes.SCT.Liver,
    "lung": codes.SCT.Lung,
    "kidney": codes.SCT.Kidney,
    "spleen": codes.SCT.Spleen,
    "pancreas": codes.SCT.Pancreas,
    "adrenal": codes.SCT.AdrenalGland,
    "bone": codes.SCT.Bone,
    "brain": codes.SCT.Brain,
    "lymph node": codes.SCT.LymphNode,
}
_ROLES = {
    Role.TARGET: codes.DCM.TargetLesionAtBaseline,
    Role.NON_TARGET: codes.DCM.NonTargetLesionAtBaseline,
    Role.NEW: NEW_LESION,
}
Group = MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations


def lesion_report(
    history: LesionHistory, assessment: Assessment, response_uid: str, frame_of_reference_uid: str
) -> MeasurementReport:
    """The content about one date, whose points lie in the frame of reference given."""
    visit = assessment.visit
    context = TimePointContext(history.visits[visit].title, time_point_order=visit + 1)
    groups = [
        _group(track.lesion, finding, context, frame_of_reference_uid)
        for track in history
        if (finding := track.at(visit)) is not None
    ]
    return report_of([*groups, _response(assessment, context, response_uid)])


def texts_of(history: LesionHistory, visit: int) -> list[str]:
    """All texts of people that such a report holds."""
    texts = [history.visits[visit].title]
    for track in history:
        finding = track.at(visit)
        if finding is not None:
            texts += [track.lesion.name, details_text(track.lesion), str(finding.note)]
            texts += [finding.merged_into, finding.split_from]
    return texts


def _group(lesion: Lesion, finding: Finding, context: TimePointContext, frame_uid: str) -> Group:
    content: dict[str, Any] = {
        "tracking_identifier": TrackingIdentifier(lesion.uid, lesion.name),
        "time_point_context": context,
        "finding_type": codes.SCT.Lesion,
        "finding_category": BODY_STRUCTURE,
        "finding_sites": [FindingSite(ORGANS[lesion.organ.lower()])]
        if lesion.organ.lower() in ORGANS
        else None,
        "measurements": list(_measurements(finding)),
        "qualitative_evaluations": list(_evaluations(lesion, finding)),
    }
    region = _region(finding, frame_uid)
    group: Group
    if region is None:
        group = MeasurementsAndQualitativeEvaluations(**content)
    else:
        group = PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **content)
    _add_lines(group, finding, frame_uid)
    for text in (details_text(lesion), *_remarks(finding)):
        comment = TextContentItem(codes.DCM.Comment, text, RelationshipTypeValues.CONTAINS)
        group[0].ContentSequence.append(comment)
    return group


def _region(finding: Finding, frame_uid: str) -> ImageRegion3D | None:
    if not finding.is_seen:
        return None
    if finding.long is None:
        return ImageRegion3D(GraphicTypeValues3D.POINT, finding.position[None], frame_uid)
    return ImageRegion3D(GraphicTypeValues3D.POLYLINE, finding.long.ends, frame_uid)


def _measurements(finding: Finding) -> Iterator[Measurement]:
    for name, diameter in _axes(finding):
        yield Measurement(name, round(diameter.length_mm, 3), codes.UCUM.Millimeter)
    if finding.source is not Source.HAND:
        confidence = round(100 * finding.confidence, 2)
        yield Measurement(codes.DCM.CertaintyOfFinding, confidence, codes.UCUM.Percent)


def _axes(finding: Finding) -> Iterator[tuple[Any, Diameter]]:
    for name, diameter in ((codes.SCT.LongAxis, finding.long), (codes.SCT.ShortAxis, finding.short)):
        if diameter is not None:
            yield name, diameter


def _add_lines(group: Group, finding: Finding, frame_uid: str) -> None:
    """Put the line that each axis was measured from under its length.

    A group of a region takes no coordinates of measurements when it is made, as the region is what was measured; the
    short axis has another one, and the template may be extended.
    """
    lines = {name.value: diameter for name, diameter in _axes(finding)}
    for item in group[0].ContentSequence:
        diameter = lines.get(item.name.value) if item.ValueType == "NUM" else None
        if diameter is not None:
            polyline = GraphicTypeValues3D.POLYLINE
            item.ContentSequence = ContentSequence(
                [CoordinatesForMeasurement3D(polyline, diameter.ends, frame_uid)]
            )


def _evaluations(lesion: Lesion, finding: Finding) -> Iterator[QualitativeEvaluation]:
    yield QualitativeEvaluation(ROLE, _ROLES[lesion.role])
    yield QualitativeEvaluation(LESION_STATUS, LESION_STATUSES[finding.status.value])
    source = finding.source if finding.long is None else finding.long.source
    yield QualitativeEvaluation(MEASURED, MEASURED_BY[source.value])


def _remarks(finding: Finding) -> Iterator[str]:
    if finding.merged_into:
        yield f"merged into {finding.merged_into}"
    if finding.split_from:
        yield f"part of {finding.split_from}"
    if finding.note:
        yield str(finding.note)


def _response(
    assessment: Assessment, context: TimePointContext, uid: str
) -> MeasurementsAndQualitativeEvaluations:
    """The sum of diameters and the proposed response, as a group of their own."""
    sums = [] if assessment.sum_mm is None else [round(assessment.sum_mm, 3)]
    overall = assessment.overall
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid, "response"),
        time_point_context=context,
        method=codes.DCM.RECIST1Point1,
        measurements=[Measurement(SUM_OF_DIAMETERS, value, codes.UCUM.Millimeter) for value in sums],
        qualitative_evaluations=[]
        if overall is None
        else [QualitativeEvaluation(PROPOSED_RESPONSE, RESPONSES[overall.response.value])],
    )
    if overall is not None:
        rule = TextContentItem(codes.DCM.Comment, str(overall.rule), RelationshipTypeValues.CONTAINS)
        group[0].ContentSequence.append(rule)
    return group
