"""`samlandmark model encoder`: the trained weights for networks of one's own."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .terminal import exit_on_error, messages


class EncoderFormat(str, Enum):
    """What is to load the file."""

    TORCH = "torch"
    MONAI = "monai"
    NNUNET = "nnunet"


SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN_OR_MODEL",
        help="Folder of a training run, whose weights keep their batch norms; a model file; or ct or radiograph for the "
        "bundled model.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    EncoderFormat,
    typer.Option(
        "--format", case_sensitive=False, help="torch and monai are the same file; nnunet is taught."
    ),
]
FileOption = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help="File to write: .safetensors, or .pth for nnunet."),
]
LevelOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Level; by default the finest.", show_default=False)
]
LicenceOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What the file says of its licence.", show_default=False)
]
DataOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="nnunet: images to teach its network with.", show_default=False),
]
PlansOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="nnunet: the nnUNetPlans.json that it is to train with.", show_default=False
    ),
]
ConfigurationOption = Annotated[str, typer.Option(metavar="NAME", help="nnunet: configuration of the plans.")]
StepsOption = Annotated[int, typer.Option(min=1, metavar="N", help="nnunet: patches to teach it with.")]


def model_encoder(
    source: SourceArgument,
    output: FileOption,
    format: FormatOption = EncoderFormat.TORCH,
    level: LevelOption = None,
    licence: LicenceOption = None,
    data: DataOption = None,
    plans: PlansOption = None,
    configuration: ConfigurationOption = "3d_fullres",
    steps: StepsOption = 1500,
) -> None:
    """Write trained weights for a network of one's own: PyTorch, MONAI or nnU-Net. Ends with 2 where that is not possible.

    The file holds the weights in float32, the architecture, the normalisation, the origin and the licence.
    """
    from ..training.encoder_export import EncoderRequest, export_encoder

    request = EncoderRequest(source, output, format.value, level, licence, data, plans, configuration, steps)
    console = messages()
    with exit_on_error(2):
        written = export_encoder(
            request, lambda row: console.print(f"step {row['step']}, cosine {row['cosine']:.3f}")
        )
        typer.echo(written)
