"""From requests to results: what the worker process does, in the types of the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SAMLandmarkError
from ..landmarks import LandmarkSet
from ..progress import Progress
from ..results import landmark_document, to_json
from ..translation import _, pack
from ..volume import Volume
from ..volume_checks import ct_warnings
from ..worker_settings import WorkerSettings
from ..workshop import EmbeddedScan, Workshop
from .sample_check import check_on_sample
from .schedule import Job, Scan

Scans = dict[str, EmbeddedScan]
"""Embedded scans by their keys."""


@dataclass(frozen=True)
class Work:
    """Does jobs in a workshop."""

    shop: Workshop

    @classmethod
    def with_settings(cls, settings: dict[str, Any], folder: Path) -> Work:
        """Load the model as the settings say; a private `folder` holds embeddings where no cache folder is set."""
        settings = WorkerSettings(**settings)
        return cls(Workshop(settings, Path(settings.cache_folder or folder / "embeddings")))

    def embed(self, scan: Scan, progress: Progress) -> EmbeddedScan:
        """The embedding of a scan, from the cache where it is there."""
        progress("reading", 0.0)
        embedded = self.shop.embed_volume(_volume(scan), progress)
        embedded.embedding = replace(embedded.embedding, source=scan.source)
        return embedded

    def embed_result(self, scan: EmbeddedScan) -> dict[str, Any]:
        """What an `embed` request is answered."""
        return {
            "seconds": scan.seconds,
            "voxels_2mm": scan.voxels_2mm,
            "from_cache": scan.from_cache,
            "device": str(self.shop.engine.model.device),
            "warnings": [pack(warning) for warning in scan.embedding.warnings],
            "notes": [pack(note) for note in self.shop.notes],
        }

    def do(self, job: Job, scans: Scans) -> Any:
        """The result of a job other than embedding, whose scans are embedded."""
        actions: dict[str, Callable[[Job, Scans], Any]] = {
            "transfer": self._transfer,
            "prepare": self._prepare,
            "heat_map": self._heat_map,
            "describe": lambda job, scans: self._describe(),
            "test": lambda job, scans: check_on_sample(self.shop),
        }
        return actions[job.do](job, scans)

    def _describe(self) -> dict[str, Any]:
        described = self.shop.describe()
        texts = {
            "device_name": pack(described["device_name"]),
            "notes": [pack(note) for note in self.shop.notes],
        }
        return to_json(described) | texts

    def _transfer(self, job: Job, scans: Scans) -> dict[str, Any]:
        given = job.arguments
        result = self.shop.transfer(
            scans[given["template"]],
            _landmarks(given["labels"], given["points_lps"]),
            scans[given["target"]],
            [(scans[key], _landmarks(labels, points)) for key, labels, points in given["extra_templates"]],
        )
        answers = to_json(
            {"answers": [landmark_document(item) for item in result], "provenance": result.provenance}
        )
        return {**answers, "notes": [pack(note) for note in self.shop.notes]}

    def _prepare(self, job: Job, scans: Scans) -> None:
        template = scans[job.arguments["template"]]
        anchors_lps = template.embedding.anchors_lps
        if len(anchors_lps):
            anchor = LandmarkSet.from_points(["anchor"], anchors_lps[:1])
            self.shop.transfer(template, anchor, scans[job.arguments["target"]])

    def _heat_map(self, job: Job, scans: Scans) -> dict[str, Any]:
        given = job.arguments
        template, target = scans[given["template"]], scans[given["target"]]
        heat = self.shop.heat_map(template, np.array(given["point_lps"], dtype=float), target)
        np.save(given["file"], heat.array)
        return {"file": given["file"], "ijk_to_lps": heat.grid.ijk_to_lps.tolist()}


def _landmarks(labels: list[str], points_lps: list[list[float] | None]) -> LandmarkSet:
    undefined = [np.nan] * 3
    points = np.array([undefined if point is None else point for point in points_lps], dtype=float)
    return LandmarkSet.from_points(labels, points.reshape(-1, 3))


def _volume(scan: Scan) -> Volume:
    try:
        array = np.load(scan.file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        unreadable = _("The scan {name} can't be read back ({reason}); choose it again.")
        raise SAMLandmarkError(unreadable.format(name=scan.name, reason=str(error))) from error
    volume = Volume(array, np.array(scan.ijk_to_lps), scan.name)
    volume.warnings = ct_warnings(volume.array)
    return volume
