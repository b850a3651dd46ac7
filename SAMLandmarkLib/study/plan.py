"""What a study is to do: whose landmarks are carried from which scans to which others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.target_names import numbered_names
from .protocol import StudyProtocol

if TYPE_CHECKING:
    from ..core.volume import Volume


@dataclass(frozen=True)
class StudyScan:
    """A scan of a patient.

    `name` is unique within the patient; results are called after it. `path` is a volume file or the folder of a DICOM
    series; `files` are the paths of its slices relative to that folder where other things lie there too. `date` is
    ISO 8601, or empty where unknown; `details` says what kind of scan it is, where that was found out.
    """

    patient: str
    name: str
    path: Path
    date: str = ""
    files: tuple[str, ...] = ()
    description: str = ""
    details: str = ""

    @property
    def key(self) -> str:
        """What tells this scan from all others of the study."""
        return f"{self.patient}/{self.name}"

    def read(self, pixel_spacing_mm: float | None = None, modality: str | None = None) -> Volume:
        """Read the voxels; the volume has the scan's name. Raises VolumeError.

        `pixel_spacing_mm` is of radiographs whose files don't tell it, `modality` the name of what the scan is, where the
        file is not to tell it.
        """
        from ..core.modality import MODALITIES
        from ..core.volume import Volume

        known = MODALITIES.get(modality or "")
        if self.files:
            volume = Volume.read_series(self.path, self.files, known)
        else:
            volume = Volume.read(self.path, modality=known, pixel_spacing_mm=pixel_spacing_mm)
        volume.name = self.name
        return volume


@dataclass(frozen=True)
class Template:
    """A scan with the file of its landmarks."""

    scan: StudyScan
    landmarks: Path


@dataclass(frozen=True)
class Excluded:
    """A scan that takes no part, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class PatientPlan:
    """The landmarks of the templates, or of a protocol where there are none, are found in each of the follow-ups.

    The first template is the one whose landmarks count; further ones have landmarks of the same labels and make the
    transfer surer. Templates may be scans of somebody else. `doubts` say why the scans may not be of one person, or in
    another order.
    """

    patient: str
    templates: tuple[Template, ...]
    follow_ups: tuple[StudyScan, ...]
    excluded: tuple[Excluded, ...] = ()
    doubts: tuple[str, ...] = ()
    protocol: StudyProtocol | None = None

    @classmethod
    def of(
        cls,
        patient: str,
        source: Template | StudyProtocol,
        follow_ups: tuple[StudyScan, ...],
        excluded: tuple[Excluded, ...] = (),
        doubts: tuple[str, ...] = (),
    ) -> PatientPlan:
        """The plan of a patient whose landmarks come from one template, or from a protocol."""
        if isinstance(source, StudyProtocol):
            return cls(patient, (), follow_ups, excluded, doubts, source)
        return cls(patient, (source,), follow_ups, excluded, doubts)

    @property
    def template(self) -> Template | None:
        """The template whose landmarks count, None where a protocol stands in for it."""
        return self.templates[0] if self.templates else None

    @property
    def source_name(self) -> str:
        """The name of that template, or what is said in its place."""
        if self.templates:
            return self.templates[0].scan.name
        return self.protocol.title if self.protocol else ""

    @property
    def own_baseline(self) -> bool:
        """Whether the template is a scan of the patient."""
        return self.template is not None and self.template.scan.patient == self.patient


@dataclass(frozen=True)
class StudyPlan:
    """All patients of a study, and in words by which rule their scans were chosen.

    `excluded` is what belongs to none of them, such as patients without landmarks and files that can't be read.
    """

    patients: tuple[PatientPlan, ...]
    rule: str = ""
    excluded: tuple[Excluded, ...] = ()

    def __iter__(self) -> Iterator[tuple[PatientPlan, StudyScan]]:
        """Every scan to be done, with the patient's plan, in the order of the study."""
        return ((patient, scan) for patient in self.patients for scan in patient.follow_ups)

    def __len__(self) -> int:
        return sum(len(patient.follow_ups) for patient in self.patients)

    @property
    def protocol(self) -> StudyProtocol | None:
        """The protocol of a study without templates, which is that of all patients."""
        return next((patient.protocol for patient in self.patients), None)

    def to_document(self) -> dict[str, Any]:
        """The plan in types of JSON."""
        from ..io.result_files import to_json

        document = to_json(asdict(self))
        for part in (document, *document["patients"]):
            part["left_out"] = part.pop("excluded")
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> StudyPlan:
        """The plan that `to_document` wrote."""
        patients = tuple(_patient(patient) for patient in document["patients"])
        return cls(patients, document["rule"], _excluded(document))


def keeping_names(plan: StudyPlan, earlier: StudyPlan) -> StudyPlan:
    """The plan in which scans that an earlier plan had too keep their names, and with them their results."""
    names = {
        (patient.patient, scan.path, scan.files): scan.name
        for patient in earlier.patients
        for scan in _own_scans(patient)
    }
    return replace(plan, patients=tuple(_renamed(patient, names) for patient in plan.patients))


def _renamed(patient: PatientPlan, names: Mapping[tuple, str]) -> PatientPlan:
    scans = _own_scans(patient)
    known = {scan: names.get((patient.patient, scan.path, scan.files)) for scan in scans}
    # those that are known come first, so that a new one of the same name gets a number
    order = sorted(scans, key=lambda scan: known[scan] is None)
    new_names = numbered_names([known[scan] or scan.name for scan in order])
    renamed = {scan: replace(scan, name=name) for scan, name in zip(order, new_names, strict=True)}
    templates = tuple(
        replace(template, scan=renamed.get(template.scan, template.scan)) for template in patient.templates
    )
    return replace(
        patient, templates=templates, follow_ups=tuple(renamed[scan] for scan in patient.follow_ups)
    )


def _own_scans(patient: PatientPlan) -> list[StudyScan]:
    templates = (template.scan for template in patient.templates)
    return [*(scan for scan in templates if scan.patient == patient.patient), *patient.follow_ups]


def _patient(document: Mapping[str, Any]) -> PatientPlan:
    templates = (Template(_scan(item["scan"]), Path(item["landmarks"])) for item in document["templates"])
    follow_ups = map(_scan, document["follow_ups"])
    protocol = document.get("protocol")
    return PatientPlan(
        document["patient"],
        tuple(templates),
        tuple(follow_ups),
        _excluded(document),
        tuple(document.get("doubts", ())),
        StudyProtocol.from_document(protocol) if protocol else None,
    )


def _excluded(document: Mapping[str, Any]) -> tuple[Excluded, ...]:
    return tuple(Excluded(**item) for item in document["left_out"])


def _scan(document: Mapping[str, Any]) -> StudyScan:
    return StudyScan(**{**document, "path": Path(document["path"]), "files": tuple(document["files"])})
