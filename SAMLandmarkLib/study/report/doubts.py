"""What somebody should look at first: the doubtful landmarks, with links to their cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...reporting.display_paths import counted
from ...reporting.scan_sections import card_id
from ...reporting.views import Cell, Section, Table, date_cell
from ...review import ReviewItem
from ..outcome import PatientOutcome
from ..plan import StudyScan
from .time_points import review_of, scan_key

DOUBTFUL_SHOWN = 100


@dataclass(frozen=True)
class Doubt:
    """A doubtful landmark of a scan, and the address of its card."""

    scan: StudyScan
    item: ReviewItem
    address: str


def doubts_of(patient: PatientOutcome, page: str = "") -> Iterator[Doubt]:
    """The doubtful landmarks of a patient; `page` is the address of the patient's page where they are told elsewhere."""
    review = review_of(patient)
    for number, scan in enumerate(patient.scans):
        for item in scan.items:
            if item.status == "DOUBTFUL":
                yield Doubt(scan.scan, item, f"{page}#{card_id(scan_key(number), item.label, review)}")


def doubts_section(doubts: Iterable[Doubt], with_patient: bool) -> Section:
    """The doubtful landmarks, the least sure first, as far as somebody would read on."""
    doubts = sorted(doubts, key=lambda doubt: doubt.item.confidence)
    heading = "Look at these first"
    if not doubts:
        return Section("doubtful", heading, ("No landmark is doubtful.",))
    told = f"{counted(len(doubts), 'doubtful landmark')}, the least sure first."
    if len(doubts) > DOUBTFUL_SHOWN:
        more = f"{len(doubts) - DOUBTFUL_SHOWN:,} more are further down or in the patients' pages, and in study.csv"
        told += f" The first {DOUBTFUL_SHOWN} are shown; {more}."
    head = ("Confidence", *(["Patient"] if with_patient else []), "Scan", "Date", "Landmark", "Why")
    rows = [_row(doubt, with_patient) for doubt in doubts[:DOUBTFUL_SHOWN]]
    return Section("doubtful", heading, (told,), [Table(head, rows, numbers=(0,))])


def _row(doubt: Doubt, with_patient: bool) -> list[object]:
    scan, item = doubt.scan, doubt.item
    link = Cell(item.label, href=doubt.address)
    patient = [scan.patient] if with_patient else []
    return [f"{item.confidence:.0%}", *patient, scan.name, date_cell(scan.date), link, item.reason]
