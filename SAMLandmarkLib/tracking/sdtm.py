"""Lesions and responses as tables of CDISC SDTM: TU (which lesions), TR (their measures), RS (the responses).

What is proposed and nobody confirmed says so in the column for the evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..core.lesions import Finding, Lesion, LesionHistory, LesionStatus, Role, Track
from ..utils.files import create_folder, write_atomically
from ..utils.tables import csv_text
from .recist import Judged
from .response import Assessment, assess

Row = tuple[object, ...]

_TU = (
    "TULNKID",
    "TUTESTCD",
    "TUTEST",
    "TUORRES",
    "TUSTRESC",
    "TULOC",
    "TUMETHOD",
    "TUEVAL",
    "VISITNUM",
    "VISIT",
    "TUDTC",
)
_TR = (
    *("TRGRPID", "TRLNKID", "TRTESTCD", "TRTEST", "TRORRES", "TRORRESU", "TRSTRESC", "TRSTRESN", "TRSTRESU"),
    *("TRSTAT", "TRREASND", "TRMETHOD", "TREVAL", "VISITNUM", "VISIT", "TRDTC"),
)
_RS = (
    *("RSTESTCD", "RSTEST", "RSCAT", "RSORRES", "RSSTRESC", "RSSTAT", "RSREASND", "RSEVAL"),
    *("VISITNUM", "VISIT", "RSDTC"),
)
_ROLES = {Role.TARGET: "TARGET", Role.NON_TARGET: "NON-TARGET", Role.NEW: "NEW"}
_STATES = {
    LesionStatus.PRESENT: "PRESENT",
    LesionStatus.NEW: "PRESENT",
    LesionStatus.SPLIT: "PRESENT",
    LesionStatus.TOO_SMALL: "TOO SMALL TO MEASURE",
    LesionStatus.DISAPPEARED: "ABSENT",
    LesionStatus.MERGED: "COALESCED",
    LesionStatus.UNCERTAIN: "EQUIVOCAL",
    LesionStatus.OUT_OF_VIEW: "NOT EVALUABLE",
}
_RESPONSES = {"TRGRESP": "Target Response", "NTRGRESP": "Non-target Response", "OVRLRESP": "Overall Response"}
READER, PROGRAM = "INVESTIGATOR", "SAMLANDMARK, PROPOSED"
METHOD = "CT SCAN"


def write_sdtm(folder: Path, histories: Sequence[LesionHistory], study: str = "") -> list[Path]:
    """Write `tu.csv`, `tr.csv` and `rs.csv` of all patients into a folder; the files. Raises OutputError."""
    create_folder(folder)
    files = []
    for domain, columns, rows_of in (("TU", _TU, _identified), ("TR", _TR, _measured), ("RS", _RS, _judged)):
        head = ("STUDYID", "DOMAIN", "USUBJID", f"{domain}SEQ", *columns)
        rows: list[Row] = [head]
        for history in histories:
            numbered = enumerate(rows_of(history), start=1)
            rows += [(study, domain, history.patient, number, *row) for number, row in numbered]
        path = folder / f"{domain.lower()}.csv"
        write_atomically(path, csv_text(rows))
        files.append(path)
    return files


def _when(history: LesionHistory, visit: int) -> Row:
    return visit + 1, history.visits[visit].name, history.visits[visit].date


def _evaluator(finding: Finding) -> str:
    return READER if finding.by_hand else PROGRAM


def _identified(history: LesionHistory) -> Iterator[Row]:
    """Each lesion once, and once more where it merged or split."""
    for track in history:
        lesion, first = track.lesion, min(track.findings, default=0)
        finding = track.findings.get(first)
        if finding is None:
            continue
        role, place = _ROLES[lesion.role], _place(lesion)
        told = (role, role, place, METHOD, _evaluator(finding), *_when(history, first))
        yield (lesion.name, "TUMIDENT", "Tumor Identification", *told)
        for code, test, visit, other in _joined(track):
            told = (other, other, place, METHOD, _evaluator(track.findings[visit]), *_when(history, visit))
            yield (lesion.name, code, test, *told)


def _joined(track: Track) -> Iterator[tuple[str, str, int, str]]:
    merged = next((item for item in track.findings.items() if item[1].merged_into), None)
    if merged:
        yield "TUMERGE", "Tumor Merged", merged[0], merged[1].merged_into
    split = next((item for item in track.findings.items() if item[1].split_from), None)
    if split:
        yield "TUSPLIT", "Tumor Split", split[0], split[1].split_from


def _place(lesion: Lesion) -> str:
    return (lesion.organ or ("lymph node" if lesion.is_node else lesion.site)).upper()


def _measured(history: LesionHistory) -> Iterator[Row]:
    """The diameters and the state of each lesion at each date, and the sums."""
    for track in history:
        for visit, finding in track.findings.items():
            about = (_ROLES[track.lesion.role], track.lesion.name)
            end = (METHOD, _evaluator(finding), *_when(history, visit))
            state = _STATES[finding.status]
            yield (*about, "TUMSTATE", "Tumor State", state, "", state, "", "", "", "", *end)
            for code, test, diameter in (
                ("LDIAM", "Longest Diameter", finding.long),
                ("LPERP", "Longest Perpendicular", finding.short),
            ):
                if diameter is not None:
                    text = f"{diameter.length_mm:.1f}"
                    yield (*about, code, test, text, "mm", text, text, "mm", "", "", *end)
                elif code == "LDIAM" and finding.is_seen:
                    yield (*about, code, test, "", "", "", "", "", "NOT DONE", str(finding.note), *end)
    for item in assess(history):
        if item.sum_mm is not None:
            text = f"{item.sum_mm:.1f}"
            end = (METHOD, PROGRAM, *_when(history, item.visit))
            yield ("TARGET", "", "SUMDIAM", "Sum of Diameter", text, "mm", text, text, "mm", "", "", *end)


def _judged(history: LesionHistory) -> Iterator[Row]:
    """The responses at each date after the baseline."""
    for item in assess(history)[1:]:
        for code, judged in _responses(item):
            text = judged.response.text.upper()
            status, reason = ("NOT DONE", str(judged.rule)) if text == "NE" else ("", "")
            end = (status, reason, PROGRAM, *_when(history, item.visit))
            yield (code, _RESPONSES[code], "RECIST 1.1", text, text, *end)


def _responses(item: Assessment) -> Iterator[tuple[str, Judged]]:
    given = (("TRGRESP", item.target), ("NTRGRESP", item.non_target), ("OVRLRESP", item.overall))
    return ((code, judged) for code, judged in given if judged is not None)
