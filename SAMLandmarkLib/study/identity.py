"""Who is who: whether all scans under one patient's id can be of one person, and whether their order is certain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..io.dicom_header import FileHeader
    from .dicom_tree import DicomSeries


@dataclass(frozen=True)
class Person:
    """Whom an image names: the name without its punctuation, the birth date (ISO 8601) and the sex; "" where unknown."""

    name: str
    birth_date: str
    sex: str

    @classmethod
    def of(cls, header: FileHeader) -> Person:
        """The person of an image's header."""
        # Archives write one name in several ways: with other capitals, blanks and empty parts.
        name = "".join(sign for sign in header.patient_name.casefold() if sign.isalnum())
        return cls(name, header.birth_date, header.sex)


_PARTS: tuple[tuple[str, Callable[[Person], str]], ...] = (
    ("name", lambda person: person.name),
    ("birth date", lambda person: person.birth_date),
    ("sex", lambda person: person.sex),
)


def doubts_about_person(series: Sequence[DicomSeries]) -> tuple[str, ...]:
    """Why series under one patient's id may be of several persons; empty where nothing says so."""
    persons = [person for one in series for person in one.persons]
    differing = [what for what, of in _PARTS if len({of(person) for person in persons} - {""}) > 1]
    if not differing:
        return ()
    studies = sorted({one.date or "no date" for one in series})
    return (
        f"its images (studies of {', '.join(studies)}) differ in {', '.join(differing)} under one patient id, so they may "
        "be of different persons; check the ids before you use the results.",
    )


def doubts_about_order(chosen: Sequence[DicomSeries]) -> tuple[str, ...]:
    """Why the order in time of a patient's scans, the first of which is the template, is a guess."""
    undated = [str(series) for series in chosen if not series.date]
    if not undated:
        return ()
    return (
        f"{len(undated)} of its {len(chosen)} scans have no date ({', '.join(undated)}), so which of them came first is a "
        f"guess; the template is {chosen[0]}. Write a manifest to say it.",
    )
