"""The page of a patient: the scans, what failed, what is measured over time, and every landmark with its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...reporting.display_paths import without_folders
from ...reporting.environment import render
from ...reporting.landmark_pairs import Pair
from ...reporting.over_time import displacements, distances
from ...reporting.review_page import DISPLACEMENT_NOTES, LAST_NOTES, NO_TEMPLATE_NOTES, crop_notes, origin
from ...reporting.scan_sections import ReportScan, section
from ...reporting.views import Cell, Section, Table, date_cell
from ..ledger import State
from ..outcome import PatientOutcome, ScanOutcome
from ..plan import StudyScan
from .doubts import doubts_of, doubts_section
from .scan_rows import STATUSES, excluded_table, reason_of, result_cells, scan_cell
from .time_points import review_of, scan_key, time_points
from .volumes import PictureSource, TemplateVolumes, read_again

_OTHER_PATIENT = "The template is a scan of somebody else, so displacements since the template are not told. "


class PatientReport:
    """The report of a patient; `notes` are the pictures that it has to do without, once `page` has been made.

    At most two volumes are in memory at a time: the template and one follow-up.
    """

    def __init__(
        self, patient: PatientOutcome, templates: TemplateVolumes, pairs: Sequence[Pair] = ()
    ) -> None:
        self.notes: list[str] = []
        self._patient = patient
        self._templates = templates
        self._pairs = pairs
        self._review = review_of(patient)

    def page(self, summary: str = "") -> str:
        """The text of the page; `summary` is the address of that about the whole study."""
        patient = self._patient
        sections = [
            *_doubts_about_person(patient),
            *_doubts(patient),
            *_troubles(patient),
            *self._over_time(),
            *self._scan_sections(),
        ]
        return render(
            "study_patient.html",
            title=f"Patient {patient.patient}",
            back=summary,
            origin=origin([scan.provenance for scan in patient.scans]),
            scans=_scans_table(patient),
            sections=sections,
            footnote=self._notes(),
        )

    def _over_time(self) -> list[Section]:
        if not self._review.labels:
            return []
        points = time_points(self._patient)
        measured = distances(points, self._pairs)
        if not self._patient.plan.own_baseline:
            return [measured]
        chosen = [label for pair in self._pairs for label in pair]
        moved = displacements(points, self._review, chosen)
        return [measured] if moved is None else [measured, moved]

    def _scan_sections(self) -> Iterator[Section]:
        for number, scan in enumerate(self._patient.scans):
            if scan.state is State.DONE:
                yield self._section(scan_key(number), scan)

    def _section(self, key: str, scan: ScanOutcome) -> Section:
        template, shown_template = self._patient.plan.template, None
        sources = [follow_up := read_again(scan.scan, scan.checksum("target"))]
        if template is not None:
            sources.insert(0, self._templates.read(template.scan, scan.checksum("template")))
            shown_template = _report_scan("template", template.scan, sources[0])
        missing = [source.note for source in sources if source.note]
        self.notes += [note for note in missing if note not in self.notes]
        return section(
            shown_template,
            _report_scan(key, scan.scan, follow_up),
            self._review,
            notes=(*missing, *_about_choice(scan), *_warnings(scan)),
            reviewed=False,
            same_patient=self._patient.plan.own_baseline,
        )

    def _notes(self) -> str:
        if not self._review.scans:
            return LAST_NOTES
        plan = self._patient.plan
        crops = crop_notes([scan.provenance for scan in self._patient.scans if scan.items])
        others = NO_TEMPLATE_NOTES if plan.template is None else _OTHER_PATIENT
        return crops + (DISPLACEMENT_NOTES if plan.own_baseline else others) + LAST_NOTES


def _report_scan(key: str, scan: StudyScan, source: PictureSource) -> ReportScan:
    # The name of a DICOM series begins with its date.
    date = "" if scan.name.startswith(scan.date) else scan.date
    return ReportScan(key, scan.name, date, source.volume)


def _warnings(scan: ScanOutcome) -> list[str]:
    return [f"Warning: {without_folders(message, [scan.scan.path.parent])}" for message in scan.warnings]


def _about_choice(scan: ScanOutcome) -> list[str]:
    """Which protocol was chosen for a scan and why, where there was a choice."""
    choice = scan.provenance.get("atlas", {}).get("choice")
    return [choice] if choice else []


# ---- tables


def _scans_table(patient: PatientOutcome) -> Table:
    head = ("Scan", "Date", "Role", "File", "State", *map(str.capitalize, STATUSES), "Lowest confidence")
    rows = [*_template_rows(patient), *_follow_up_rows(patient)]
    return Table(head, rows, numbers=range(5, len(head)))


def _template_rows(patient: PatientOutcome) -> Iterator[list[object]]:
    if (protocol := patient.plan.protocol) is not None:
        files = ", ".join(path.name for path in protocol.files)
        yield [protocol.title, "", "atlas", files, "", "", "", "", ""]
    for number, template in enumerate(patient.plan.templates):
        scan = template.scan
        role = "further template" if number else "template"
        owner = "" if scan.patient == patient.patient else f", of {scan.patient or 'another patient'}"
        yield [scan_cell(scan), date_cell(scan.date), role + owner, scan.path.name, "", "", "", "", ""]


def _follow_up_rows(patient: PatientOutcome) -> Iterator[list[object]]:
    for number, scan in enumerate(patient.scans):
        yield [
            scan_cell(scan.scan, f"#{scan_key(number)}" if scan.items else ""),
            date_cell(scan.scan.date),
            Cell("follow-up" if patient.plan.templates else "scan", kind="whole"),
            scan.scan.path.name,
            *result_cells(scan),
        ]


def _doubts_about_person(patient: PatientOutcome) -> list[Section]:
    """Why the scans may not be of one person, or in another order."""
    if not patient.plan.doubts:
        return []
    table = Table(("Warning",), [[doubt] for doubt in patient.plan.doubts])
    return [Section("whose-scans", "Whose scans these are", blocks=[table])]


def _doubts(patient: PatientOutcome) -> list[Section]:
    return [doubts_section(doubts_of(patient), with_patient=False)] if patient.labels else []


def _troubles(patient: PatientOutcome) -> Iterator[Section]:
    """What did not come to a result, and why; what was left out from the beginning."""
    troubled = [scan for scan in patient.scans if scan.state in (State.FAILED, State.SKIPPED)]
    if troubled:
        rows = [
            [scan.scan.name, date_cell(scan.scan.date), scan.state.value, reason_of(scan, patient)]
            for scan in troubled
        ]
        table = Table(("Scan", "Date", "State", "Reason"), rows)
        yield Section("without-result", "Without a result", blocks=[table])
    if patient.plan.excluded:
        table = excluded_table(patient.plan.excluded, [patient.plan])
        yield Section("left-out", "Left out from the beginning", blocks=[table])
