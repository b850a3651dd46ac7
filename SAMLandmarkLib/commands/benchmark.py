"""`samlandmark benchmark`: SAMLandmark and its peers side by side."""

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
PeersOption = Annotated[str, typer.Option(metavar="A,B", help="Only these peers.", show_default="all")]
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


def benchmark(
    output: OutputOption,
    sets: SetsOption = None,
    names: NamesOption = "",
    peers: PeersOption = "",
    pairs: PairsOption = "ring",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what --output holds.")] = False,
    redo: Annotated[
        str, typer.Option(metavar="A,B", help="With --resume, run these peers again.", show_default=False)
    ] = "",
    scaling: Annotated[
        bool,
        typer.Option("--scaling", help="Measure SAMLandmark alone, over volume sizes and numbers of points."),
    ] = False,
    max_memory: MemoryOption = None,
    longest: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="Give up a pair after so long.")
    ] = 3600,
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples behind the 95 % intervals.")] = 2000,
    page: PageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure SAMLandmark and other methods on the same pairs, on this machine, in one run.

    Every peer runs on every pair in a process of its own. Writes raw rows as they
    come (pairs.csv, landmarks.csv), then benchmark.md, benchmark.json and plots.
    --scaling measures time and memory against volume size and number of points
    instead. Ends with 0, also where peers fail or are missing, which the tables
    say; with 2 on wrong usage.
    """
    with exit_on_error(2, as_json):
        if scaling:
            _scaling(output, max_memory, page, as_json)
            return
        _comparison(
            output,
            sets,
            {"sets": _listed(names), "peers": _listed(peers), "redo": _listed(redo), "pairs": pairs}
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
    from ..errors import UsageError
    from ..evaluation.comparison.document import write_benchmark
    from ..evaluation.comparison.run import Comparison, ComparisonSettings
    from ..evaluation.comparison.tables import summary_text
    from ..results import to_json

    if sets is None:
        raise UsageError("Nothing to compare on: give the folder of test sets (--sets).")
    comparison = Comparison(ComparisonSettings(data=sets, output=output, **chosen))
    for name, reason in comparison.missing.items():
        messages().print(f"{name}: {reason}", style="yellow")
    with VolumeProgress(messages(), comparison.steps) as progress:
        comparison.run(lambda step: progress.volume(step))
    figures, paths = write_benchmark(output, comparison.rows, comparison.missing, bootstrap, page)
    if as_json:
        print_json({"sets": to_json(figures), "files": [str(path) for path in paths]})
        return
    typer.echo(summary_text(figures))
    for path in paths:
        typer.echo(path)


def _scaling(output: Path, max_memory: int | None, page: Path | None, as_json: bool) -> None:
    from ..evaluation.comparison.scaling import measure_scaling, write_scaling
    from ..results import to_json

    document = measure_scaling(max_memory, lambda step: messages().print(step))
    paths = write_scaling(output, document, page)
    if as_json:
        print_json(to_json(document))
        return
    for path in paths:
        typer.echo(path)
