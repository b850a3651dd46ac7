"""`samlandmark pretrain`: a network for slices in planes that follow the anatomy, trained without labels."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .options import DeviceOption
from .terminal import exit_on_error, messages


class LineTarget(str, Enum):
    """What is told of a line."""

    HEAT = "heat"
    DISTANCE = "distance"


TaskOption = Annotated[
    str,
    typer.Option(
        metavar="TASK",
        help="lines: where the other series cut a slice; location: where in its stack it lies; both; contrastive; or "
        "several joined by +, such as both+contrastive.",
    ),
]
DataOption = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        help="Exams: DICOM files, or NIfTI stacks with a folder for each exam of several series.",
    ),
]
RunFolderOption = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="DIR", help="Folder of the run, with encoder.safetensors in the end."
    ),
]
StepsOption = Annotated[int, typer.Option(min=1, metavar="N", help="Steps, over all resumed runs.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")]
TargetOption = Annotated[
    LineTarget, typer.Option(case_sensitive=False, help="Of lines: a heat map, or the signed distance.")
]
HoldOutOption = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Measure with every N-th exam, which is not trained on; 0: none."),
]
SeedOption = Annotated[int, typer.Option(metavar="N", help="Of all that is random.")]


def pretrain(
    data: DataOption,
    output: RunFolderOption,
    task: TaskOption = "both",
    steps: StepsOption = 2000,
    resume: ResumeOption = False,
    target: TargetOption = LineTarget.HEAT,
    hold_out: HoldOutOption = 5,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
) -> None:
    """Train a network for slices without labels, by what the headers of exams know.

    Says what was found and what cannot be used and why. Survives being cut off. Ends with 2 on wrong usage or data.
    """
    from ..training.pretrain_command import PretrainRequest, run_pretraining

    console = messages()
    request = PretrainRequest(task, data, output, steps, resume, target.value, hold_out, device, seed)
    with exit_on_error(2):
        console.print(f"Reading the exams below {data} ...")
        typer.echo(run_pretraining(request, console.print, lambda row: console.print(_progress_line(row))))


def _progress_line(row: dict) -> str:
    tasks = [name.removesuffix("_loss") for name in row if name.endswith("_loss")]
    told = [f"{task} loss {row[f'{task}_loss']:.4f}, right {row[f'{task}_accuracy']:.0%}" for task in tasks]
    return f"step {row['step']}, {row['minutes']:.1f} min: {'; '.join(told)}"
