"""What a session exports: its scans and its review, written here or by a process of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.modality import recognised
from ..core.volume import Volume
from ..reporting.pictures import Pictures
from ..reporting.review_files import TemplatePoint, write_review_files
from ..reporting.scan_sections import ReportScan
from ..review import ReviewState
from ..scene.mrml import VolumeNode
from ..scene.points import ScenePoint
from ..scene.volumes import volume_arrays
from ..utils.errors import SAMLandmarkError
from .jobs import SessionJobs
from .review_scene_store import ReviewSceneStore
from .scans import SessionScan


@dataclass(frozen=True, eq=False)
class ExportScan:
    """A scan to export: its key in the review, name, study date, volume node, and how its landmarks were made."""

    key: str
    name: str
    date: str | None
    node: VolumeNode
    provenance: Mapping[str, Any]

    @property
    def voxels(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Array `[z, y, x]`, which is Slicer's own memory, and 4x4 map to LPS mm; None where there are none."""
        try:
            return volume_arrays(self.node)
        except SAMLandmarkError:
            return None  # a report without pictures of this scan is better than none


@dataclass(frozen=True, eq=False)
class ReviewExport:
    """All that is written of a review."""

    template: ExportScan | None
    points: tuple[TemplatePoint, ...]
    follow_ups: tuple[ExportScan, ...]
    state: ReviewState

    @classmethod
    def of_session(cls, store: ReviewSceneStore, jobs: SessionJobs) -> ReviewExport:
        """The review of a session, of the follow-ups that take part now."""
        scans = [_export_scan(scan, store) for scan in jobs.follow_ups]
        template = None if jobs.template is None else _export_scan(jobs.template, store)
        return cls.of(template, store.points, scans, store.state)

    @classmethod
    def of(
        cls,
        template: ExportScan | None,
        points: Sequence[ScenePoint],
        follow_ups: Sequence[ExportScan],
        state: ReviewState,
    ) -> ReviewExport:
        """The review of these scans of the scene."""
        return cls(
            template=template,
            points=tuple((point.label, point.position_lps) for point in points),
            follow_ups=tuple(follow_ups),
            state=state.of_scans(scan.key for scan in follow_ups),
        )

    def write(self, folder: str | os.PathLike[str], pictures: Pictures = Pictures.ALL) -> list[Path]:
        """Write it here and now; see `write_review_files`."""
        template = None if self.template is None else _report_scan(self.template)
        follow_ups = [_report_scan(scan) for scan in self.follow_ups]
        return write_review_files(folder, template, self.points, follow_ups, self.state, pictures)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.state.counts()["total"]


def write_export(
    folder: str | os.PathLike[str],
    template: ExportScan | None,
    points: Sequence[ScenePoint],
    follow_ups: Sequence[ExportScan],
    state: ReviewState,
) -> list[Path]:
    """Write everything about a review into `folder` and return the files; see `TransferSession.export`."""
    return ReviewExport.of(template, points, follow_ups, state).write(folder)


def _export_scan(scan: SessionScan, store: ReviewSceneStore) -> ExportScan:
    return ExportScan(scan.key, scan.name, scan.date, scan.node, store.provenance(scan.key))


def _report_scan(scan: ExportScan) -> ReportScan:
    return ReportScan(scan.key, scan.name, scan.date, _volume_or_none(scan), scan.provenance)


def _volume_or_none(scan: ExportScan) -> Volume | None:
    try:
        if scan.voxels is None:
            return None
        array, ijk_to_lps = scan.voxels
        return Volume(array, ijk_to_lps, name=scan.name, modality=recognised(array))
    except SAMLandmarkError:
        return None
