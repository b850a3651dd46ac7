"""The page about a whole study: what is done, what is doubtful, what failed, and how it was made. No pictures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote

from .. import __version__
from ..review import ReviewItem
from ..review.report import LAST_NOTES, origin
from ..review.report_cards import facts_list
from ..review.report_html import Html, date_text, element, join, page, table
from ..review.report_sections import card_id
from ..target_names import folder_name
from .ledger import State
from .outcome import PatientOutcome, ScanOutcome, StudyOutcome
from .report_charts import confidence_chart
from .report_patient import STATUSES, left_out_table, reason_of, result_cells, scan_text
from .report_style import STYLE
from .report_time import review_of, scan_key
from .report_words import counted, folders_of, without_folders

PAGE_NAME = "report.html"
DOUBTFUL_SHOWN = 100
LABELS_SHOWN = 60
LEFT_OUT_SHOWN = 200
_STATES = (State.DONE, State.RUNNING, State.QUEUED, State.FAILED, State.SKIPPED)


@dataclass(frozen=True)
class _Doubt:
    """A doubtful landmark, and where it stands in its patient's page."""

    patient: PatientOutcome
    scan: ScanOutcome
    item: ReviewItem
    address: str


def patient_page(patient: str) -> Path:
    """Where a patient's page lies in the folder of the report."""
    return Path(folder_name(patient)) / PAGE_NAME


def summary_page(study: StudyOutcome) -> str:
    """The text of the page."""
    name = study.folder.resolve().name
    scans = [scan for patient in study.patients for scan in patient.scans]
    items = [item for scan in scans for item in scan.items]
    parts = [
        element("h1", f"Landmark study: {name}"),
        element("p", origin([scan.provenance for scan in scans]), kind="faint"),
        _tiles(study, scans, items),
        *_unfinished(scans),
        *_doubtful(study),
        *_failures(study),
        *_confidence(items),
        *_landmarks(items),
        *_scans(study),
        *_left_out(study),
        *_how(study, scans),
        element("p", LAST_NOTES, kind="faint small"),
    ]
    return page(f"Landmark study: {name}", parts, STYLE)


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


def _unfinished(scans: Sequence[ScanOutcome]) -> list[Html]:
    waiting = sum(scan.state in (State.QUEUED, State.RUNNING) for scan in scans)
    told = f"The study is not finished: {counted(waiting, 'scan')} of {len(scans):,} to go when this was written."
    return [element("p", element("b", told))] if waiting else []


def _tile(number: int, what: str, kind: str = "") -> Html:
    return element("div", element("b", f"{number:,}"), element("span", what), kind=f"tile {kind}".strip())


def _share(part: int, whole: int) -> str:
    return f", {part / whole:.1%}" if whole else ""


# ---- what needs a look


def _doubtful(study: StudyOutcome) -> list[Html]:
    doubts = sorted(_doubts(study), key=lambda doubt: doubt.item.confidence)
    heading = element("h2", "Look at these first")
    if not doubts:
        return [heading, element("p", "No landmark is doubtful.", kind="faint")]
    head = ("Confidence", "Patient", "Scan", "Date", "Landmark", "Why")
    told = f"{counted(len(doubts), 'doubtful landmark')}, the least sure first."
    if len(doubts) > DOUBTFUL_SHOWN:
        more = f"{len(doubts) - DOUBTFUL_SHOWN:,} more are in the patients' pages and in study.csv"
        told += f" The first {DOUBTFUL_SHOWN} are shown; {more}."
    return [
        heading,
        element("p", told, kind="faint"),
        table(head, map(_doubt_row, doubts[:DOUBTFUL_SHOWN]), numbers=(0,)),
    ]


def _doubts(study: StudyOutcome) -> Iterator[_Doubt]:
    for patient in study.patients:
        review = review_of(patient)
        page_address = _address(patient)
        for number, scan in enumerate(patient.scans):
            for item in scan.items:
                if item.status == "DOUBTFUL":
                    anchor = card_id(scan_key(number), item.label, review)
                    yield _Doubt(patient, scan, item, f"{page_address}#{anchor}")


def _doubt_row(doubt: _Doubt) -> list[object]:
    scan, item = doubt.scan.scan, doubt.item
    landmark = element("a", item.label, href=doubt.address)
    return [
        f"{item.confidence:.0%}",
        doubt.patient.patient,
        scan.name,
        date_text(scan.date),
        landmark,
        item.reason,
    ]


def _failures(study: StudyOutcome) -> list[Html]:
    rows = [
        [
            patient.patient,
            scan.scan.name,
            date_text(scan.scan.date),
            scan.state.value,
            reason_of(scan, patient),
        ]
        for patient in study.patients
        for scan in patient.scans
        if scan.state in (State.FAILED, State.SKIPPED)
    ]
    if not rows:
        return []
    # What failed by itself comes before what could not be tried.
    rows.sort(key=lambda row: row[3])
    head = ("Patient", "Scan", "Date", "State", "Reason")
    return [element("h2", "Scans without a result"), table(head, rows)]


# ---- landmarks


def _confidence(items: Sequence[ReviewItem]) -> list[Html]:
    placed = {
        status: [item.confidence for item in items if item.status == status]
        for status in ("FOUND", "DOUBTFUL")
    }
    if not any(placed.values()):
        return []
    note = "Landmarks that are missing have no place to be confident of, and are not in the chart."
    chart = confidence_chart(placed["FOUND"], placed["DOUBTFUL"])
    return [element("h2", "Confidence"), element("p", note, kind="faint"), chart]


def _landmarks(items: Sequence[ReviewItem]) -> list[Html]:
    """A row for each label, the least reliable first."""
    by_label: Mapping[str, list[ReviewItem]] = defaultdict(list)
    for item in items:
        by_label[item.label].append(item)
    if not by_label:
        return []
    rows = sorted((_landmark_row(label, group) for label, group in by_label.items()), key=_found_share)
    more = f" The first {LABELS_SHOWN} of {len(rows)} are shown." if len(rows) > LABELS_SHOWN else ""
    head = ("Landmark", *map(str.capitalize, STATUSES), "Median confidence")
    return [
        element("h2", "Landmarks"),
        element("p", f"Over all scans that are done, the least often found first.{more}", kind="faint"),
        table(head, rows[:LABELS_SHOWN], numbers=range(1, len(head))),
    ]


def _landmark_row(label: str, items: Sequence[ReviewItem]) -> list[object]:
    counts = Counter(item.status for item in items)
    placed = [item.confidence for item in items if item.position_lps is not None]
    return [label, *(counts[status] for status in STATUSES), f"{median(placed):.0%}" if placed else "–"]


def _found_share(row: Sequence) -> float:
    return row[1] / sum(row[1:4])


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
    return [element("h2", "All scans"), table(head, rows, numbers=range(5, len(head)))]


def _patient_cells(patient: PatientOutcome) -> list[object]:
    template = patient.plan.templates[0].scan
    told = date_text(template.date) if template.date else template.name
    if not patient.plan.own_baseline and template.patient:
        told = join([f"{template.patient}, ", told])
    return [element("a", patient.patient, href=_address(patient)), told]


def _scan_cells(scan: ScanOutcome) -> list[object]:
    return [scan_text(scan.scan), date_text(scan.scan.date), *result_cells(scan)]


def _address(patient: PatientOutcome) -> str:
    return quote(patient_page(patient.patient).as_posix())


def _left_out(study: StudyOutcome) -> list[Html]:
    count = sum(len(patient.plan.left_out) for patient in study.patients)
    of_patients = [f"Of the patients: {counted(count, 'scan')}; their pages tell why."] if count else []
    items = study.plan.left_out
    if len(items) > LEFT_OUT_SHOWN:
        of_patients.append(f"The first {LEFT_OUT_SHOWN} of {len(items):,} others are shown.")
    if not of_patients and not items:
        return []
    parts = [element("h2", "Left out from the beginning")]
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
    return [element("h2", "How it was made"), element("div", facts_list(facts), kind="facts")]


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
