"""`samlandmark report`: what came of a study, to look at and to print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import JsonOption
from .terminal import VolumeProgress, exit_on_error, messages, print_json

StudyArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder of a study: the --output of samlandmark batch.")
]
DistanceOption = Annotated[
    list[str],
    typer.Option(
        "--distance",
        metavar="A,B",
        help="Two landmarks to measure the distance between over time; may be given several times.",
        default_factory=list,
        show_default=False,
    ),
]
ReportFolderOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Another folder for the pages.", show_default="DIR"),
]


def report(
    study: StudyArgument,
    distance: DistanceOption,
    output: ReportFolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write pages about a study: report.html, and PATIENT/report.html with pictures of every landmark.

    Each page is one file that needs nothing else. A study that still runs can be
    reported too. Ends with 0; with 1 when a page can't be written, with 2 on wrong
    usage.
    """
    from ..reporting.picture import require_matplotlib
    from ..study.outcome import StudyOutcome
    from ..study.report import distance_pairs, write_study_report

    with exit_on_error(2, as_json):
        require_matplotlib()
        outcome = StudyOutcome.read(study)
        pairs = distance_pairs(outcome, distance)
    with VolumeProgress(messages(), len(outcome.patients)) as progress, exit_on_error(1, as_json):
        files = write_study_report(outcome, output, pairs, progress.volume)
    for patient, notes in files.without_pictures.items():
        messages().print(f"Warning: {patient}: {' '.join(notes)}", style="yellow")
    if as_json:
        print_json(files.document())
        return
    for path in files.all:
        typer.echo(path)
