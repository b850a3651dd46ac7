"""Lesions over time in a session: those drawn on the template are followed, and what a reader draws then counts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.lesions import Lesion, LesionHistory, Mark, Track, Visit
from ..io.lesion_json import history_from
from ..io.target_names import numbered_names
from ..scene.lesion_lines import LINE_CLASS, color_by_source, draw_line, lines_with_scans, read_lesions
from ..scene.mrml import MarkupsNode, VolumeNode
from ..scene.nodes import nodes_of_class
from ..scene.studies import dicom_values
from ..scene.volumes import find_volume, scan_key, upright_from_own
from ..scene.watch import is_in_flux
from ..utils.errors import LesionError, UsageError
from ..utils.translation import _
from .background_job import BackgroundJob
from .context import SessionContext
from .job_scans import NodeScan
from .lesion_changes import Said, is_drawn_anew
from .lesion_job import MODULE, lesion_job
from .markups_display import MarkupsDisplay
from .status import Change
from .tracked_lesions import TrackedLesions

_OWN_FRAME = np.eye(4)
FilesOf = Callable[[VolumeNode], Iterable[str]]
"""The DICOM files that a volume was loaded from, none where it was not."""


class LesionControl:
    """Follows the lesions of the template through the follow-ups; listeners of the session hear `Change.LESIONS`.

    `marks` are the lesions that are drawn on the template, and `problem` why they can't be read, in a sentence. `history`
    is what is known of all tracked lesions, with what the reader has drawn and said since, None before tracking. `text`
    tells how far the work is, or how it ended, `remarks` what to look at.
    """

    def __init__(self, context: SessionContext) -> None:
        self.marks: tuple[Mark, ...] = ()
        self.problem = self.text = ""
        self.remarks: tuple[str, ...] = ()
        self.history: LesionHistory | None = None
        self.points_node: MarkupsNode | None = None
        self.left_out: frozenset[str] = frozenset()
        self._context = context
        self._job = BackgroundJob(MODULE, self._went_on, self._ended)
        self._tracked = TrackedLesions(context.scene)
        self._display = MarkupsDisplay(context.scene)
        self._uprights: list[np.ndarray] = []
        self._sent: tuple[str, ...] = ()
        self._seen: object = None

    # ---- what there is

    @property
    def running(self) -> bool:
        """Whether lesions are being followed or written, or wait for the scans to be embedded."""
        return self._job.running

    @property
    def fraction(self) -> float:
        """How much of the work is done, 0 to 1."""
        return self._job.fraction

    @property
    def chosen(self) -> tuple[Mark, ...]:
        """The lesions of the template that are to be followed."""
        return tuple(mark for mark in self.marks if mark.lesion.name not in self.left_out)

    @property
    def blocking_reason(self) -> str:
        """What keeps tracking from being possible, in a sentence for the user; "" where nothing does."""
        jobs = self._context.jobs
        if jobs.template is None:
            return _("Choose the template volume.")
        if self.problem:
            return self.problem
        if not self.chosen:
            return _("Draw a lesion on the template, or choose a list of points.")
        if not jobs.follow_ups:
            return _("Choose at least one follow-up volume.")
        return next((problem for scan in jobs.scans if (problem := jobs.problem_of(scan))), "")

    @property
    def outdated(self) -> bool:
        """Whether the scans, or the lesions of the template, are others than those that were tracked."""
        if self._tracked.history is None:
            return False
        tracked = {track.lesion.name: track.at(0) for track in self._tracked.history}
        other = any(is_drawn_anew(mark.finding, tracked.get(mark.lesion.name)) for mark in self.chosen)
        return other or set(self._tracked.keys) != {scan.key for scan in self._context.jobs.scans}

    def said(self, name: str, visit: int) -> Said | None:
        """The reader's word on a lesion at a date, None where there is none."""
        return self._tracked.said.get((name, visit))

    # ---- what the user does

    def choose(self, name: str, chosen: bool) -> None:
        """Follow a lesion of the template, or leave it out."""
        self.left_out = self.left_out - {name} if chosen else self.left_out | {name}
        self._context.notices.notify(Change.LESIONS)

    def draw(self, short: bool = False) -> None:
        """Let the next two clicks draw the longest diameter of a new lesion, or the `short` one of the last."""
        names = [mark.lesion.name for mark in self.marks]
        if short:
            without = [mark.lesion.name for mark in self.marks if mark.finding.short is None]
            draw_line(self._context.scene, f"{without[-1]} short" if without else "T1 short")
            return
        number = next(number for number in range(1, len(names) + 2) if f"T{number}" not in names)
        draw_line(self._context.scene, f"T{number} long")

    def track(self) -> None:
        """Follow the chosen lesions through all follow-ups, as soon as the worker has embedded them.

        Raises UsageError with the blocking_reason where there is one, or where lesions are being worked on.
        """
        self._require_possible()
        # what the worker computes is in the cache then, and is not computed twice
        self._job.begin_when(lambda: not self._context.jobs.busy, self._start_tracking)

    def _start_tracking(self) -> None:
        self._require_possible()
        scans = self._context.jobs.scans
        uprights = [upright_from_own(scan.node) for scan in scans]
        files = [NodeScan.of(scan.node, number, uprights[number]) for number, scan in enumerate(scans)]
        names = numbered_names([scan.name for scan in scans])
        visits = tuple(Visit(name, scan.date or "") for name, scan in zip(names, scans, strict=True))
        tracks = tuple(Track(self._known(mark), {0: mark.finding}) for mark in self.chosen)
        patient = next(iter(dicom_values(scans[0].node, "DICOM.PatientID")), "patient")
        history = LesionHistory(patient, visits, tracks)
        worker = self._context.jobs.worker
        job = lesion_job(history.mapped(uprights), files, worker.settings)
        self._job.start(job, worker, _("Starting."))
        self._uprights, self._sent = uprights, tuple(scan.key for scan in scans)

    def cancel(self) -> None:
        """End what runs, if anything."""
        self._job.cancel(_("Canceled."))

    def say(self, name: str, visit: int, said: Said | None) -> None:
        """Note a reader's word on a lesion at a date, or take it back."""
        self._tracked.say(name, visit, said)
        self._read()

    def look_at(self, name: str, visit: int) -> None:
        """Let the views of the template and of a visit look at a lesion."""
        if self.history is None:
            return
        findings = {number: self.history.track(name).at(number) for number in (0, visit)}
        places = {
            self._tracked.keys[number]: finding.position_lps
            for number, finding in findings.items()
            if finding is not None and finding.position_lps is not None
        }
        self._context.viewing.look_at(places)

    def export(self, folder: str | os.PathLike[str], files_of: FilesOf = lambda node: ()) -> None:
        """Write what `samlandmark track` writes. Raises UsageError where nothing was tracked, or a scan is gone."""
        if self.history is None:
            raise UsageError(_("Track the lesions first."))
        scans = []
        for number, node in enumerate(self._tracked.volumes):
            visit = self.history.visits[number]
            if node is None:
                gone = _("The scan {name} is not in the scene any more; load it again, or track again.")
                raise UsageError(gone.format(name=visit.name))
            scans.append(NodeScan.of(node, number, _OWN_FRAME, tuple(files_of(node))))
        worker = self._context.jobs.worker
        job = lesion_job(self.history, scans, worker.settings, Path(folder).absolute())
        self._job.start(job, worker, _("Writing the files."))

    def poll(self) -> None:
        """Take what the process has said, and what has been drawn."""
        self._job.poll()
        if is_in_flux(self._context.scene):
            return
        seen = self._signature()
        if seen != self._seen:
            self._seen = seen
            self._read()

    def close(self) -> None:
        """End what runs."""
        self._job.close()

    # ---- the process

    def _require_possible(self) -> None:
        if reason := self.blocking_reason:
            raise UsageError(reason)

    def _went_on(self) -> None:
        self._say(self._job.text)

    def _ended(self, answer: dict[str, Any] | None, problem: str) -> None:
        if answer is None:
            self._say(problem)
        elif "history" in answer:
            self._take_tracks(history_from(answer["history"], "the tracker"))
        else:
            text = _("{count} files were written; open {report} to read the results.")
            report = next((Path(file).name for file in answer["files"] if file.endswith(".html")), "")
            self._say("\n".join([text.format(count=len(answer["files"]), report=report), *answer["notes"]]))

    def _take_tracks(self, history: LesionHistory) -> None:
        if any(find_volume(self._context.scene, key) is None for key in self._sent):
            self._say(_("A scan was removed meanwhile; track again."))
            return
        own = history.mapped([np.linalg.inv(upright) for upright in self._uprights])
        self._tracked.replace(own, self._sent)
        self._say("")
        self._read()

    def _say(self, text: str) -> None:
        self.text = text
        self._context.notices.notify(Change.LESIONS)

    # ---- the scene

    def _known(self, mark: Mark) -> Lesion:
        """The lesion of a mark, with the tracking UID that it has since it was tracked before."""
        uid = mark.lesion.uid or self._tracked.uid_of(mark.lesion.name)
        return replace(mark.lesion, uid=uid)

    def _signature(self) -> tuple[Any, ...]:
        """What differs after a line, the points or the scans have changed, or the views show other ones."""
        lines = nodes_of_class(self._context.scene, LINE_CLASS)
        points = [] if self.points_node is None else [self.points_node]
        nodes = tuple((node.GetID(), node.GetMTime()) for node in (*lines, *points))
        viewing = self._context.viewing
        return nodes, tuple(scan.key for scan in self._context.jobs.scans), viewing.shown, self._tracked.keys

    def _read(self) -> None:
        """Take over what the scene holds."""
        template, keys = self._context.jobs.template, self._tracked.keys
        self.text = self._tracked.take_up("" if template is None else template.key) or self.text
        self.marks, self.problem = (), ""
        try:
            if template is not None:
                scene = self._context.scene
                self.marks = tuple(read_lesions(scene, template.node, True, self.points_node))
        except LesionError as error:
            self.problem = str(error)
        if self._tracked.keys != keys:
            # what was left out is not kept by itself
            known = {track.lesion.name for track in self._tracked.history or ()}
            names = {mark.lesion.name for mark in self.marks}
            self.left_out = frozenset(names - known) if known else frozenset()
        self.history, self.remarks = self._tracked.with_reader()
        self._show_lines()
        self._context.notices.notify(Change.LESIONS)

    def _show_lines(self) -> None:
        """Show each line in the views of its scan, in the color of who drew it."""
        self._display.apart = bool(self._context.viewing.shown)
        for node, volume in lines_with_scans(self._context.scene):
            self._display.show_one(scan_key(volume), node)
            color_by_source(node, volume)
