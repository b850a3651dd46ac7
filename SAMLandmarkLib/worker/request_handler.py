"""From requests to results: what the worker process does, in the types of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.landmarks import LandmarkSet
from ..core.modality import modality_of
from ..core.results import TransferResult
from ..core.volume import Volume
from ..engine.runtime import EngineRuntime
from ..engine.scans import EmbeddedScan
from ..engine.settings import WorkerSettings
from ..io.json_values import to_json
from ..utils.errors import SAMLandmarkError
from ..utils.progress import Progress
from ..utils.translation import _, pack
from .sample_check import check_on_sample
from .schedule import ScanRef, WorkerJob

Scans = dict[str, EmbeddedScan]
"""Embedded scans by their keys."""


@dataclass(frozen=True)
class RequestHandler:
    """Does jobs in a engine runtime."""

    runtime: EngineRuntime

    @classmethod
    def with_settings(cls, settings: dict[str, Any], folder: Path) -> RequestHandler:
        """Load the model as the settings say; a private `folder` holds embeddings where no cache folder is set."""
        return cls(EngineRuntime(WorkerSettings(**settings), folder / "embeddings"))

    def embed(self, scan: ScanRef, progress: Progress) -> EmbeddedScan:
        """The embedding of a scan, from the cache where it is there."""
        progress("reading", 0.0)
        embedded = self.runtime.embed_volume(_volume(scan), progress)
        embedded.embedding = replace(embedded.embedding, source=scan.source)
        return embedded

    def embed_result(self, scan: EmbeddedScan) -> dict[str, Any]:
        """What an `embed` request is answered."""
        return {
            "seconds": scan.seconds,
            "voxels_2mm": scan.voxels_2mm,
            "from_cache": scan.from_cache,
            "device": str(self.runtime.engine.model.device),
            "warnings": [pack(warning) for warning in scan.embedding.warnings],
            "notes": [pack(note) for note in self.runtime.notes],
        }

    def do(self, job: WorkerJob, scans: Scans) -> Any:
        """The result of a job other than embedding, whose scans are embedded."""
        actions: dict[str, Callable[[WorkerJob, Scans], Any]] = {
            "transfer": self._transfer,
            "locate": self._locate,
            "prepare": self._prepare,
            "heat_map": self._heat_map,
            "describe": lambda job, scans: self._describe(),
            "test": lambda job, scans: check_on_sample(self.runtime),
        }
        return actions[job.do](job, scans)

    def _describe(self) -> dict[str, Any]:
        described = self.runtime.describe()
        texts = {
            "device_name": pack(described["device_name"]),
            "notes": [pack(note) for note in self.runtime.notes],
        }
        return {**to_json(described), **texts}

    def _transfer(self, job: WorkerJob, scans: Scans) -> dict[str, Any]:
        given = job.arguments
        result = self.runtime.transfer(
            scans[given["template"]],
            _landmarks(given["labels"], given["points_lps"]),
            scans[given["target"]],
            [(scans[key], _landmarks(labels, points)) for key, labels, points in given["extra_templates"]],
        )
        return self._answered(result)

    def _locate(self, job: WorkerJob, scans: Scans) -> dict[str, Any]:
        result = self.runtime.locate(scans[job.arguments["target"]], job.arguments["protocol"])
        atlas = result.provenance["atlas"]
        # its name and checksum stand there; where SAMLandmark lies on this computer is nobody's business
        sources = {**result.provenance["sources"], "template": None, "landmarks": None}
        result = replace(result, provenance={**result.provenance, "sources": sources})
        return self._answered(result, [text for text in (atlas["choice"], *atlas["doubts"]) if text])

    def _answered(self, result: TransferResult, remarks: Sequence[str] = ()) -> dict[str, Any]:
        answers = to_json(
            {"answers": [item.to_document() for item in result], "provenance": result.provenance}
        )
        texts = {"notes": self.runtime.notes, "remarks": remarks}
        return {**answers, **{name: [pack(text) for text in said] for name, said in texts.items()}}

    def _prepare(self, job: WorkerJob, scans: Scans) -> None:
        template = scans[job.arguments["template"]]
        support_points_lps = template.embedding.support_points_lps
        if len(support_points_lps):
            anchor = LandmarkSet.from_points(["anchor"], support_points_lps[:1])
            self.runtime.transfer(template, anchor, scans[job.arguments["target"]])

    def _heat_map(self, job: WorkerJob, scans: Scans) -> dict[str, Any]:
        given = job.arguments
        template, target = scans[given["template"]], scans[given["target"]]
        heat = self.runtime.heat_map(template, np.array(given["point_lps"], dtype=float), target)
        np.save(given["file"], heat.array)
        return {"file": given["file"], "ijk_to_lps": heat.grid.ijk_to_lps.tolist()}


def _landmarks(labels: list[str], points_lps: list[list[float] | None]) -> LandmarkSet:
    undefined = [np.nan] * 3
    points = np.array([undefined if point is None else point for point in points_lps], dtype=float)
    return LandmarkSet.from_points(labels, points.reshape(-1, 3))


def _volume(scan: ScanRef) -> Volume:
    try:
        array = np.load(scan.file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        unreadable = _("The scan {name} can't be read back ({reason}); choose it again.")
        raise SAMLandmarkError(unreadable.format(name=scan.name, reason=str(error))) from error
    modality = modality_of(scan.modality, array)
    volume = Volume(array, np.array(scan.ijk_to_lps), scan.name, modality=modality)
    volume.warnings = volume.doubts()
    return volume
