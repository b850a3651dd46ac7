"""Tables as CSV whose cells no spreadsheet program takes for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# What spreadsheet programs compute, or start programs with.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The text of a table; cells that begin like a formula get an apostrophe in front, see `safe_cell`."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def safe_cell(cell: object) -> str:
    """A cell's text, with an apostrophe in front where a spreadsheet would take it for a formula; numbers stay.

    >>> safe_cell("=1+1"), safe_cell("-21.6"), safe_cell("carina")
    ("'=1+1", '-21.6', 'carina')
    """
    text = "" if cell is None else str(cell)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def restored_cell(text: str) -> str:
    """The text that `safe_cell` was given.

    >>> restored_cell(safe_cell("@home")), restored_cell(safe_cell("'-quoted"))
    ('@home', "'-quoted")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
