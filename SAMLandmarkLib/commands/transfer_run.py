"""One run of `samlandmark transfer`: everything is checked first, then each target is done by itself."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..embedding.embedding import Embedding
from ..errors import SAMLandmarkError, UsageError, VolumeWarning
from ..landmarks import LandmarkSet
from ..picture import require_matplotlib, write_comparison_picture
from ..results import (
    REPORT_NAME,
    TABLE_NAME,
    TargetFailure,
    require_writable,
    write_result_markups,
    write_tables,
)
from ..target_names import distinct_names, file_name, markups_name
from ..transfer import DEFAULT_PROFILE, TransferEngine, TransferResult
from ..volume import Volume
from .terminal import ProgressCallback

StartVolume = Callable[[str], ProgressCallback]


@dataclass(frozen=True)
class TransferRequest:
    """What `samlandmark transfer` was asked for.

    `extra_templates` are further scans, each with its landmarks; `truth`, where known, are the target's own landmarks.
    """

    template: Path
    landmarks: Path
    targets: tuple[Path, ...]
    output: Path
    device: str = "auto"
    model: Path | None = None
    csv_frame: str | None = None
    max_memory: int | None = None
    profile: str = DEFAULT_PROFILE
    picture: bool = False
    extra_templates: tuple[tuple[Path, Path], ...] = ()
    truth: LandmarkSet | None = None

    @property
    def scans(self) -> int:
        """How many scans there are to read."""
        return 1 + len(self.extra_templates) + len(self.targets)


@dataclass
class TransferOutcome:
    """What came of a request: results, failures, and the files that were written."""

    settings: dict[str, Any]
    results: list[TransferResult] = field(default_factory=list)
    failures: list[TargetFailure] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 where all targets are done, 1 where some failed."""
        return 1 if self.failures else 0

    def document(self) -> dict[str, Any]:
        """The content of `transfer.json`, with the files written and the exit code."""
        report = next(path for path in self.files if path.name == REPORT_NAME)
        written = json.loads(report.read_text(encoding="utf-8"))
        return {**written, "files": list(map(str, self.files)), "exit_code": self.exit_code}


class TransferRun:
    """A request whose template, landmarks, model and output folder have proved usable.

    `start_volume(name)` is told which volume's turn it is and returns what takes the progress on it.
    Raises SAMLandmarkError where any of those can't be used; targets are not looked at yet.
    """

    def __init__(self, request: TransferRequest, start_volume: StartVolume) -> None:
        self.request = request
        self._start_volume = start_volume
        self._names = distinct_names(request.targets)
        _refuse_repeated_targets(request)
        _refuse_overwritten_inputs(request, self._names)
        if request.picture:
            require_matplotlib()
        self._output = require_writable(request.output)
        self._landmarks = LandmarkSet.read(request.landmarks, request.csv_frame)
        progress = start_volume(request.template.name)
        progress("reading", 0.0)
        template = Volume.read(request.template)
        _warn_of_unusable_landmarks(template, self._landmarks)
        self._engine = TransferEngine(request.device, request.model, request.max_memory, request.profile)
        prepared, self._template = self._engine.prepare(template), self._if_pictured(template)
        del template
        self._embedding = self._engine.embed(prepared, progress)
        self._extra_templates = [self._extra_template(*paths) for paths in request.extra_templates]

    def _if_pictured(self, volume: Volume) -> Volume | None:
        """The volume where a picture will need its voxels; they take more memory than everything made of them."""
        return volume if self.request.picture else None

    def _extra_template(self, scan: Path, landmarks: Path) -> tuple[Embedding, LandmarkSet]:
        """A further template, embedded; one that shares no label with the first is a mistake."""
        progress = self._start_volume(scan.name)
        progress("reading", 0.0)
        points = LandmarkSet.read(landmarks, self.request.csv_frame)
        if not set(points.labels) & set(self._landmarks.labels):
            raise UsageError(
                f"{landmarks}: none of its landmarks has a label of {self.request.landmarks}; further templates need "
                "landmarks of the same labels."
            )
        volume = Volume.read(scan)
        _warn_of_unusable_landmarks(volume, points)
        return self._engine.embed(volume, progress), points

    def carry_out(self) -> TransferOutcome:
        """Do every target and write the results; a target that fails is recorded and doesn't stop the others.

        Raises OutputError where the tables over all targets can't be written.
        """
        outcome = TransferOutcome(_settings_document(self.request))
        for path, name in zip(self.request.targets, self._names, strict=True):
            try:
                outcome.results.append(self._do_target(path, name, outcome.files))
            # Whatever goes wrong with one scan, out of memory included, must not lose the other scans.
            except Exception as error:
                outcome.failures.append(_failure(name, path, error))
        outcome.files += write_tables(self._output, outcome.results, outcome.failures, outcome.settings)
        return outcome

    def _do_target(self, path: Path, name: str, files: list[Path]) -> TransferResult:
        progress = self._start_volume(name)
        progress("reading", 0.0)
        if _same_file(path, self.request.template):
            raise UsageError(f"{path} is the template itself; give another scan as the target.")
        target = Volume.read(path)
        target.name = name
        # The engine would keep volumes that it embeds itself, and there may be hundreds of targets.
        prepared, target = self._engine.prepare(target), self._if_pictured(target)
        embedding = self._engine.embed(prepared, progress)
        result = self._engine.transfer(
            self._embedding, self._landmarks, embedding, progress, self._extra_templates
        )
        files.append(write_result_markups(self._output, result))
        if target is not None:
            picture = self._output / file_name(name, ".png")
            write_comparison_picture(
                picture, self._template, self._landmarks, target, result, self.request.truth
            )
            files.append(picture)
        return result


def _failure(name: str, path: Path, error: Exception) -> TargetFailure:
    kind, message = type(error).__name__, str(error)
    if not isinstance(error, SAMLandmarkError):
        message = f"unexpected {kind} ({message}); if the scan opens elsewhere, please report this."
    return TargetFailure(name, str(path), kind, message)


def _refuse_repeated_targets(request: TransferRequest) -> None:
    seen: set[Path] = set()
    for path in request.targets:
        if path.resolve() in seen:
            raise UsageError(f"{path} is given as a target twice; give each target once.")
        seen.add(path.resolve())


def _refuse_overwritten_inputs(request: TransferRequest, names: list[str]) -> None:
    extra = (path for paths in request.extra_templates for path in paths)
    inputs = (request.template, request.landmarks, *extra, *request.targets)
    for name in (*map(markups_name, names), TABLE_NAME, REPORT_NAME):
        if any(_same_file(request.output / name, path) for path in inputs):
            raise UsageError(
                f"{request.output / name} is an input and would be overwritten; choose another output folder."
            )


def _same_file(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)


def _warn_of_unusable_landmarks(template: Volume, landmarks: LandmarkSet) -> None:
    defined = [mark for mark in landmarks if mark.position_lps is not None]
    outside = [mark.label for mark in defined if not template.contains_lps(mark.position_lps)]
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


def _settings_document(request: TransferRequest) -> dict[str, Any]:
    settings = asdict(request)
    del settings["truth"]
    return settings
