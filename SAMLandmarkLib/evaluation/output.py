"""Evaluation results on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..io.result_files import to_json
from ..utils.files import create_folder, write_atomically
from ..utils.tables import csv_text
from .records import CSV_COLUMNS
from .runs import SetRun

TABLE_NAME = "evaluation.csv"
REPORT_NAME = "evaluation.json"
TEXT_NAME = "evaluation.md"


def write_evaluation(
    directory: str | os.PathLike, runs: Sequence[SetRun], document: dict[str, Any], text: str
) -> list[Path]:
    """Write `evaluation.csv` (one row per transfer, LPS mm), `evaluation.json`, tables and plots; return the paths.

    The plots are left out where matplotlib is missing. Undefined figures are null in JSON and empty in CSV.
    Raises OutputError where a file can't be written.
    """
    folder = create_folder(directory)
    contents = {
        TABLE_NAME: transfers_text(runs),
        TEXT_NAME: text,
        REPORT_NAME: json.dumps(to_json(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    contents |= _plots(runs, document)
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def _plots(runs: Sequence[SetRun], document: dict[str, Any]) -> dict[str, bytes]:
    if find_spec("matplotlib") is None:
        return {}
    from .plots import confidence_plot, errors_plot

    plots = {"errors.png": errors_plot(runs)}
    if "all_sets" in document:
        plots["confidence.png"] = confidence_plot(runs, document["all_sets"]["confidence"])
    return plots


def transfers_text(runs: Sequence[SetRun]) -> str:
    """The text of `evaluation.csv`."""
    return csv_text([CSV_COLUMNS, *(record.row() for run in runs for record in run.records)])
