"""What an executor is given and what it gives back; plain data that goes from process to process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .inputs import InputState
from .ledger import State
from .plan import PatientPlan, StudyScan, Template
from .protocol import StudyProtocol

if TYPE_CHECKING:
    from ..core.results import TransferResult
    from ..review import Point


@dataclass(frozen=True)
class StudyJob:
    """Find the landmarks of the templates, or of the protocol where there are none, in a scan.

    `csv_frame` is the frame of landmarks in .csv files, if any.
    """

    scan: StudyScan
    templates: tuple[Template, ...]
    csv_frame: str | None = None
    protocol: StudyProtocol | None = None

    @classmethod
    def of(cls, patient: PatientPlan, scan: StudyScan, csv_frame: str | None) -> StudyJob:
        """The job of a patient's scan."""
        has_csv = any(template.landmarks.suffix.lower() == ".csv" for template in patient.templates)
        return cls(scan, patient.templates, csv_frame if has_csv else None, patient.protocol)

    @property
    def key(self) -> str:
        """The scan's key."""
        return self.scan.key


@dataclass(frozen=True, eq=False)
class JobResult:
    """What became of a job: DONE with a `result`, or FAILED or SKIPPED with the kind and the reason.

    `template_lps` holds the first template's landmarks by label (LPS mm), nothing without a template; `inputs` the state
    of the files that were read, as far as they were; `seconds` how long each part took; `worker` who did it.
    """

    key: str
    state: State
    worker: str
    result: TransferResult | None = None
    template_lps: Mapping[str, Point | None] = field(default_factory=dict)
    kind: str = ""
    reason: str = ""
    inputs: Mapping[str, InputState] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
