"""What the tables of a report say of a scan: name, state, counts, and why it has no result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ...reporting.display_paths import without_folders
from ...reporting.views import Cell, Table
from ..ledger import State
from ..outcome import PatientOutcome, ScanOutcome
from ..plan import Excluded, PatientPlan, StudyScan
from .display_folders import folders_of

STATUSES = ("FOUND", "DOUBTFUL", "MISSING")


def scan_cell(scan: StudyScan, address: str = "") -> Cell:
    """A scan's name, linked where it has an address, and its description where that tells more."""
    described = "" if scan.description in scan.name else scan.description
    return Cell(scan.name, href=address, note=described)


def result_cells(scan: ScanOutcome) -> list[object]:
    """What came of a scan: its state, how many landmarks have each status, and the lowest confidence of a place."""
    state = Cell(scan.state.value, kind=f"badge {scan.state.value}")
    if scan.state is not State.DONE:
        return [state, "", "", "", ""]
    counts = Counter(item.status for item in scan.items)
    placed = [item.confidence for item in scan.items if item.position_lps is not None]
    lowest = f"{min(placed):.0%}" if placed else "–"
    return [state, *(counts[status] for status in STATUSES), lowest]


def excluded_table(items: Iterable[Excluded], plans: Iterable[PatientPlan]) -> Table:
    """What takes no part, and why; the files of the plans, and others, are called by their names."""
    folders = folders_of(plans)
    rows = [[without_folders(text, folders) for text in (item.what, item.reason)] for item in items]
    return Table(("What", "Reason"), rows)


def reason_of(scan: ScanOutcome, patient: PatientOutcome) -> str:
    """Why a scan has no result, with files called by their names."""
    return without_folders(scan.reason, folders_of([patient.plan]))
