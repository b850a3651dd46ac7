"""The page about a whole study: what is done, what is doubtful, what failed, and how it was made. No pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .. import __version__
from ..review import ReviewItem
from ..review.report import LAST_NOTES, origin
from ..review.report_cards import facts_list
from ..review.report_html import Html, contents, date_text, element, join, page, table
from .ledger import State
from .outcome import PatientOutcome, ScanOutcome, StudyOutcome
from .report_doubts import Doubt, doubts_of, doubts_section
from .report_findings import confidence, landmarks, scans_without_result
from .report_patient import STATUSES, left_out_table, result_cells, scan_text
from .report_places import patient_address
from .report_style import STYLE
from .report_words import counted, folders_of, without_folders

LEFT_OUT_SHOWN = 200
_STATES = (State.DONE, State.RUNNING, State.QUEUED, State.FAILED, State.SKIPPED)


def summary_page(study: StudyOutcome) -> str:
    """The text of the page."""
    name = study.folder.resolve().name
    scans = [scan for patient in study.patients for scan in patient.scans]
    items = [item for scan in scans for item in scan.items]
    head = [
        element("h1", f"Landmark study: {name}"),
        element("p", origin([scan.provenance for scan in scans]), kind="faint"),
        _tiles(study, scans, items),
        *_unfinished(scans),
    ]
    parts = [
        *doubts_section(_doubts(study), with_patient=True),
        *scans_without_result(study),
        *confidence(items),
        *landmarks(items),
        *_scans(study),
        *_left_out(study),
        *_how(study, scans),
        element("p", LAST_NOTES, kind="faint small"),
    ]
    return page(f"Landmark study: {name}", [*head, contents(parts), *parts], STYLE)


# ---- at a glance


def _tiles(study: StudyOutcome, scans: Sequence[ScanOutcome], items: Sequence[ReviewItem]) -> Html:
    states = Counter(scan.state for scan in scans)
    statuses = Counter(item.status for item in items)
    tiles = [_tile(len(study.patients), "patients"), _tile(len(scans), "scans")]
    shown = [state for state in _STATES if states[state] or state in (State.DONE, State.FAILED)]
    tiles += [_tile(states[state], f"scans {state.value}", state.value) for state in shown]
    tiles += [
        _tile(statuses[status], f"landmarks {status.lower()}{_share(statuses[status], len(items))}", status)
        for status in STATUSES
    ]
    return element("div", *tiles, kind="tiles")


def _doubts(study: StudyOutcome) -> Iterator[Doubt]:
    for patient in study.patients:
        yield from doubts_of(patient, patient_address(patient.patient))


def _unfinished(scans: Sequence[ScanOutcome]) -> list[Html]:
    waiting = sum(scan.state in (State.QUEUED, State.RUNNING) for scan in scans)
    told = f"The study is not finished: {counted(waiting, 'scan')} of {len(scans):,} to go when this was written."
    return [element("p", element("b", told))] if waiting else []


def _tile(number: int, what: str, kind: str = "") -> Html:
    return element("div", element("b", f"{number:,}"), element("span", what), kind=f"tile {kind}".strip())


def _share(part: int, whole: int) -> str:
    return f", {part / whole:.1%}" if whole else ""


# ---- scans


def _scans(study: StudyOutcome) -> list[Html]:
    head = (
        "Patient",
        "Template",
        "Scan",
        "Date",
        "State",
        *map(str.capitalize, STATUSES),
        "Lowest confidence",
    )
    rows = (
        [*_patient_cells(patient), *_scan_cells(scan)] for patient in study.patients for scan in patient.scans
    )
    return [element("h2", "All scans", id="scans"), table(head, rows, numbers=range(5, len(head)))]


def _patient_cells(patient: PatientOutcome) -> list[object]:
    template = patient.plan.templates[0].scan
    told = date_text(template.date) if template.date else template.name
    if not patient.plan.own_baseline and template.patient:
        told = join([f"{template.patient}, ", told])
    return [element("a", patient.patient, href=patient_address(patient.patient)), told]


def _scan_cells(scan: ScanOutcome) -> list[object]:
    return [scan_text(scan.scan), date_text(scan.scan.date), *result_cells(scan)]


def _left_out(study: StudyOutcome) -> list[Html]:
    count = sum(len(patient.plan.left_out) for patient in study.patients)
    of_patients = [f"Of the patients: {counted(count, 'scan')}; their pages tell why."] if count else []
    items = study.plan.left_out
    if len(items) > LEFT_OUT_SHOWN:
        of_patients.append(f"The first {LEFT_OUT_SHOWN} of {len(items):,} others are shown.")
    if not of_patients and not items:
        return []
    parts = [element("h2", "Left out from the beginning", id="left-out")]
    if of_patients:
        parts.append(element("p", " ".join(of_patients), kind="faint"))
    return [*parts, left_out_table(items[:LEFT_OUT_SHOWN], study.plan.patients)] if items else parts


# ---- how it was made


def _how(study: StudyOutcome, scans: Sequence[ScanOutcome]) -> list[Html]:
    facts: dict[str, object] = {"Report written by": f"SAMLandmark {__version__}"}
    if study.plan.rule:
        facts["Which scans"] = without_folders(study.plan.rule, folders_of(study.plan.patients))
    facts |= dict(_flat(study.settings))
    written = sorted(scan.document["written_at"] for scan in scans if scan.document.get("written_at"))
    if written:
        facts["Results written"] = _span(written[0], written[-1])
    facts["Study"] = study.uid
    return [element("h2", "How it was made", id="how"), element("div", facts_list(facts), kind="facts")]


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
