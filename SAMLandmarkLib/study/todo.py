"""A study that is asked for, and what of it has to be computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import __version__
from ..failures import INTERNAL, LANDMARKS, VOLUME
from ..files import sha256_of
from ..target_names import MARKUPS_SUFFIX
from ..worker_settings import WorkerSettings
from .inputs import InputCheck
from .jobs import Job
from .ledger import Entry, Ledger, State
from .plan import StudyPlan

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

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """The job of each scan by its key, in the order of the plan."""
        return {scan.key: Job.of(patient, scan, self.csv_frame) for patient, scan in self.plan}

    @cached_property
    def result_settings(self) -> dict[str, Any]:
        """The settings that results depend on; with the same ones they would come out the same."""
        from ..model.model_card import bundled_model

        return {
            "samlandmark_version": __version__,
            "model_sha256": sha256_of(self.settings.model or bundled_model()),
            "profile": self.settings.profile,
        }


def scans_to_do(request: StudyRequest, ledger: Ledger) -> dict[str, str]:
    """Why each scan has to be computed, by its key; those that are done or failed for good are not in it."""
    entries, check, settings = ledger.entries(), InputCheck(), request.result_settings
    reasons = {
        key: _reason_to_do(request.output, job, entries.get(key), check, settings)
        for key, job in request.jobs.items()
    }
    return {key: reason for key, reason in reasons.items() if reason}


def _reason_to_do(
    folder: Path, job: Job, entry: Entry | None, check: InputCheck, settings: Mapping[str, Any]
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
