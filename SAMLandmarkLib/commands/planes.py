"""`samlandmark planes`: exams cut from CT volumes, and where the series of an exam cut each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..utils.errors import UsageError
from .options import OutputOption
from .terminal import exit_on_error, messages, print_notes

if TYPE_CHECKING:
    from ..io.exams import Exam, ExamSeries
    from ..training.pretrain_command import PretrainedRun

DirectoryArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="CT volumes; with --locate, exams.", show_default=False)
]
LocateOption = Annotated[
    bool,
    typer.Option(
        "--locate", help="Draw where the other series cut a slice, and look at the order of the stacks."
    ),
]
ViewOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="--locate: only series with this in their name.", show_default=False),
]
RunOption = Annotated[
    Path | None,
    typer.Option(
        "--run", metavar="RUN", help="--locate: a run of `pretrain`, to say what it sees.", show_default=False
    ),
]


def planes(
    directory: DirectoryArgument,
    output: OutputOption,
    locate: LocateOption = False,
    view: ViewOption = None,
    run: RunOption = None,
) -> None:
    """Cut exams in anatomical planes from CT volumes, as DICOM with true headers; or --locate the planes of exams.

    Ends with 2 where there is nothing to cut or to draw.
    """
    with exit_on_error(2):
        if locate:
            _locate(directory, output, view, run)
            return
        if view is not None or run is not None:
            raise UsageError("--view and --run belong to --locate.")
        from ..training.plane_cuts import cut_exams

        count = cut_exams(directory, output, messages().print)
        typer.echo(f"{count} exams in {output}")


def _locate(directory: Path, output: Path, view: str | None, run: Path | None) -> None:
    from ..io.exams import read_exams
    from ..training.pretrain_command import read_run
    from ..utils.files import create_folder

    seeing = read_run(run) if run is not None else None
    found = read_exams(directory)
    print_notes(found.notes)
    drawn = 0
    create_folder(output)
    for exam in found.exams:
        for series in exam.series:
            if view is None or view.lower() in series.view:
                drawn += 1
                _locate_on(exam, series, output, seeing)
    if drawn == 0:
        raise UsageError(
            f"No series has '{view}' in its name; found: {'; '.join(e.summary() for e in found.exams)}."
        )


def _locate_on(exam: Exam, series: ExamSeries, output: Path, run: PretrainedRun | None) -> None:
    """Draw one series' slice and tell of its order."""
    from ..reporting.plane_picture import Guide, write_plane_picture
    from ..training.plane_location import best_slice, order_of, seen_lines

    part = best_slice(exam, series)
    seen = {line.view: line for line in (seen_lines(run, exam, series, part) if run is not None else ())}
    guides = []
    for other in exam.series:
        if other.view != series.view:
            line = seen.get(other.view)
            heat, remark = (None, "") if line is None else (line.heat, line.remark)
            guides.append(Guide(other.view, other.first_in_place().planes, heat, remark))
    name = f"{exam.name} {series.view}".replace("/", "_").replace(" ", "-")
    path = output / f"{name}.png"
    write_plane_picture(path, part.values, part.plane, guides, f"{exam.name}, {series.view}, {part.name}")
    typer.echo(path)
    print_notes(f"{exam.name}, {series.view}: {warning}" for warning in order_of(series, exam, run).warnings)
