"""`samlandmark transfer`: the landmarks of a template carried to other scans."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    CsvFrameOption,
    DeviceOption,
    JsonOption,
    MemoryOption,
    ModelOption,
    OutputOption,
    Profile,
    ProfileOption,
)
from .terminal import VolumeProgress, exit_on_error, messages, print_json, results, warnings_as_messages

if TYPE_CHECKING:
    from .transfer_run import TransferOutcome, TransferRequest

_SCAN = "NIfTI, NRRD, MetaImage, or a folder with one DICOM series"

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
PictureOption = Annotated[bool, typer.Option(help="Also write a picture for each target.")]


def transfer(
    template: TemplatesOption,
    landmarks: LandmarksOption,
    target: TargetsOption,
    output: OutputOption,
    csv_frame: CsvFrameOption = None,
    device: DeviceOption = "auto",
    model: ModelOption = None,
    max_memory: MemoryOption = None,
    profile: ProfileOption = Profile.ACCURATE,
    picture: PictureOption = False,
    as_json: JsonOption = False,
) -> None:
    """Carry the landmarks of a template, or of several together, to other scans.

    Writes TARGET.mrk.json for each target, and transfer.csv and transfer.json about all of them. Ends with 0
    when all targets are done, 1 when some failed (the others are written), 2 on wrong usage or an unreadable
    template.
    """
    from .transfer_run import TransferRequest

    frame = csv_frame.value if csv_frame else None
    if len(template) != len(landmarks):
        raise typer.BadParameter(
            f"{len(template)} --template and {len(landmarks)} --landmarks are given; give each template its own."
        )
    request = TransferRequest(
        template[0],
        landmarks[0],
        tuple(target),
        output,
        extra_templates=tuple(zip(template[1:], landmarks[1:], strict=True)),
        device=device,
        model=model,
        csv_frame=frame,
        max_memory=max_memory,
        profile=profile.value,
        picture=picture,
    )
    outcome = run_on_terminal(request, as_json)
    if as_json:
        print_json(outcome.document())
    elif sys.stdout.isatty():
        _print_summary(outcome)
    raise typer.Exit(outcome.exit_code)


def run_on_terminal(request: TransferRequest, as_json: bool = False) -> TransferOutcome:
    """Carry out a request with a progress bar; failed targets and warnings are told on stderr."""
    from .transfer_run import TransferRun

    console = messages()
    with warnings_as_messages(console), VolumeProgress(console, request.scans) as progress:
        with exit_on_error(2, as_json):
            run = TransferRun(request, progress.volume)
        with exit_on_error(1, as_json):
            outcome = run.carry_out()
    for failure in outcome.failures:
        console.print(f"Error: target {failure.target} failed: {failure.message}", style="red")
    return outcome


def _print_summary(outcome: TransferOutcome) -> None:
    from rich.table import Table

    from ..results import count_statuses

    table = Table("target", *(status.lower() for status in ("FOUND", "DOUBTFUL", "MISSING")))
    for result in outcome.results:
        table.add_row(result.target, *map(str, count_statuses(result).values()))
    results().print(table)
    for path in outcome.files:
        typer.echo(path)
