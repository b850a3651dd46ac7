"""A study that is asked for, and what of it has to be computed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import __version__
from ..engine.settings import WorkerSettings
from ..io.target_names import MARKUPS_SUFFIX
from ..utils.errors import UsageError
from ..utils.failures import INTERNAL, LANDMARKS, VOLUME
from ..utils.files import sha256_of
from .input_check import InputCheck
from .jobs import StudyJob
from .ledger import LEDGER_NAME, Entry, Ledger, State
from .plan import StudyPlan
from .protocol import ATLAS_SHA256, PROTOCOL, source_words

_FINAL_FAILURES = (VOLUME, LANDMARKS)
"""Kinds of failures that come again as long as the files are the same."""


@dataclass(frozen=True)
class StudyRequest:
    """A study to run: the plan, the folder of its results, and how to compute.

    `csv_frame` is the frame of landmarks in .csv files; with `resume` a run in the same folder is gone on with.
    """

    plan: StudyPlan
    output: Path
    settings: WorkerSettings = field(default_factory=WorkerSettings)
    csv_frame: str | None = None
    resume: bool = False

    def with_threads(self, default: int) -> StudyRequest:
        """The request with the number of threads of each worker fixed, on which the last digits of float32 depend.

        It is what the settings say; else, for a study that is gone on with, what it was begun with; else `default`.
        """
        threads = self.settings.threads or self._threads_before() or default
        return replace(self, settings=replace(self.settings, threads=threads))

    def _threads_before(self) -> int | None:
        if self.resume and (self.output / LEDGER_NAME).exists():
            with suppress(UsageError), Ledger.read(self.output) as ledger:
                return ledger.settings.get("threads")
        return None

    @cached_property
    def jobs(self) -> dict[str, StudyJob]:
        """The job of each scan by its key, in the order of the plan."""
        return {scan.key: StudyJob.of(patient, scan, self.csv_frame) for patient, scan in self.plan}

    @cached_property
    def result_settings(self) -> dict[str, Any]:
        """The settings that results depend on; with the same ones they would come out the same."""
        from ..models.registry import bundled_model

        stated = {"pixel_spacing_mm": self.settings.pixel_spacing_mm, "modality": self.settings.modality}
        return {
            "samlandmark_version": __version__,
            "model_sha256": sha256_of(self.settings.model or bundled_model()),
            "profile": self.settings.profile,
            "precision": self.settings.precision,
            **{name: value for name, value in stated.items() if value is not None},
            **(self.plan.protocol.settings() if self.plan.protocol else {}),
        }

    def require_same_source(self, before: Mapping[str, Any]) -> None:
        """Raise UsageError where a study that was begun with the settings `before` got its landmarks from elsewhere.

        Other templates are computed anew, scan by scan; a protocol and its atlas are those of a whole table.
        """
        settings = self.result_settings
        if any(before.get(name) != settings.get(name) for name in (PROTOCOL, ATLAS_SHA256)):
            raise UsageError(
                f"{self.output} holds a study with {source_words(before)}, not with {source_words(settings)}; choose another "
                "output folder for this one."
            )


def outdated_scans(request: StudyRequest, ledger: Ledger) -> dict[str, str]:
    """Why each scan has to be computed, by its key; those that are done or failed for good are not in it."""
    entries, check, settings = ledger.entries(), InputCheck(), request.result_settings
    reasons = {
        key: _reason_to_do(request.output, job, entries.get(key), check, settings)
        for key, job in request.jobs.items()
    }
    return {key: reason for key, reason in reasons.items() if reason}


def _reason_to_do(
    folder: Path, job: StudyJob, entry: Entry | None, check: InputCheck, settings: Mapping[str, Any]
) -> str:
    """Why a scan has to be computed, empty where it has not."""
    if entry is None or entry.state is State.QUEUED:
        return "not done yet"
    if entry.state is State.RUNNING:
        return "was in work when a run ended"
    if entry.state is State.SKIPPED or (entry.state is State.FAILED and entry.kind not in _FINAL_FAILURES):
        return f"failed ({entry.kind or INTERNAL})"
    if not check.is_current(entry.fingerprint, settings, job):
        return "scan, template, landmarks, model or settings changed"
    if not all(_is_intact(folder / name, digest) for name, digest in entry.files.items()):
        return "its results are missing or damaged"
    return ""


def _is_intact(path: Path, digest: str) -> bool:
    # markups may have been corrected by a reader, which is no reason to compute them again
    return path.is_file() and (path.name.endswith(MARKUPS_SUFFIX) or sha256_of(path) == digest)
