"""Results as one table of all targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...core.results import TransferredLandmark, TransferResult
from ...utils.files import write_atomically
from ...utils.tables import csv_text
from ..json_values import number_text
from .writer import ResultSet, Scope

COLUMNS = (
    "target",
    "label",
    "x_lps",
    "y_lps",
    "z_lps",
    "status",
    "confidence",
    "similarity",
    "cycle_mm",
    "reason",
    # new columns come last, so that those before stay where programs look for them
    "uncertainty_mm",
)


class CsvTable:
    """`transfer.csv`: a row a target and landmark."""

    name = "csv"
    suffix = ".csv"
    scope = Scope.RUN

    def write(self, results: ResultSet, path: Path) -> None:
        """Write the table, UTF-8."""
        write_atomically(path, table_text(results.results))


def table_text(results: Sequence[TransferResult]) -> str:
    """The text of the table; LPS mm, empty where MISSING."""
    return csv_text([COLUMNS, *(_row(result.target, item) for result in results for item in result)])


def _row(target: str, item: TransferredLandmark) -> list[str]:
    position = (None, None, None) if item.position_lps is None else item.position_lps
    return [
        target,
        item.label,
        *(number_text(value, 3) for value in position),
        item.status.value,
        number_text(item.confidence, 4),
        number_text(item.similarity, 4),
        number_text(item.cycle_error_mm, 3),
        item.reason,
        number_text(item.uncertainty_mm, 3),
    ]
