"""The SQLite file of a ledger: how it is opened, and what is told where it can't be used."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..utils.errors import OutputError

FORMAT_VERSION = 1
_SECONDS_TO_WAIT = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS study (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scan (
    key TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'skipped')),
    kind TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    worker TEXT NOT NULL DEFAULT '',
    changed_at TEXT NOT NULL,
    fingerprint TEXT NOT NULL DEFAULT '{}',
    files TEXT NOT NULL DEFAULT '{}',
    seconds TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
"""


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn an error of SQLite in the block into an OutputError."""
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(
            f"{path} can't be used as the study's ledger ({error}); if it is damaged, choose another output folder, "
            "and check that its disk is not full."
        ) from error


@contextmanager
def damaged_records(path: Path) -> Iterator[None]:
    """Turn what Python raises in the block, about a record that no version writes, into an OutputError."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise OutputError(
            f"{path} is damaged: a record in it can't be read ({type(error).__name__}: {str(error)[:100]}); choose "
            "another output folder, or bring the file back from a backup."
        ) from error


def opened_for_writing(path: Path) -> sqlite3.Connection:
    """The file with its tables, made where they are missing. Raises what sqlite3 raises."""
    connection = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    # A state that is recorded stays so after a power cut.
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(_TABLES)
    if version_of(connection) == 0:
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    return connection


def opened_for_reading(path: Path) -> sqlite3.Connection:
    """The file as it is at one moment, whoever writes to it meanwhile. Raises what sqlite3 raises."""

    def opened(mode: str) -> sqlite3.Connection:
        address = f"{path.absolute().as_uri()}?{mode}"
        return sqlite3.connect(address, uri=True, timeout=_SECONDS_TO_WAIT, isolation_level=None)

    connection = opened("mode=ro")
    try:
        version_of(connection)
    except sqlite3.OperationalError:
        # SQLite wants to write a log even to read; where nobody can, as on a medium or in an archive, nothing changes.
        connection.close()
        if path.with_name(f"{path.name}-wal").exists() or _is_writable(path.parent):
            raise
        connection = opened("immutable=1")
    connection.execute("BEGIN")
    return connection


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the file's format, 0 where nothing has been written."""
    return connection.execute("PRAGMA user_version").fetchone()[0]
