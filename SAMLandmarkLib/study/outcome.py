"""What came of one scan of a study, and the study as a whole, read back from its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.results import TransferredLandmark
from ..io.target_names import file_name, folder_name
from ..review import Point, ReviewItem
from ..review.item import point_or_none
from ..utils.errors import UsageError
from .ledger import LEDGER_NAME, Ledger, State
from .plan import PatientPlan, StudyPlan, StudyScan


@dataclass(frozen=True)
class ScanOutcome:
    """A scan with its state; `items` are its landmarks in the template's order, empty unless it is done.

    `reason` tells in a sentence why it failed; `document` is what the scan's .json file says.
    """

    scan: StudyScan
    state: State
    reason: str = ""
    items: tuple[ReviewItem, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, scan: StudyScan, state: State, reason: str = "") -> ScanOutcome:
        """The outcome of a scan that the ledger of the study in `folder` says to be in a state."""
        if state is not State.DONE:
            return cls(scan, state, reason)
        path = scan_file(folder, scan, ".json")
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            items = tuple(map(_item, document["targets"][0]["landmarks"]))
        except (OSError, ValueError, LookupError, TypeError):
            lost = f"{path.name} is missing or damaged; `samlandmark batch` with --resume makes it again."
            return cls(scan, State.FAILED, lost)
        return cls(scan, state, reason, items, document)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """How the landmarks were made; empty unless the scan is done."""
        return self.document["targets"][0]["provenance"] if self.document else {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks wrong about the scan, or about what an atlas found in it."""
        about_target = self.provenance.get("warnings", {}).get("target", ())
        return (*about_target, *self.provenance.get("atlas", {}).get("doubts", ()))

    @property
    def atlas_name(self) -> str:
        """The name of the atlas that found the landmarks; empty where a template did, or nothing is found yet."""
        return str(self.document["targets"][0]["template"]) if "atlas" in self.provenance else ""

    def checksum(self, role: str) -> str | None:
        """What tells the files of the "template" or the "target" from others (see InputState), None where unknown."""
        return self.document["targets"][0]["inputs"].get(role, {}).get("sha256") if self.document else None


@dataclass(frozen=True)
class PatientOutcome:
    """A patient with the state of each follow-up, in the order of the plan.

    `template_lps` holds the landmarks of the first template by label (LPS mm in that scan's frame); it is empty as long
    as no scan of the patient is done.
    """

    plan: PatientPlan
    scans: tuple[ScanOutcome, ...]

    @property
    def patient(self) -> str:
        return self.plan.patient

    @property
    def labels(self) -> tuple[str, ...]:
        """The landmarks' labels in the template's order."""
        return tuple(dict.fromkeys(item.label for scan in self.scans for item in scan.items))

    @property
    def template_lps(self) -> dict[str, Point]:
        return {
            item.label: item.template_lps
            for scan in self.scans
            for item in scan.items
            if item.template_lps is not None
        }


@dataclass(frozen=True)
class StudyOutcome:
    """A study as its folder tells it; `uid` is the study's own for ever, `settings` what it was computed with."""

    folder: Path
    uid: str
    plan: StudyPlan
    settings: Mapping[str, Any]
    patients: tuple[PatientOutcome, ...]

    @classmethod
    def read(cls, folder: Path) -> StudyOutcome:
        """Read the folder of a study, also while it runs. Raises UsageError where there is none."""
        if not (folder / LEDGER_NAME).is_file():
            raise UsageError(f"{folder} holds no study; give the output folder of `samlandmark batch`.")
        with Ledger.read(folder) as ledger:
            states = ledger.states()
            plan, settings, uid = ledger.plan, ledger.settings, ledger.uid
        patients = tuple(
            PatientOutcome(
                patient,
                tuple(ScanOutcome.read(folder, scan, *states[scan.key]) for scan in patient.follow_ups),
            )
            for patient in plan.patients
        )
        return cls(folder, uid, plan, settings, patients)


@dataclass(frozen=True)
class StudyScanOutcome:
    """One scan of a study with its patient's plan; `uid` and `settings` are the study's."""

    uid: str
    settings: Mapping[str, Any]
    patient: PatientPlan
    outcome: ScanOutcome

    @classmethod
    def read(cls, folder: Path, key: str) -> StudyScanOutcome:
        """Read one scan of the study in a folder. Raises UsageError where the study has none of this key."""
        with Ledger.read(folder) as ledger:
            entry, plan, settings, uid = ledger.entry(key), ledger.plan, ledger.settings, ledger.uid
        for patient, scan in plan:
            if entry is not None and scan.key == key:
                return cls(uid, settings, patient, ScanOutcome.read(folder, scan, entry.state, entry.reason))
        raise UsageError(f"The study in {folder} has no scan {key}.")


def scan_file(folder: Path, scan: StudyScan, suffix: str) -> Path:
    """Where a file about a scan lies in the folder of the study."""
    return folder / folder_name(scan.patient) / file_name(scan.name, suffix)


def _item(landmark: Mapping[str, Any]) -> ReviewItem:
    answer = TransferredLandmark.from_document(landmark)
    return ReviewItem.from_answer(answer, point_or_none(landmark["template_lps"]))
