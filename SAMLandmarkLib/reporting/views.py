"""What the pages show, as plain data: the templates turn it into HTML and escape every text."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Cell:
    """One place of a table: `text`, a link where `href` is given, `note` in small letters beside or below it.

    `kind` is "date", or the class of the element around the text; `prefix` stands before that element. A plain text
    needs no Cell: it may be broken at separators, which that of a Cell is not.
    """

    text: object
    href: str = ""
    kind: str = ""
    note: str = ""
    note_below: bool = False
    prefix: str = ""


def date_cell(date: object) -> Cell:
    """A date that is not broken, a dash where it is unknown."""
    return Cell(date, kind="date") if date else Cell("–")


@dataclass(frozen=True)
class Table:
    """A table; the columns in `numbers` stand to the right, `kind` is the class of the table."""

    form: ClassVar[str] = "table"
    head: Sequence[object]
    rows: Sequence[Sequence[object]]
    numbers: Container[int] = ()
    kind: str = ""


@dataclass(frozen=True)
class Chart:
    """A drawing inside the page; `svg` is its element."""

    form: ClassVar[str] = "chart"
    svg: str


@dataclass(frozen=True)
class Facts:
    """Names with their values, one below the other, in a box of their own."""

    form: ClassVar[str] = "boxed_facts"
    values: dict[str, object]


@dataclass(frozen=True)
class Line:
    """A line on a crop from one place to another, each in parts of its sides; `kind` is its class."""

    start: tuple[float, float]
    end: tuple[float, float]
    kind: str = ""


@dataclass(frozen=True)
class Figure:
    """A crop of a scan; `address` is that of its picture, empty where `otherwise` stands in its place.

    `plane` names the drawing that lies on it, `lines` are drawn on it as well.
    """

    plane: str
    caption: str
    address: str = ""
    otherwise: str = ""
    lines: Sequence[Line] = ()


@dataclass(frozen=True)
class LandmarkCard:
    """A landmark with its crops and numbers; `decision_text` is empty where nobody reviews."""

    form: ClassVar[str] = "card"
    label: str
    status: str
    decision: str
    decision_text: str
    notes: str
    anchor: str
    figures: Sequence[Figure]
    facts: dict[str, object]


@dataclass(frozen=True)
class LesionCard:
    """A lesion with a crop for each date; `badge` says in a word what it is, `kind` colours it."""

    form: ClassVar[str] = "lesion"
    label: str
    badge: str
    kind: str
    notes: str
    anchor: str
    figures: Sequence[Figure]
    facts: dict[str, object]


Block = Table | Chart | Facts | LandmarkCard | LesionCard


@dataclass(frozen=True)
class Section:
    """A part of a page: heading with the id `anchor`, remarks, and then its blocks."""

    anchor: str
    heading: str
    notes: Sequence[str] = ()
    blocks: Sequence[Block] = ()


@dataclass(frozen=True)
class Tile:
    """A number at a glance; `kind` colours it."""

    number: int
    text: str
    kind: str = ""
