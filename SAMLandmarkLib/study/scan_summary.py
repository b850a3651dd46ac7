"""A scan of a study in a few words, for lists: its state, and how many landmarks were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .ledger import State
from .outcome import ScanOutcome, StudyOutcome


@dataclass(frozen=True)
class ScanSummary:
    """What became of a scan: how many of its landmarks are found, doubtful and missing, or the reason why it failed."""

    key: str
    patient: str
    name: str
    date: str
    state: State
    reason: str = ""
    found: int = 0
    doubtful: int = 0
    missing: int = 0

    @classmethod
    def of(cls, outcome: ScanOutcome) -> ScanSummary:
        """The summary of a scan's outcome."""
        scan, counts = outcome.scan, Counter(item.status for item in outcome.items)
        return cls(
            *(scan.key, scan.patient, scan.name, scan.date, outcome.state, outcome.reason),
            *(counts[status] for status in ("FOUND", "DOUBTFUL", "MISSING")),
        )

    @property
    def done(self) -> bool:
        """Whether there are landmarks to look at."""
        return self.state is State.DONE

    def to_json(self) -> dict[str, Any]:
        """This summary in types of JSON, for `from_json`."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ScanSummary:
        """The summary that `to_json` described."""
        return cls(**{**values, "state": State(values["state"])})


def ended_scans(outcome: StudyOutcome) -> list[ScanSummary]:
    """The summaries of the scans that were done or failed, in the order of the study."""
    scans = (scan for patient in outcome.patients for scan in patient.scans)
    return [ScanSummary.of(scan) for scan in scans if scan.state not in (State.QUEUED, State.RUNNING)]
