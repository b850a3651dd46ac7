"""The folder of a study: who may work in it, and what in it is not the study's and must not be overwritten."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ..io.result_files import TRANSFER_FORMAT
from ..io.target_names import MARKUPS_SUFFIX
from ..utils.errors import UsageError
from .ledger import LEDGER_NAME, Entry, Ledger
from .outcome import scan_file
from .plan import StudyPlan
from .results_writer import COLUMNS, DOCUMENT_FORMAT, DOCUMENT_NAME, OLD_COLUMNS, TABLE_NAME

LOCK_NAME = "study.lock"
_TEMPORARY_NAME = re.compile(r"\.[0-9a-f]{12}(\.\w+){0,2}")
"""Names of files that are being written; see files.atomic_path."""


@contextmanager
def study_lock(folder: Path) -> Iterator[None]:
    """Keep other runs out of a study's folder; the system lets go of the lock when a run dies. Raises UsageError."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK_NAME, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            f"Another run is at work in {folder}; wait until it ends, stop it, or choose another output folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def has_study(folder: Path) -> bool:
    """Whether there is a study in a folder."""
    return (folder / LEDGER_NAME).is_file()


def earlier_plan(folder: Path) -> StudyPlan | None:
    """The plan of the study in a folder, None where none has begun there."""
    if has_study(folder):
        with suppress(UsageError), Ledger.read(folder) as ledger:
            return ledger.plan
    return None


def refuse_foreign_files(folder: Path, plan: StudyPlan, entries: Mapping[str, Entry]) -> None:
    """Raise UsageError where a result would overwrite something that no study has written, such as the manifest."""
    foreign = [
        *_foreign(folder / TABLE_NAME, _is_table),
        *_foreign(folder / DOCUMENT_NAME, lambda path: _has_format(path, DOCUMENT_FORMAT)),
    ]
    landmarks = {template.landmarks.resolve() for patient in plan.patients for template in patient.templates}
    for _patient, scan in plan:
        entry = entries.get(scan.key)
        if entry is None or not entry.files:
            foreign += _foreign(
                scan_file(folder, scan, ".json"), lambda path: _has_format(path, TRANSFER_FORMAT)
            )
        markups = scan_file(folder, scan, MARKUPS_SUFFIX)
        if markups.resolve() in landmarks:
            foreign.append(markups)
    if foreign:
        raise UsageError(
            f"{foreign[0]} is not the result of a study and would be overwritten; choose another output folder."
        )


def remove_leftovers(folder: Path, plan: StudyPlan) -> None:
    """Remove what a run was writing when it was killed; the caller holds the study's lock."""
    folders = {folder, *(scan_file(folder, scan, "").parent for _patient, scan in plan)}
    for place in folders:
        for path in place.glob(".*"):
            if _TEMPORARY_NAME.fullmatch(path.name):
                with suppress(OSError):
                    path.unlink()


def _foreign(path: Path, is_ours: Callable[[Path], bool]) -> list[Path]:
    return [path] if path.exists() and not is_ours(path) else []


def _is_table(path: Path) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip() in (",".join(COLUMNS), ",".join(OLD_COLUMNS))
    except OSError:
        return False


def _has_format(path: Path, name: str) -> bool:
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("format") == name
    except (OSError, ValueError, AttributeError):
        return False
