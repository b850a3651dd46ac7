"""`samlandmark evaluate`: how accurate the transfer is, on scans with known answers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..engine.settings import WorkerSettings
from .engine_options import COMPUTING, takes_engine_options
from .options import RunCacheOption
from .terminal import VolumeProgress, exit_on_error, messages, print_notes, warnings_as_messages

if TYPE_CHECKING:
    from ..evaluation.evaluation_plan import BenchmarkPlan, BenchmarkSettings
    from ..evaluation.runs import SetRun


DataOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of test sets: a sub-folder each, of volumes with <volume>.csv beside them.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME", help="Only this test set; may be given several times.", show_default=False
    ),
]
FilesOption = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for evaluation.csv, .json, .md.", show_default=False
    ),
]
SyntheticOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Also deform and crop the CT volumes below this folder and find points again.",
        show_default=False,
    ),
]


@takes_engine_options(*COMPUTING, "max_memory", "profile", "pixel_spacing", "modality", cache=RunCacheOption)
def evaluate(
    data: DataOption = None,
    names: SetOption = None,
    output: FilesOption = None,
    synthetic_from: SyntheticOption = None,
    synthetic_points: Annotated[int, typer.Option(min=1, help="Points in each of those volumes.")] = 40,
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples behind the 95 % intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resamples and the deformations.")] = 0,
    failures: Annotated[
        int, typer.Option(min=0, help="With --output, also draw so many of the worst landmarks of each set.")
    ] = 0,
    *,
    engine: WorkerSettings,
) -> None:
    """Measure errors and confidence on scans with known answers.

    A test set with the volumes 'template' and 'followup' is one pair; of any other set all ordered pairs are
    run. Prints the tables and, with --output, writes one row for each transfer (.csv) and all figures
    (.json). Ends with 2 on wrong usage or unreadable data.
    """
    from ..evaluation.evaluation_plan import BenchmarkSettings
    from ..evaluation.tables import summary_text

    settings = BenchmarkSettings(data, tuple(names or ()), synthetic_from, synthetic_points, bootstrap, seed)
    with exit_on_error(2):
        plan, runs, document = _run(settings, output, engine)
        text = summary_text(document)
        typer.echo(text, nl=False)
        if output is not None:
            _write(output, plan, runs, document, text, failures)


def _run(
    settings: BenchmarkSettings, output: Path | None, engine: WorkerSettings
) -> tuple[BenchmarkPlan, list[SetRun], dict[str, Any]]:
    from ..engine.runtime import EngineRuntime
    from ..evaluation.evaluation_plan import BenchmarkPlan, run_benchmark
    from ..io.result_files import require_writable

    plan = BenchmarkPlan.of(settings)
    if output is not None:
        # Minutes of work would be lost if this showed only at the end.
        require_writable(output)
    console = messages()
    with tempfile.TemporaryDirectory(prefix="samlandmark-") as folder:
        # seconds are measured, so embeddings of earlier runs are taken only where that is asked for
        runtime = EngineRuntime(engine, Path(folder))
        with warnings_as_messages(console), VolumeProgress(console, plan.steps) as progress:
            done = run_benchmark(runtime, plan, progress.volume)
    print_notes(runtime.notes)
    return plan, *done


def _write(
    output: Path,
    plan: BenchmarkPlan,
    runs: list[SetRun],
    document: dict[str, Any],
    text: str,
    failures: int,
) -> None:
    from ..evaluation.failures import write_failures
    from ..evaluation.output import write_evaluation

    paths = write_evaluation(output, runs, document, text)
    if failures:
        paths.append(output / "failures.png")
        write_failures(paths[-1], runs, plan.evaluation_sets, failures)
    for path in paths:
        typer.echo(path)
