"""`samlandmark batch`: a whole study, on this computer or on a cluster, that can be gone on with at any time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..engine.settings import WorkerSettings
from .engine_options import COMPUTING, KEEPING, takes_engine_options
from .options import CsvFrameOption, JsonOption, OutputOption
from .terminal import exit_on_error, messages

StudyArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MANIFEST|DIR",
        help="A table of scans (.csv or .json with patient, role, date, volume, landmarks), a folder of DICOM files, or "
        "with --template or --protocol a folder of volume files.",
    ),
]
TemplateOption = Annotated[
    Path | None,
    typer.Option(
        "--template",
        "-t",
        metavar="SCAN",
        help="A template for all patients that have none of their own.",
        show_default=False,
    ),
]
LandmarksOption = Annotated[
    Path | None,
    typer.Option(
        "--landmarks",
        "-l",
        metavar="FILE|DIR",
        help="Its landmarks. For DICOM without --template: those of the baseline, or a folder with a file for each "
        "patient, named by the patient's ID.",
        show_default=False,
    ),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE|auto",
        help="Without a template: the named landmarks of a bundled protocol (a wrong name lists all) or of an atlas file in "
        "every scan; auto chooses the bundled one for each scan.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Processes on this computer, 1 by default; with 0 the command itself does the work, and Ctrl-C waits for "
        "the scans in hand.",
        show_default=False,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="A Dask scheduler, such as tcp://host:8786.", show_default=False),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processor threads of each worker; by default the cores are shared out, a cluster's workers take one, and "
        "--resume goes on with as many as before.",
        show_default=False,
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option("--resume", help="Go on with the study in DIR; computes what is missing or has changed."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, and by which rule, and do nothing.")
]


@takes_engine_options(
    *COMPUTING, "max_memory", "profile", "pixel_spacing", "modality", *KEEPING, threads=ThreadsOption
)
def batch(
    study: StudyArgument,
    output: OutputOption,
    template: TemplateOption = None,
    landmarks: LandmarksOption = None,
    protocol: ProtocolOption = None,
    csv_frame: CsvFrameOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
    *,
    engine: WorkerSettings,
    as_json: JsonOption = False,
) -> None:
    """Find landmarks in a whole study: each patient's own over time, one template's or a protocol's in everybody.

    Writes DIR/PATIENT/SCAN.mrk.json and .json for each scan, and DIR/study.csv about all. A scan that fails is recorded
    and the others go on. Ctrl-C stops; --resume goes on. Ends with 0 when all scans are done, 1 when some failed, 2 on
    wrong usage, 130 when it was stopped.
    """
    from ..study.pending import StudyRequest
    from ..study.planning import protocol_plan, study_plan
    from .batch_dry_run import print_dry_run
    from .batch_run import print_outcome, print_warning, run_study

    if scheduler is not None and workers is not None:
        raise typer.BadParameter("Give --workers or --scheduler: the workers of a cluster are its own.")
    if protocol is not None and (template, landmarks) != (None, None):
        raise typer.BadParameter(
            "Give --protocol, or --template and --landmarks: a protocol needs no template."
        )
    # workers on other machines, and reports from other folders, have no use for paths relative to this one
    study, output, template, landmarks = map(_absolute, (study, output, template, landmarks))
    settings = replace(engine, model=_absolute(engine.model), cache_folder=_absolute(engine.cache_folder))
    frame = csv_frame.value if csv_frame else None
    with exit_on_error(2, as_json):
        if study.is_dir():
            messages().print(f"Looking through {study} ...")
        if protocol is None:
            plan = study_plan(study, output, template, landmarks, frame, print_warning)
        else:
            plan = protocol_plan(study, output, protocol, settings, print_warning)
        request = StudyRequest(plan, output, settings, frame, resume)
        if dry_run:
            print_dry_run(request, as_json)
            raise typer.Exit
        outcome, was_stopped = run_study(request, 1 if workers is None else workers, scheduler)
    raise typer.Exit(print_outcome(outcome, was_stopped, as_json))


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()
