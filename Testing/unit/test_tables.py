"""Tables that a spreadsheet opens without computing what is in them."""

from __future__ import annotations

import csv
import io

import pytest

from SAMLandmarkLib.utils.tables import csv_text, restored_cell, safe_cell


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1+2", "-2+3", "@SUM(1)", "\t=1", "\r=1", "'=1", "''-x", "-", "-1e5x"]
)
def test_what_begins_like_a_formula_is_made_harmless_and_comes_back(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert restored_cell(safe_cell(text)) == text


@pytest.mark.parametrize("text", ["carina", "-21.6", "+3", "1e-5", "-.5", "", "'quoted'", "a=b", "ü"])
def test_numbers_and_other_texts_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text
    assert restored_cell(text) == text


def test_a_table_is_read_back_as_it_was() -> None:
    rows = [["label", "x"], ['=1+"a"', -2.5], ["two\nlines, and a comma", None]]
    read = list(csv.reader(io.StringIO(csv_text(rows))))
    assert [[restored_cell(cell) for cell in row] for row in read] == [
        ["label", "x"],
        ['=1+"a"', "-2.5"],
        ["two\nlines, and a comma", ""],
    ]
