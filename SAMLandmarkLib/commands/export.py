"""`samlandmark export`: the form up to version 0.3 of `model export` and `study export`, kept for scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .model_export import AverageOption, VersionOption, model_export
from .study_export import FolderOption, ReportsOption, export_reports

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
    typer.Argument(metavar="FILE", help="For a RUN: the model file to write.", show_default=False),
]


def export(
    source: SourceArgument,
    file: FileArgument = None,
    dicom_sr: ReportsOption = False,
    output: FolderOption = None,
    version: VersionOption = None,
    average_with: AverageOption = None,
) -> None:
    """Another form of `samlandmark model export RUN FILE` and `samlandmark study export STUDY --dicom-sr`.

    With --dicom-sr writes DIR/PATIENT/SCAN.sr.dcm for each scan. Ends with 0 when something was written, 1 when no scan
    could have a report, 2 on wrong usage.
    """
    if dicom_sr:
        _refuse("is of a training run and does not go with --dicom-sr", file, version, average_with)
        export_reports(source, output)
        return
    if output is not None:
        raise typer.BadParameter(
            "--output goes with --dicom-sr; a model file is named as the second argument."
        )
    if file is None:
        raise typer.BadParameter(
            "What is to be written? Give the model FILE for a training run, or --dicom-sr for the reports of a study."
        )
    model_export([source, file], version, average_with)


def _refuse(why: str, file: Path | None, version: str | None, average_with: Path | None) -> None:
    given = {f"FILE ({file})": file, "--version": version, "--average-with": average_with}
    if names := [name for name, value in given.items() if value is not None]:
        raise typer.BadParameter(
            f"{' and '.join(names)} {why}; the folder of the reports is given by --output."
        )
