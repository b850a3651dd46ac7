"""The ledger of a study is read whatever happens around it, and says what is wrong where it can't be used."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from SAMLandmarkLib.engine.settings import WorkerSettings
from SAMLandmarkLib.study.ledger import LEDGER_NAME, Entry, Ledger, State
from SAMLandmarkLib.study.pending import StudyRequest
from SAMLandmarkLib.study.plan import PatientPlan, StudyPlan, StudyScan, Template
from SAMLandmarkLib.utils.errors import OutputError, UsageError

NOBODY = 65534


def plan_of(*names: str) -> StudyPlan:
    template = Template(StudyScan("Anna", "baseline", Path("baseline.nrrd")), Path("points.mrk.json"))
    scans = tuple(StudyScan("Anna", name, Path(f"{name}.nrrd")) for name in names)
    return StudyPlan((PatientPlan("Anna", (template,), scans),))


@contextmanager
def without_rights() -> Iterator[None]:
    """As root, act as somebody else: root may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_one_entry_is_what_all_entries_say_of_it(tmp_path):
    with Ledger.write(tmp_path) as ledger:
        ledger.set_study(plan_of("may", "june"), {})
        ledger.begin("Anna/june")
        ledger.end(Entry("Anna/june", State.FAILED, "volume", "cut short", seconds={"read": 1.5}))
        assert ledger.entry("Anna/june") == ledger.entries()["Anna/june"]
        assert ledger.entry("Anna/june").reason == "cut short"
        assert ledger.entry("Anna/july") is None


def test_a_reader_sees_the_study_as_it_was_when_it_came(tmp_path):
    with Ledger.write(tmp_path) as writer:
        writer.set_study(plan_of("may"), {})
        with Ledger.read(tmp_path) as reader:
            states = reader.states()
            # somebody goes on with more scans, between two looks of the reader
            writer.set_study(plan_of("may", "june"), {})
            assert {scan.key for _patient, scan in reader.plan} == set(states)
        with Ledger.read(tmp_path) as reader:
            assert len(reader.plan) == len(reader.states()) == 2


def test_a_full_disk_is_told_and_what_was_recorded_stays(tmp_path):
    with Ledger.write(tmp_path) as ledger:
        ledger.set_study(plan_of("may"), {})
        ledger._connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(OutputError, match=r"ledger.sqlite can't be used.*disk is full"):
            ledger.end(Entry("Anna/may", State.FAILED, reason="long " * 10_000))
        assert ledger.states() == {"Anna/may": (State.QUEUED, "")}


def test_damage_that_shows_late_is_told(tmp_path):
    with Ledger.write(tmp_path) as ledger:
        ledger.set_study(plan_of(*(f"scan-{number}" for number in range(500))), {})
    path = tmp_path / LEDGER_NAME
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))
    with pytest.raises(OutputError, match="damaged"), Ledger.read(tmp_path) as ledger:
        ledger.entries()


def test_a_ledger_of_which_only_the_file_was_made_has_not_begun(tmp_path):
    sqlite3.connect(tmp_path / LEDGER_NAME).close()
    (tmp_path / LEDGER_NAME).touch()
    with pytest.raises(UsageError, match="has not begun"):
        Ledger.read(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="folders are made read-only by their mode")
def test_a_study_is_read_where_nobody_may_write():
    # not in pytest's folders, into which only their owner can look
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Ledger.write(folder) as ledger:
            ledger.set_study(plan_of("may"), {"profile": "fast"})
        folder.chmod(0o555)
        with without_rights():
            with pytest.raises(PermissionError):
                (folder / "file").touch()
            with Ledger.read(folder) as ledger:
                assert ledger.settings == {"profile": "fast"}
                assert set(ledger.states()) == {"Anna/may"}
        folder.chmod(0o755)


def test_a_study_goes_on_with_as_many_threads_as_it_was_begun_with(tmp_path):
    plan = plan_of("may")
    resumed = StudyRequest(plan, tmp_path, resume=True)
    assert resumed.with_threads(8).settings.threads == 8, "nothing has begun"
    with Ledger.write(tmp_path) as ledger:
        ledger.set_study(plan, {"threads": 3})
    assert resumed.with_threads(8).settings.threads == 3
    assert StudyRequest(plan, tmp_path).with_threads(8).settings.threads == 8
    said = StudyRequest(plan, tmp_path, WorkerSettings(threads=2), resume=True)
    assert said.with_threads(8).settings.threads == 2


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE study SET value = '{' WHERE name = 'plan'",
        "UPDATE study SET value = '[1, 2]' WHERE name = 'plan'",
        """UPDATE study SET value = '{"patients": [{"patient": 5}], "rule": "", "left_out": []}' WHERE name = 'plan'""",
        "UPDATE study SET value = '[]' WHERE name = 'settings'",
        "UPDATE study SET value = '\"no-uid\"' WHERE name = 'uid'",
        "UPDATE study SET value = x'ff00' WHERE name = 'plan'",
        "UPDATE scan SET files = '[1]'",
        "UPDATE scan SET fingerprint = 'x'",
        "UPDATE scan SET attempts = 'many'",
        "PRAGMA ignore_check_constraints = 1; UPDATE scan SET state = 'lost'",
        "DROP TABLE scan",
    ],
)
def test_records_that_no_version_writes_are_told(tmp_path, damage):
    with Ledger.write(tmp_path) as ledger:
        ledger.set_study(plan_of("may"), {"threads": 3})
    connection = sqlite3.connect(tmp_path / LEDGER_NAME)
    connection.executescript(damage)
    connection.close()
    with pytest.raises(OutputError, match=r"ledger.sqlite"), Ledger.read(tmp_path) as ledger:
        _ = (ledger.uid, ledger.plan, ledger.settings, ledger.entries(), ledger.states())
