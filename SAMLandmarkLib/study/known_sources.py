"""Where a job's landmarks come from, ready for use: templates that are embedded, or a protocol whose atlas is read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..core.landmarks import LandmarkSet
from ..core.results import TransferResult
from ..core.volume import Volume
from ..engine.settings import WorkerSettings
from ..review import Point
from ..review.item import point_or_none
from ..utils.errors import AtlasError, LandmarkError, VolumeError
from ..utils.recently_used import RecentlyUsed
from .inputs import InputState, stamp_of, watched_files
from .jobs import StudyJob
from .plan import Template
from .protocol import StudyProtocol

if TYPE_CHECKING:
    from ..engine.runtime import EngineRuntime
    from ..engine.scans import EmbeddedScan, PreparedScan

TEMPLATES_KEPT = 4


class KnownSource(Protocol):
    """What finds a job's landmarks in its scan; `template_lps` are those of the first template by label (LPS mm)."""

    @property
    def template_lps(self) -> Mapping[str, Point | None]: ...

    def found_in(self, target: EmbeddedScan) -> TransferResult:
        """The landmarks in a scan; raises what the engine raises."""


class KnownSources:
    """The sources of the jobs of one process; templates used last stay embedded. `embed` embeds a scan, one at a time."""

    def __init__(
        self,
        runtime: EngineRuntime,
        settings: WorkerSettings,
        embed: Callable[[PreparedScan], EmbeddedScan],
    ) -> None:
        self._runtime, self._settings, self._embed = runtime, settings, embed
        self._templates = _Templates(self._embedded_template)

    def of(self, job: StudyJob, inputs: dict[str, InputState]) -> KnownSource:
        """The source of a job; the state of each file read is added to `inputs`.

        Raises SAMLandmarkError where a template, its landmarks or the atlas can't be used.
        """
        if job.protocol is not None:
            return self._known_protocol(job.protocol, inputs)
        known = []
        for number, template in enumerate(job.templates):
            known.append(self._templates.get(template, job.csv_frame))
            inputs[f"template {number}"], inputs[f"landmarks {number}"] = known[-1].inputs
        return _KnownTemplates(self._runtime, tuple(known))

    def _known_protocol(self, protocol: StudyProtocol, inputs: dict[str, InputState]) -> KnownSource:
        for number, (path, checksum) in enumerate(zip(protocol.files, protocol.sha256, strict=True)):
            state = inputs[f"atlas {number}"] = InputState.of([path])
            if state.sha256 != checksum:
                raise AtlasError(
                    f"{path} has changed since the study was planned; begin another study with it."
                )
            self._runtime.engine.atlas(path)
        return _KnownProtocol(self._runtime, protocol)

    def _embedded_template(self, template: Template, csv_frame: str | None) -> _KnownTemplate:
        states = InputState.of_scan(template.scan), InputState.of([template.landmarks])
        landmarks = LandmarkSet.read(template.landmarks, csv_frame)
        volume = template.scan.read(self._settings.pixel_spacing_mm, self._settings.modality)
        _require_inside(landmarks, volume, template)
        # Several processes want the same template at the same time; one embeds it, the others take it from the cache.
        with self._runtime.claimed(template.scan.key):
            embedded = self._embed(self._runtime.prepare(volume))
            self._runtime.keep(embedded)
        return _KnownTemplate(embedded, landmarks, states)


@dataclass(frozen=True, eq=False)
class _KnownProtocol:
    """A protocol's landmarks, found by the vote of its atlas's patients; there is no template."""

    runtime: EngineRuntime
    protocol: StudyProtocol

    @property
    def template_lps(self) -> Mapping[str, Point | None]:
        return {}

    def found_in(self, target: EmbeddedScan) -> TransferResult:
        return self.runtime.locate(target, self.protocol.files)


@dataclass(frozen=True, eq=False)
class _KnownTemplates:
    """The landmarks of a template, with further templates that make them surer."""

    runtime: EngineRuntime
    templates: tuple[_KnownTemplate, ...]

    @property
    def template_lps(self) -> Mapping[str, Point | None]:
        return {item.label: point_or_none(item.position_lps) for item in self.templates[0].landmarks}

    def found_in(self, target: EmbeddedScan) -> TransferResult:
        first, *others = self.templates
        extra = [(template.scan, template.landmarks) for template in others]
        return self.runtime.transfer(first.scan, first.landmarks, target, extra)


@dataclass(frozen=True, eq=False)
class _KnownTemplate:
    """A template ready for use, with the states of its scan and of its landmarks' file."""

    scan: EmbeddedScan
    landmarks: LandmarkSet
    inputs: tuple[InputState, InputState]


class _Templates:
    """The templates used last, and the errors of those that can't be used; only one thread makes one at a time."""

    def __init__(self, make: Callable[[Template, str | None], _KnownTemplate]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._known = RecentlyUsed[tuple[Template, str | None, str | None], _KnownTemplate | Exception](
            TEMPLATES_KEPT
        )

    def get(self, template: Template, csv_frame: str | None) -> _KnownTemplate:
        with self._making:
            # a worker may outlive a study, and the files of a template may change between two of them
            key = (template, csv_frame, _stamp_or_none(template))
            known = self._known.get(key, lambda: self._made(template, csv_frame))
        if isinstance(known, Exception):
            raise known
        return known

    def _made(self, template: Template, csv_frame: str | None) -> _KnownTemplate | Exception:
        try:
            return self._make(template, csv_frame)
        except (VolumeError, LandmarkError) as error:
            return error


def _stamp_or_none(template: Template) -> str | None:
    try:
        return stamp_of([*watched_files(template.scan), template.landmarks])
    except OSError:
        return None


def _require_inside(landmarks: LandmarkSet, volume: Volume, template: Template) -> None:
    points = [item.position_lps for item in landmarks if item.position_lps is not None]
    if not any(volume.contains_lps(point) for point in points):
        raise LandmarkError(
            f"{template.landmarks}: none of its {len(points)} points lies inside {template.scan.path}; check that they "
            "belong to this scan and that their frame (LPS or RAS) is right."
        )
