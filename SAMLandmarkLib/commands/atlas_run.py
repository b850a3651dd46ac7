"""One run of `samlandmark atlas build`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..core.landmarks import LandmarkSet
from ..embedding.atlas_file import write_atlas_file
from ..engine.atlas_build import MarkedScan, build_atlas
from ..engine.runtime import EngineRuntime
from ..engine.settings import WorkerSettings
from ..utils.errors import UsageError
from .targets_run import StartVolume


@dataclass(frozen=True)
class AtlasBuild:
    """What `samlandmark atlas build` was asked for. Raises UsageError where scans and landmarks do not go together."""

    name: str
    scans: tuple[Path, ...]
    landmarks: tuple[Path, ...]
    output: Path
    csv_frame: Literal["LPS", "RAS"] | None = None
    licence: str = ""
    attribution: str = ""

    def __post_init__(self) -> None:
        if len(self.scans) != len(self.landmarks):
            raise UsageError(
                f"{len(self.scans)} --template and {len(self.landmarks)} --landmarks are given; give each scan its own."
            )
        if not self.output.parent.is_dir():
            raise UsageError(
                f"There is no folder {self.output.parent}; make it, or write the atlas elsewhere."
            )

    def carry_out(self, settings: WorkerSettings, start_volume: StartVolume) -> list[str]:
        """Embed the scans and write the atlas; returns what a user should know of how it was computed."""
        points = [LandmarkSet.read(path, self.csv_frame) for path in self.landmarks]
        runtime = EngineRuntime(settings)
        marked = []
        for path, landmarks in zip(self.scans, points, strict=True):
            progress = start_volume(path.name)
            progress("reading", 0.0)
            scan = runtime.embed_volume(runtime.read(path), progress)
            runtime.keep(scan)
            embedding = scan.on_device_of(runtime.engine_of(scan.embedding.modality).model)
            marked.append(
                MarkedScan(embedding, landmarks, licence=self.licence, attribution=self.attribution)
            )
        start_volume(self.name)("matching", 0.0)
        engine = runtime.engine_of(marked[0].embedding.modality)
        write_atlas_file(self.output, build_atlas(engine, self.name, marked))
        return runtime.notes
