"""A scan of a study in the scene: its voxels, its template if any, and its landmarks, reviewed like any follow-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.landmarks import LandmarkSet
from ..core.modality import CT, SOFT_TISSUE
from ..core.volume import Volume
from ..review import Point, ReviewItem
from ..review.order import next_undecided
from ..scene.mrml import MarkupsNode, VolumeNode
from ..scene.points import add_points, create_points, read_points
from ..scene.review_node import ReviewNode
from ..scene.volumes import add_volume, scalar_volumes, show_window
from ..study.outcome import StudyScanOutcome
from ..study.plan import StudyScan, Template
from ..utils.errors import UsageError
from ..utils.translation import _
from .context import SessionContext
from .moves import is_same_place
from .protocols import protocol_name
from .scan_selection import ScanSelection
from .status import Change

STUDY_SCAN_ATTRIBUTE = "SAMLandmark.StudyScan"
"""Attribute of a volume node that was read from a study: the study's uid and the scan's key."""
Places = Mapping[str, Point]


@dataclass(frozen=True, eq=False)
class LoadedScan:
    """A scan as the files of its study tell it; `template` is read only where the scene does not hold it already."""

    read: StudyScanOutcome
    volume: Volume
    template: tuple[Volume, LandmarkSet] | None

    @property
    def mark(self) -> str:
        """What tells the scan's volume node from others."""
        return f"{self.read.uid}/{self.read.outcome.scan.key}"

    @property
    def items(self) -> tuple[ReviewItem, ...]:
        """Its landmarks, undecided."""
        return self.read.outcome.items


class BatchReview:
    """Brings scans of studies into the scene and their landmarks into the review."""

    def __init__(self, context: SessionContext, selection: ScanSelection) -> None:
        self._context, self._selection = context, selection
        self._store, self._jobs = context.store, context.jobs

    def reader(self, folder: Path, key: str) -> Callable[[], LoadedScan]:
        """A function for another thread that reads a scan of the study in a folder; raises SAMLandmarkError."""
        known = [_places(*template) for template in self._templates()]
        return lambda: _load(folder, key, known)

    def show(self, loaded: LoadedScan) -> None:
        """Put a scan into the scene, tick it, and go to the landmark of it that needs the user's eyes most."""
        node = self._volume_of(loaded)
        if (protocol := loaded.read.patient.protocol) is not None:
            self._selection.set_protocol(protocol_name(protocol.name, protocol.files))
        else:
            self._selection.set_template(*self._template_of(loaded))
        self._selection.set_follow_ups([*(scan.node for scan in self._jobs.follow_ups), node])
        self._take_landmarks(loaded, node)

    def _take_landmarks(self, loaded: LoadedScan, node: VolumeNode) -> None:
        template, markups_node = self._jobs.template, self._store.template_markups
        scan = next(scan for scan in self._jobs.follow_ups if scan.node is node)
        step, who = self._store.step(), self._context.options.who
        if template is not None and markups_node is not None:
            self._context.changes.take_template(read_points(markups_node, template.node), who, step)
        self._store.commit(self._context.changes.with_result(scan, loaded.items, who), step, [scan])
        self._store.remember_provenance(scan.key, dict(loaded.read.outcome.provenance))
        self._context.volumes.answered(template, scan)
        first = next_undecided(self._store.state, None, [scan.key]) or (scan.key, loaded.items[0].label)
        self._context.viewing.select(*first)
        self._context.notices.notify(Change.OPENED, Change.SCANS, Change.REVIEW, Change.SELECTION)

    def _volume_of(self, loaded: LoadedScan) -> VolumeNode:
        scene, scan = self._context.scene, loaded.read.outcome.scan
        for node in scalar_volumes(scene):
            if node.GetAttribute(STUDY_SCAN_ATTRIBUTE) == loaded.mark:
                return node
        node = _add(self._context, loaded.volume, f"{scan.patient} {scan.name}", scan.date)
        node.SetAttribute(STUDY_SCAN_ATTRIBUTE, loaded.mark)
        return node

    def _template_of(self, loaded: LoadedScan) -> tuple[VolumeNode, MarkupsNode]:
        """The scene's template with the landmarks of a scan, put there where it is missing."""
        for nodes in self._templates():
            if _is_template_of(loaded.items, _places(*nodes)):
                return nodes
        if loaded.template is None:
            raise UsageError(_("The template was changed while the scan was being read; open it again."))
        volume, landmarks = loaded.template
        node = _add(self._context, volume, volume.name, None)
        markups_node = create_points(self._context.scene)
        add_points(markups_node, node, landmarks)
        return node, markups_node

    def _templates(self) -> list[tuple[VolumeNode, MarkupsNode]]:
        """The template of the session first, then those of all reviews of the scene."""
        reviews = [review.template for review in ReviewNode.all(self._context.scene)]
        present = (self._selection.template_volume, self._store.template_markups)
        pairs = [present, *reviews]
        return [(volume, points) for volume, points in pairs if volume is not None and points is not None]


def _load(folder: Path, key: str, known: Sequence[Places]) -> LoadedScan:
    read = StudyScanOutcome.read(folder, key)
    if not read.outcome.items:
        raise UsageError(read.outcome.reason or _("This scan has no results yet."))
    volume, template = _read_scan(read.outcome.scan, read.settings), read.patient.template
    if template is None or any(_is_template_of(read.outcome.items, places) for places in known):
        return LoadedScan(read, volume, None)
    return LoadedScan(read, volume, _read_template(template, read.settings))


def _read_scan(scan: StudyScan, settings: Mapping[str, Any]) -> Volume:
    return scan.read(settings.get("pixel_spacing_mm"), settings.get("modality"))


def _read_template(template: Template, settings: Mapping[str, Any]) -> tuple[Volume, LandmarkSet]:
    frame = settings.get("csv_frame") if template.landmarks.suffix.lower() == ".csv" else None
    landmarks = LandmarkSet.read(template.landmarks, None if frame is None else str(frame))
    return _read_scan(template.scan, settings), landmarks


def _is_template_of(items: Sequence[ReviewItem], places: Places) -> bool:
    """Whether the landmarks were transferred from these places (LPS mm)."""
    return all(
        item.label in places and is_same_place(item.template_lps, places[item.label]) for item in items
    )


def _places(volume_node: VolumeNode, markups_node: MarkupsNode) -> Places:
    return {point.label: point.position_lps for point in read_points(markups_node, volume_node)}


def _add(context: SessionContext, volume: Volume, name: str, date: str | None) -> VolumeNode:
    node = add_volume(context.scene, volume, name, date)
    if volume.modality == CT:
        show_window(node, SOFT_TISSUE)
    return node
