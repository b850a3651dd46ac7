"""`samlandmark demo`: the main job on the bundled sample pair, measured against the known truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..engine.settings import WorkerSettings
from .engine_options import takes_engine_options
from .options import OutputOption
from .terminal import results
from .transfer import run_on_terminal

if TYPE_CHECKING:
    from rich.table import Table

    from ..core.landmarks import LandmarkSet
    from ..engine.transfer import TransferredLandmark, TransferResult

_STATUS_STYLES = {"FOUND": "green", "DOUBTFUL": "yellow", "MISSING": "red"}


@takes_engine_options("device", "precision")
def demo(output: OutputOption = Path("demo-output"), *, engine: WorkerSettings) -> None:
    """Carry the landmarks of the bundled sample pair, and show how far from the truth they land."""
    from ..core.landmarks import LandmarkSet
    from ..utils.bundled import bundled_folder
    from .transfer_run import TransferCommand

    sample = bundled_folder("SampleData")
    truth = LandmarkSet.read(sample / "followup.csv", csv_frame="LPS")
    request = TransferCommand(
        template=sample / "template.nii.gz",
        landmarks=sample / "template.mrk.json",
        targets=(sample / "followup.nii.gz",),
        output=output,
        engine=engine,
        picture=True,
        truth=truth,
    )
    outcome = run_on_terminal(request)
    for result in outcome.results:
        _print_result(result, truth)
    for path in outcome.files:
        typer.echo(path)
    raise typer.Exit(outcome.exit_code)


def _print_result(result: TransferResult, truth: LandmarkSet) -> None:
    errors = errors_mm(result, truth)
    results().print(_result_table(result, errors))
    typer.echo(_summary(list(errors.values()), len(result)))


def _summary(errors: list[float], landmarks: int) -> str:
    import numpy as np

    if not errors:
        return f"None of {landmarks} landmarks was found."
    spread = f"median error {np.median(errors):.1f} mm, largest {np.max(errors):.1f} mm"
    return f"{len(errors)} of {landmarks} landmarks measured against the truth: {spread}"


def errors_mm(result: TransferResult, truth: LandmarkSet) -> dict[str, float]:
    """Distance in mm from each landmark that was found to the truth of the same label."""
    import numpy as np

    true_places = dict(zip(truth.labels, truth.positions_lps, strict=True))
    return {
        item.label: float(np.linalg.norm(item.position_lps - true_places[item.label]))
        for item in result
        if item.position_lps is not None and item.label in true_places
    }


def _result_table(result: TransferResult, errors: dict[str, float]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{result.template} to {result.target}", title_justify="left")
    table.add_column("landmark", overflow="fold")
    table.add_column("position (LPS, mm)", justify="right", no_wrap=True)
    table.add_column("confidence", justify="right")
    table.add_column("status")
    table.add_column("error (mm)", justify="right")
    for item in result:
        status = Text(item.status.value, style=_STATUS_STYLES[item.status.value])
        error = f"{errors[item.label]:.1f}" if item.label in errors else "-"
        table.add_row(Text(item.label), _position_text(item), f"{item.confidence:.2f}", status, error)
    return table


def _position_text(item: TransferredLandmark) -> str:
    return "-" if item.position_lps is None else " ".join(f"{value:7.1f}" for value in item.position_lps)
