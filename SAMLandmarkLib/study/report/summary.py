"""The page about a whole study: what is done, what is doubtful, what failed, and how it was made. No pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ... import __version__
from ...reporting.display_paths import counted, without_folders
from ...reporting.environment import render
from ...reporting.review_page import LAST_NOTES, atlas_patients, origin
from ...reporting.views import Cell, Facts, Section, Table, Tile, date_cell
from ...review import ReviewItem
from ...review.words import error_limits_text
from ..ledger import State
from ..outcome import PatientOutcome, ScanOutcome, StudyOutcome
from .display_folders import folders_of
from .doubts import Doubt, doubts_of, doubts_section
from .findings import confidence, landmarks, scans_without_result
from .paths import patient_address
from .scan_rows import STATUSES, excluded_table, result_cells, scan_cell

EXCLUDED_SHOWN = 200
_STATES = (State.DONE, State.RUNNING, State.QUEUED, State.FAILED, State.SKIPPED)


def summary_page(study: StudyOutcome) -> str:
    """The text of the page."""
    scans = [scan for patient in study.patients for scan in patient.scans]
    items = [item for scan in scans for item in scan.items]
    sections = [
        doubts_section(_doubts(study), with_patient=True),
        scans_without_result(study),
        confidence(items, error_limits_text([scan.provenance for scan in scans if scan.items])),
        landmarks(items),
        _scans(study),
        _excluded(study),
        _how(study, scans),
    ]
    return render(
        "study_summary.html",
        title=f"Landmark study: {study.folder.resolve().name}",
        origin=origin([scan.provenance for scan in scans]),
        tiles=_tiles(study, scans, items),
        unfinished=_unfinished(scans),
        sections=[section for section in sections if section is not None],
        footnote=LAST_NOTES,
    )


# ---- at a glance


def _tiles(study: StudyOutcome, scans: Sequence[ScanOutcome], items: Sequence[ReviewItem]) -> list[Tile]:
    states = Counter(scan.state for scan in scans)
    statuses = Counter(item.status for item in items)
    tiles = [Tile(len(study.patients), "patients"), Tile(len(scans), "scans")]
    shown = [state for state in _STATES if states[state] or state in (State.DONE, State.FAILED)]
    tiles += [Tile(states[state], f"scans {state.value}", state.value) for state in shown]
    tiles += [
        Tile(statuses[status], f"landmarks {status.lower()}{_share(statuses[status], len(items))}", status)
        for status in STATUSES
    ]
    return tiles


def _doubts(study: StudyOutcome) -> Iterator[Doubt]:
    for patient in study.patients:
        yield from doubts_of(patient, patient_address(patient.patient))


def _unfinished(scans: Sequence[ScanOutcome]) -> str:
    waiting = sum(scan.state in (State.QUEUED, State.RUNNING) for scan in scans)
    if not waiting:
        return ""
    return f"The study is not finished: {counted(waiting, 'scan')} of {len(scans):,} to go when this was written."


def _share(part: int, whole: int) -> str:
    return f", {part / whole:.1%}" if whole else ""


# ---- scans


def _scans(study: StudyOutcome) -> Section:
    head = (
        "Patient",
        "Template",
        "Scan",
        "Date",
        "State",
        *map(str.capitalize, STATUSES),
        "Lowest confidence",
    )
    rows = [
        [*_patient_cells(patient), *_scan_cells(scan)] for patient in study.patients for scan in patient.scans
    ]
    return Section("scans", "All scans", blocks=[Table(head, rows, numbers=range(5, len(head)))])


def _patient_cells(patient: PatientOutcome) -> list[object]:
    page = Cell(patient.patient, href=patient_address(patient.patient))
    if patient.plan.template is None:
        return [page, patient.plan.source_name]
    template = patient.plan.template.scan
    owner = f"{template.patient}, " if not patient.plan.own_baseline and template.patient else ""
    if template.date:
        told: object = Cell(template.date, kind="date", prefix=owner)
    else:
        told = Cell(template.name, prefix=owner) if owner else template.name
    return [page, told]


def _scan_cells(scan: ScanOutcome) -> list[object]:
    return [scan_cell(scan.scan), date_cell(scan.scan.date), *result_cells(scan)]


def _excluded(study: StudyOutcome) -> Section | None:
    count = sum(len(patient.plan.excluded) for patient in study.patients)
    notes = [f"Of the patients: {counted(count, 'scan')}; their pages tell why."] if count else []
    items = study.plan.excluded
    if len(items) > EXCLUDED_SHOWN:
        notes.append(f"The first {EXCLUDED_SHOWN} of {len(items):,} others are shown.")
    if not notes and not items:
        return None
    blocks = [excluded_table(items[:EXCLUDED_SHOWN], study.plan.patients)] if items else []
    return Section("left-out", "Left out from the beginning", [" ".join(notes)] if notes else [], blocks)


# ---- how it was made


def _how(study: StudyOutcome, scans: Sequence[ScanOutcome]) -> Section:
    facts: dict[str, object] = {"Report written by": f"SAMLandmark {__version__}"}
    if study.plan.rule:
        facts["Which scans"] = without_folders(study.plan.rule, folders_of(study.plan.patients))
    facts |= dict(_flat(study.settings))
    if patients := atlas_patients(scan.provenance for scan in scans):
        facts["Atlas patients"] = patients
    written = sorted(scan.document["written_at"] for scan in scans if scan.document.get("written_at"))
    if written:
        facts["Results written"] = _span(written[0], written[-1])
    facts["Study"] = study.uid
    return Section("how", "How it was made", blocks=[Facts(facts)])


def _span(first: str, last: str) -> str:
    first, last = (text.replace("T", " ").replace("+00:00", " UTC") for text in (first, last))
    return first if first == last else f"{first} to {last}"


def _flat(settings: Mapping, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings with their names in words, what is inside of others too."""
    for key, value in settings.items():
        name = f"{prefix}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name} ")
        elif value not in (None, "", []):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield name[:1].upper() + name[1:], without_folders(shown, [Path(shown).parent])
