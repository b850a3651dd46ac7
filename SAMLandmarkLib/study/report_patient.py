"""The page of a patient: the scans, what failed, what is measured over time, and every landmark with its pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ..review.report import CROP_NOTES, DISPLACEMENT_NOTES, LAST_NOTES, origin
from ..review.report_html import Html, contents, date_text, element, join, page, table
from ..review.report_sections import ReportScan, section
from .ledger import State
from .outcome import PatientOutcome, ScanOutcome
from .plan import LeftOut, PatientPlan, StudyScan
from .report_doubts import doubts_of, doubts_section
from .report_over_time import displacements, distances
from .report_pairs import Pair
from .report_style import STYLE
from .report_time import review_of, scan_key, time_points
from .report_volumes import PictureSource, TemplateVolumes, read_again
from .report_words import folders_of, without_folders

STATUSES = ("FOUND", "DOUBTFUL", "MISSING")
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
        title = f"Patient {patient.patient}"
        back = [element("a", "← the whole study", href=summary)] if summary else []
        parts = [*_doubts(patient), *_troubles(patient), *self._over_time(), *self._sections()]
        head = [
            contents(parts, *back),
            element("h1", title),
            element("p", origin([scan.provenance for scan in patient.scans]), kind="faint"),
            _scans_table(patient),
        ]
        return page(title, [*head, *parts, element("p", self._notes(), kind="faint small")], STYLE)

    def _over_time(self) -> list[Html]:
        if not self._review.labels:
            return []
        points = time_points(self._patient)
        parts = [distances(points, self._pairs)]
        if self._patient.plan.own_baseline:
            chosen = [label for pair in self._pairs for label in pair]
            parts.append(displacements(points, self._review, chosen))
        return parts

    def _sections(self) -> Iterator[Html]:
        for number, scan in enumerate(self._patient.scans):
            if scan.state is State.DONE:
                yield self._section(scan_key(number), scan)

    def _section(self, key: str, scan: ScanOutcome) -> Html:
        template_scan = self._patient.plan.templates[0].scan
        template = self._templates.read(template_scan, scan.checksum("template"))
        follow_up = read_again(scan.scan, scan.checksum("target"))
        missing = [source.note for source in (template, follow_up) if source.note]
        self.notes += [note for note in missing if note not in self.notes]
        return section(
            _report_scan("template", template_scan, template),
            _report_scan(key, scan.scan, follow_up),
            self._review,
            notes=(*missing, *_warnings(scan)),
            reviewed=False,
            same_patient=self._patient.plan.own_baseline,
        )

    def _notes(self) -> str:
        if not self._review.scans:
            return LAST_NOTES
        own = self._patient.plan.own_baseline
        return CROP_NOTES + (DISPLACEMENT_NOTES if own else _OTHER_PATIENT) + LAST_NOTES


def _report_scan(key: str, scan: StudyScan, source: PictureSource) -> ReportScan:
    # The name of a DICOM series begins with its date.
    date = "" if scan.name.startswith(scan.date) else scan.date
    return ReportScan(key, scan.name, date, source.volume)


def _warnings(scan: ScanOutcome) -> list[str]:
    told = scan.provenance.get("warnings", {}).get("target", [])
    return [f"Warning: {without_folders(message, [scan.scan.path.parent])}" for message in told]


# ---- tables


def _scans_table(patient: PatientOutcome) -> Html:
    head = ("Scan", "Date", "Role", "File", "State", *map(str.capitalize, STATUSES), "Lowest confidence")
    rows = [*_template_rows(patient), *_follow_up_rows(patient)]
    return table(head, rows, numbers=range(5, len(head)))


def _template_rows(patient: PatientOutcome) -> Iterator[list[object]]:
    for number, template in enumerate(patient.plan.templates):
        scan = template.scan
        role = "further template" if number else "template"
        owner = "" if scan.patient == patient.patient else f", of {scan.patient or 'another patient'}"
        yield [scan_text(scan), date_text(scan.date), role + owner, scan.path.name, "", "", "", "", ""]


def _follow_up_rows(patient: PatientOutcome) -> Iterator[list[object]]:
    for number, scan in enumerate(patient.scans):
        link = element("a", scan.scan.name, href=f"#{scan_key(number)}") if scan.items else None
        name = scan_text(scan.scan, link)
        yield [
            name,
            date_text(scan.scan.date),
            element("span", "follow-up", kind="whole"),
            scan.scan.path.name,
            *result_cells(scan),
        ]


def scan_text(scan: StudyScan, link: Html | None = None) -> Html:
    """A scan's name, and its description where that tells more."""
    told = scan.description in scan.name
    described = [] if told else [" ", element("small", scan.description)]
    return join([link or scan.name, *described])


def result_cells(scan: ScanOutcome) -> list[object]:
    """What came of a scan: its state, how many landmarks have each status, and the lowest confidence of a place."""
    state = element("span", scan.state.value, kind=f"badge {scan.state.value}")
    if scan.state is not State.DONE:
        return [state, "", "", "", ""]
    counts = Counter(item.status for item in scan.items)
    placed = [item.confidence for item in scan.items if item.position_lps is not None]
    lowest = f"{min(placed):.0%}" if placed else "–"
    return [state, *(counts[status] for status in STATUSES), lowest]


def _doubts(patient: PatientOutcome) -> list[Html]:
    return doubts_section(doubts_of(patient), with_patient=False) if patient.labels else []


def _troubles(patient: PatientOutcome) -> list[Html]:
    """What did not come to a result, and why; what was left out from the beginning."""
    troubled = [scan for scan in patient.scans if scan.state in (State.FAILED, State.SKIPPED)]
    parts = []
    if troubled:
        rows = (
            [scan.scan.name, date_text(scan.scan.date), scan.state.value, reason_of(scan, patient)]
            for scan in troubled
        )
        parts += [
            element("h2", "Without a result", id="without-result"),
            table(("Scan", "Date", "State", "Reason"), rows),
        ]
    if patient.plan.left_out:
        parts += [
            element("h2", "Left out from the beginning", id="left-out"),
            left_out_table(patient.plan.left_out, [patient.plan]),
        ]
    return parts


def left_out_table(items: Iterable[LeftOut], plans: Iterable[PatientPlan]) -> Html:
    """What takes no part, and why; the files of the plans, and others, are called by their names."""
    folders = folders_of(plans)
    rows = ([without_folders(text, folders) for text in (item.what, item.reason)] for item in items)
    return table(("What", "Reason"), rows)


def reason_of(scan: ScanOutcome, patient: PatientOutcome) -> str:
    """Why a scan has no result, with files called by their names."""
    return without_folders(scan.reason, folders_of([patient.plan]))
