"""`samlandmark model export`: a training run as a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .terminal import exit_on_error

PathsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN... FILE",
        help="Folders of training runs or model files, one for each level or one for all, and the model file to write, "
        "*.safetensors.",
        show_default=False,
    ),
]
VersionOption = Annotated[str | None, typer.Option(help="Version that the model tells.", show_default=False)]
AverageOption = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="An earlier state of the run to take the mean of both with.",
        show_default=False,
    ),
]


def model_export(
    paths: PathsArgument,
    version: VersionOption = None,
    average_with: AverageOption = None,
) -> None:
    """Write the averaged weights of training runs as one model file. Ends with 2 where that is not possible."""
    from ..training.command import export_runs

    *runs, file = paths
    with exit_on_error(2):
        typer.echo(export_runs(runs, file, version, average_with))
