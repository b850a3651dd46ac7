"""One run of `samlandmark locate`: protocol and model are checked first, then each target is done by itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core.results import TransferResult
from ..engine.protocols import protocol_files
from ..engine.runtime import EngineRuntime
from ..engine.scans import EmbeddedScan
from ..engine.settings import WorkerSettings
from ..io.writers.registry import DEFAULT_FORMATS
from ..utils.progress import Progress
from .targets_run import StartVolume, TargetsRun, TransferOutcome


@dataclass(frozen=True)
class LocateCommand:
    """What `samlandmark locate` was asked for: `protocol` is a bundled one's name, an atlas file, or None to choose."""

    targets: tuple[Path, ...]
    output: Path
    protocol: str | None = None
    engine: WorkerSettings = field(default_factory=WorkerSettings)
    formats: tuple[str, ...] = DEFAULT_FORMATS
    series: tuple[str, ...] = ()


class LocateRun:
    """A request whose protocol, model and output folder have proved usable. Raises SAMLandmarkError where one can't be used."""

    def __init__(self, request: LocateCommand, start_volume: StartVolume) -> None:
        self.request, self._start_volume = request, start_volume
        self._targets = TargetsRun(request.targets, request.output, request.formats, request.series)
        files = protocol_files(request.protocol)
        self._runtime = EngineRuntime(request.engine)
        for path in files:
            self._runtime.engine.atlas(path)

    def carry_out(self) -> TransferOutcome:
        """Do every target and write the results; see `TargetsRun.carry_out`."""
        outcome = TransferOutcome(_settings_document(self.request))
        outcome = self._targets.carry_out(self._runtime, outcome, self._start_volume, self._find)
        outcome.notes += _choices(outcome.results)
        return outcome

    def _find(self, target: EmbeddedScan, progress: Progress) -> TransferResult:
        return self._runtime.locate(target, self.request.protocol, progress)


def _choices(results: list[TransferResult]) -> list[str]:
    """What was said about the choice of the protocol, and of targets that do not show what it is of."""
    said = []
    for result in results:
        provenance = result.provenance
        texts = [provenance["atlas"]["choice"], *provenance["atlas"]["doubts"]]
        said += [f"{result.target}: {text}" for text in texts if text]
    return said


def _settings_document(request: LocateCommand) -> dict[str, Any]:
    settings = asdict(request)
    engine = settings.pop("engine")
    names = ("device", "model", "max_memory", "profile", "precision")
    return {**settings, **{name: engine[name] for name in names}}
