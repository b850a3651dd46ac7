"""What a study is to do: whose landmarks are carried from which scans to which others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..volume import Volume


@dataclass(frozen=True)
class StudyScan:
    """A scan of a patient.

    `name` is unique within the patient; results are called after it. `path` is a volume file or the folder of a DICOM
    series; `files` are the paths of its slices relative to that folder where other things lie there too. `date` is
    ISO 8601, or empty where unknown.
    """

    patient: str
    name: str
    path: Path
    date: str = ""
    files: tuple[str, ...] = ()
    description: str = ""

    @property
    def key(self) -> str:
        """What tells this scan from all others of the study."""
        return f"{self.patient}/{self.name}"

    def read(self) -> Volume:
        """Read the voxels; the volume has the scan's name. Raises VolumeError."""
        from ..volume import Volume

        volume = Volume.read_series(self.path, self.files) if self.files else Volume.read(self.path)
        volume.name = self.name
        return volume


@dataclass(frozen=True)
class Template:
    """A scan with the file of its landmarks."""

    scan: StudyScan
    landmarks: Path


@dataclass(frozen=True)
class LeftOut:
    """A scan that takes no part, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class PatientPlan:
    """The landmarks of the templates are carried to each of the follow-ups.

    The first template is the one whose landmarks count; further ones have landmarks of the same labels and make the
    transfer surer. Templates may be scans of somebody else.
    """

    patient: str
    templates: tuple[Template, ...]
    follow_ups: tuple[StudyScan, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def own_baseline(self) -> bool:
        """Whether the template is a scan of the patient."""
        return self.templates[0].scan.patient == self.patient


@dataclass(frozen=True)
class StudyPlan:
    """All patients of a study, and in words by which rule their scans were chosen.

    `left_out` is what belongs to none of them, such as patients without landmarks and files that can't be read.
    """

    patients: tuple[PatientPlan, ...]
    rule: str = ""
    left_out: tuple[LeftOut, ...] = ()

    def __iter__(self) -> Iterator[tuple[PatientPlan, StudyScan]]:
        """Every scan to be done, with the patient's plan, in the order of the study."""
        return ((patient, scan) for patient in self.patients for scan in patient.follow_ups)

    def __len__(self) -> int:
        return sum(len(patient.follow_ups) for patient in self.patients)

    def to_document(self) -> dict[str, Any]:
        """The plan in types of JSON."""
        from ..results import to_json

        return to_json(asdict(self))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> StudyPlan:
        """The plan that `to_document` wrote."""
        patients = tuple(_patient(patient) for patient in document["patients"])
        return cls(patients, document["rule"], _left_out(document))


def _patient(document: Mapping[str, Any]) -> PatientPlan:
    templates = (Template(_scan(item["scan"]), Path(item["landmarks"])) for item in document["templates"])
    follow_ups = map(_scan, document["follow_ups"])
    return PatientPlan(document["patient"], tuple(templates), tuple(follow_ups), _left_out(document))


def _left_out(document: Mapping[str, Any]) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(**item) for item in document["left_out"])


def _scan(document: Mapping[str, Any]) -> StudyScan:
    return StudyScan(**{**document, "path": Path(document["path"]), "files": tuple(document["files"])})
