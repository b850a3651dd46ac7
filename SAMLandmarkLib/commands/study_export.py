"""`samlandmark study export`: the results of a study in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import known_formats
from .terminal import VolumeProgress, exit_on_error, messages

StudyFolderArgument = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY", help="The folder of a study: the --output of samlandmark batch.", show_default=False
    ),
]
ReportsOption = Annotated[
    bool,
    typer.Option(
        "--dicom-sr", help="Write a DICOM structured report for each scan of a study that was DICOM."
    ),
]
ExportFormatsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="NAME",
        callback=known_formats,
        help="What to write, such as dicom-sr or csv; may be given several times, and a wrong name lists all.",
        show_default=False,
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Where to; DICOM reports go into the study's folder by default, other formats need one.",
        show_default=False,
    ),
]
_REPORTS = "dicom-sr"
"""The one format of which a study knows more than its results: which landmarks belong to one patient."""


def study_export(
    study: StudyFolderArgument,
    formats: ExportFormatsOption = None,
    dicom_sr: ReportsOption = False,
    output: FolderOption = None,
) -> None:
    """Write the landmarks of a STUDY in other formats.

    DICOM structured reports are DIR/PATIENT/SCAN.sr.dcm for each scan; of other formats the files are those that
    `samlandmark transfer` writes, with targets called PATIENT_SCAN. Ends with 0 when something was written, 1 when
    no scan could have a report, 2 on wrong usage.
    """
    others = [name for name in formats or () if name != _REPORTS]
    if not (formats or dicom_sr):
        raise typer.BadParameter(
            "What is to be written? Give --dicom-sr for DICOM structured reports, or --format NAME."
        )
    if others:
        if output is None:
            raise typer.BadParameter(f"--format {others[0]} needs --output: the folder to export to.")
        _export_results(study, output, others)
    if dicom_sr or len(others) < len(formats or ()):
        export_reports(study, output)


def _export_results(study: Path, output: Path, formats: list[str]) -> None:
    from ..study.export import export_study

    with exit_on_error(2):
        files, failures = export_study(study, output, formats)
    for file in files:
        typer.echo(file)
    for failure in failures:
        reason = f": {failure.message}" if failure.message else ""
        messages().print(f"{failure.target} is {failure.kind}{reason}.", style="yellow")


def export_reports(study: Path, output: Path | None) -> None:
    """Write the reports of a study and tell what has none; ends with 1 where there is no report at all."""
    from ..study.structured_report import write_structured_reports

    console = messages()
    with exit_on_error(2), VolumeProgress(console, volumes=1) as progress:
        reports = write_structured_reports(study, output, progress.volume("reports"))
    for file in reports.files:
        typer.echo(file)
    for item in reports.excluded:
        console.print(f"No report about {item.what}: {item.reason}.", style="yellow")
    if not reports.files:
        raise typer.Exit(1)
