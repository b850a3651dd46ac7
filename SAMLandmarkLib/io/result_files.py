"""Results on disk: markups for every target, one table of all (`transfer.csv`), and `transfer.json`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.results import TransferredLandmark, TransferResult
from ..utils.errors import OutputError, SAMLandmarkError
from ..utils.files import create_folder
from ..utils.translation import _
from .json_values import number_text, to_json
from .target_names import collision_key, markups_name
from .writers.csv_table import table_text
from .writers.json_document import TRANSFER_FORMAT, result_document
from .writers.registry import DEFAULT_FORMATS, file_names, write_in_formats
from .writers.writer import ResultSet, Scope, TargetFailure

__all__ = [
    "REPORT_NAME",
    "TABLE_NAME",
    "TRANSFER_FORMAT",
    "TargetFailure",
    "number_text",
    "read_results",
    "report_document",
    "require_writable",
    "table_text",
    "to_json",
    "write_result_markups",
    "write_result_set",
    "write_results",
    "write_tables",
]

TABLE_NAME, REPORT_NAME = file_names(("csv", "json"), ())


def write_results(
    directory: str | os.PathLike[str],
    results: Sequence[TransferResult],
    failures: Sequence[TargetFailure] = (),
    settings: Mapping[str, Any] | None = None,
    formats: Sequence[str] = DEFAULT_FORMATS,
) -> list[Path]:
    """Write `<target>.mrk.json` for each result, `transfer.csv` and `transfer.json`; return their paths.

    Each file is whole or not there. Coordinates are LPS mm. `settings` goes into `transfer.json` as it is; `formats`
    are names of registered writers. Raises OutputError where a file can't be written or two results would get the
    same file, and UsageError for a format that is not registered.
    """
    return write_result_set(directory, ResultSet(results, failures, settings or {}), formats)


def write_result_set(
    directory: str | os.PathLike[str], results: ResultSet, formats: Sequence[str]
) -> list[Path]:
    """The same for results that bring all that is to be written with them."""
    folder = create_folder(directory)
    _require_different_files(results.results)
    scopes = (Scope.TARGET, Scope.RUN)
    return [path for scope in scopes for path in write_in_formats(folder, results, formats, scope)]


def read_results(path: str | os.PathLike[str]) -> list[TransferResult]:
    """The results in a `transfer.json`, or in the document of a study's scan, of this version or an earlier one.

    Raises SAMLandmarkError where the file can't be read or is no such document.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["format"] != TRANSFER_FORMAT:
            raise ValueError(f"its format is {document['format']!r}")
        return [_result(target) for target in document["targets"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        unreadable = _("{path} holds no results that can be read ({reason}); give a transfer.json.")
        raise SAMLandmarkError(unreadable.format(path=str(path), reason=str(error))) from error


def _result(target: Mapping[str, Any]) -> TransferResult:
    items = tuple(map(TransferredLandmark.from_document, target["landmarks"]))
    sources = {role: source["path"] for role, source in target["inputs"].items()}
    return TransferResult(
        target["template"], target["target"], items, {**target["provenance"], "sources": sources}
    )


def write_result_markups(directory: str | os.PathLike[str], result: TransferResult) -> Path:
    """Write the landmarks of one target as 3D Slicer markups with a `confidence` a point; return the path."""
    (path,) = write_in_formats(Path(directory), ResultSet([result]), ("markups",), Scope.TARGET)
    return path


def write_tables(
    directory: str | os.PathLike[str],
    results: Sequence[TransferResult],
    failures: Sequence[TargetFailure] = (),
    settings: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write `transfer.csv` and `transfer.json` about all targets together; return their paths."""
    given = ResultSet(results, failures, settings or {})
    return write_in_formats(Path(directory), given, DEFAULT_FORMATS, Scope.RUN)


def report_document(
    results: Sequence[TransferResult],
    failures: Sequence[TargetFailure] = (),
    settings: Mapping[str, Any] | None = None,
    checksum: Callable[[str], str | None] | None = None,
) -> dict[str, Any]:
    """The content of `transfer.json`: model, settings, every target with inputs and candidates, failures.

    `checksum(path)` is the SHA-256 of an input, for whoever knows it; by default the files are read.
    """
    return result_document(ResultSet(results, failures, settings or {}, checksum))


def require_writable(directory: str | os.PathLike[str]) -> Path:
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
