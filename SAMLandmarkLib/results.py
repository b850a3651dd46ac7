"""Results on disk: markups for every target, one table of all (`transfer.csv`), and `transfer.json`."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import __version__
from .errors import OutputError, SAMLandmarkError
from .files import create_folder, sha256_of, write_atomically
from .markups_files import write_markups
from .target_names import collision_key, markups_name
from .translation import _

if TYPE_CHECKING:
    from .transferred import TransferredLandmark, TransferResult

TABLE_COLUMNS = (
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
)
TABLE_NAME = "transfer.csv"
REPORT_NAME = "transfer.json"
TRANSFER_FORMAT = "samlandmark-transfer"


@dataclass(frozen=True)
class TargetFailure:
    """A target that could not be done: its name, its path as given, and the error's kind and message."""

    target: str
    source: str
    kind: str
    message: str


def write_results(
    directory: str | os.PathLike,
    results: Sequence[TransferResult],
    failures: Sequence[TargetFailure] = (),
    settings: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write `<target>.mrk.json` for each result, `transfer.csv` and `transfer.json`; return their paths.

    Each file is whole or not there. Coordinates are LPS mm. `settings` goes into `transfer.json` as it is.
    Raises OutputError where a file can't be written or two results would get the same file.
    """
    folder = create_folder(directory)
    _require_different_files(results)
    markups = [write_result_markups(folder, result) for result in results]
    return [*markups, *write_tables(folder, results, failures, settings)]


def write_result_markups(directory: str | os.PathLike, result: TransferResult) -> Path:
    """Write the landmarks of one target as 3D Slicer markups with a `confidence` a point; return the path."""
    path = Path(directory) / markups_name(result.target)
    write_markups(
        path,
        [item.label for item in result],
        np.array([_position_or_nan(item) for item in result], dtype=float).reshape(-1, 3),
        confidences=[item.confidence for item in result],
        descriptions=[
            f"{item.status.value}: {item.reason}" if item.reason else item.status.value for item in result
        ],
        name=result.target,
    )
    return path


def write_tables(
    directory: str | os.PathLike,
    results: Sequence[TransferResult],
    failures: Sequence[TargetFailure] = (),
    settings: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write `transfer.csv` and `transfer.json` about all targets together; return their paths."""
    table, report = Path(directory) / TABLE_NAME, Path(directory) / REPORT_NAME
    write_atomically(table, table_text(results))
    document = report_document(results, failures, settings)
    write_atomically(report, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return [table, report]


def table_text(results: Sequence[TransferResult]) -> str:
    """The text of `transfer.csv`: one row a target and landmark; LPS mm, empty where MISSING."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TABLE_COLUMNS)
    writer.writerows(_table_row(result.target, item) for result in results for item in result)
    return text.getvalue()


def report_document(
    results: Sequence[TransferResult],
    failures: Sequence[TargetFailure] = (),
    settings: Mapping[str, Any] | None = None,
    checksum: Callable[[str], str | None] | None = None,
) -> dict[str, Any]:
    """The content of `transfer.json`: model, settings, every target with inputs and candidates, failures.

    `checksum(path)` is the SHA-256 of an input, for whoever knows it; by default the files are read.
    """
    checksum = checksum or cache(_checksum)
    return to_json(
        {
            "format": TRANSFER_FORMAT,
            "format_version": 1,
            "samlandmark_version": __version__,
            "written_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "coordinate_system": "LPS",
            "unit": "mm",
            "model": results[0].provenance.get("model") if results else None,
            "settings": settings or {},
            "targets": [_target_document(result, checksum) for result in results],
            "failures": [asdict(failure) for failure in failures],
        }
    )


def to_json(value: Any) -> Any:
    """`value` in JSON's own types: arrays become lists, paths text, and numbers that are not finite null."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist())
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, os.PathLike) else value


def require_writable(directory: str | os.PathLike) -> Path:
    """Create `directory` where needed and prove that files can be written there; else OutputError."""
    folder = create_folder(directory)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        closed = _("{folder} can't be written to: {reason}; choose another folder.")
        raise OutputError(closed.format(folder=str(folder), reason=error.strerror)) from error


def _require_different_files(results: Sequence[TransferResult]) -> None:
    seen: dict[str, str] = {}
    for result in results:
        name = collision_key(result.target)
        if name in seen:
            twice = _(
                "The results of '{first}' and '{second}' would both be written to {file}; give the target volumes "
                "different names."
            )
            file = markups_name(result.target)
            raise OutputError(twice.format(first=seen[name], second=result.target, file=file))
        seen[name] = result.target


def _position_or_nan(item: TransferredLandmark) -> np.ndarray:
    return np.full(3, np.nan) if item.position_lps is None else np.asarray(item.position_lps, dtype=float)


def _table_row(target: str, item: TransferredLandmark) -> list[str]:
    coordinates = [number_text(value, 3) for value in _position_or_nan(item)]
    scores = [number_text(item.confidence, 4), number_text(item.similarity, 4), number_text(item.cycle_mm, 3)]
    return [target, item.label, *coordinates, item.status.value, *scores, item.reason]


def number_text(value: float | None, digits: int) -> str:
    """A number for a table, empty where there is none."""
    return f"{value:.{digits}f}" if value is not None and math.isfinite(value) else ""


def _target_document(result: TransferResult, checksum: Callable[[str], str | None]) -> dict[str, Any]:
    sources = {role: str(path) for role, path in result.provenance.get("sources", {}).items() if path}
    return {
        "target": result.target,
        "template": result.template,
        "markups": markups_name(result.target),
        "counts": count_statuses(result),
        "inputs": {role: {"path": path, "sha256": checksum(path)} for role, path in sources.items()},
        "provenance": {key: value for key, value in result.provenance.items() if key != "sources"},
        "landmarks": [landmark_document(item) for item in result],
    }


def _checksum(path: str) -> str | None:
    try:
        return sha256_of(path)
    except SAMLandmarkError:
        return None  # the scan was moved meanwhile; what was found in it is still worth writing


def count_statuses(result: TransferResult) -> dict[str, int]:
    """How many landmarks of `result` have each status, e.g. {"FOUND": 18, "DOUBTFUL": 1, "MISSING": 1}."""
    from .transferred import Status

    return {status.value: sum(item.status is status for item in result) for status in Status}


def landmark_document(item: TransferredLandmark) -> dict[str, Any]:
    """A landmark as `to_json` takes it."""
    return {
        "label": item.label,
        "position_lps": item.position_lps,
        "status": item.status.value,
        "confidence": item.confidence,
        "similarity": item.similarity,
        "cycle_mm": item.cycle_mm,
        "reason": item.reason,
        "candidates": [asdict(candidate) for candidate in item.candidates],
    }
