"""`samlandmark export`: a training run as a model file, or a study as DICOM reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .terminal import VolumeProgress, exit_on_error, messages

SourceArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|STUDY",
        help="Folder of a training run; with --dicom-sr of a study that samlandmark batch has written.",
        show_default=False,
    ),
]
FileArgument = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="For a RUN: the model file to write, *.pt.", show_default=False),
]
ReportsOption = Annotated[
    bool,
    typer.Option(
        "--dicom-sr", help="Write a DICOM structured report for each scan of a STUDY that was DICOM."
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="With --dicom-sr: folder for the reports, in place of the study's.",
        show_default=False,
    ),
]
VersionOption = Annotated[
    str | None, typer.Option(help="For a RUN: version that the model tells.", show_default=False)
]
AverageOption = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="For a RUN: an earlier state of it to take the mean of both with.",
        show_default=False,
    ),
]


def export(
    source: SourceArgument,
    file: FileArgument = None,
    dicom_sr: ReportsOption = False,
    output: FolderOption = None,
    version: VersionOption = None,
    average_with: AverageOption = None,
) -> None:
    """Write the averaged weights of a training RUN as a model file, or the DICOM reports of a STUDY.

    With --dicom-sr writes DIR/PATIENT/SCAN.sr.dcm for each scan. Ends with 0 when something was written, 1 when no scan
    could have a report, 2 on wrong usage.
    """
    if dicom_sr:
        _refuse("is of a training run and does not go with --dicom-sr", file, version, average_with)
        _export_reports(source, output)
        return
    if output is not None:
        raise typer.BadParameter(
            "--output goes with --dicom-sr; a model file is named as the second argument."
        )
    if file is None:
        raise typer.BadParameter(
            "What is to be written? Give the model FILE for a training run, or --dicom-sr for the reports of a study."
        )
    from ..training.command import export_run

    with exit_on_error(2):
        typer.echo(export_run(source, file, version, average_with))


def _refuse(why: str, file: Path | None, version: str | None, average_with: Path | None) -> None:
    given = {f"FILE ({file})": file, "--version": version, "--average-with": average_with}
    if names := [name for name, value in given.items() if value is not None]:
        raise typer.BadParameter(
            f"{' and '.join(names)} {why}; the folder of the reports is given by --output."
        )


def _export_reports(study: Path, output: Path | None) -> None:
    from ..study.structured_report import write_structured_reports

    console = messages()
    with exit_on_error(2), VolumeProgress(console, volumes=1) as progress:
        reports = write_structured_reports(study, output, progress.volume("reports"))
    for file in reports.files:
        typer.echo(file)
    for item in reports.left_out:
        console.print(f"No report about {item.what}: {item.reason}.", style="yellow")
    if not reports.files:
        raise typer.Exit(1)
