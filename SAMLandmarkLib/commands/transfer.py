"""`samlandmark transfer`: the landmarks of a template carried to other scans."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from ..engine.settings import WorkerSettings
from .engine_options import COMPUTING, KEEPING, takes_engine_options
from .options import CsvFrameOption, FormatsOption, JsonOption, OutputOption
from .terminal import (
    VolumeProgress,
    exit_on_error,
    messages,
    print_json,
    print_notes,
    results,
    warnings_as_messages,
)

if TYPE_CHECKING:
    from .targets_run import StartVolume, TransferOutcome
    from .transfer_run import TransferCommand


class Run(Protocol):
    """A request that has proved usable."""

    def carry_out(self) -> TransferOutcome: ...


_SCAN = "NIfTI, NRRD, MetaImage, a folder with one DICOM series, or a radiograph (DICOM, PNG, JPEG, TIFF)"

TemplatesOption = Annotated[
    list[Path],
    typer.Option(
        "--template",
        "-t",
        metavar="SCAN",
        help=f"The template: {_SCAN}. Further ones, with landmarks of the same labels, make it surer.",
    ),
]
LandmarksOption = Annotated[
    list[Path],
    typer.Option(
        "--landmarks",
        "-l",
        metavar="FILE",
        help="The landmarks of each template: .mrk.json, .fcsv, or .csv with label,x,y,z.",
    ),
]
TargetsOption = Annotated[
    list[Path],
    typer.Option(
        "--target", "-f", metavar="SCAN", help="A scan to carry them to; may be given several times."
    ),
]
SeriesOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NUMBER",
        help="The number or UID of the DICOM series to read; may be given several times, for folders of different scans.",
    ),
]
PictureOption = Annotated[bool, typer.Option(help="Also write a picture for each target.")]


@takes_engine_options(*COMPUTING, "max_memory", "profile", "pixel_spacing", "modality", *KEEPING)
def transfer(
    template: TemplatesOption,
    landmarks: LandmarksOption,
    target: TargetsOption,
    output: OutputOption,
    csv_frame: CsvFrameOption = None,
    picture: PictureOption = False,
    series: SeriesOption = None,
    formats: FormatsOption = None,
    *,
    engine: WorkerSettings,
    as_json: JsonOption = False,
) -> None:
    """Carry the landmarks of a template, or of several together, to other scans.

    Writes TARGET.mrk.json for each target, and transfer.csv and transfer.json about all of them, or what --format names.
    Ends with 0 when all targets are done, 1 when some failed (the others are written), 2 on wrong usage or an
    unreadable template.
    """
    from .transfer_run import TransferCommand

    first, *others = _with_landmarks(template, landmarks)
    request = TransferCommand(
        *first,
        tuple(target),
        output,
        engine,
        csv_frame.value if csv_frame else None,
        extra_templates=tuple(others),
        picture=picture,
        series=tuple(series or ()),
        formats=tuple(formats or ()),
    )
    outcome = run_on_terminal(request, as_json)
    if as_json:
        print_json(outcome.document())
    elif sys.stdout.isatty():
        print_summary(outcome)
    raise typer.Exit(outcome.exit_code)


def _with_landmarks(templates: list[Path], landmarks: list[Path]) -> list[tuple[Path, Path]]:
    if len(templates) != len(landmarks):
        raise typer.BadParameter(
            f"{len(templates)} --template and {len(landmarks)} --landmarks are given; give each template its own."
        )
    return list(zip(templates, landmarks, strict=True))


def run_on_terminal(request: TransferCommand, as_json: bool = False) -> TransferOutcome:
    """Carry out a request with a progress bar; failed targets and warnings are told on stderr."""
    from .transfer_run import TransferRun

    return carried_out(lambda start_volume: TransferRun(request, start_volume), request.scans, as_json)


def carried_out(make: Callable[[StartVolume], Run], scans: int, as_json: bool = False) -> TransferOutcome:
    """Make a run and carry it out with a progress bar over so many scans; what failed is told on stderr."""
    console = messages()
    with warnings_as_messages(console), VolumeProgress(console, scans) as progress:
        with exit_on_error(2, as_json):
            run = make(progress.volume)
        with exit_on_error(1, as_json):
            outcome = run.carry_out()
    print_notes(outcome.notes)
    for failure in outcome.failures:
        console.print(f"Error: target {failure.target} failed: {failure.message}", style="red")
    return outcome


def print_summary(outcome: TransferOutcome) -> None:
    """How many landmarks of each target have which status, and the files that were written."""
    from rich.table import Table

    table = Table("target", *(status.lower() for status in ("FOUND", "DOUBTFUL", "MISSING")))
    for result in outcome.results:
        table.add_row(result.target, *map(str, result.counts().values()))
    results().print(table)
    for path in outcome.files:
        typer.echo(path)
