"""`samlandmark calibrate`: fit the confidence of a model and store it in the model file."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import DeviceOption
from .terminal import exit_on_error, messages


def calibrate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The model file; it is rewritten.")],
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="The CT volumes it was trained on, in folders by region.")
    ],
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of scans and points.")] = 0,
) -> None:
    """Fit the confidence of a model, without labels, and store it in the model file.

    Ends with 2 on wrong usage or data; the model file is then as it was.
    """
    from ..evaluation.calibration import CalibrationSettings, calibrate
    from ..model.bundle import rewrite_metadata
    from ..transfer import TransferEngine

    with exit_on_error(2):
        engine = TransferEngine(device=device, model=model)
        command = " ".join(["samlandmark", *sys.argv[1:]])
        fitted = calibrate(engine, data, CalibrationSettings(seed=seed), command)
        calibration = {profile: dataclasses.asdict(part) for profile, part in fitted.items()}
        rewrite_metadata(model, model, calibration=calibration)
        for profile, part in fitted.items():
            messages().print(f"Fitted for the profile {profile}: {part}")
        typer.echo(model)
