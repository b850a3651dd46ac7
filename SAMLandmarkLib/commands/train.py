"""`samlandmark train`: from unlabelled images to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DeviceOption, Precision, PrecisionOption
from .terminal import exit_on_error, messages

_RUN_FOLDER = "Folder of the run: checkpoint, log.jsonl, run.json and model.safetensors."


DataOption = Annotated[
    Path,
    typer.Option(
        metavar="DIR", help="CT volumes, or films; the folders directly below are groups that are balanced."
    ),
]
RunFolderOption = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help=_RUN_FOLDER)]
MinutesOption = Annotated[
    float | None,
    typer.Option(min=0, metavar="N", help="Training time over all resumed runs.", show_default=False),
]
StepsOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Number of steps instead.", show_default=False)
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="JSON with settings that differ from the defaults.", show_default=False
    ),
]
StartOption = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Folder of a run, or a model file, whose weights are the first of this.",
        show_default=False,
    ),
]
ModalityOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="ct (the default), radiograph or mr-brain.", show_default=False),
]
LevelOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="Train this level alone; may be given several times.", show_default=False
    ),
]
FilmSpacingOption = Annotated[
    float | None,
    typer.Option(min=0.01, max=10, metavar="MM", help="Side of a pixel of films.", show_default=False),
]


def train(
    data: DataOption,
    output: RunFolderOption,
    minutes: MinutesOption = None,
    steps: StepsOption = None,
    resume: ResumeOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = Precision.AUTO,
    config: ConfigOption = None,
    start_from: StartOption = None,
    modality: ModalityOption = None,
    level: LevelOption = None,
    pixel_spacing: FilmSpacingOption = None,
) -> None:
    """Train the embedding network on unlabelled CT volumes, radiographs, or MR and label maps of heads.

    Survives being cut off: a checkpoint is written every four minutes. Levels are independent: runs of single levels
    into one folder, with --resume, make one network. Ends with 2 on wrong usage or data.
    """
    from ..training.command import TrainingRequest, run_training

    console = messages()
    request = TrainingRequest(
        data,
        output,
        minutes,
        steps,
        resume,
        device,
        config,
        start_from,
        precision.value,
        modality,
        tuple(level or ()),
        pixel_spacing,
    )
    with exit_on_error(2):
        console.print(f"Reading the images below {data} ...")
        model = run_training(request, lambda row: console.print(_progress_line(row)))
        typer.echo(model)


def _progress_line(row: dict) -> str:
    names = [name.removesuffix("_loss") for name in row if name.endswith("_loss")]
    levels = [
        f"{name} loss {row[f'{name}_loss']:.3f}, retrieved {row[f'{name}_accuracy']:.0%}" for name in names
    ]
    return f"step {row['step']}, {row['minutes']:.1f} min ({row['progress']:.0%}), {row['precision']}: {'; '.join(levels)}"
