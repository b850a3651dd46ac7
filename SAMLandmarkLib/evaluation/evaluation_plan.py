"""One evaluation: chosen test sets and semi-synthetic pairs through one engine runtime, and all figures of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..utils.errors import UsageError
from .field_of_view import field_of_view_figures
from .provenance import describe_run
from .runs import Progress, SetRun, run_evaluation_set
from .sets import EvaluationSet, find_evaluation_sets, volume_files
from .summary import summarise
from .synthetic_runs import SYNTHETIC_NAME, run_synthetic

if TYPE_CHECKING:
    from ..engine.runtime import EngineRuntime

# Called with the name of each set when it begins; gives what takes the progress within the set.
StartSet = Callable[[str], Progress]


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to evaluate: test sets below `data`, semi-synthetic pairs of volumes below `synthetic_from`.

    `sets` names the wanted test sets, none means all; `bootstrap` is the number of resamples behind the
    intervals.
    """

    data: Path | None = None
    sets: tuple[str, ...] = ()
    synthetic_from: Path | None = None
    synthetic_points: int = 40
    bootstrap: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class BenchmarkPlan:
    """Everything that a benchmark will run, found and read beforehand so that mistakes show at once."""

    settings: BenchmarkSettings
    evaluation_sets: tuple[EvaluationSet, ...]
    synthetic_volumes: tuple[Path, ...]

    @classmethod
    def of(cls, settings: BenchmarkSettings) -> BenchmarkPlan:
        """Look up the sets and volumes; UsageError or LandmarkError where there is nothing to run."""
        if settings.data is None and settings.synthetic_from is None:
            raise UsageError(
                "Nothing to evaluate: give a folder of test sets (--data), "
                "or of volumes to make semi-synthetic pairs from (--synthetic-from)."
            )
        found = find_evaluation_sets(settings.data, settings.sets) if settings.data else []
        return cls(settings, tuple(found), tuple(_synthetic_volumes(settings.synthetic_from)))

    @property
    def steps(self) -> int:
        """Number of sets that will run."""
        return len(self.evaluation_sets) + bool(self.synthetic_volumes)


def _synthetic_volumes(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir() or not (volumes := volume_files(folder, recursive=True)):
        raise UsageError(
            f"{folder}: expected a folder that holds volumes, found none; "
            "give a folder of CT volumes to make semi-synthetic pairs from."
        )
    return volumes


def run_benchmark(
    runtime: EngineRuntime, plan: BenchmarkPlan, start_set: StartSet | None = None
) -> tuple[list[SetRun], dict[str, Any]]:
    """Run the plan; the transfers of every set, and all figures with what they were measured on."""
    start_set = start_set or (lambda name: lambda step, fraction: None)
    runs = [run_evaluation_set(runtime, each, start_set(each.name)) for each in plan.evaluation_sets]
    synthetic: Sequence[SetRun] = ()
    settings = plan.settings
    if plan.synthetic_volumes:
        synthetic = run_synthetic(
            runtime,
            plan.synthetic_volumes,
            settings.synthetic_points,
            settings.seed,
            start_set(SYNTHETIC_NAME),
        )
    document = describe_benchmark(settings, [*runs, *synthetic])
    if synthetic:
        document["field_of_view"] = field_of_view_figures(*synthetic)
    return [*runs, *synthetic], document


def describe_benchmark(settings: BenchmarkSettings, runs: Sequence[SetRun]) -> dict[str, Any]:
    """The figures of the runs (see `summarise`) with date, machine, versions, commit, model and settings."""
    provenance = next((run.provenance for run in runs if run.provenance), {})
    return {
        "format": "samlandmark-evaluation",
        "format_version": 1,
        **describe_run(),
        "settings": asdict(settings),
        "engine": provenance,
        **summarise(runs, settings.bootstrap, settings.seed),
    }
