"""`samlandmark calibrate`: fit the confidence of a model and store it in the model file."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ..engine.settings import WorkerSettings
from .engine_options import takes_engine_options
from .options import RunCacheOption
from .terminal import exit_on_error, messages, print_notes


@takes_engine_options(
    "device", "precision", "trust_model", "max_memory", "pixel_spacing", cache=RunCacheOption
)
def calibrate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The model file; it is rewritten.")],
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="The images it was trained on, in folders by region.")
    ],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of scans and points.")] = 0,
    *,
    engine: WorkerSettings,
) -> None:
    """Fit the confidence of a model, without labels, and store it in the model file.

    Ends with 2 on wrong usage or data; the model file is then as it was.
    """
    from ..engine.runtime import EngineRuntime
    from ..evaluation.calibration import CalibrationSettings, calibrate
    from ..models.bundle import rewrite_metadata

    command = " ".join(["samlandmark", *sys.argv[1:]])
    with exit_on_error(2), tempfile.TemporaryDirectory(prefix="samlandmark-") as folder:
        runtime = EngineRuntime(dataclasses.replace(engine, model=model), Path(folder))
        fitted = calibrate(runtime, data, CalibrationSettings(seed=seed), command)
        calibration = {profile: dataclasses.asdict(part) for profile, part in fitted.items()}
        rewrite_metadata(model, model, engine.trust_model, calibration=calibration)
        print_notes(runtime.notes)
        for profile, part in fitted.items():
            messages().print(f"Fitted for the profile {profile}: {part}")
        typer.echo(model)
