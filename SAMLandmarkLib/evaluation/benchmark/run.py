"""Running the baselines over the pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ...utils.errors import UsageError
from ...utils.files import create_folder
from ..baselines.registry import BASELINE_NAMES, why_missing
from ..provenance import source_commit
from ..sets import EvaluationPair, find_evaluation_sets
from .job import BenchmarkJob, Outcome, run_job
from .pairs import RING, chosen_pairs, same_patient, scored_labels
from .rows import LandmarkRow, PairRow, RawRows

LONGEST_SECONDS = 3600.0

# Called before each job with what it is.
Report = Callable[[str], object]


@dataclass(frozen=True)
class ComparisonSettings:
    """What to run: test sets below `data`, the named ones or all; baselines, the named ones or all; see `chosen_pairs`."""

    data: Path
    output: Path
    sets: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    pairs: str = RING
    resume: bool = False
    redo: tuple[str, ...] = ()
    longest_seconds: float = LONGEST_SECONDS


@dataclass(frozen=True)
class Task:
    """One pair of a set."""

    set: str
    pair: EvaluationPair
    same_patient: bool

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.set, self.pair.template.name, self.pair.target.name)

    def job(self, baseline: str) -> BenchmarkJob:
        pair, labels = self.pair, tuple(scored_labels(self.pair))
        positions = tuple(tuple(pair.template.position_of[label].tolist()) for label in labels)
        return BenchmarkJob(
            baseline, str(pair.template.path), str(pair.target.path), labels, positions, self.same_patient
        )


class BenchmarkRun:
    """A benchmark that was found to be possible: what to run, what is done already, and which baselines are missing."""

    def __init__(self, settings: ComparisonSettings) -> None:
        self.settings = settings
        if find_spec("scipy") is None:
            # said before hours of work, not after them
            raise UsageError(
                'The benchmark\'s statistics need SciPy; install it: pip install "samlandmark[bench]".'
            )
        if unknown := sorted({*settings.baselines, *settings.redo} - set(BASELINE_NAMES)):
            raise UsageError(
                f"There is no baseline {', '.join(unknown)}; choose from {', '.join(BASELINE_NAMES)} (--baselines, --redo)."
            )
        wanted = [name for name in BASELINE_NAMES if not settings.baselines or name in settings.baselines]
        self.missing = {name: reason for name in wanted if (reason := why_missing(name))}
        self.baselines = [name for name in wanted if name not in self.missing]
        self.tasks = [
            Task(each.name, pair, same_patient(each))
            for each in find_evaluation_sets(settings.data, settings.sets)
            for pair in chosen_pairs(each, settings.pairs)
        ]
        if RawRows.exist_in(settings.output) and not settings.resume:
            raise UsageError(
                f"{settings.output}: holds a benchmark already; give --resume to go on with it, or another folder."
            )
        self.rows = RawRows(create_folder(settings.output))
        self.rows.drop(settings.redo)

    @property
    def steps(self) -> int:
        """How many runs of a baseline on a pair are still to be done."""
        return len(self._pending())

    def run(self, report: Report | None = None) -> None:
        """Run what is not done yet, pair by pair, all baselines of a pair one after the other."""
        self.rows.begin()
        commit = _short(source_commit() or "")
        for task, baseline in self._pending():
            if report:
                report(f"{task.set}: {task.key[1]} → {task.key[2]}: {baseline}")
            job = task.job(baseline)
            outcome = run_job(job, self.settings.longest_seconds)
            self.rows.add(_pair_row(task, job, outcome, commit), _landmark_rows(task, job, outcome))

    def _pending(self) -> list[tuple[Task, str]]:
        return [
            (task, baseline)
            for task in self.tasks
            for baseline in self.baselines
            if not self.rows.has(baseline, task.key)
        ]


def _short(commit: str) -> str:
    """The beginning of a commit's name, with what marks changes."""
    name, plus, changes = commit.partition("+")
    return name[:9] + plus + changes


def _pair_row(task: Task, job: BenchmarkJob, outcome: Outcome, commit: str) -> PairRow:
    parts = [outcome.parts.get(name, np.nan) for name in ("load", "read", "transfer")]
    peak = np.nan if outcome.peak_bytes is None else outcome.peak_bytes / 2**20
    finished = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return PairRow(
        *task.key,
        job.baseline,
        len(job.labels),
        outcome.seconds,
        *parts,
        peak,
        outcome.failure,
        finished,
        commit,
    )


def _landmark_rows(task: Task, job: BenchmarkJob, outcome: Outcome) -> Sequence[LandmarkRow]:
    rows = []
    for label, found in zip(job.labels, outcome.found_lps, strict=True):
        truth = task.pair.target.position_of[label]
        error = float(np.linalg.norm(found - truth))
        rows.append(
            LandmarkRow(
                *task.key,
                job.baseline,
                label,
                task.pair.quality(label),
                *truth.tolist(),
                *found.tolist(),
                error,
            )
        )
    return rows
