"""What somebody should look at first: the doubtful landmarks, with links to their cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..review import ReviewItem
from ..review.report_html import Html, date_text, element, table
from ..review.report_sections import card_id
from .outcome import PatientOutcome
from .plan import StudyScan
from .report_time import review_of, scan_key
from .report_words import counted

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


def doubts_section(doubts: Iterable[Doubt], with_patient: bool) -> list[Html]:
    """The doubtful landmarks, the least sure first, as far as somebody would read on."""
    doubts = sorted(doubts, key=lambda doubt: doubt.item.confidence)
    heading = element("h2", "Look at these first", id="doubtful")
    if not doubts:
        return [heading, element("p", "No landmark is doubtful.", kind="faint")]
    told = f"{counted(len(doubts), 'doubtful landmark')}, the least sure first."
    if len(doubts) > DOUBTFUL_SHOWN:
        more = f"{len(doubts) - DOUBTFUL_SHOWN:,} more are further down or in the patients' pages, and in study.csv"
        told += f" The first {DOUBTFUL_SHOWN} are shown; {more}."
    head = ("Confidence", *(["Patient"] if with_patient else []), "Scan", "Date", "Landmark", "Why")
    rows = (_row(doubt, with_patient) for doubt in doubts[:DOUBTFUL_SHOWN])
    return [heading, element("p", told, kind="faint"), table(head, rows, numbers=(0,))]


def _row(doubt: Doubt, with_patient: bool) -> list[object]:
    scan, item = doubt.scan, doubt.item
    link = element("a", item.label, href=doubt.address)
    patient = [scan.patient] if with_patient else []
    return [f"{item.confidence:.0%}", *patient, scan.name, date_text(scan.date), link, item.reason]
