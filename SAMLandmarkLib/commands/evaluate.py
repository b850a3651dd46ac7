"""`samlandmark evaluate`: how accurate the transfer is, on scans with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from .options import DeviceOption, MemoryOption, ModelOption, Profile, ProfileOption
from .terminal import VolumeProgress, exit_on_error, messages, warnings_as_messages

if TYPE_CHECKING:
    from ..evaluation.benchmark import BenchmarkPlan, BenchmarkSettings
    from ..evaluation.runs import SetRun


DataOption = Annotated[
    Optional[Path],
    typer.Option(
        metavar="DIR",
        help="Folder of test sets: a sub-folder each, of volumes with <volume>.csv beside them.",
        show_default=False,
    ),
]
SetOption = Annotated[
    Optional[list[str]],
    typer.Option(
        "--set", metavar="NAME", help="Only this test set; may be given several times.", show_default=False
    ),
]
FilesOption = Annotated[
    Optional[Path],
    typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for evaluation.csv, .json, .md.", show_default=False
    ),
]
SyntheticOption = Annotated[
    Optional[Path],
    typer.Option(
        metavar="DIR",
        help="Also deform and crop the CT volumes below this folder and find points again.",
        show_default=False,
    ),
]


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
    device: DeviceOption = "auto",
    model: ModelOption = None,
    max_memory: MemoryOption = None,
    profile: ProfileOption = Profile.ACCURATE,
) -> None:
    """Measure errors and confidence on scans with known answers.

    A test set with the volumes 'template' and 'followup' is one pair; of any other set all ordered pairs are
    run. Prints the tables and, with --output, writes one row for each transfer (.csv) and all figures
    (.json). Ends with 2 on wrong usage or unreadable data.
    """
    from ..evaluation.benchmark import BenchmarkSettings
    from ..evaluation.tables import summary_text

    settings = BenchmarkSettings(data, tuple(names or ()), synthetic_from, synthetic_points, bootstrap, seed)
    engine = {"device": device, "model": model, "max_memory": max_memory, "profile": profile.value}
    with exit_on_error(2):
        plan, runs, document = _run(settings, output, engine)
        text = summary_text(document)
        typer.echo(text, nl=False)
        if output is not None:
            _write(output, plan, runs, document, text, failures)


def _run(
    settings: BenchmarkSettings, output: Path | None, engine_settings: dict[str, Any]
) -> tuple[BenchmarkPlan, list[SetRun], dict[str, Any]]:
    from ..evaluation.benchmark import BenchmarkPlan, run_benchmark
    from ..results import require_writable
    from ..transfer import TransferEngine

    plan = BenchmarkPlan.of(settings)
    if output is not None:
        # Minutes of work would be lost if this showed only at the end.
        require_writable(output)
    engine = TransferEngine(**engine_settings)
    console = messages()
    with warnings_as_messages(console), VolumeProgress(console, plan.steps) as progress:
        return plan, *run_benchmark(engine, plan, progress.volume)


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
