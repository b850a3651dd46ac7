"""`samlandmark atlas build`: a protocol of one's own from marked scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..engine.settings import WorkerSettings
from .engine_options import COMPUTING, KEEPING, takes_engine_options
from .options import CsvFrameOption
from .terminal import VolumeProgress, exit_on_error, messages, print_notes, warnings_as_messages

MarkedOption = Annotated[
    list[Path],
    typer.Option("--template", "-t", metavar="SCAN", help="A marked scan; may be given several times."),
]
LandmarksOption = Annotated[
    list[Path],
    typer.Option(
        "--landmarks",
        "-l",
        metavar="FILE",
        help="The landmarks of each: .mrk.json, .fcsv, or .csv with label,x,y,z.",
    ),
]
AtlasFileOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="The atlas file to write (.safetensors).")
]
ProtocolNameOption = Annotated[str, typer.Option(metavar="NAME", help="What the protocol is called.")]
LicenceOption = Annotated[
    str, typer.Option(metavar="TEXT", help="Licence of the scans, kept in the file.", show_default=False)
]
AttributionOption = Annotated[
    str, typer.Option(metavar="TEXT", help="Who is to be named, kept in the file.", show_default=False)
]


@takes_engine_options(*COMPUTING, "max_memory", *KEEPING)
def atlas_build(
    name: ProtocolNameOption,
    template: MarkedOption,
    landmarks: LandmarksOption,
    output: AtlasFileOption,
    csv_frame: CsvFrameOption = None,
    licence: LicenceOption = "",
    attribution: AttributionOption = "",
    *,
    engine: WorkerSettings,
) -> None:
    """Make a protocol of one's own: an atlas file of marked scans, for `locate --protocol FILE`.

    The file holds embeddings around the landmarks and of some points of the body, no voxels; the names of the scans' files
    are in it. It belongs to the model that made it. Ends with 2 on wrong usage or unreadable files.
    """
    from .atlas_run import AtlasBuild

    console = messages()
    with (
        exit_on_error(2),
        warnings_as_messages(console),
        VolumeProgress(console, len(template) + 1) as progress,
    ):
        frame = csv_frame and csv_frame.value
        build = AtlasBuild(name, tuple(template), tuple(landmarks), output, frame, licence, attribution)
        notes = build.carry_out(engine, progress.volume)
    print_notes(notes)
    typer.echo(output)
