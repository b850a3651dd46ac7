"""The ledger of a study: an SQLite file that holds the state of every scan, and survives whatever happens.

One process writes at a time, which holds `study.lock`; any number may read meanwhile. A state is recorded only after
the files that it speaks of are on the disk.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any

from ..utils.errors import UsageError
from .ledger_file import (
    FORMAT_VERSION,
    damaged_records,
    opened_for_reading,
    opened_for_writing,
    sqlite_errors,
    version_of,
)
from .plan import StudyPlan

LEDGER_NAME = "ledger.sqlite"
_NOT_BEGUN = "The study has not begun yet; run `samlandmark batch` first."


class State(str, Enum):
    """What became of a scan; SKIPPED is one that could not be tried, for example for want of its template."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Entry:
    """What the ledger holds of a scan.

    `kind` and `reason` tell why it failed; `fingerprint` what the result depends on; `files` the SHA-256 of each file
    written, by name; `attempts` how often it was begun.
    """

    key: str
    state: State
    kind: str = ""
    reason: str = ""
    attempts: int = 0
    worker: str = ""
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


class Ledger:
    """An open ledger; to be closed, or used as a context. Raises OutputError where the file can't be used."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path

    @classmethod
    def write(cls, folder: Path) -> Ledger:
        """Open the ledger in a folder for writing, made where it is missing; the caller holds the study's lock."""
        return cls._opened(folder, opened_for_writing)

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """Open the ledger in a folder for reading; it is seen as it is now, also while a run writes to it."""
        return cls._opened(folder, opened_for_reading)

    @classmethod
    def _opened(cls, folder: Path, opened: Callable[[Path], sqlite3.Connection]) -> Ledger:
        path = folder / LEDGER_NAME
        with sqlite_errors(path):
            ledger = cls(opened(path), path)
        ledger._require_format()
        return ledger

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    # ---- the study

    @property
    def uid(self) -> str:
        """The study's own identifier, made once."""
        with damaged_records(self._path):
            return str(uuid.UUID(self._recorded("uid")))

    @property
    def plan(self) -> StudyPlan:
        with damaged_records(self._path):
            return StudyPlan.from_document(self._recorded("plan"))

    @property
    def settings(self) -> dict[str, Any]:
        """What the study is computed with, in types of JSON."""
        with damaged_records(self._path):
            return dict(self._recorded("settings").items())

    def set_study(self, plan: StudyPlan, settings: Mapping[str, Any]) -> None:
        """Record what is to be done; scans new to the plan are queued, those no longer in it wait to come back."""
        keys = [scan.key for _patient, scan in plan]
        with self._change():
            self._set_value("plan", plan.to_document())
            self._set_value("settings", settings)
            if self._value("uid") is None:
                self._set_value("uid", str(uuid.uuid4()))
            self._connection.executemany(
                "INSERT OR IGNORE INTO scan (key, state, changed_at) VALUES (?, 'queued', ?)",
                [(key, _now()) for key in keys],
            )

    # ---- scans

    def entry(self, key: str) -> Entry | None:
        """A scan's entry; quick, however many there are."""
        return self._entries("WHERE key = ?", key).get(key)

    def entries(self) -> dict[str, Entry]:
        """Every scan's entry by its key."""
        return self._entries()

    def states(self) -> dict[str, tuple[State, str]]:
        """Every scan's state, and the reason of it, by its key."""
        with sqlite_errors(self._path):
            rows = self._connection.execute("SELECT key, state, reason FROM scan").fetchall()
        with damaged_records(self._path):
            return {key: (State(state), str(reason)) for key, state, reason in rows}

    def queue(self, keys: Iterable[str]) -> None:
        """These scans are to be done, whatever they were."""
        with self._change():
            self._connection.executemany(
                "UPDATE scan SET state = 'queued', kind = '', reason = '', changed_at = ? WHERE key = ?",
                [(_now(), key) for key in keys],
            )

    def begin(self, key: str) -> None:
        """A scan is being done from now on."""
        with self._change():
            self._connection.execute(
                "UPDATE scan SET state = 'running', attempts = attempts + 1, changed_at = ? WHERE key = ?",
                (_now(), key),
            )

    def end(self, entry: Entry) -> None:
        """Record how a scan ended, all of the entry but its attempts."""
        values = (
            entry.state.value,
            entry.kind,
            entry.reason,
            entry.worker,
            _now(),
            *(json.dumps(value, sort_keys=True) for value in (entry.fingerprint, entry.files, entry.seconds)),
            entry.key,
        )
        with self._change():
            self._connection.execute(
                "UPDATE scan SET state = ?, kind = ?, reason = ?, worker = ?, changed_at = ?, fingerprint = ?, "
                "files = ?, seconds = ? WHERE key = ?",
                values,
            )

    def _entries(self, condition: str = "", *values: str) -> dict[str, Entry]:
        with sqlite_errors(self._path), closing(self._connection.cursor()) as cursor:
            cursor.row_factory = sqlite3.Row
            rows = cursor.execute(f"SELECT * FROM scan {condition}", values).fetchall()
        with damaged_records(self._path):
            return {row["key"]: _entry(row) for row in rows}

    @contextmanager
    def _change(self) -> Iterator[None]:
        """What is recorded in the block is so as a whole or not at all. Raises OutputError."""
        with sqlite_errors(self._path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield

    # ---- values

    def _value(self, name: str) -> str | None:
        with sqlite_errors(self._path):
            row = self._connection.execute("SELECT value FROM study WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _recorded(self, name: str) -> Any:
        """A value of a study that has begun. Raises UsageError where none has."""
        value = self._value(name)
        if value is None:
            raise UsageError(_NOT_BEGUN)
        return json.loads(value)

    def _set_value(self, name: str, value: Any) -> None:
        self._connection.execute("INSERT OR REPLACE INTO study VALUES (?, ?)", (name, json.dumps(value)))

    def _require_format(self) -> None:
        with sqlite_errors(self._path):
            version = version_of(self._connection)
        if version == FORMAT_VERSION:
            return
        self.close()
        if version == 0:
            raise UsageError(_NOT_BEGUN)
        raise UsageError(
            f"{self._path} was written by another version of SAMLandmark (format {version}, here {FORMAT_VERSION}); "
            "go on with that version, or choose another output folder."
        )


def _entry(row: sqlite3.Row) -> Entry:
    parsed = {name: dict(json.loads(row[name]).items()) for name in ("fingerprint", "files", "seconds")}
    texts = {name: str(row[name]) for name in ("key", "kind", "reason", "worker")}
    return Entry(state=State(row["state"]), attempts=int(row["attempts"]), **texts, **parsed)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
