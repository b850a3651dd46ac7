"""`samlandmark register`: the map between two scans as a whole, and what it carries from one to the other."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..engine.settings import WorkerSettings
from .engine_options import COMPUTING, KEEPING, takes_engine_options
from .options import CsvFrameOption, JsonOption, OutputOption
from .terminal import VolumeProgress, exit_on_error, messages, print_json, print_notes, warnings_as_messages

if TYPE_CHECKING:
    from .register_run import RegisterCommand, RegisterOutcome


class RegistrationProfile(str, Enum):
    """How much work a registration is worth."""

    AFFINE = "affine"
    FAST = "fast"
    ACCURATE = "accurate"


_SCAN = "NIfTI, NRRD, MetaImage, or a folder with one DICOM series"
TemplateOption = Annotated[
    Path, typer.Option("--template", "-t", metavar="SCAN", help=f"The template: {_SCAN}.")
]
TargetOption = Annotated[
    Path, typer.Option("--target", "-f", metavar="SCAN", help="The scan that is brought to the template.")
]
RegistrationProfileOption = Annotated[
    RegistrationProfile,
    typer.Option(case_sensitive=False, help="affine, fast (embeddings only as far as 8 mm), or accurate."),
]
ApplyOption = Annotated[
    list[Path],
    typer.Option(
        metavar="FILE",
        help="An image or label map of the target, to be brought to the template.",
        show_default=False,
    ),
]
CarryOption = Annotated[
    list[Path],
    typer.Option(
        metavar="FILE",
        help="An image or label map of the template, to be carried to the target.",
        show_default=False,
    ),
]
RegisterLandmarksOption = Annotated[
    Path | None,
    typer.Option(
        "--landmarks",
        "-l",
        metavar="FILE",
        help="Landmarks of the template, to be carried to the target.",
        show_default=False,
    ),
]


@takes_engine_options(*COMPUTING, "modality", "max_memory", *KEEPING)
def register(
    template: TemplateOption,
    target: TargetOption,
    output: OutputOption,
    profile: RegistrationProfileOption = RegistrationProfile.ACCURATE,
    apply: ApplyOption = [],  # noqa: B006 - Typer reads the default and never changes it
    carry: CarryOption = [],  # noqa: B006
    landmarks: RegisterLandmarksOption = None,
    csv_frame: CsvFrameOption = None,
    *,
    engine: WorkerSettings,
    as_json: JsonOption = False,
) -> None:
    """Register a target to a template by their anatomical embeddings.

    Writes template_to_target.h5 and its inverse (ITK composite transforms, LPS, which 3D Slicer and SimpleITK read),
    registered.nrrd, registration.png, registration.json, and what was to be carried. Ends with 0 when all is written,
    1 when the scans can't be registered, 2 on wrong usage or an unreadable file.
    """
    from .register_run import RegisterCommand

    request = RegisterCommand(
        template,
        target,
        output,
        profile.value,
        tuple(apply),
        tuple(carry),
        landmarks,
        csv_frame.value if csv_frame else None,
        engine,
    )
    outcome = _carried_out(request, as_json)
    print_notes(outcome.notes)
    if as_json:
        print_json(outcome.document())
    else:
        for path in outcome.files:
            typer.echo(path)


def _carried_out(request: RegisterCommand, as_json: bool) -> RegisterOutcome:
    from .register_run import RegisterRun

    console = messages()
    with warnings_as_messages(console), VolumeProgress(console, 3) as progress:
        with exit_on_error(2, as_json):
            run = RegisterRun(request, progress.volume)
        with exit_on_error(1, as_json):
            return run.carry_out()
