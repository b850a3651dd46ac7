"""What commands with several targets have in common: each is done by itself and written, whatever happens to the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.results import TransferResult
from ..core.volume import Volume
from ..engine.runtime import EngineRuntime
from ..engine.scans import EmbeddedScan
from ..io.result_files import REPORT_NAME, TargetFailure, require_writable
from ..io.target_names import distinct_names
from ..io.writers.json_document import result_document
from ..io.writers.registry import Scope, file_names, write_in_formats
from ..io.writers.writer import ResultSet
from ..utils.errors import SAMLandmarkError, UsageError
from ..utils.failures import is_memory_failure, too_little_memory
from ..utils.progress import Progress

StartVolume = Callable[[str], Progress]
Find = Callable[[EmbeddedScan, Progress], TransferResult]
Draw = Callable[[str, Volume, TransferResult], Path]


@dataclass
class TransferOutcome:
    """What came of a request: results, failures, and the files that were written."""

    settings: dict[str, Any]
    results: list[TransferResult] = field(default_factory=list)
    failures: list[TargetFailure] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def result_set(self) -> ResultSet:
        """What is written about all targets."""
        return ResultSet(self.results, self.failures, self.settings)

    @property
    def exit_code(self) -> int:
        """0 where all targets are done, 1 where some failed."""
        return 1 if self.failures else 0

    def document(self) -> dict[str, Any]:
        """The content of `transfer.json`, with the files written and the exit code."""
        report = next((path for path in self.files if path.name == REPORT_NAME), None)
        written = (
            result_document(self.result_set)
            if report is None
            else json.loads(report.read_text(encoding="utf-8"))
        )
        return {**written, "files": list(map(str, self.files)), "exit_code": self.exit_code}


class TargetsRun:
    """The targets of a request and the folder for its results, which have proved usable; targets are not looked at yet.

    `inputs` are further files that must not be overwritten, the first of them the template, where there is one; `series` are
    numbers or UIDs of DICOM series, for folders that hold several. Raises UsageError and OutputError.
    """

    def __init__(
        self,
        targets: Sequence[Path],
        output: Path,
        formats: Sequence[str],
        series: Sequence[str] = (),
        inputs: Sequence[Path] = (),
    ) -> None:
        self.targets, self.formats, self.series = targets, formats, series
        self._template = inputs[0] if inputs else None
        self._names = distinct_names(targets)
        _refuse_repeated(targets)
        _refuse_overwritten(output, file_names(formats, self._names), (*inputs, *targets))
        self.output = require_writable(output)

    def carry_out(
        self,
        runtime: EngineRuntime,
        outcome: TransferOutcome,
        start_volume: StartVolume,
        find: Find,
        draw: Draw | None = None,
    ) -> TransferOutcome:
        """Do every target and write the results; a target that fails is recorded and doesn't stop the others.

        `find` gives the result of an embedded target, `draw` a picture of it. Raises OutputError where the tables over all
        targets can't be written.
        """
        for path, name in zip(self.targets, self._names, strict=True):
            try:
                progress = start_volume(name)
                result = self._do_target(runtime, path, name, progress, find, draw, outcome.files)
                outcome.results.append(result)
            # Whatever goes wrong with one scan, out of memory included, must not lose the other scans.
            except Exception as error:
                outcome.failures.append(_failure(name, path, error))
        outcome.files += write_in_formats(self.output, outcome.result_set, self.formats, Scope.RUN)
        outcome.notes += runtime.notes
        return outcome

    def _do_target(
        self,
        runtime: EngineRuntime,
        path: Path,
        name: str,
        progress: Progress,
        find: Find,
        draw: Draw | None,
        files: list[Path],
    ) -> TransferResult:
        progress("reading", 0.0)
        if self._template is not None and _same_file(path, self._template):
            raise UsageError(f"{path} is the template itself; give another scan as the target.")
        volume = runtime.read(path, self.series)
        volume.name = name
        # the voxels take more memory than everything made of them
        prepared, pictured = runtime.prepare(volume), volume if draw else None
        del volume
        target = runtime.embed(prepared, progress)
        runtime.keep(target)
        result = find(target, progress)
        files += write_in_formats(self.output, ResultSet([result]), self.formats, Scope.TARGET)
        if draw is not None and pictured is not None:
            files.append(draw(name, pictured, result))
        return result


def _same_file(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)


def _failure(name: str, path: Path, error: Exception) -> TargetFailure:
    kind, message = type(error).__name__, str(error)
    if is_memory_failure(error):
        message = str(too_little_memory())
    elif not isinstance(error, SAMLandmarkError):
        message = f"unexpected {kind} ({message}); if the scan opens elsewhere, please report this."
    return TargetFailure(name, str(path), kind, message)


def _refuse_repeated(targets: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for path in targets:
        if path.resolve() in seen:
            raise UsageError(f"{path} is given as a target twice; give each target once.")
        seen.add(path.resolve())


def _refuse_overwritten(output: Path, names: Sequence[str], inputs: Sequence[Path]) -> None:
    for name in names:
        if any(_same_file(output / name, path) for path in inputs):
            raise UsageError(
                f"{output / name} is an input and would be overwritten; choose another output folder."
            )
