"""`samlandmark benchmark`: SAMLandmark and its baselines side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import JsonOption, MemoryOption, OutputOption
from .terminal import VolumeProgress, exit_on_error, messages, print_json

SetsOption = Annotated[
    Path | None,
    typer.Option(
        "--sets",
        metavar="DIR",
        help="Folder of test sets: a sub-folder each, of volumes with <volume>.csv beside them.",
        show_default=False,
    ),
]
NamesOption = Annotated[
    str, typer.Option("--set", metavar="A,B", help="Only these test sets.", show_default="all")
]
BaselinesOption = Annotated[
    str,
    typer.Option("--baselines", "--peers", metavar="A,B", help="Only these baselines.", show_default="all"),
]
PairsOption = Annotated[
    str,
    typer.Option(
        metavar="ring|all|N",
        help="Pairs of each set: every volume to the next one, all ordered pairs, or N of the ring.",
    ),
]
PageOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also fill the marked sections of this page.", show_default=False),
]

ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with what --output holds.")]
RedoOption = Annotated[
    str, typer.Option(metavar="A,B", help="With --resume, run these baselines again.", show_default=False)
]
ScalingOption = Annotated[
    bool,
    typer.Option("--scaling", help="Measure SAMLandmark alone, over volume sizes and numbers of points."),
]
LongestOption = Annotated[int, typer.Option(min=1, metavar="SECONDS", help="Give up a pair after so long.")]


def benchmark(
    output: OutputOption,
    sets: SetsOption = None,
    names: NamesOption = "",
    baselines: BaselinesOption = "",
    pairs: PairsOption = "ring",
    resume: ResumeOption = False,
    redo: RedoOption = "",
    scaling: ScalingOption = False,
    max_memory: MemoryOption = None,
    longest: LongestOption = 3600,
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples behind the 95 % intervals.")] = 2000,
    page: PageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure SAMLandmark and other methods on the same pairs, on this machine, in one run.

    Every baseline runs on every pair in a process of its own. Writes raw rows as they
    come (pairs.csv, landmarks.csv), then benchmark.md, benchmark.json and plots.
    --scaling measures time and memory against volume size and number of points
    instead. Ends with 0, also where baselines fail or are missing, which the tables
    say; with 2 on wrong usage.
    """
    with exit_on_error(2, as_json):
        if scaling:
            _scaling(output, max_memory, page, as_json)
            return
        _comparison(
            output,
            sets,
            {"sets": _listed(names), "baselines": _listed(baselines), "redo": _listed(redo), "pairs": pairs}
            | {"resume": resume, "longest_seconds": float(longest)},
            bootstrap,
            page,
            as_json,
        )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _comparison(
    output: Path, sets: Path | None, chosen: dict, bootstrap: int, page: Path | None, as_json: bool
) -> None:
    from ..evaluation.benchmark.document import write_benchmark
    from ..evaluation.benchmark.run import BenchmarkRun, ComparisonSettings
    from ..evaluation.benchmark.tables import summary_text
    from ..io.result_files import to_json
    from ..utils.errors import UsageError

    if sets is None:
        raise UsageError("Nothing to compare on: give the folder of test sets (--sets).")
    comparison = BenchmarkRun(ComparisonSettings(data=sets, output=output, **chosen))
    for name, reason in comparison.missing.items():
        messages().print(f"{name}: {reason}", style="yellow")
    with VolumeProgress(messages(), comparison.steps) as progress:
        comparison.run(progress.volume)
    figures, paths = write_benchmark(output, comparison.rows, comparison.missing, bootstrap, page)
    if as_json:
        print_json({"sets": to_json(figures), "files": [str(path) for path in paths]})
        return
    typer.echo(summary_text(figures))
    for path in paths:
        typer.echo(path)


def _scaling(output: Path, max_memory: int | None, page: Path | None, as_json: bool) -> None:
    from ..evaluation.benchmark.scaling import measure_scaling, write_scaling
    from ..io.result_files import to_json

    document = measure_scaling(max_memory, lambda step: messages().print(step))
    paths = write_scaling(output, document, page)
    if as_json:
        print_json(to_json(document))
        return
    for path in paths:
        typer.echo(path)
