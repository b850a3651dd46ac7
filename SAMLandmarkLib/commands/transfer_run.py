"""One run of `samlandmark transfer`: everything is checked first, then each target is done by itself."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ..core.landmarks import LandmarkSet
from ..core.results import TransferResult
from ..core.volume import Volume
from ..engine.runtime import EngineRuntime
from ..engine.scans import EmbeddedScan, PreparedScan
from ..engine.settings import WorkerSettings
from ..io.target_names import file_name
from ..io.writers.registry import DEFAULT_FORMATS
from ..reporting.picture import require_matplotlib, write_comparison_picture
from ..utils.errors import UsageError, VolumeWarning
from ..utils.progress import Progress
from .targets_run import StartVolume, TargetsRun, TransferOutcome


@dataclass(frozen=True)
class TransferCommand:
    """What `samlandmark transfer` was asked for.

    `extra_templates` are further scans, each with its landmarks; `engine` tells how to compute; `formats` names the
    writers; `truth`, where known, are the target's own landmarks. `series` are numbers or UIDs of DICOM series, for
    folders that hold several.
    """

    template: Path
    landmarks: Path
    targets: tuple[Path, ...]
    output: Path
    engine: WorkerSettings = field(default_factory=WorkerSettings)
    csv_frame: Literal["LPS", "RAS"] | None = None
    picture: bool = False
    formats: tuple[str, ...] = DEFAULT_FORMATS
    extra_templates: tuple[tuple[Path, Path], ...] = ()
    truth: LandmarkSet | None = None
    series: tuple[str, ...] = ()

    @property
    def scans(self) -> int:
        """How many scans there are to read."""
        return 1 + len(self.extra_templates) + len(self.targets)


class TransferRun:
    """A request whose template, landmarks, model and output folder have proved usable.

    `start_volume(name)` is told which volume's turn it is and returns what takes the progress on it.
    Raises SAMLandmarkError where any of those can't be used; targets are not looked at yet.
    """

    def __init__(self, request: TransferCommand, start_volume: StartVolume) -> None:
        self.request = request
        self._start_volume = start_volume
        extra = (path for paths in request.extra_templates for path in paths)
        self._targets = TargetsRun(
            request.targets,
            request.output,
            request.formats,
            request.series,
            (request.template, request.landmarks, *extra),
        )
        if request.picture:
            require_matplotlib()
        self._landmarks = LandmarkSet.read(request.landmarks, request.csv_frame)
        progress = start_volume(request.template.name)
        progress("reading", 0.0)
        self._runtime = EngineRuntime(request.engine)
        template = self._read(request.template)
        _warn_of_unusable_landmarks(template, self._landmarks)
        prepared, self._template = self._runtime.prepare(template), self._if_pictured(template)
        del template
        self._template_scan = self._embedded(prepared, progress)
        self._extra_templates = [self._extra_template(*paths) for paths in request.extra_templates]

    def _read(self, path: Path) -> Volume:
        return self._runtime.read(path, self.request.series)

    def _if_pictured(self, volume: Volume) -> Volume | None:
        """The volume where a picture will need its voxels; they take more memory than everything made of them."""
        return volume if self.request.picture else None

    def _embedded(self, prepared: PreparedScan, progress: Progress) -> EmbeddedScan:
        scan = self._runtime.embed(prepared, progress)
        self._runtime.keep(scan)
        return scan

    def _extra_template(self, scan: Path, landmarks: Path) -> tuple[EmbeddedScan, LandmarkSet]:
        """A further template, embedded; one that shares no label with the first is a mistake."""
        progress = self._start_volume(scan.name)
        progress("reading", 0.0)
        points = LandmarkSet.read(landmarks, self.request.csv_frame)
        if not set(points.labels) & set(self._landmarks.labels):
            raise UsageError(
                f"{landmarks}: none of its landmarks has a label of {self.request.landmarks}; further templates need "
                "landmarks of the same labels."
            )
        volume = self._read(scan)
        _warn_of_unusable_landmarks(volume, points)
        prepared = self._runtime.prepare(volume)
        del volume
        return self._embedded(prepared, progress), points

    def carry_out(self) -> TransferOutcome:
        """Do every target and write the results; see `TargetsRun.carry_out`."""
        outcome = TransferOutcome(_settings_document(self.request))
        draw = None if self._template is None else partial(self._draw, self._template)
        return self._targets.carry_out(self._runtime, outcome, self._start_volume, self._find, draw)

    def _find(self, target: EmbeddedScan, progress: Progress) -> TransferResult:
        return self._runtime.transfer(
            self._template_scan, self._landmarks, target, self._extra_templates, progress
        )

    def _draw(self, template: Volume, name: str, target: Volume, result: TransferResult) -> Path:
        picture = self._targets.output / file_name(name, ".png")
        write_comparison_picture(picture, template, self._landmarks, target, result, self.request.truth)
        return picture


def _warn_of_unusable_landmarks(template: Volume, landmarks: LandmarkSet) -> None:
    defined = {mark.label: mark.position_lps for mark in landmarks if mark.position_lps is not None}
    outside = [label for label, position_lps in defined.items() if not template.contains_lps(position_lps)]
    if outside and len(outside) == len(defined):
        warnings.warn(
            f"all {len(outside)} landmarks lie outside the template {template.name}; do they belong to this "
            "scan, and is their frame (LPS or RAS) right?",
            VolumeWarning,
            stacklevel=2,
        )
    elif outside:
        warnings.warn(
            f"outside the template {template.name}: {', '.join(outside)}", VolumeWarning, stacklevel=2
        )


def _settings_document(request: TransferCommand) -> dict[str, Any]:
    settings = asdict(request)
    engine = settings.pop("engine")
    del settings["truth"]
    return {
        **settings,
        **{name: engine[name] for name in ("device", "model", "max_memory", "profile", "precision")},
    }
