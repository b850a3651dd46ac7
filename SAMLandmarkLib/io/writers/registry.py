"""The writers by their names. A new format is one file with a Writer and its line in `_BUILT_IN`.

A program with a format of its own registers it:

>>> from types import SimpleNamespace
>>> register(SimpleNamespace(name="count", suffix=".txt", scope=Scope.RUN, write=lambda results, path: None)).name
'count'
>>> writer_names()[-1], unregister("count")
('count', None)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ...utils.errors import UsageError
from ..target_names import file_name
from .csv_table import CsvTable
from .dicom_sr import DicomReport
from .json_document import JsonDocument
from .markups import Markups
from .writer import ResultSet, Scope, Writer

__all__ = [
    "DEFAULT_FORMATS",
    "RUN_NAME",
    "Scope",
    "file_names",
    "register",
    "unregister",
    "write_in_formats",
    "writer_names",
    "writer_of",
    "writers_of",
]

RUN_NAME = "transfer"
"""How the files about all targets are called, before the suffix of their format."""
_BUILT_IN: tuple[Writer, ...] = (Markups(), CsvTable(), JsonDocument(), DicomReport())
DEFAULT_FORMATS = ("markups", "csv", "json")
_writers: dict[str, Writer] = {writer.name: writer for writer in _BUILT_IN}


def register(writer: Writer) -> Writer:
    """Make a format known by its name; returns the writer. Raises UsageError where the name is taken."""
    if writer.name in _writers:
        raise UsageError(f"There is a format {writer.name!r} already; give the new one another name.")
    _writers[writer.name] = writer
    return writer


def unregister(name: str) -> None:
    """Forget a format; none of that name is fine."""
    _writers.pop(name, None)


def writer_names() -> tuple[str, ...]:
    """The names of all formats, in the order in which they were registered."""
    return tuple(_writers)


def writer_of(name: str) -> Writer:
    """The writer of a format. Raises UsageError where there is none."""
    if name not in _writers:
        raise UsageError(f"There is no format {name!r}; choose from {', '.join(_writers)}.")
    return _writers[name]


def writers_of(names: Iterable[str], scope: Scope | None = None) -> list[Writer]:
    """The writers of some formats, each once, of one scope or of all. Raises UsageError for an unknown name."""
    writers = [writer_of(name) for name in dict.fromkeys(names)]
    return [writer for writer in writers if scope in (None, writer.scope)]


def file_names(formats: Iterable[str], targets: Sequence[str]) -> list[str]:
    """The names of all files that results of these targets would be written to."""
    return [
        file_name(stem, writer.suffix)
        for writer in writers_of(formats)
        for stem in (targets if writer.scope is Scope.TARGET else (RUN_NAME,))
    ]


def write_in_formats(folder: Path, results: ResultSet, formats: Iterable[str], scope: Scope) -> list[Path]:
    """Write results into a folder in those of the formats that have this scope; returns the files.

    Raises OutputError where one can't be written.
    """
    files = []
    for writer in writers_of(formats, scope):
        for stem, part in _parts(results, scope):
            files.append(folder / file_name(stem, writer.suffix))
            writer.write(part, files[-1])
    return files


def _parts(results: ResultSet, scope: Scope) -> list[tuple[str, ResultSet]]:
    """What one call of a writer is given, and how the file is called before its suffix."""
    if scope is Scope.RUN:
        return [(RUN_NAME, results)]
    return [(result.target, replace(results, results=[result], failures=())) for result in results.results]
