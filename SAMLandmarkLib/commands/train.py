"""`samlandmark train`: from unlabelled CT volumes to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DeviceOption
from .terminal import exit_on_error, messages

_RUN_FOLDER = "Folder of the run: checkpoint, log.jsonl, run.json, model.pt."


def train(
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="CT volumes; the folders directly below are groups that are balanced."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help=_RUN_FOLDER)],
    minutes: Annotated[
        float | None,
        typer.Option(min=0, metavar="N", help="Training time over all resumed runs.", show_default=False),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Number of steps instead.", show_default=False)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")
    ] = False,
    device: DeviceOption = "auto",
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="JSON with settings that differ from the defaults.", show_default=False
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Folder of a run whose last weights are the first of this.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train the embedding network on unlabelled CT volumes.

    Survives being cut off: a checkpoint is written every four minutes. Ends with 2 on wrong usage or data.
    """
    from ..training.command import TrainingRequest, run_training

    console = messages()
    request = TrainingRequest(data, output, minutes, steps, resume, device, config, start_from)
    with exit_on_error(2):
        console.print(f"Reading the volumes below {data} ...")
        model = run_training(request, lambda row: console.print(_progress_line(row)))
        typer.echo(model)


def _progress_line(row: dict) -> str:
    return (
        f"step {row['step']}, {row['minutes']:.1f} min ({row['progress']:.0%}): "
        f"fine loss {row['fine_loss']:.3f}, retrieved {row['fine_accuracy']:.0%}; "
        f"coarse loss {row['coarse_loss']:.3f}, retrieved {row['coarse_accuracy']:.0%}"
    )
