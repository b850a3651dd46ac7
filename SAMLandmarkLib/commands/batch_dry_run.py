"""What `samlandmark batch` would do, and by which rule, without doing it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from ..study.ledger import Ledger
from ..study.output_folder import has_study
from ..study.pending import StudyRequest, outdated_scans
from ..study.plan import PatientPlan, StudyScan
from .terminal import print_json, results


def print_dry_run(request: StudyRequest, as_json: bool) -> None:
    """Show the plan: what would be carried where, what is left out and why, and what is done already."""
    outdated = _outdated(request)
    if as_json:
        document = request.plan.to_document()
        print_json({**document, "scans": len(request.plan), "to_do": outdated})
        return
    console = results()
    if request.plan.rule:
        console.print(f"Rule: {request.plan.rule}\n", soft_wrap=True)
    columns = ("patient", "template", "follow-up", "date", "scan", "what is to be done")
    table = Table(*columns, box=None, pad_edge=False)
    for patient in request.plan.patients:
        for row in _dry_rows(patient, outdated):
            table.add_row(*row)
    console.print(table)
    excluded = [item for patient in request.plan.patients for item in patient.excluded]
    for item in (*excluded, *request.plan.excluded):
        console.print(f"left out: {item.what}: {item.reason}", soft_wrap=True)
    console.print(
        f"{len(request.plan)} scans of {len(request.plan.patients)} patients, {len(outdated)} to be done."
    )


def _outdated(request: StudyRequest) -> dict[str, str]:
    if has_study(request.output):
        with Ledger.read(request.output) as ledger:
            if ledger.states():
                request.require_same_source(ledger.settings)
            return outdated_scans(request, ledger)
    return {scan.key: "not done yet" for _patient, scan in request.plan}


def _dry_rows(patient: PatientPlan, outdated: dict[str, str]) -> Iterator[tuple[str, ...]]:
    templates = (
        " + ".join(_with_details(template.scan) for template in patient.templates) or patient.source_name
    )
    for number, scan in enumerate(patient.follow_ups):
        beginning = (patient.patient, templates) if number == 0 else ("", "")
        done = "nothing: done and unchanged"
        yield (*beginning, scan.name, scan.date, scan.details, outdated.get(scan.key, done))


def _with_details(scan: StudyScan) -> str:
    return f"{scan.name} ({scan.details})" if scan.details else scan.name
